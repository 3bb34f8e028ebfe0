"""Target morphs: the common vocabulary, the normalisation of source names, and the mapping from one to the other."""

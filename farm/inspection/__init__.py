"""Individual inspection: pictures of what each morph of a model does, and the page on which a person decides by them."""

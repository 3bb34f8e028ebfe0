"""Props over a face: made to a head's measures, worn or not."""

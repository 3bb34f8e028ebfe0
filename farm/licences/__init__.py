"""What may be done with models and their pictures: what their files say, and what a person decided."""

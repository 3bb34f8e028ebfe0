"""A character standing ready: what its pose looks like, in numbers."""

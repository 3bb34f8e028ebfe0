"""Data sets for training, made of what was rendered: layouts, splits, cards, metadata."""

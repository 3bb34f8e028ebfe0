"""Pose spaces: what the entries of a pose vector mean, how samples are drawn, and what of it a model can play."""

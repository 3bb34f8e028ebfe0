"""Counts and pictures over a whole rendered folder: what a data set holds, at a glance."""

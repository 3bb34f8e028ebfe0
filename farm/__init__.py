"""Facefarm: folders of 3D anime characters in, exactly annotated face images out."""

__version__ = "0.1.0"

"""Holds a rendered folder against its manifests: files, pictures, labels, poses, splits, and a share drawn again."""

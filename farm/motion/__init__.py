"""Motion files: what is in them, where it puts things at a time, and what that is on one character. Numbers alone."""

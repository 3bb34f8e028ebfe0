"""Bodies: how a character stands, what turns its limbs, and how far it then reaches. Numbers alone."""

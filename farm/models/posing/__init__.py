"""Where a pose puts a character's vertices: what morphs and bones do, and how high the head is. Numbers alone."""

"""VRM 0.x and 1.0: what they say of a glTF file's nodes, materials and targets."""

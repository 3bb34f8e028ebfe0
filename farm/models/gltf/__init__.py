"""Binary glTF 2.0: its container, numbers, nodes, meshes, materials and pictures; nothing of VRM."""

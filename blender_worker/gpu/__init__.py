"""What our own shaders share: buffers, textures, the shaders' common half."""

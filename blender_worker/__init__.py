"""All that imports bpy. Run as a child process (``python -m blender_worker``) that is told what to draw over a pipe."""

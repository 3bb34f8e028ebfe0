"""3D character files: reading PMX, PMD and VRM into one description, checking them, listing what they hold."""

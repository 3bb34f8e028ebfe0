"""What draws an actor: one interface (canvas), three ways behind it."""

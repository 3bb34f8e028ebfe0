"""From a character file to an actor, a module for each family of formats."""

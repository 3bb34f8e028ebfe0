"""What is where on a character: parts and landmarks."""

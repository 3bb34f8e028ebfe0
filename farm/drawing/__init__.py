"""From a model and what is asked of it to checked, encoded, packed pictures. Knows no job and no queue."""

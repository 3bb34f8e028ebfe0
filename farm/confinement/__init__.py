"""What a process that works on strangers' files gives up, for good, before it opens the first."""

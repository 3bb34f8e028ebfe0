"""A whole farm of real processes, disturbed on purpose: it must end with the bytes of an undisturbed run and lose nothing."""

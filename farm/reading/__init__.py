"""Reads what strangers send, in processes that have nothing to lose and little to take."""

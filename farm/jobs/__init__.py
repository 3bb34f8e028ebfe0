"""Batches, jobs and attempts: what they are, how they change, and where they are kept."""

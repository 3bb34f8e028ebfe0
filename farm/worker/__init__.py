"""Carries the work: the Celery app and task, the supervisor of Blender processes, encoding and upload."""

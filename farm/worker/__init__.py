"""The worker's processes: they take jobs under leases and have `farm.drawing` do them. The only room that knows Celery."""

"""Flower on the farm's own Celery application, whose address, time limits and TLS are those of every other role.

A process of its own (``python -m farm.worker.flower --port=...``): Flower reads its options from the command line.
"""

import sys

from farm.settings import Settings
from farm.worker.celery_app import make_app

if __name__ == "__main__":
    make_app(Settings()).start(["flower", *sys.argv[1:]])

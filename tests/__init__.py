"""The tests. Several processes of them share the cores, so that none may take all of these for a small matrix: OpenBLAS is
told before anything imports numpy, as `farm.environment` tells the farm's own processes."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

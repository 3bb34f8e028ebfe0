"""All that the farm tells Prometheus: each metric's name, labels and meaning, in this one place.

docs/reference/metrics.md is the same as a table. Whatever happens is counted where it happens, in whichever process;
numbers are kept only in a process that shows them (`farm.exposition`), and elsewhere counting does nothing. So this imports
no client library.

How many series there can be is bounded: a label has a list of values, or takes the first few that come, and everything
beyond is "other". None names a job, a model, a batch, a user or a machine (Prometheus says itself which pod it asked).
"""

from collections.abc import Callable
from enum import StrEnum
from threading import Lock

OTHER = "other"
"""What a label says in place of a value that is not on its list."""


class ShownBy(StrEnum):
    """Whose processes show a metric."""

    API = "API"
    WORKER = "worker"


class Label:
    """A label and the values that it may have."""

    def __init__(self, name: str, *values: str, most: int = 0) -> None:
        """`values` are all that there are; or else the first `most` that come."""
        self.name, self.known, self.most = name, values, most
        self._allowed = set(values)
        self._lock = Lock()

    def bounded(self, value: str) -> str:
        """`value`, or `OTHER` when it is not among those that may be."""
        if value in self._allowed:
            return value
        with self._lock:
            if len(self._allowed) - len(self.known) >= self.most:
                return OTHER
            self._allowed.add(value)
        return value


type Sink = Callable[[tuple[str, ...], float], None]


class Metric:
    """One metric. `kind` is its type for Prometheus."""

    kind = "gauge"

    def __init__(self, name: str, meaning: str, *roles: ShownBy, labels: tuple[Label, ...] = ()) -> None:
        self.name, self.meaning, self.roles, self.labels = name, meaning, roles, labels
        self.sink: Sink | None = None
        """Takes label values and a number, in a process that shows them."""
        ALL.append(self)

    def _tell(self, values: tuple[str, ...], number: float) -> None:
        if self.sink is not None:
            self.sink(self.bounded(values), number)

    def bounded(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """The values of its labels, each one of those that may be."""
        return tuple(label.bounded(value) for label, value in zip(self.labels, values, strict=True))


class Counter(Metric):
    """Goes up, from the start of its process."""

    kind = "counter"

    def inc(self, *values: str, by: float = 1.0) -> None:
        """It happened once more, or `by` times, with these label values."""
        self._tell(values, by)


class Timing(Metric):
    """Counts seconds by how many they are."""

    kind = "histogram"

    def __init__(
        self, name: str, meaning: str, *roles: ShownBy, labels: tuple[Label, ...] = (), buckets: tuple[float, ...]
    ) -> None:
        super().__init__(name, meaning, *roles, labels=labels)
        self.buckets = buckets

    def observe(self, seconds: float, *values: str) -> None:
        """It took so long, with these label values."""
        self._tell(values, seconds)


class Gauge(Metric):
    """What was said last. A worker is several processes: `whole` says how theirs make one number, "sum" or "max"."""

    def __init__(
        self, name: str, meaning: str, *roles: ShownBy, labels: tuple[Label, ...] = (), whole: str = "max"
    ) -> None:
        super().__init__(name, meaning, *roles, labels=labels)
        self.whole = whole

    def set(self, number: float, *values: str) -> None:
        """It is `number` now, with these label values."""
        self._tell(values, number)


class Measured(Metric):
    """A gauge that nobody keeps: it is read when Prometheus asks."""


ALL: list[Metric] = []
"""Every metric there is."""
_API, _WORKER = ShownBy.API, ShownBy.WORKER
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

# What workers do

IMAGES = Counter(
    "farm_images_rendered_total",
    "Images drawn",
    _WORKER,
    labels=(
        Label("style", most=20),
        Label("partition", "frontal", "rotated"),
    ),
)
STAGES = Timing(
    "farm_stage_seconds",
    "Seconds per stage: fetch and load and upload once a model, draw and encode once a shot (all styles of one pose)",
    _WORKER,
    labels=(Label("stage", most=20),),
    buckets=(*_QUICK, 120),
)
MODELS = Counter(
    "farm_models_total",
    "Jobs that ended, where that was found out",
    _API,
    _WORKER,
    labels=(Label("outcome", "done", "failed", "quarantined", "cancelled"),),
)
BEGUN = Counter(
    "farm_attempts_begun_total",
    "Attempts begun: at results or at inspections, the pictures to annotate by; the first at a job, or one more",
    _WORKER,
    labels=(Label("work", "result", "inspection"), Label("turn", "first", "again")),
)
LOST = Counter(
    "farm_attempts_lost_total",
    "Attempts that broke down, or were overtaken by another, by the code of the error",
    _API,
    _WORKER,
    labels=(Label("reason", most=60),),
)
HANDED_BACK = Counter(
    "farm_attempts_handed_back_total",
    "Attempts that ended early though nothing speaks against the job, by the code of the reason",
    _WORKER,
    labels=(Label("reason", most=60),),
)
WAIT = Timing(
    "farm_queue_wait_seconds",
    "Seconds from when a job was queued, or queued again, until a worker took it; those in which its batch was paused count",
    _WORKER,
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600),
)
BLENDER_STARTS = Counter("farm_blender_starts_total", "Blender processes started", _WORKER)
BLENDER_ENDS = Counter(
    "farm_blender_ends_total",
    "Blender processes ended: worn ones are replaced, stopped ones had no more to do; crashed, hung, memory and "
    "not-starting are deaths",
    _WORKER,
    labels=(Label("cause", "worn", "stopped", "crashed", "hung", "memory", "not-starting"),),
)
BLENDER_RESIDENT = Gauge(
    "farm_blender_resident_bytes", "Resident memory of all Blenders that draw here", _WORKER, whole="sum"
)
RENDERER = Gauge(
    "farm_renderer_info",
    "The OpenGL renderer that draws, by its name, and whether it is a GPU or software on the CPU; 1",
    _WORKER,
    labels=(Label("renderer", most=8), Label("device", "gpu", "cpu")),
)

# A worker's GPUs, where NVML answers

_GPU = Label("gpu", most=16)
GPUS = Measured("farm_gpus", "GPUs that NVML shows; 0 without NVML", _WORKER)
GPU_INFO = Measured("farm_gpu_info", "A GPU by number and name; 1", _WORKER, labels=(_GPU, Label("name", most=16)))
GPU_BUSY = Measured("farm_gpu_busy_ratio", "Share of the last moment in which the GPU worked", _WORKER, labels=(_GPU,))
GPU_MEMORY = Measured("farm_gpu_memory_bytes", "Memory of the GPU", _WORKER, labels=(_GPU,))
GPU_MEMORY_USED = Measured("farm_gpu_memory_used_bytes", "What of it is taken, by anybody", _WORKER, labels=(_GPU,))

# What both stand on

REDIS = Gauge(
    "farm_redis_usable",
    "Whether Redis does what this process asks of it; 0: it is away, silent or takes no writes, and the process waits",
    _API,
    _WORKER,
)
STORE_ERRORS = Counter(
    "farm_store_errors_total",
    "Errors of the object store: passing ones, each try by itself; refused (keys, rights, region, certificate), full or "
    "other ones, which end what was asked",
    _API,
    _WORKER,
    labels=(Label("kind", "passing", "refused", "full", OTHER),),
)
_PLACE = Label("place", "temporary", "store")
DISK = Measured(
    "farm_disk_bytes",
    "Size of the disk on which a folder is: that of temporary files, and the API's store where that is a directory",
    _API,
    _WORKER,
    labels=(_PLACE,),
)
DISK_FREE = Measured("farm_disk_free_bytes", "What of it may still be written", _API, _WORKER, labels=(_PLACE,))

# The farm as Redis has it: every API says the same

BACKLOG = Measured(
    "farm_backlog_images", "Images of queued and running jobs not drawn yet, without those of paused batches", _API
)
RATE = Measured("farm_images_per_second", "Images drawn a second over the last minute", _API)
JOBS = Measured("farm_jobs", "Jobs by state", _API, labels=(Label("state", most=20),))
BATCHES = Measured("farm_batches_open", "Batches with a job that has not ended", _API)
DELAYED = Measured("farm_jobs_delayed", "Queued jobs that wait for their next attempt", _API)
TICKETS = Measured("farm_tickets", "Wake-ups that no worker has taken yet", _API)
LEASES = Measured("farm_leases", "Jobs that workers have", _API)
OVERDUE = Measured("farm_leases_overdue", "Of these, jobs whose lease has run out; the keeper takes them back", _API)
WORKERS = Measured("farm_workers_alive", "Workers heard of within the last 30 s", _API)
DRAINED = Measured("farm_workers_drained", "Of these, workers that are given no jobs", _API)
UNTOLD = Measured("farm_webhooks_waiting", "Ended batches of which is to be told", _API)
REDIS_MEMORY = Measured("farm_redis_memory_bytes", "Memory that Redis takes", _API)
REDIS_LIMIT = Measured("farm_redis_memory_limit_bytes", "Its maxmemory; absent where it has none", _API)

# What the API does

_ROUTE = (Label("method", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"), Label("route", most=200))
ANSWERS = Counter(
    "farm_api_answers_total",
    'Answers by route (its template; "none": no such path, or refused before it was looked at) and HTTP status',
    _API,
    labels=(*_ROUTE, Label("status", most=40)),
)
LATENCY = Timing(
    "farm_api_answer_seconds",
    "Seconds until an answer began, by route",
    _API,
    labels=_ROUTE,
    buckets=_QUICK,
)
OPEN = Gauge("farm_api_open_requests", "Requests whose answers have not ended, streams included", _API)
WEBHOOKS = Counter(
    "farm_webhooks_total",
    "Tries to tell that a batch has ended: delivered; failed, to be tried again; given up",
    _API,
    labels=(Label("outcome", "delivered", "failed", "given-up"),),
)
ANNOTATIONS = Counter(
    "farm_annotations_total",
    "What people said of annotations: versions of single models, verdicts on the names of a collection, collections made",
    _API,
    labels=(Label("about", "model", "names", "collection"),),
)

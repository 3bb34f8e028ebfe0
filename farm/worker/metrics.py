"""What the workers count for Prometheus. No metric carries a job, model or host label: their number must not grow."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess, start_http_server

IMAGES = Counter("farm_images_rendered_total", "Images drawn", ["style", "partition"])
MODELS = Counter("farm_models_total", "Jobs that ended here: done, failed or cancelled", ["outcome"])
LOST = Counter("farm_attempts_lost_total", "Attempts that broke down or were overtaken by another", ["reason"])
STAGES = Histogram(
    "farm_stage_seconds",
    "Seconds per stage: fetch and load and upload once a model, draw and encode once a shot (all styles of one pose)",
    ["stage"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
RENDERER = Gauge(
    "farm_renderer_info", "The OpenGL renderer that draws; 1 by its name", ["renderer"], multiprocess_mode="livemax"
)
REDIS = Gauge(
    "farm_redis_usable",
    "Whether Redis does what this worker asks of it; 0: it is away, silent or takes no writes, and the worker waits",
    multiprocess_mode="livemax",
)


def serve(host: str, port: int) -> None:
    """Answer GET /metrics on `host` and `port` with the sum over all processes that share PROMETHEUS_MULTIPROC_DIR."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    start_http_server(port, addr=host, registry=registry)

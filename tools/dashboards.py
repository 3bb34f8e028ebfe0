"""The chart's Grafana dashboards, as one description: `make dashboards` writes helm/facefarm/dashboards/*.json of it.

A query says FARM for the release's namespace. Numbers of the whole farm come from every API alike, so their queries take the
greatest; what processes count is added up.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

FOLDER = Path(__file__).resolve().parents[1] / "helm" / "facefarm" / "dashboards"
SCOPE = 'namespace="$namespace"'
PERIOD = "$__rate_interval"
SOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True)
class Panel:
    """A chart over time, or, `big`, the present number."""

    title: str
    meaning: str
    unit: str
    queries: dict[str, str] = field(default_factory=dict)
    """By what the legend calls each series."""
    big: bool = False


@dataclass(frozen=True)
class Board:
    """A dashboard: rows of panels by their titles."""

    uid: str
    title: str
    rows: dict[str, Sequence[Panel]]


def number(title: str, meaning: str, query: str, unit: str = "short") -> Panel:
    return Panel(title, meaning, unit, {"": query}, big=True)


def rate(metric: str, by: str = "", which: str = "") -> str:
    """Events a second, of all processes together."""
    return f"sum{f' by ({by}) ' if by else ''}(rate({metric}{{FARM{which and f', {which}'}}}[PERIOD]))"


def most(metric: str, by: str = "", which: str = "") -> str:
    """A number that every API says alike."""
    return f"max{f' by ({by}) ' if by else ''}({metric}{{FARM{which and f', {which}'}}})"


def quantile(share: float, histogram: str, by: str = "") -> str:
    """How long the given share of them took at most."""
    return f"histogram_quantile({share}, {rate(f'{histogram}_bucket', f'{by}, le' if by else 'le')})"


OPERATOR = Board(
    "facefarm-operator",
    "Facefarm: operator",
    {
        "Now": [
            number("Images to draw", "Of queued and running jobs, without paused batches", most("farm_backlog_images")),
            number("Images a second", "Over the last minute", most("farm_images_per_second")),
            number(
                "Time left",
                "At the rate of the last minute",
                f"{most('farm_backlog_images')} / clamp_min({most('farm_images_per_second')}, 0.01)",
                "s",
            ),
            number("Open batches", "With a job that has not ended", most("farm_batches_open")),
            number("Workers", "Heard of within 30 s", most("farm_workers_alive")),
            number("Drained", "Workers that are given no jobs", most("farm_workers_drained")),
            number("Quarantined", "Jobs that somebody should look at", most("farm_jobs", which='state="quarantined"')),
            number("Failed", "Jobs whose model cannot be drawn", most("farm_jobs", which='state="failed"')),
        ],
        "Work": [
            Panel("Jobs", "By state", "short", {"{{state}}": most("farm_jobs", "state")}),
            Panel(
                "Jobs that ended",
                "A minute, by how",
                "short",
                {"{{outcome}}": f"60 * {rate('farm_models_total', 'outcome')}"},
            ),
            Panel(
                "Attempts without a result",
                "An hour, by reason: broken down, or handed back, which speaks against no job",
                "short",
                {
                    "lost: {{reason}}": f"3600 * {rate('farm_attempts_lost_total', 'reason')}",
                    "handed back: {{reason}}": f"3600 * {rate('farm_attempts_handed_back_total', 'reason')}",
                },
            ),
            Panel(
                "Leases",
                "Jobs that workers have; overdue ones wait for the keeper",
                "short",
                {"held": most("farm_leases"), "overdue": most("farm_leases_overdue")},
            ),
        ],
        "What the farm stands on": [
            Panel(
                "Redis' memory",
                "Over its limit it takes nothing new",
                "bytes",
                {"taken": most("farm_redis_memory_bytes"), "limit": most("farm_redis_memory_limit_bytes")},
            ),
            Panel(
                "Redis usable",
                "Share of the processes that can work with it",
                "percentunit",
                {"usable": "avg(farm_redis_usable{FARM})"},
            ),
            Panel(
                "Errors of the store",
                "A minute, by kind; passing ones are tried again",
                "short",
                {"{{kind}}": f"60 * {rate('farm_store_errors_total', 'kind')}"},
            ),
            Panel(
                "Free on disks",
                "The fullest of each place",
                "percentunit",
                {"{{place}}": "min by (place) (farm_disk_free_bytes{FARM} / farm_disk_bytes{FARM})"},
            ),
            Panel(
                "Webhooks",
                "An hour, by what came of it; and ends of batches that are still to be told",
                "short",
                {
                    "{{outcome}}": f"3600 * {rate('farm_webhooks_total', 'outcome')}",
                    "waiting": most("farm_webhooks_waiting"),
                },
            ),
            Panel(
                "Annotation",
                "What people said, an hour, and pictures drawn for them to say it by",
                "short",
                {
                    "said: {{about}}": f"3600 * {rate('farm_annotations_total', 'about')}",
                    "inspections": f"3600 * {rate('farm_attempts_begun_total', which='work="inspection"')}",
                },
            ),
        ],
    },
)

THROUGHPUT = Board(
    "facefarm-throughput",
    "Facefarm: throughput",
    {
        "Images": [
            Panel("By style", "A second", "short", {"{{style}}": rate("farm_images_rendered_total", "style")}),
            Panel(
                "By partition", "A second", "short", {"{{partition}}": rate("farm_images_rendered_total", "partition")}
            ),
            Panel(
                "By worker",
                "A second and worker: falls when models grow or workers are unwell",
                "short",
                {"images": f"{rate('farm_images_rendered_total')} / clamp_min({most('farm_workers_alive')}, 1)"},
            ),
            Panel("Backlog", "Images to draw", "short", {"images": most("farm_backlog_images")}),
        ],
        "Stages": [
            Panel(
                "Median",
                "fetch, load and upload once a model; draw and encode once a shot",
                "s",
                {"{{stage}}": quantile(0.5, "farm_stage_seconds", "stage")},
            ),
            Panel(
                "95th percentile",
                "The slow ones",
                "s",
                {"{{stage}}": quantile(0.95, "farm_stage_seconds", "stage")},
            ),
            Panel(
                "Where time goes",
                "Seconds a second, of all Blenders together",
                "short",
                {"{{stage}}": rate("farm_stage_seconds_sum", "stage")},
            ),
        ],
        "Queue": [
            Panel(
                "Wait",
                "Until a worker took a job; includes the time for which its batch was paused",
                "s",
                {
                    "median": quantile(0.5, "farm_queue_wait_seconds"),
                    "95th percentile": quantile(0.95, "farm_queue_wait_seconds"),
                },
            ),
            Panel(
                "Attempts begun",
                "A minute; those that are not a job's first are work done twice",
                "short",
                {"{{work}}, {{turn}}": f"60 * {rate('farm_attempts_begun_total', 'work, turn')}"},
            ),
            Panel(
                "Waiting",
                "Queued jobs, those of them that were given back a moment ago, and wake-ups on their way",
                "short",
                {
                    "queued": most("farm_jobs", which='state="queued"'),
                    "delayed": most("farm_jobs_delayed"),
                    "tickets": most("farm_tickets"),
                },
            ),
        ],
    },
)

WORKERS = Board(
    "facefarm-workers",
    "Facefarm: workers",
    {
        "Now": [
            number("Workers", "Heard of within 30 s", most("farm_workers_alive")),
            number(
                "On a GPU", "Workers that draw on one", 'count(farm_renderer_info{FARM, device="gpu"}) or vector(0)'
            ),
            number(
                "On the CPU", "A hundred times slower", 'count(farm_renderer_info{FARM, device="cpu"}) or vector(0)'
            ),
            number("GPUs", "That NVML shows to workers", "sum(farm_gpus{FARM})"),
        ],
        "Work": [
            Panel("Images", "A second", "short", {"{{pod}}": rate("farm_images_rendered_total", "pod")}),
            Panel(
                "Attempts without a result",
                "An hour: broken down, or handed back",
                "short",
                {
                    "{{pod}} lost": f"3600 * {rate('farm_attempts_lost_total', 'pod')}",
                    "{{pod}} handed back": f"3600 * {rate('farm_attempts_handed_back_total', 'pod')}",
                },
            ),
            Panel("Renderer", "Who draws with what; 1", "short", {"{{pod}}: {{renderer}}": "farm_renderer_info{FARM}"}),
        ],
        "Blender": [
            Panel(
                "Resident memory",
                "Of all Blenders of a worker",
                "bytes",
                {"{{pod}}": "farm_blender_resident_bytes{FARM}"},
            ),
            Panel("Starts", "An hour", "short", {"{{pod}}": f"3600 * {rate('farm_blender_starts_total', 'pod')}"}),
            Panel(
                "Deaths",
                "An hour, by cause",
                "short",
                {
                    "{{cause}}": "3600 * "
                    + rate("farm_blender_ends_total", "cause", 'cause=~"crashed|hung|memory|not-starting"')
                },
            ),
        ],
        "GPU": [
            Panel("Busy", "Share of the time", "percentunit", {"{{pod}} {{gpu}}": "farm_gpu_busy_ratio{FARM}"}),
            Panel(
                "Memory",
                "Share that is taken",
                "percentunit",
                {"{{pod}} {{gpu}}": "farm_gpu_memory_used_bytes{FARM} / farm_gpu_memory_bytes{FARM}"},
            ),
            Panel("Names", "Which GPUs there are", "short", {"{{name}}": "count by (name) (farm_gpu_info{FARM})"}),
        ],
    },
)

API = Board(
    "facefarm-api",
    "Facefarm: API",
    {
        "All routes": [
            Panel("Answers", "A second, by status", "short", {"{{status}}": rate("farm_api_answers_total", "status")}),
            Panel(
                "Failures",
                "Share of answers that are the farm's fault (5xx)",
                "percentunit",
                {
                    "5xx": f"({rate('farm_api_answers_total', which='status=~"5.."')} or vector(0)) / "
                    + rate("farm_api_answers_total")
                },
            ),
            Panel(
                "Until an answer begins",
                "Of all routes",
                "s",
                {
                    "median": quantile(0.5, "farm_api_answer_seconds"),
                    "95th percentile": quantile(0.95, "farm_api_answer_seconds"),
                },
            ),
            Panel("Open requests", "Streams of events included", "short", {"{{pod}}": "farm_api_open_requests{FARM}"}),
        ],
        "By route": [
            Panel(
                "Answers",
                "A second",
                "short",
                {"{{method}} {{route}}": rate("farm_api_answers_total", "method, route")},
            ),
            Panel(
                "95th percentile",
                "Until an answer begins",
                "s",
                {"{{method}} {{route}}": quantile(0.95, "farm_api_answer_seconds", "method, route")},
            ),
        ],
    },
)

BOARDS = (OPERATOR, THROUGHPUT, WORKERS, API)


def document(board: Board) -> str:
    """The dashboard as Grafana reads it."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .tags(["facefarm"])
        .refresh("30s")
        .time("now-3h", "now")
        .timezone("browser")
        .with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("namespace")
            .label("Namespace")
            .datasource(SOURCE)
            .query("label_values(farm_redis_usable, namespace)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
    )
    numbers = count(1)
    for title, panels in board.rows.items():
        made.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels:
            made.with_panel(_panel(panel).id(next(numbers)))
    return json.dumps(made.build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _panel(panel: Panel) -> stat.Panel | timeseries.Panel:
    made: stat.Panel | timeseries.Panel
    if panel.big:
        made = stat.Panel().span(3).height(4).reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
    else:
        legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
        made = timeseries.Panel().span(12).height(8).min(0).legend(legend.show_legend(True))
    made.title(panel.title).description(panel.meaning).unit(panel.unit).datasource(SOURCE)
    for place, (legend_format, query) in enumerate(panel.queries.items()):
        text = query.replace("FARM", SCOPE).replace("PERIOD", PERIOD)
        target = prometheus.Dataquery().expr(text).legend_format(legend_format).ref_id("ABCDEF"[place])
        made.with_target(target.instant() if panel.big else target.range())
    return made


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    for board in BOARDS:
        (FOLDER / f"{board.uid}.json").write_text(document(board))


if __name__ == "__main__":
    main()

"""The farm's events as Celery's: an attempt on a job is what Flower calls a task. Pure.

Tickets name no job, and one may wake a worker for none or for many, so their rows would say nothing. The stream of changes
(`farm.jobs.events`) is written in the same step as each change: what is told by it is what became of the job, whoever died
meanwhile, and can be told again from the beginning.

    claimed                            STARTED
    done                               SUCCESS
    failed, quarantined, broke down    FAILURE, the farm's code as the exception
    handed back                        RETRY, the same
    cancelled                          REVOKED

A row holds what the farm says in words and numbers of its own, and the label of the model, which is a stranger's. Sentences
of errors stay out: they name servers and folders.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from farm.jobs.events import Event, EventsLostError, order
from farm.jobs.states import WORKER_LOST, State, Work
from farm.logs import without_secrets
from farm.wording import counted

type CeleryEvent = dict[str, Any]
"""An event of a task, as `celery.events.state.State.event` takes it."""

_TASKS = {Work.RESULT: "farm.render", Work.INSPECTION: "farm.inspect"}
_SHOWN_CHARACTERS = 80
_MAX_DOING = 10_000
"""Attempts that run at a time, at most; of more the oldest are no longer known to run."""
_UNKNOWN = "unknown"
"""The worker of an event that an earlier version wrote."""
_MARKUP = str.maketrans({"<": "‹", ">": "›", "&": "+", '"': "″", "'": "′", "`": "′"})
_CODE = re.compile(r"[^a-z0-9-]")


@dataclass(frozen=True, slots=True)
class _Doing:
    """An attempt that runs."""

    begun: float
    """When, in seconds since the epoch by Redis' clock."""
    last: Event
    """The last that was heard of it."""


class AttemptRows:
    """Goes through the events in their order."""

    def __init__(self) -> None:
        self._doing: dict[str, _Doing] = {}

    def told(self, event: Event) -> Iterator[CeleryEvent]:
        """What Celery would say of it; nothing of what is no step of an attempt."""
        if event.kind != "job" or not event.data["attempt"]:
            return
        row, state = row_of(event), State(event.data["state"])
        doing = self._doing.pop(row, None)
        if state.active:
            self._doing[row] = _Doing(doing.begun if doing else _at(event), event)
            if doing is None:
                yield _said("received", event)
                yield _said("started", event)
            while len(self._doing) > _MAX_DOING:
                del self._doing[next(iter(self._doing))]
        elif doing is not None:
            # What was cancelled or tried anew when its attempt was long over says nothing of that attempt.
            yield _end(event, state, _at(event) - doing.begun)
        elif state is State.QUEUED and event.data["error_code"] == WORKER_LOST and not _counts(event):
            yield _end(event, state, None)  # taken back: its worker was cut off, or slept

    def lost_sight(self) -> list[CeleryEvent]:
        """The events go on elsewhere: what became of the attempts that run will not be heard."""
        doing, self._doing = list(self._doing.values()), {}
        return [_said("retried", one.last, exception=EventsLostError.code) for one in doing]

    def progress(self, row: str) -> str:
        """What the attempt of this row does now; empty when it does not run."""
        doing = self._doing.get(row)
        return f"{doing.last.data['state']}, {_images(doing.last)}" if doing else ""


def row_of(event: Event) -> str:
    """Flower's id for the attempt of a job's event: job and attempt."""
    return f"{event.data['job']}.{event.data['attempt']}"


def shown(label: str) -> str:
    """A stranger's label on one line, without markup, folders and secrets, none of it turning the line's direction."""
    last = re.split(r"[/\\]", without_secrets(label[: 10 * _SHOWN_CHARACTERS]).rstrip("/\\"))[-1]
    plain = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in last.translate(_MARKUP))
    words = " ".join(plain.split()) or "unnamed"
    return words if len(words) <= _SHOWN_CHARACTERS else words[: _SHOWN_CHARACTERS - 1] + "…"


def _end(event: Event, state: State, runtime: float | None) -> CeleryEvent:
    code = _CODE.sub("", event.data["error_code"])
    match state:
        case State.DONE:
            return _said("succeeded", event, runtime=runtime, result=f"done, {_images(event)}")
        case State.CANCELLED:
            return _said("revoked", event, terminated=True, result="cancelled")
        case State.QUEUED if not _counts(event):
            return _said("retried", event, exception=code, result=f"handed back, {_images(event)}")
        case State.QUEUED:
            return _said("failed", event, runtime=runtime, exception=code, result="broke down, is tried again")
        case _:
            return _said("failed", event, runtime=runtime, exception=code, result=f"{state}, {_images(event)}")


def _said(what: str, event: Event, **more: Any) -> CeleryEvent:
    """An event that says all of its row, so that a row is whole whichever of its events is heard first."""
    data = event.data
    label = shown(data["name"])
    about = {"model": label, "batch": event.batch, "job": data["job"], "attempt": data["attempt"]}
    return {
        "type": f"task-{what}",
        "uuid": row_of(event),
        "name": _TASKS[Work(data.get("work", Work.RESULT))],
        "args": repr((label,)),
        "kwargs": repr({**about, "images": data["images_total"]}),
        "retries": data["attempt"] - 1,
        "hostname": data.get("worker") or _UNKNOWN,
        "timestamp": _at(event),
        "local_received": None,  # it says nothing of whether the worker is there now
        "clock": order(event.id)[0],
        **more,
    }


def _at(event: Event) -> float:
    return order(event.id)[0] / 1000


def _counts(event: Event) -> bool:
    return bool(event.data.get("counted"))


def _images(event: Event) -> str:
    done, total = event.data["images_done"], event.data["images_total"]
    return f"{done:,} of {counted(total, 'image')}"

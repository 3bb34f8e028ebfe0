"""What one user may have of what all share: memory of Redis, and the price of previews, which go before everything else.

    farm:owner:<name>   hash: bytes that the user's batches take here, until they are forgotten; preview_pixels, the price
                        (`farm.prices`) of those previews that have not ended. The scripts of `lua/` write it in the step
                        that makes a batch, ends it, opens it again or forgets it.

Whoever may operate the farm is bound by neither.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from farm.errors import AllowanceError, FullError, SpecError
from farm.jobs.batches import BatchRecord
from farm.jobs.connection import Connection
from farm.jobs.states import Job
from farm.prices import price

BYTES, PREVIEW_PIXELS = "bytes", "preview_pixels"
JOB_BYTES = 32 * 2**10
"""Of one job, as it is ordered: some fifteen times what an ordinary one takes."""
JOB_IMAGES = 250_000
"""Of one job: its worker holds a row for each, some 2 KiB, until the manifest is written. The most samples there are, in six
styles and both partitions, are about half as many."""
_OVERHEAD_BYTES = 150
"""What Redis takes for a field of a hash besides its text, about."""
_SUBMISSION_SHARE = 0.8
"""Of Redis' memory. Above it nobody submits: the rest is for the work that goes on, and for operators who stop it."""
_USER_SHARE = 0.25
"""Of Redis' memory, for all batches of a user."""
_UNTOLD = 2**30
"""What we take for the size of a Redis that does not tell its user (ACL without INFO)."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a user may have in all; None: as much as there is."""

    bytes: int | None = None
    preview_pixels: int | None = None

    def check(self, used: Mapping[str, str], asked: Mapping[str, int]) -> None:
        """Raise AllowanceError when `asked` does not fit beside `used`, by the fields of the user's hash."""
        for field, most in ((BYTES, self.bytes), (PREVIEW_PIXELS, self.preview_pixels)):
            if most is None or not asked.get(field):
                continue
            taken = int(used.get(field) or 0)
            if taken + asked[field] > most:
                raise AllowanceError(_SENTENCES[field].format(taken / 1e6, asked[field] / 1e6, most / 1e6))


_SENTENCES = {
    BYTES: (
        "Your batches take {:.1f} MB of the farm's memory, this one {:.1f} MB more, and one user may have {:.1f} MB. "
        "Make fewer at a time, or ask an operator to lower FARM_HISTORY_DAYS."
    ),
    PREVIEW_PIXELS: (
        "Your previews that are not drawn yet cost {:.1f} million pixels, this one {:.1f} million more, and {:.1f} million "
        "are what one user may have. Wait for them, ask for less (samples, views, styles, labels, size), or submit a batch."
    ),
}


def taken_by(record: BatchRecord, jobs: Sequence[Job], texts: Sequence[str]) -> dict[str, int]:
    """What a batch of these jobs, whose texts Redis is to keep, takes of its owner's allowance; bytes are about right."""
    taken = {BYTES: sum(_size(text) + _OVERHEAD_BYTES for text in texts)}
    if record.preview:
        taken[PREVIEW_PIXELS] = sum(price(record.spec, job.samples) for job in jobs)
    return taken


def check_sizes(jobs: Sequence[Job], texts: Sequence[str]) -> None:
    """Raise SpecError when one of the jobs, whose texts Redis is to keep, is larger than a job may be."""
    most = max((job.images_total for job in jobs), default=0)
    if most > JOB_IMAGES:
        raise SpecError(
            f"A model of this batch would have {most:,} images, over the limit of {JOB_IMAGES:,}. Ask for fewer samples or "
            "views, and for the others by a batch of another seed."
        )
    longest = max(map(_size, texts), default=0)
    if longest > JOB_BYTES:
        raise SpecError(
            f"A job of this batch would take {longest // 1024} KiB of the farm's memory, over the limit of "
            f"{JOB_BYTES // 1024}: names of its model's morphs are too long. Shorten them in the file."
        )


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


class Memory:
    """How much of Redis' memory there is, and is taken. Raises ServiceError when it does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def allowance(self, preview_pixels: int | None) -> Allowance:
        """What a user may have."""
        return Allowance(int(self._read()[1] * _USER_SHARE), preview_pixels)

    def check(self, asked: int) -> None:
        """Raise FullError when `asked` bytes would go into what is kept for operators and for the work that goes on."""
        used, size = self._read()
        if used + asked > size * _SUBMISSION_SHARE:
            raise FullError(
                f"The farm's Redis takes no batches above {_SUBMISSION_SHARE:.0%} of its memory, and this one would be. "
                "Try again later; an operator can remove old batches (FARM_HISTORY_DAYS) or give it more (maxmemory)."
            )

    def _read(self) -> tuple[int, int]:
        """Bytes taken, and bytes that there are: half of the machine's where there is no limit, `_UNTOLD` if untold."""

        def ask() -> dict[str, Any]:
            try:
                return dict(self._connection.redis.info("memory"))
            except redis.exceptions.NoPermissionError:
                return {}

        found = self._connection.safely(ask)
        if not found:
            return 0, _UNTOLD
        size = int(found.get("maxmemory") or 0) or int(found.get("total_system_memory") or 0) // 2
        return int(found["used_memory"]), size

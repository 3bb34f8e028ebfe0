"""What an export knows of each model, small enough for thousands: the rest is read when its turn comes."""

import hashlib
import io
from array import array
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.dataset.manifest import Manifest, SpaceRecord
from farm.dataset.output import RenderedModel
from farm.errors import SpecError, StorageError, WithdrawnModelError
from farm.exports.listed import ListedModel
from farm.exports.source import Source
from farm.morphs.vocabulary import Target, all_targets
from farm.pipe import Survey
from farm.spaces.space import DEFAULT
from farm.wording import counted, reason

_THUMBNAIL = 24
"""Pixels a side of the head that near-duplicates are told by."""
_GREY = (128, 128, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(ListedModel):
    """One model that is to be exported."""

    entry: str
    """What its source calls it."""
    contents: str
    """A hash of all that its rows hold."""
    mapping: str
    """The hash of which of its own morphs play its targets."""
    bytes: int
    """Of its pictures and labels."""
    survey: Survey
    head: NDArray[np.float32] | None
    """(24 * 24 * 3,) colours of the neutral head, of mean 0 and length 1; None where there is no neutral picture."""


def survey(
    source: Source, threads: int, progress: Callable[[int, int], None], admits: Callable[[Manifest], bool]
) -> list[Member]:
    """The models of a source that are admitted and were not withdrawn, by folder.

    Raises StorageError when one is there twice, or none.

    `progress(done, total)` is called after each.
    """
    entries = source.entries()
    members: list[Member] = []

    def surveyed(entry: str) -> Member | None:
        try:
            model, face = source.surveyed(entry)
        except WithdrawnModelError:
            return None
        return member_of(entry, model, face) if admits(model.manifest) else None

    with ThreadPoolExecutor(threads) as pool:
        for done, member in enumerate(pool.map(surveyed, entries), 1):
            members += [member] if member is not None else []
            progress(done, len(entries))
    if not members:
        raise StorageError(
            f"None of the {counted(len(entries), 'model')} is permitted; `farm licences` with --require says why."
        )
    seen: dict[str, Member] = {}
    for member in members:
        if (other := seen.setdefault(member.org_id, member)) is not member:
            raise StorageError(
                f"{other.folder} and {member.folder} are the same model, which would stand in the data twice; delete "
                "one of the two folders."
            )
    return sorted(members, key=lambda member: member.folder)


def member_of(entry: str, model: RenderedModel, face: bytes | None) -> Member:
    """A model in short; `face` is its neutral picture (PNG)."""
    manifest, targets = model.manifest, all_targets()
    cast = manifest.annotation.keys() | manifest.combinations.keys()
    return Member(
        entry=entry,
        folder=model.folder.name,
        model=manifest.model.id,
        contents=_contents(manifest),
        renderer=manifest.renderer,
        format=manifest.model.format,
        title=manifest.model.title,
        creator=manifest.model.creator,
        made_with=manifest.made_with,
        notices=tuple({"name": notice.name, "sha256": notice.sha256} for notice in manifest.model.notices),
        licence=manifest.model.licence,
        spec=manifest.spec,
        targets=tuple(sorted(name for name in cast if _plays(manifest, targets[name]))),
        mapping=hashlib.sha256(repr(sorted(manifest.annotation.items())).encode()).hexdigest(),
        samples=manifest.samples,
        images=len(manifest.images),
        bytes=sum(image.bytes for image in manifest.images) + sum(shard.bytes for shard in manifest.labels),
        survey=manifest.survey,
        space=manifest.space,
        head=None if face is None else _head(face, manifest.survey, model.folder.name),
    )


def _plays(manifest: Manifest, target: Target) -> bool:
    if manifest.space is not None:
        return target.name in manifest.spec.space.targets
    return target.sampled or target.name in manifest.spec.extended


def common_space(members: Sequence[Member]) -> SpaceRecord | None:
    """The pose space of all members; None: the paper's. Raises SpecError where they have several: rows have one form."""
    first = members[0]
    for member in members:
        if _said(member) != _said(first):
            raise SpecError(
                f"{member.folder} has poses of {_said(member)[0]}, and {first.folder} of {_said(first)[0]}, and all rows of "
                "a data set have one form; export them apart, or render one of them again in the other's space."
            )
    return first.space


def _said(member: Member) -> tuple[object, ...]:
    space = member.space
    return (DEFAULT,) if space is None else (space.name, space.digest, space.entries)


def _contents(manifest: Manifest) -> str:
    found = hashlib.sha256(f"{manifest.render_key} {manifest.model!r}".encode())
    for image in manifest.images:
        found.update(image.sha256.encode())
        found.update(array("d", (*image.pose, image.light)).tobytes())
    for shard in manifest.labels:
        found.update(shard.sha256.encode())
    return found.hexdigest()


def _head(face: bytes, survey: Survey, name: str) -> NDArray[np.float32] | None:
    try:
        with Image.open(io.BytesIO(face), formats=("PNG",)) as picture:
            side = picture.width
            if max(picture.size) > 4096:
                raise StorageError(f"The neutral picture of {name} is larger than any that a farm draws.")
            solid = picture.convert("RGBA")
    except (OSError, SyntaxError, ValueError) as error:
        raise StorageError(
            f"The neutral picture of {name} cannot be read ({reason(error)}); render it again."
        ) from error
    ground = Image.new("RGBA", solid.size, (*_GREY, 255))
    ground.alpha_composite(solid)
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) * side for edge in survey.head_box)
    if right - left < 2 or bottom - top < 2:
        return None
    small = ground.convert("RGB").resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX, box=(left, top, right, bottom))
    values = np.asarray(small, np.float32).reshape(-1)
    values = values - values.mean()
    length = float(np.linalg.norm(values))
    return values / np.float32(length) if length else None


def total_bytes(members: Sequence[Member]) -> int:
    """Of all pictures and labels."""
    return sum(member.bytes for member in members)

"""What a manifest should say of its samples: drawn again from its own seed, specification and annotation."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from farm.backgrounds import chosen
from farm.dataset.manifest import ImageRecord, Manifest, SpaceRecord
from farm.drawing.assignment import Assignment
from farm.drawing.plan import plan
from farm.morphs.annotation import sampled_targets
from farm.morphs.vocabulary import all_targets
from farm.pipe import View
from farm.poses import NEUTRAL, POSE_SIZE, Partition, Sample, head_matrix, pose_vector, vector_in
from farm.spaces.space import space_named
from farm.spec import RENDERER_VERSION, render_key
from farm.verification.clips import as_told
from farm.verification.findings import Fault, FindingList
from farm.wording import counted

_ANGLE = 2e-9
"""By how much an entry of a rotation matrix, kept to nine decimals, may differ: the last one is the cosine's rounding."""
_BEYOND = 2
"""A plan of more than so many times the listed pictures is not made: the manifest is wrong, and memory is not free."""

type Place = tuple[Partition, int, int]
"""Partition, sample and view of a picture."""


@dataclass(frozen=True, slots=True)
class _Derived:
    """What is drawn at a place, in every style."""

    sample: Sample
    view: View


def assignment_of(manifest: Manifest) -> Assignment:
    """The assignment that the manifest is the result of."""
    annotation = {**manifest.annotation, **manifest.unseen}
    in_order = {target: annotation[target] for target in all_targets() if target in annotation}
    return Assignment(
        manifest.model.id,
        in_order,
        manifest.samples,
        manifest.render_key,
        manifest.spec,
        manifest.provenance,
        manifest.ordered,
        cast=None if manifest.space is None else manifest.space.cast,
    )


def check_counts(manifest: Manifest, findings: FindingList) -> None:
    """Whether the manifest agrees with itself about how many of everything there are."""
    spec = manifest.spec
    if unknown := [target for target in manifest.annotation if target not in all_targets()]:
        findings.add(Fault.MANIFEST, "", f"The annotation names '{unknown[0]}', which is no target.")
    if (count := len(sampled_targets(manifest.annotation))) != manifest.target_morphs:
        findings.add(
            Fault.COUNT, "", f"It says that {manifest.target_morphs} target morphs are annotated, and names {count}."
        )
    if (total := spec.images_of(manifest.samples)) != len(manifest.images):
        findings.add(
            Fault.COUNT, "", f"The manifest lists {counted(len(manifest.images), 'picture')}; its samples make {total}."
        )
    listed: dict[tuple[str, str], int] = {}
    for image in manifest.images:
        listed[image.style, image.partition] = listed.get((image.style, image.partition), 0) + 1
    packed: dict[tuple[str, str], int] = {}
    for shard in manifest.shards:
        packed[shard.style, shard.partition] = packed.get((shard.style, shard.partition), 0) + shard.images
    for style, partition in sorted(listed.keys() | packed.keys()):
        if (has := listed.get((style, partition), 0)) != (had := packed.get((style, partition), 0)):
            findings.add(
                Fault.COUNT,
                f"{style}/{partition}",
                f"The manifest lists {counted(has, 'picture')}, and {had} in their shards.",
            )
    if {basis.style for basis in manifest.basis} != set(spec.styles) or len(manifest.basis) != len(spec.styles):
        findings.add(Fault.COUNT, "basis", "There is not one neutral picture for each style.")
    _check_key(manifest, findings)


def _check_key(manifest: Manifest, findings: FindingList) -> None:
    """The render key is a hash of model, annotation and specification: none of them can be changed alone."""
    fields = type(manifest.spec).model_fields
    # A field that is left out where it is off says nothing of the version.
    unsaid = {name for name, field in fields.items() if field.exclude_if is None} - manifest.spec.model_fields_set
    if manifest.renderer != RENDERER_VERSION or unsaid:
        return  # another version made the key of other things
    of = assignment_of(manifest)
    ordered = of.annotation if of.ordered is None else of.ordered
    if render_key(of.model, ordered, of.spec, of.provenance) != manifest.render_key:
        findings.add(
            Fault.MANIFEST,
            "",
            "The render key is not that of its model, annotation and specification: one was changed.",
        )


def check_poses(manifest: Manifest, findings: FindingList) -> None:
    """Whether every picture is there once, with the pose, light, view and background that the seed gives."""
    spec = manifest.spec
    by_rule = spec.images_of(manifest.samples)
    if by_rule > _BEYOND * len(manifest.images) + 1000:
        return  # `check_counts` has said so
    if manifest.space is not None and not _knows(manifest.space, findings):
        return
    unseen = {morph.index for morph in manifest.unseen.values()}
    planned = plan(assignment_of(manifest), manifest.rules or {}, unseen, unworn=manifest.unworn)
    gone = planned.combinations.keys() - manifest.combinations.keys()
    if gone:  # a half of a morph may change nothing where the whole of it does
        unseen |= {number for target in gone for number in planned.combinations[target].numbers}
        planned = plan(assignment_of(manifest), manifest.rules or {}, unseen, unworn=manifest.unworn)
    if len(planned.samples) != manifest.samples:
        findings.add(
            Fault.COUNT,
            "",
            f"The manifest says {counted(manifest.samples, 'sample')}, and its annotation and specification "
            f"{len(planned.samples)}.",
        )
    derived: dict[Place, _Derived] = {
        (shot.partition, shot.sample, shot.view.index): _Derived(planned.samples[shot.sample], shot.view)
        for shot in planned.shots
        if shot.sample != NEUTRAL.index
    }
    # VRM expressions limit each other by rules that manifests of earlier versions do not tell.
    guessing = manifest.rules is None and manifest.model.format.startswith("VRM")
    targets = all_targets()
    seen: set[tuple[str, Place]] = set()
    frames: dict[int, ImageRecord] = {}
    for image in manifest.images:
        place = (image.partition, image.sample, image.view.index)
        name = f"{image.style}/{image.partition}, sample {image.sample}, view {image.view.index}"
        if (image.style, place) in seen:
            findings.add(Fault.COUNT, "", f"The manifest lists {name} twice.")
            continue
        seen.add((image.style, place))
        if place not in derived or image.style not in spec.styles:
            findings.add(Fault.COUNT, "", f"The manifest lists {name}, which its specification does not ask for.")
            continue
        expected = derived[place]
        if spec.motion is not None:
            told, pose = as_told(manifest, image, expected.sample)
            expected = replace(expected, sample=told)
            first = frames.setdefault(image.sample, image)
            if (first.pose, first.rotation) != (image.pose, image.rotation):
                findings.add(
                    Fault.POSE, "", f"{name}: the frame has another pose in {first.style}, view {first.view.index}."
                )
        elif manifest.space is None:
            pose = pose_vector(expected.sample, targets, image.partition, spec.extended)
        else:
            pose = vector_in(spec.space, expected.sample, image.partition)
        for what in _differences(manifest, image, expected, pose, guessing):
            findings.add(Fault.POSE, "", f"{name}: {what}")
    for style in spec.styles:
        for place in derived.keys() - {place for of, place in seen if of == style}:
            partition, sample, view = place
            findings.add(
                Fault.COUNT, "", f"The manifest lacks {style}/{partition}, sample {sample}, view {view}, of its plan."
            )


def _differences(
    manifest: Manifest, image: ImageRecord, expected: _Derived, pose: tuple[float, ...], guessing: bool
) -> Iterator[str]:
    spec, sample = manifest.spec, expected.sample
    first = POSE_SIZE - 3 if manifest.space is None else len(pose)
    (got, angles), (drawn, turned) = _parts(image.pose, first), _parts(pose, first)
    if len(image.pose) != len(pose):
        yield f"the pose has {len(image.pose)} numbers, not {len(pose)}."
    elif angles != turned or not _same_weights(got, drawn, guessing):
        source = "the seed gives" if spec.motion is None else "what a motion can give is"
        yield f"the pose is {_numbers(image.pose)}; {source} {_numbers(pose)}."
    matrix = head_matrix(spec.space, sample, image.partition).ravel()
    flat = [value for row in image.rotation for value in row]
    if len(flat) != len(matrix) or any(
        not abs(got - want) <= _ANGLE for got, want in zip(flat, matrix.tolist(), strict=True)
    ):
        yield "the rotation matrix is not that of its angles."
    if image.light != sample.light:
        yield f"the light is {image.light}; the seed gives {sample.light}."
    if image.view != expected.view:
        yield "the camera stands elsewhere or wears something else than the seed says."
    if image.seed != spec.seed:
        yield f"the seed is {image.seed}, that of the specification {spec.seed}."
    background = chosen(spec, manifest.model.id, image.sample)
    if (image.background.id if image.background else None) != background:
        yield "the background is not the one that the seed gives."


def _knows(space: SpaceRecord, findings: FindingList) -> bool:
    """Whether the poses can be drawn again: by the very file of their space, and a cast that it has."""
    known = space_named(space.name)
    if known.digest != space.digest:
        return False  # another version of the space
    if space.entries != known.entries or space.mask != known.mask(space.cast):
        findings.add(Fault.MANIFEST, "", f"The entries or the mask of its poses are not those of {space.name}.")
        return False
    odd = [
        key
        for key, each in space.cast.items()
        if key not in known.keys or (each.moves and key not in known.movement_of)
    ]
    if odd:
        findings.add(Fault.MANIFEST, "", f"Its cast names '{odd[0][:100]}', which is nothing of {space.name}.")
    return not odd


def _parts(pose: tuple[float, ...], first: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The weights, those of extended targets at their end, and the three angles, which begin at `first`."""
    return pose[:first] + pose[POSE_SIZE:], pose[first:POSE_SIZE]


def _same_weights(got: tuple[float, ...], drawn: tuple[float, ...], guessing: bool) -> bool:
    if not guessing:
        return got == drawn
    return all(value == want or (want > 0 and 0 <= value <= 1) for value, want in zip(got, drawn, strict=True))


def _numbers(pose: tuple[float, ...]) -> str:
    return "(" + " ".join(f"{value:g}" for value in pose) + ")"

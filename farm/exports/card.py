"""The card of a data set, ``README.md``: what it is, how it was made, what it lacks."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from farm import __version__
from farm.dataset.manifest import SpaceRecord
from farm.dataset.output import POSE_COLUMNS
from farm.dataset.splits import MODELS, SPLITS, TEST_MODELS
from farm.exports.croissant import PAPER
from farm.exports.duplicates import LIKE
from farm.exports.layout import Described
from farm.exports.listed import ListedModel
from farm.exports.roster import Roster
from farm.labels import LabelName, Layer, Part
from farm.licences.terms import licence_named
from farm.occluders import CODES, OccluderName
from farm.poses import LIGHT_RANGE, ROTATION_LIMIT
from farm.styles import STYLES
from farm.wording import counted

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_LABELS = {
    LabelName.PARTS: "which part of the character each pixel shows",
    LabelName.DEPTH: "metres along the camera's z; 0 where nothing is",
    LabelName.NORMALS: "unit vectors in the camera's axes (x right, y down, z away)",
    LabelName.UV: "texture coordinates, v from the top",
    LabelName.FLOW: "pixels from this partition's picture to the same point in the other's; in a clip to the next frame's",
    LabelName.OCCLUSION: "0 nothing, 1 the character, and a number for each occluder that hides it: "
    + ", ".join(f"{code} {name}" for name, code in CODES.items()),
    LabelName.LANDMARKS: "2D and 3D landmarks with visibility, boxes of head and face, the camera",
    LabelName.LAYERS: "what each pixel shows: skin, hair, clothes, accessories, features of the face",
    LabelName.JOINTS: "2D and 3D joints of the body with visibility (COCO's and VRM's), the person's box, the camera",
}
_MOST_LICENCES = 30
_NO_LICENCE = "not stated in the file, and no text stands beside it"
_TEXT_BESIDE = "not named in the file; a readme or licence file stands beside it"


def card(roster: Roster, described: Described) -> bytes:
    """The card."""
    members = roster.members
    entries = POSE_COLUMNS if members[0].space is None else members[0].space.entries
    sections = [
        _front_matter(roster, described),
        f"# Faces of {counted(len(members), '3D anime character')}\n\nMade by Facefarm {__version__}, which draws the "
        f"AnimeCeleb data set anew ({PAPER}): every picture comes with the exact pose of the face, the light and the "
        "camera that drew it.",
        "## Load it\n\n" + described.how_to_load.strip().replace("POSE_SIZE", str(len(entries))),
        "## Is it whole?\n\n`sha256sum --check SHA256SUMS` compares every file; `farm verify` of Facefarm also counts "
        "the rows and looks at the split.",
        "## What is in it\n\n" + _numbers(roster),
        "## How it was made\n\n" + _making(members),
        "## The pose vector\n\n" + (_poses() if members[0].space is None else _other_poses(members[0].space)),
        "## Styles\n\n" + _table(("style", "what it shows"), _styles(members)),
        "## Labels\n\n" + _labels(members),
        "## Coverage\n\nModels that can play a target morph:\n\n"
        + _table(("target morph", "models"), _coverage(members)),
        "## Split\n\n" + _split(roster),
        "## Licences\n\n" + _licences(members),
        "## Known limits\n\n" + _LIMITS,
    ]
    return ("\n\n".join(sections) + "\n").encode()


def _front_matter(roster: Roster, described: Described) -> str:
    fields: dict[str, Any] = {
        "pretty_name": f"Faces of {counted(len(roster.members), '3D anime character')}",
        "license": "other",
        "license_name": "as-each-model-allows",
        "license_link": "README.md#licences",
        "task_categories": _tasks(roster.members),
        "tags": ["anime", "faces", "synthetic", "head-reenactment", "croissant"],
        "size_categories": [next((name for most, name in _SIZES if roster.images < most), "n>1T")],
        **described.front_matter,
    }
    # JSON is YAML, and needs no library to be written.
    return "---\n" + "".join(f"{name}: {json.dumps(value)}\n" for name, value in fields.items()) + "---"


def _tasks(members: Sequence[ListedModel]) -> list[str]:
    used = {label for member in members for label in member.spec.labels}
    regions = ["image-segmentation"] if used & {LabelName.PARTS, LabelName.LAYERS} else []
    points = ["keypoint-detection"] if LabelName.JOINTS in used else []
    return ["image-to-image", *regions, *points, "image-feature-extraction"]


def _numbers(roster: Roster) -> str:
    rows = []
    for split in SPLITS:
        members = roster.of_split(split)
        rows.append(
            (split, len(members), *(sum(getattr(m, n) for m in members) for n in ("samples", "keys", "images")))
        )
    return _table(("split", "models", "samples", "rows (sample, partition, view)", "pictures"), rows)


def _occluders(names: Sequence[OccluderName]) -> str:
    return f"each view twice, without and with one of {' | '.join(names)}" if names else "none"


def _making(members: Sequence[ListedModel]) -> str:
    specs = [member.spec for member in members]

    def said(values: Iterable[object]) -> str:
        return ", ".join(str(value) for value, _ in Counter(values).most_common())

    rows = [
        ("Facefarm that drew", said(member.made_with.facefarm or "not said" for member in members)),
        ("Blender", said(member.made_with.blender or "not said" for member in members)),
        ("renderer version", said(member.renderer for member in members)),
        ("canvas", said(spec.canvas.value for spec in specs)),
        (
            "picture",
            said(
                f"{spec.size} x {spec.size}, {'RGB' if spec.backgrounds else 'RGBA, straight alpha'}" for spec in specs
            ),
        ),
        ("seed", said(spec.seed for spec in specs)),
        *(
            [
                ("motions", len({spec.motion.id for spec in specs if spec.motion})),
            ]
            if specs[0].motion
            else []
        ),
        ("samples a model", said(spec.motion.frames if spec.motion else spec.samples for spec in specs)),
        ("partitions", said(", ".join(spec.partitions) for spec in specs)),
        (
            "camera",
            said(f"{s.camera.framing.value}, {s.camera.projection}, {counted(s.camera.views, 'view')}" for s in specs),
        ),
        *(
            [("occluders", said(_occluders(spec.occluders) for spec in specs))]
            if any(spec.occluders for spec in specs)
            else []
        ),
        ("backgrounds", said(len(spec.backgrounds) or "none" for spec in specs)),
        ("annotations that count", said(spec.annotation.value for spec in specs)),
        ("formats of the models", said(member.format for member in members)),
    ]
    if members[0].spec.motion is not None:
        return f"{_CLIPS}\n\n" + _table(("what", "value"), rows)
    drawn = (
        "one target morph of eye, eyebrow and mouth each, with a weight from [0, 1], a turn of "
        f"the head from [-{ROTATION_LIMIT:.0f}, {ROTATION_LIMIT:.0f}] degrees about each axis"
        if members[0].space is None
        else f"what the model can play of the pose space {members[0].space.name}, by that space's rules,"
    )
    return (
        f"A sample is one drawn pose: {drawn} and a light from "
        f"[{LIGHT_RANGE[0]}, {LIGHT_RANGE[1]}]. It is drawn frontal (morphs alone) and rotated (with the turn), in all "
        "styles. Every number is a hash of seed, model and sample, so that anybody can draw it again.\n\n"
        + _table(("what", "value"), rows)
    )


_CLIPS = (
    "A sample is a frame of a motion (VMD or VRMA) that was played on the character: `time` is the second of the motion, "
    "`clip` the model and the motion together, and rows of a clip stand in the order of its frames. Weights are those of the "
    "morphs that play the targets, the turn of the head is that of its posed bone. The camera goes along with the character. "
    "All frames of a clip have one light. What physics would move (hair, cloth) stands still, and IK is not solved."
)


def _poses() -> str:
    return (
        "20 numbers: weights in [0, 1], then degrees about the world's X (nod), Y (tilt) and Z (turn). Left is the "
        "character's.\n\n" + ", ".join(f"{place} `{name}`" for place, name in enumerate(POSE_COLUMNS))
    )


def _other_poses(space: SpaceRecord) -> str:
    return (
        f"{len(space.entries)} numbers, those of the pose space {space.name}; `pose_mask` says which of them the model can "
        "play: the others are 0 in all of its rows. Left is the character's. The rotation matrix of the head, the body's "
        "turn included, stands in `rotation`.\n\n"
        + ", ".join(f"{place} `{name}`" for place, name in enumerate(space.entries))
    )


def _styles(members: Sequence[ListedModel]) -> list[tuple[str, str]]:
    used = {style for member in members for style in member.spec.styles}
    return [(name, style.summary) for name, style in STYLES.items() if name in used]


def _labels(members: Sequence[ListedModel]) -> str:
    used = {label for member in members for label in member.spec.labels}
    if not used:
        return "None were drawn."
    text = _table(("label", "what it is"), [(name.value, what) for name, what in _LABELS.items() if name in used])
    if LabelName.PARTS in used:
        text += "\n\nParts: " + ", ".join(f"{part.value} {part.name.lower()}" for part in Part) + "."
    if LabelName.LAYERS in used:
        text += "\n\nLayers: " + ", ".join(f"{layer.value} {layer.name.lower()}" for layer in Layer) + "."
    return text


def _coverage(members: Sequence[ListedModel]) -> list[tuple[str, str]]:
    counts = Counter(target for member in members for target in member.targets)
    return [(name, f"{count} ({count / len(members):.0%})") for name, count in sorted(counts.items())]


def _split(roster: Roster) -> str:
    sides = roster.sides
    lists = "Lists that were given decide first; the rest is for what they do not name. " if roster.sides.listed else ""
    text = lists + (
        f"By model: its hash decides, so that {TEST_MODELS} of {MODELS} are for testing on average, as in the paper; in a "
        "set so small that a side would be empty, the character nearest to the border crosses it. Near-duplicates stand on "
        "one side: models whose heads have the same geometry and morphs, or whose neutral heads are alike by at least "
        f"{LIKE} (correlation of colours at 24 x 24 pixels). Such groups: {len(sides.groups)}."
    )
    if sides.pairs:
        folders = {member.model: member.folder for member in roster.members}
        rows = [
            (_plain(folders[pair.a]), _plain(folders[pair.b]), f"{pair.likeness:.4f}", "yes" if pair.geometry else "no")
            for pair in sides.pairs[:_MOST_LICENCES]
        ]
        text += "\n\n" + _table(("model", "near-duplicate", "likeness", "same geometry"), rows)
        if len(sides.pairs) > len(rows):
            text += f"\n\nand {counted(len(sides.pairs) - len(rows), 'more pair')}."
    if sides.parted:
        pairs = counted(len(sides.parted), "pair")
        text += f"\n\nThe lists that were given part {pairs} of near-duplicates: a test on them is no test."
    return text


def _licences(members: Sequence[ListedModel]) -> str:
    counts = Counter(map(_licence_of, members))
    rows = [(_plain(name), count) for name, count in counts.most_common(_MOST_LICENCES)]
    return (
        "Each picture is under the licence of its model. What the files themselves say is below, model by model in "
        "`models.jsonl`; where nothing is stated, its creator's terms of use apply, and it is on whoever passes the "
        "pictures on to know them.\n\n"
        + _texts_beside(members)
        + _table(("licence", "models"), rows)
        + (f"\n\nand {len(counts) - len(rows)} more." if len(counts) > len(rows) else "")
    )


def _licence_of(member: ListedModel) -> str:
    return licence_named(member.licence) or (_TEXT_BESIDE if member.notices else _NO_LICENCE)


def _texts_beside(members: Sequence[ListedModel]) -> str:
    """Of the readme and licence files; empty where there are none."""
    having = [member for member in members if member.notices]
    if not having:
        return ""
    files = [notice["sha256"] for member in having for notice in member.notices]
    several = f", {len(set(files))} different ones" if len(set(files)) < len(files) else ""
    return (
        f"Beside {counted(len(having), 'model')} of {len(members)} stood {counted(len(files), 'readme or licence file')}"
        f"{several}, and what they say holds, too. `notices` in `models.jsonl` has their names and SHA-256. Their texts "
        "are in the `manifest.json` of each model in the rendered folder that this was made of; there `farm licences` lists "
        "who made each model and what fields and texts forbid or allow, and its `--credits` writes the names to pass on.\n\n"
    )


def _plain(text: str) -> str:
    """Text from a model's file as one cell of a table that is nothing but text."""
    kept = "".join(letter if letter.isprintable() and letter not in "|`<>[]\\*" else " " for letter in text)
    return " ".join(kept.split())[:120] or "(empty)"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    return "\n".join(lines)


_LIMITS = """- Drawn characters, not people: nothing here tells how real faces move or look.
- Which of a model's morphs plays a target is decided by what it moves and how it is named, and confirmed by a person only
  where the making above says so. Coverage is uneven, as the table shows.
- One target morph a part and sample, as we read the paper; real expressions mix several.
- Whoever made the models decided who is shown: nothing balances age, sex, skin or dress.
- Labels call what lies behind a half transparent surface by its own name; pixels that cannot be decided are 255.
- Near-duplicates are told by counts and by neutral heads; one character in two files of different make may be on both
  sides."""

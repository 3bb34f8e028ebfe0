"""The manifest of one rendered model: written last, so that where it stands, everything it names stands too.

It holds no clock, host, path or device: equal inputs give equal bytes. Within a FORMAT fields are only added, each with a
default, so that whatever reads a format reads all manifests of it; `schema` is its form for other programs.
"""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from farm.backgrounds import BackgroundRecord
from farm.errors import StorageError
from farm.models.notices import Notice
from farm.morphs.columns import columns_of
from farm.morphs.combinations import Combination
from farm.morphs.expressions import Rule
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import MorphRef
from farm.occluders import OccluderName
from farm.pipe import Survey, View
from farm.poses import Partition
from farm.spaces.casting import Played
from farm.spaces.reading import MAX_ENTRIES, EntryName
from farm.spaces.space import DEFAULT, space_named
from farm.spec import RenderSpec, StyleName
from farm.wording import mistake

PAPER_ENTRIES = space_named(DEFAULT).entries
"""The names of the 20 entries of the paper's pose vector, in order."""
FORMAT: Literal[3] = 3
MANIFEST = "manifest.json"
CONTACT_SHEET = "contact-sheet.png"
CLIP_VIDEO = "clip.mp4"
"""The preview of a clip."""

type FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}$")]
"""A name that leads nowhere but to a file beside the manifest: manifests come from elsewhere, too."""
type ContentHash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""A SHA-256 in hexadecimal digits."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ModelRecord(_Record):
    """The model, as its file describes it."""

    id: ContentHash
    format: str
    title: str
    title_en: str = ""
    """The second name of an MMD file, meant to be English."""
    creator: str = ""
    """As VRM's meta says it; an MMD file has no place for it but the comment."""
    comment: str
    comment_en: str = ""
    licence: dict[str, str]
    """What VRM's meta says, by its own names: licence, permissions, contact; empty for MMD files."""
    notices: tuple[Notice, ...] = ()
    """The readme and licence files beside the model."""


class ShardRecord(_Record):
    """One tar file of pictures."""

    file: FileName
    style: StyleName
    partition: Partition
    images: int
    bytes: int
    sha256: ContentHash


class ImageRecord(_Record):
    """One picture and everything that was varied for it."""

    file: FileName
    """Name inside the shard."""
    offset: int
    """Where the PNG file begins in the shard, and how long it is: a range read gives one picture."""
    bytes: int
    sample: int
    style: StyleName
    partition: Partition
    pose: tuple[float, ...]
    """The 20-d pose vector, entries 17 to 19 in degrees; behind it `Manifest.extra_columns`. In another pose space than the
    default one the numbers that `Manifest.space` names."""
    rotation: tuple[tuple[float, float, float], ...]
    """(3, 3) matrix of the head's rotation about world axes, that of the body included, for column vectors."""
    light: float
    """Intensity of the one light."""
    view: View = View()
    background: BackgroundRecord | None = None
    """None: transparent."""
    seed: int
    sha256: ContentHash


class LabelShardRecord(_Record):
    """One tar file of labels; its files are named as the pictures are, with suffixes of their own."""

    file: FileName
    partition: Partition
    files: int
    bytes: int
    sha256: ContentHash


class LabelRecord(_Record):
    """One label file of a sample: what it tells of the pictures of all styles."""

    file: FileName
    """Name inside the shard of labels of its partition."""
    offset: int
    """Where the file begins in the shard, and how long it is."""
    bytes: int
    sample: int
    partition: Partition
    view: int
    sha256: ContentHash


class MadeWith(_Record):
    """The programs that drew a result."""

    facefarm: str = ""
    """Version of this project; empty: one that did not say it yet."""
    blender: str = ""


class BasisRecord(_Record):
    """The neutral, frontal picture in one style."""

    file: FileName
    style: StyleName
    sha256: ContentHash


class SpaceRecord(_Record):
    """The pose space of a result, where it is not the default one."""

    name: str
    digest: ContentHash
    """Of the space's file."""
    entries: tuple[EntryName, ...] = Field(min_length=1, max_length=MAX_ENTRIES)
    """The names of a pose's entries, in order."""
    mask: tuple[bool, ...]
    """By entry, whether the model can play it; where it cannot, all its samples have 0 there."""
    cast: dict[str, Played]
    """Key to how the model plays it; a key is a parameter of the space, on one side where it has sides."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.mask) != len(self.entries) or len(set(self.entries)) < len(self.entries):
            raise ValueError("the entries of a pose need names of their own and a mask of as many")
        return self


class ClipRecord(_Record):
    """What the motion of a clip was on the model; `RenderSpec.motion` names it, with rate, start and frames."""

    format: str
    """Such as "VMD 0002"."""
    seconds: float
    """When its last key is; behind that everything stays as it is there."""
    moved: int
    """How many bones of the model it moves."""
    absent_bones: tuple[str, ...] = ()
    """Names in it for which the model has no bone, the first 40."""
    absent_morphs: tuple[str, ...] = ()
    video_sha256: ContentHash | None = None
    """Of the preview, CLIP_VIDEO: the frames of the first style and view."""
    physics: Literal["still"] = "still"
    """What MikuMikuDance moves by physics (hair, cloth) goes with the bone above it, and moves by keys alone."""
    ik: Literal["not solved"] = "not solved"
    """Bones that IK would move (legs, in most dances) do what their own keys say."""


class Manifest(_Record):
    """All about one rendered model."""

    format: Literal[3] = FORMAT
    renderer: int
    """`farm.spec.RENDERER_VERSION` that drew it."""
    render_key: str
    made_with: MadeWith = MadeWith()
    model: ModelRecord
    annotation: dict[str, MorphRef]
    """Target name to source morph, by index and name: the mapping that was used."""
    decided_by: str = ""
    """Which version of `farm.morphs.decision` made the proposals in it."""
    provenance: Provenance = NOBODYS
    """Whose word the mapping is, and which version of it; `spec.annotation` says which annotations counted."""
    ordered: dict[str, MorphRef] | None = Field(None, exclude_if=lambda found: found is None)
    """The mapping that was ordered, and that the render key is of, where pictures made another one of it: of morphs that move
    no vertex, which names had said, and of those that show nothing, whose targets others play."""
    unseen: dict[str, MorphRef] = {}
    """What was to be mapped besides, and changes nothing in this model's pictures, so that no sample plays it."""
    unworn: tuple[OccluderName, ...] = Field((), exclude_if=lambda found: not found)
    """Which of `spec.occluders` no sample wears, since the face shows too little for them."""
    combinations: dict[str, Combination] = Field({}, exclude_if=lambda found: not found)
    """What the samples play besides, and which annotated morphs it is made of; only with `spec.combinations`."""
    extra_columns: tuple[str, ...] = Field((), exclude_if=lambda found: not found)
    """Names of the entries of a pose behind the 20; only with `spec.extended`."""
    space: SpaceRecord | None = Field(None, exclude_if=lambda found: found is None)
    """What the entries of a pose mean, and which of them the model can play; None: the default pose space, the paper's."""
    clip: ClipRecord | None = Field(None, exclude_if=lambda found: found is None)
    """Where the samples are frames of a motion: their number is that of the frame."""
    rules: dict[int, Rule] | None = None
    """How the VRM expressions that samples play limit each other, by index: without them no pose can be derived again.
    None: an earlier version, which did not say."""
    target_morphs: int
    """How many of the 23 are annotated."""
    spec: RenderSpec
    samples: int
    survey: Survey
    """What the neutral picture shows; `farm.dataset.usability` judged it."""
    contact_sheet: ContentHash | None = Field(None, exclude_if=lambda found: found is None)
    """SHA-256 of the contact sheet; None: an earlier version, which did not say it."""
    part_rules: dict[str, str] = {}
    """Material to how its part was decided; with labels."""
    warnings: tuple[str, ...]
    shards: tuple[ShardRecord, ...]
    labels: tuple[LabelShardRecord, ...] = ()
    basis: tuple[BasisRecord, ...]
    images: tuple[ImageRecord, ...]
    label_files: tuple[LabelRecord, ...] = ()

    @model_validator(mode="after")
    def _space_is_asked_for(self) -> Self:
        if (self.space.name if self.space else DEFAULT) != self.spec.pose_space:
            raise ValueError(f"its poses are not of the space {self.spec.pose_space} that its specification asks for")
        return self

    @model_validator(mode="after")
    def _motion_is_asked_for(self) -> Self:
        if (self.clip is None) != (self.spec.motion is None):
            raise ValueError("it is a clip exactly if its specification names a motion")
        return self

    @property
    def clip_id(self) -> str | None:
        """What all pictures of one model in one motion have in common; None where they are no clip."""
        return f"{self.model.id[:16]}-{self.spec.motion.id[:16]}" if self.spec.motion is not None else None

    @property
    def pose_names(self) -> tuple[str, ...]:
        """The names of the entries of every pose, in order."""
        return (*PAPER_ENTRIES, *self.extra_columns) if self.space is None else self.space.entries

    @property
    def pose_mask(self) -> tuple[bool, ...]:
        """By entry, whether the model can play it."""
        if self.space is not None:
            return self.space.mask
        played = [*self.annotation, *self.combinations]
        extra = {column for target in played if target in self.spec.extended for column in columns_of(target)}
        return (*space_named(DEFAULT).mask(played), *(column in extra for column in self.extra_columns))

    def to_bytes(self) -> bytes:
        """The file's bytes; one line an image would be nicer to read, one line in all is smaller."""
        return self.model_dump_json().encode() + b"\n"


def _first(error: ValidationError) -> str:
    """The first thing that is wrong: where, and why."""
    found = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, found['loc']))[:100] or 'all of it'}: {mistake(found)[:200]}"


def read_manifest(data: bytes, source: str) -> Manifest:
    """The manifest with these bytes; `source` stands in the error. Raises StorageError for another format, or none."""
    try:
        # What a later Facefarm adds is passed over: a version of the format only ever grows.
        return Manifest.model_validate_json(data, extra="ignore")
    except ValidationError as error:
        raise StorageError(
            f"{source} is no manifest of format {FORMAT}: an earlier or a later Facefarm wrote it, or it is damaged "
            f"({_first(error)}). Delete what it describes and render again."
        ) from error


def schema() -> str:
    """The JSON Schema (draft 2020-12) of a manifest, as text. Fields that it does not know are allowed: see above."""
    form = Manifest.model_json_schema()
    form["$defs"]["StyleName"].pop("enum")  # a farm may have styles of its own
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Manifest of a rendered model, format {FORMAT}",
    }
    return json.dumps(_open(form | head), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def _open(form: Any) -> Any:
    """A schema without its bans on further fields."""
    if isinstance(form, list):
        return [_open(item) for item in form]
    if not isinstance(form, dict):
        return form
    return {name: _open(value) for name, value in form.items() if (name, value) != ("additionalProperties", False)}


def result_object(render_key: str, file: str) -> str:
    """The store's key of a file of a result."""
    return f"renders/{render_key}/{file}"


def shard_file(style: StyleName, partition: Partition) -> str:
    """The name of the shard of one style and partition."""
    return f"{style}-{partition}.tar"


def label_shard_file(partition: Partition) -> str:
    """The name of the shard with the labels of one partition."""
    return f"labels-{partition}.tar"


def basis_file(style: StyleName) -> str:
    """The name of the neutral picture of one style."""
    return f"basis-{style}.png"


def image_file(model_id: str, sample: int, suffix: str = "") -> str:
    """The name of a picture inside its shard; unique over models, as WebDataset asks."""
    return f"{model_id[:16]}_{sample:05d}{suffix}.png"


def view_suffix(spec: RenderSpec, view: View) -> str:
    """What tells the views of a sample apart in file names: ``_v03``, and nothing where there is only one."""
    return f"_v{view.index:02d}" if spec.views > 1 else ""

"""The manifest of one rendered model: written last, so that where it stands, everything it names stands too.

It holds no clock, host, path or device: equal inputs give equal bytes.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from farm.backgrounds import BackgroundRecord
from farm.errors import StorageError
from farm.morphs.expressions import Rule
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import MorphRef
from farm.pipe import Survey, View
from farm.poses import Partition
from farm.spec import RenderSpec, StyleName

FORMAT: Literal[3] = 3
MANIFEST = "manifest.json"
CONTACT_SHEET = "contact-sheet.png"


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelRecord(_Record):
    """The model, as its file describes it."""

    id: str
    format: str
    title: str
    comment: str
    licence: dict[str, str]


class ShardRecord(_Record):
    """One tar file of pictures."""

    file: str
    style: StyleName
    partition: Partition
    images: int
    bytes: int
    sha256: str


class ImageRecord(_Record):
    """One picture and everything that was varied for it."""

    file: str
    """Name inside the shard."""
    offset: int
    """Where the PNG file begins in the shard, and how long it is: a range read gives one picture."""
    bytes: int
    sample: int
    style: StyleName
    partition: Partition
    pose: tuple[float, ...]
    """The 20-d pose vector; entries 17 to 19 in degrees."""
    rotation: tuple[tuple[float, float, float], ...]
    """(3, 3) matrix of the head's rotation about world axes, for column vectors."""
    light: float
    """Intensity of the one light."""
    view: View = View()
    background: BackgroundRecord | None = None
    """None: transparent."""
    seed: int
    sha256: str


class LabelShardRecord(_Record):
    """One tar file of labels; its files are named as the pictures are, with suffixes of their own."""

    file: str
    partition: Partition
    files: int
    bytes: int
    sha256: str


class BasisRecord(_Record):
    """The neutral, frontal picture in one style."""

    file: str
    style: StyleName
    sha256: str


class Manifest(_Record):
    """All about one rendered model."""

    format: Literal[3] = FORMAT
    renderer: int
    """`farm.spec.RENDERER_VERSION` that drew it."""
    render_key: str
    model: ModelRecord
    annotation: dict[str, MorphRef]
    """Target name to source morph, by index and name: the mapping that was used."""
    provenance: Provenance = NOBODYS
    """Whose word the mapping is, and which version of it; `spec.annotation` says which annotations counted."""
    unseen: dict[str, MorphRef] = {}
    """What was to be mapped besides, and changes nothing in this model's pictures, so that no sample plays it."""
    rules: dict[int, Rule] | None = None
    """How the VRM expressions among them limit each other, by index: without them no pose can be derived again. None: an
    earlier version, which did not say."""
    target_morphs: int
    """How many of the 23 are annotated."""
    spec: RenderSpec
    samples: int
    survey: Survey
    """What the neutral picture shows; `farm.dataset.usability` judged it."""
    part_rules: dict[str, str] = {}
    """Material to how its part was decided; with labels."""
    warnings: tuple[str, ...]
    shards: tuple[ShardRecord, ...]
    labels: tuple[LabelShardRecord, ...] = ()
    basis: tuple[BasisRecord, ...]
    images: tuple[ImageRecord, ...]

    def to_bytes(self) -> bytes:
        """The file's bytes; one line an image would be nicer to read, one line in all is smaller."""
        return self.model_dump_json().encode() + b"\n"


def read_manifest(data: bytes, source: str) -> Manifest:
    """The manifest with these bytes; `source` stands in the error. Raises StorageError for another format, or none."""
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        raise StorageError(
            f"{source} is no manifest of format {FORMAT}: an earlier or a later Facefarm wrote it, or it is damaged. "
            "Delete what it describes and render again."
        ) from error


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
    return f"_v{view.index:02d}" if spec.camera.views > 1 else ""

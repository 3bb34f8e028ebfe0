"""What the farm asks a reader, and what it answers.

A reader is not trusted: its answers are validated, and its files are named here.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from farm.models.inventory import Inventory
from farm.morphs.evidence import PictureChange
from farm.motion.limits import MAX_SECONDS

ANSWER = "answer.json"
HELD = "held.json"
"""The `Held` of a kept model that is to be decided again, in the folder."""
BACKGROUND = "background.png"
DISK_FULL = 28
"""How a child ends whose folder has no room for its answer; what `errno` calls ENOSPC."""
MAX_ANSWER = 16 * 2**20
MAX_INVENTORY = 8 * 2**20
"""Bytes of one model's inventory as JSON: it is shown whole, whenever somebody asks what the model holds."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Held(_Message):
    """What is known of a kept model."""

    inventory: Inventory
    pictures: dict[int, PictureChange] | None
    """What morphs change in the picture, by index; None where nobody looked."""


class ReadOrder(_Message):
    """Farm to reader: read the file, and leave the answer and what it speaks of in the folder."""

    what: Literal["models", "background", "motion", "decision"]
    file: str
    """For a decision, the model's package; the answer is its inventory."""
    name: str
    """What its owner calls it."""
    folder: str
    memory: int
    """Bytes that reading may take."""
    packages: int
    """Bytes that all its models may take as packages: each keeps its own textures, and one may be named by thousands."""
    seconds: int
    """Of the processor."""


class Refused(_Message):
    """A file, or a model in it, that cannot be used: code and sentence of the error."""

    name: str
    code: str
    message: str


class ReadModel(_Message):
    """A model that can be used. Its package and inventory are files of the folder."""

    id: str = Field(pattern="^[0-9a-f]{64}$")
    name: str


class ReadBackground(_Message):
    """A background that can be used; it is BACKGROUND in the folder."""

    id: str = Field(pattern="^[0-9a-f]{64}$")
    width: int
    height: int


class MotionAbout(_Message):
    """What a motion that can be used holds."""

    id: str = Field("", pattern="^([0-9a-f]{64})?$")
    """The SHA-256 of its file; empty as a reader says it: the farm itself hashes the file."""
    format: str = Field(max_length=100)
    """Such as "VMD 0002"."""
    seconds: float = Field(ge=0, le=MAX_SECONDS)
    """When its last key is."""
    bones: int = Field(ge=0)
    """How many bones it moves."""
    morphs: int = Field(ge=0)
    """How many morphs or expressions it plays."""
    warnings: list[str] = Field([], max_length=100)


class Answer(_Message):
    """Reader to farm: what the file holds, as ANSWER in the folder."""

    models: list[ReadModel] = []
    refused: list[Refused] = []
    background: ReadBackground | None = None
    motion: MotionAbout | None = None
    error: Refused | None = None
    """The file as a whole is refused."""


def package_file(number: int) -> str:
    """The name of the package of the model of this number in `Answer.models`."""
    return f"{number}.zip"


def inventory_file(number: int) -> str:
    """The same of its inventory."""
    return f"{number}.json"

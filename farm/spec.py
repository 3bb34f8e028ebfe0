"""The render specification: everything that decides what the pictures of a model look like, besides the model."""

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt

from farm.poses import Partition

RENDERER_VERSION = 1
"""Raised by every change that changes pixels or poses, so that old results are not mistaken for new ones."""
MAX_SAMPLES = 10_000


class StyleName(StrEnum):
    """The four shader styles; `blender_worker.styles` says what each looks like."""

    DEFAULT = "default"
    TOON = "toon"
    FLAT = "flat"
    INK = "ink"


def _each_once[T](values: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


class CanvasName(StrEnum):
    """The ways of drawing."""

    FORWARD = "forward"
    """Our own shaders through Blender's gpu module, all styles in one pass."""


class RenderSpec(BaseModel):
    """What to draw of each model. The defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all poses and lights")
    samples: Literal["auto"] | Annotated[StrictInt, Field(ge=1, le=MAX_SAMPLES)] = Field(
        "auto", description="Samples a model: 'auto' is the paper's rule of 100 or 20", union_mode="left_to_right"
    )
    partitions: Annotated[tuple[Partition, ...], AfterValidator(_each_once)] = Field(tuple(Partition), min_length=1)
    styles: Annotated[tuple[StyleName, ...], AfterValidator(_each_once)] = Field(tuple(StyleName), min_length=1)
    size: int = Field(256, ge=32, le=1024, description="Width and height of a picture in pixels")
    supersample: int = Field(2, ge=1, le=4, description="Drawn pixels per picture pixel and axis")
    canvas: CanvasName = CanvasName.FORWARD
    keep_unusable: bool = Field(False, description="Render models whose neutral picture shows no usable face, too")

    def samples_of(self, by_rule: int) -> int:
        """Samples of a model for which the paper's rule gives `by_rule`."""
        return by_rule if self.samples == "auto" else self.samples


def render_key(model_id: str, annotation: dict[str, str], spec: RenderSpec) -> str:
    """The name of a result (64 hex digits): equal inputs and an equal renderer give an equal key."""
    content = json.dumps(
        {
            "model": model_id,
            "annotation": annotation,
            "spec": spec.model_dump(mode="json"),
            "renderer": RENDERER_VERSION,
        },
        sort_keys=True,
        ensure_ascii=False,
    )
    return hashlib.sha256(content.encode()).hexdigest()

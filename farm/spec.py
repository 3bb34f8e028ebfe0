"""The render specification: everything that decides what the pictures of a model look like, besides the model."""

import hashlib
import json
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, model_validator

from farm.cameras import CameraSpec, each_once, is_default
from farm.labels import LabelName
from farm.morphs.columns import extended_targets
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import MorphRef, packed
from farm.motion.limits import MAX_SECONDS
from farm.occluders import OccluderName
from farm.poses import Partition
from farm.spaces.limbs import RestPose
from farm.spaces.space import DEFAULT, Space, space_named, space_names
from farm.styles import PAPER_STYLES, STYLES

RENDERER_VERSION = 10
"""Raised by every change of pixels, poses or the form of a stored result: old ones are not mistaken for new ones."""
MAX_SAMPLES = 10_000
"""Of a model; frames of a clip, too."""

MAX_STYLES = 6
"""One pass draws no more colour layers."""
MAX_BACKGROUNDS = 10_000


def _known_style(name: str) -> str:
    if name not in STYLES:
        raise ValueError(f"there is no style '{name}'; there are {', '.join(STYLES)}")
    return name


type StyleName = Annotated[str, AfterValidator(_known_style), Field(json_schema_extra={"enum": list(STYLES)})]
"""The name of a module of `farm.styles`."""


def _known_space(name: str) -> str:
    if name not in space_names():
        raise ValueError(f"there is no pose space '{name}'; there are {', '.join(space_names())}")
    return name


type SpaceName = Annotated[str, AfterValidator(_known_space), Field(json_schema_extra={"enum": list(space_names())})]
"""The name of a file of `farm/spaces`."""


def _extended_target(name: str) -> str:
    if name not in extended_targets():
        raise ValueError(f"'{name}' is no target of the extended vocabulary; there are {', '.join(extended_targets())}")
    return name


type ExtendedTarget = Annotated[
    str, AfterValidator(_extended_target), Field(json_schema_extra={"enum": list(extended_targets())})
]
"""The name of a target of `farm/morphs/vocabulary.toml` beyond the 23."""


def _is_file(rest: object) -> bool:
    return rest == RestPose.FILE


def _is_default_space(name: object) -> bool:
    return name == DEFAULT


class CanvasName(StrEnum):
    """The ways of drawing."""

    FORWARD = "forward"
    """Our own shaders through Blender's gpu module, all styles in one pass."""
    EEVEE = "eevee"
    """The paper's engine, in a viewport that lives on between images; the reference that FORWARD is held against."""
    FINAL = "final"
    """`bpy.ops.render.render` with 64 samples an image: what everybody does, and the slowest by far."""


class AnnotationRule(StrEnum):
    """Which annotations count."""

    PROPOSALS = "proposals"
    """What people have said, and, where they are silent, what the farm proposes."""
    CONFIRMED = "confirmed"
    """Only what a person has looked at, model by model, and confirmed or changed."""


class MotionSpec(BaseModel):
    """What of a motion is drawn. Frame k shows the time `start` + k / `rate`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern="^[0-9a-f]{64}$", description="The motion, by hash: POST /v1/motions gives it")
    rate: float = Field(30.0, ge=1, le=240, description="Frames a second")
    start: float = Field(0.0, ge=0, le=MAX_SECONDS, description="Seconds of the motion before the first frame")
    frames: StrictInt = Field(
        ge=1, le=MAX_SAMPLES, description="Frames; behind the motion's last key everything stays as it is there"
    )

    def time_of(self, frame: int) -> float:
        """The second of the motion that a frame shows."""
        return round(self.start + frame / self.rate, 6)


class RenderSpec(BaseModel):
    """What to draw of each model. The defaults are the paper's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, ge=0, lt=2**63, description="Seed of all poses, lights, views and backgrounds")
    samples: Literal["auto"] | Annotated[StrictInt, Field(ge=1, le=MAX_SAMPLES)] = Field(
        "auto",
        description="Samples a model: 'auto' is the pose space's rule; the paper's gives 100 or 20",
        union_mode="left_to_right",
    )
    partitions: Annotated[tuple[Partition, ...], AfterValidator(each_once)] = Field(tuple(Partition), min_length=1)
    styles: Annotated[tuple[StyleName, ...], AfterValidator(each_once)] = Field(
        PAPER_STYLES, min_length=1, max_length=MAX_STYLES
    )
    labels: Annotated[tuple[LabelName, ...], AfterValidator(each_once)] = Field(
        (), description="Labels to store with every sample, partition and view"
    )
    camera: CameraSpec = CameraSpec()
    backgrounds: Annotated[tuple[Annotated[str, Field(pattern="^[0-9a-f]{64}$")], ...], AfterValidator(each_once)] = (
        Field((), max_length=MAX_BACKGROUNDS, description="Pictures to compose over, by hash; none: transparent")
    )
    occluders: Annotated[tuple[OccluderName, ...], AfterValidator(each_once)] = Field(
        (),
        exclude_if=is_default,
        description="What may hide some of the character: then each view is there twice, without and with one of them",
    )
    size: int = Field(256, ge=32, le=1024, description="Width and height of a picture in pixels")
    supersample: int = Field(2, ge=1, le=4, description="Drawn pixels per picture pixel and axis")
    canvas: CanvasName = CanvasName.FORWARD
    annotation: AnnotationRule = Field(
        AnnotationRule.PROPOSALS,
        description="Which annotations count; in a request that does not say it, the farm's FARM_ANNOTATION does",
    )
    least_confidence: float = Field(0.0, ge=0, le=1, description="Proposals that the farm is less sure of do not count")
    combinations: bool = Field(
        False,
        exclude_if=is_default,
        description="Also play both sides by the morphs of the two, and one side by half of the morph of both, where the "
        "model has no morph of its own for it",
    )
    extended: Annotated[tuple[ExtendedTarget, ...], AfterValidator(each_once)] = Field(
        (),
        exclude_if=is_default,
        description="Targets beyond the paper's 23 to sample as well; each has columns of its own behind the 20",
    )
    pose_space: SpaceName = Field(
        DEFAULT,
        exclude_if=_is_default_space,
        description="What a pose vector means and how it is drawn; the default is the paper's 20 numbers",
    )
    rest_pose: RestPose = Field(
        RestPose.FILE,
        exclude_if=_is_file,
        description="How the character stands: as its file has it, or in the A-pose (arms 45 degrees below the level) or the "
        "T-pose (arms level), whatever its file has; poses of a body have a rest pose of their own",
    )
    keep_unusable: bool = Field(False, description="Render models whose neutral picture shows no usable face, too")
    motion: MotionSpec | None = Field(
        None,
        exclude_if=is_default,
        description="Draw a clip: the samples are this motion's frames, and all of them are of the partition `rotated`",
    )

    @model_validator(mode="before")
    @classmethod
    def _a_clip_has_one_partition(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("motion") is not None and "partitions" not in values:
            return {**values, "partitions": (Partition.ROTATED,)}
        return values

    @model_validator(mode="after")
    def _a_clip_is_its_motion(self) -> Self:
        if self.motion is None:
            return self
        if self.partitions != (Partition.ROTATED,):
            raise ValueError(
                "a clip has no frontal pictures: ask for the partition rotated alone, or leave the motion out"
            )
        if self.samples != "auto":
            raise ValueError("a clip has as many samples as `motion` has frames: leave `samples` out")
        if self.combinations:
            raise ValueError("a motion says itself which morphs play: leave `combinations` out")
        if self.stance is not RestPose.FILE:
            raise ValueError(
                "a motion begins at the pose of the model's file: leave `rest_pose` and spaces of the body out"
            )
        return self

    @model_validator(mode="after")
    def _flow_has_two_ends(self) -> Self:
        if LabelName.FLOW in self.labels and self.motion is None and len(self.partitions) < len(Partition):
            raise ValueError("flow runs between the partitions: ask for both of them, or leave the label flow out")
        return self

    @model_validator(mode="after")
    def _only_the_default_space_is_extended(self) -> Self:
        if self.extended and self.pose_space != DEFAULT:
            raise ValueError(
                f"`extended` adds to {DEFAULT}; {self.pose_space} has entries of its own: leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _stands_one_way(self) -> Self:
        own = self.space.file.rest
        if RestPose.FILE not in (own, self.rest_pose) and own is not self.rest_pose:
            raise ValueError(f"{self.pose_space} counts its angles from rest_pose '{own}': leave rest_pose out")
        return self

    @property
    def stance(self) -> RestPose:
        """How the character stands when all entries of a pose are 0."""
        return self.rest_pose if self.space.file.rest is RestPose.FILE else self.space.file.rest

    @property
    def space(self) -> Space:
        """The pose space."""
        return space_named(self.pose_space)

    @property
    def views(self) -> int:
        """Pictures of every sample, partition and style: with occluders, each of the camera's views twice."""
        return self.camera.views * (2 if self.occluders else 1)

    def samples_by_rule(self, annotated: Collection[str]) -> int:
        """Samples of a model of which these targets are annotated."""
        return self.samples_of(self.space.sample_count(annotated))

    def samples_of(self, by_rule: int) -> int:
        """Samples of a model for which the pose space's rule gives `by_rule`; a clip's are its frames."""
        if self.motion is not None:
            return self.motion.frames
        return by_rule if self.samples == "auto" else self.samples

    def beginning(self, samples: int) -> "RenderSpec":
        """The same for the first samples alone, or the first frames of a clip."""
        if self.motion is None:
            return self.model_copy(update={"samples": samples})
        motion = self.motion.model_copy(update={"frames": min(samples, self.motion.frames)})
        return self.model_copy(update={"motion": motion})

    def drawn_as(self, sample: int) -> int:
        """The sample whose light, views and background it has: frames of a clip share those of the first."""
        return sample if self.motion is None else 0

    def images_of(self, samples: int) -> int:
        """Pictures of a model with so many samples."""
        return samples * len(self.partitions) * len(self.styles) * self.views


def render_key(
    model_id: str, annotation: Mapping[str, MorphRef], spec: RenderSpec, provenance: Provenance = NOBODYS
) -> str:
    """The name of a result (64 hex digits): equal inputs and an equal renderer give an equal key."""
    named: dict[str, Any] = {
        "model": model_id,
        "annotation": packed(annotation),
        "provenance": provenance.model_dump(mode="json"),  # the manifest tells of it
        "spec": spec.model_dump(mode="json"),
        "renderer": RENDERER_VERSION,
    }
    if spec.pose_space != DEFAULT:
        named["space"] = spec.space.digest  # a farm may change the file, or have one of its own
    content = json.dumps(named, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()

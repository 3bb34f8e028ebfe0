"""Where the pictures are taken from, as a specification says it."""

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

MAX_VIEWS = 64


def each_once[T](values: tuple[T, ...]) -> tuple[T, ...]:
    """Of what a specification lists."""
    if len(set(values)) < len(values):
        raise ValueError("names something twice")
    return values


def is_default(value: object) -> bool:
    """Of what is off by default: then it is no part of what a specification writes, nor of the names of results."""
    return not value


class Framing(StrEnum):
    """How much of the character the picture shows."""

    HEAD = "head"
    """The paper's: head, neck and shoulders."""
    BUST = "bust"
    """Down to the waist."""
    BODY = "body"
    """All of the character, and wherever poses of a body take its limbs."""


def _ordered(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError("give the smaller bound first")
    return bounds


class CameraSpec(BaseModel):
    """Where the pictures are taken from. The defaults are the paper's one fixed camera in front of the neck."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    framing: Framing = Framing.HEAD
    projection: Literal["perspective", "orthographic"] = "perspective"
    field_of_view: float = Field(
        20.0, ge=2, le=90, description="Degrees, vertical and horizontal; focal length f mm on 36 mm is 2 atan(18 / f)"
    )
    views: int = Field(1, ge=1, le=MAX_VIEWS, description="Pictures of every sample, partition and style")
    yaw: Annotated[
        tuple[Annotated[float, Field(ge=-180, le=180)], Annotated[float, Field(ge=-180, le=180)]],
        AfterValidator(_ordered),
    ] = Field(
        (0.0, 0.0), description="Degrees; each view's yaw is drawn from here. Positive: from the character's left"
    )
    elevation: Annotated[
        tuple[Annotated[float, Field(ge=-80, le=80)], Annotated[float, Field(ge=-80, le=80)]],
        AfterValidator(_ordered),
    ] = Field((0.0, 0.0), description="Degrees; each view's elevation is drawn from here. Positive: from above")

    around: int = Field(
        0,
        ge=0,
        le=MAX_VIEWS,
        exclude_if=is_default,
        description="Views at equal angles all around, the first from the front, in place of drawn ones; 0: drawn",
    )
    rings: Annotated[tuple[Annotated[float, Field(ge=-80, le=80)], ...], AfterValidator(each_once)] = Field(
        (),
        max_length=8,
        exclude_if=is_default,
        description="Elevations, degrees, of which each has `around` views; none: 0",
    )

    @model_validator(mode="before")
    @classmethod
    def _views_around(cls, given: Any) -> Any:
        """A fixed set of views says by itself how many there are."""
        if isinstance(given, dict) and given.get("around") and "views" not in given:
            around, rings = given["around"], given.get("rings") or (0,)
            if isinstance(around, int) and isinstance(rings, list | tuple):
                return {**given, "views": around * len(rings)}
        return given

    @model_validator(mode="after")
    def _views_differ(self) -> Self:
        if self.rings and not self.around:
            raise ValueError("`rings` are of views `around`: say how many each has")
        if self.around:
            if self.views != self.around * max(1, len(self.rings)):
                raise ValueError("`views` is another number than `around` gives: leave it out")
            if any((*self.yaw, *self.elevation)):
                raise ValueError("views `around` are not drawn: leave the ranges of yaw and elevation out")
            return self
        if self.views > 1 and self.yaw[0] == self.yaw[1] and self.elevation[0] == self.elevation[1]:
            raise ValueError("several views need a range of yaw or elevation, or they would all be the same")
        return self

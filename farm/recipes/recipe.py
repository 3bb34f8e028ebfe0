"""Reads recipes: those that come with the project, by name, and a person's own, by path."""

import os
import stat
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from farm.errors import SpecError
from farm.spec import RenderSpec
from farm.wording import mistake

MAX_BYTES = 64 * 1024
_SUFFIX = ".toml"
_SOME_MOTION = {"id": "0" * 64, "frames": 1}


class RecipeMotion(BaseModel):
    """What of a motion a recipe draws; the file is named by whoever uses it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float | None = None
    start: float | None = None
    frames: int | None = None


class SpecRecipe(BaseModel):
    """A named specification."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z0-9][a-z0-9-]{0,39}$")
    summary: str = Field(max_length=200)
    """One line for people."""
    spec: RenderSpec
    motion: RecipeMotion | None = None
    """It draws a clip: the motion is to be named with it. The values are checked with that."""
    text: str = Field(exclude=True)
    """The file, as it is written."""

    @model_validator(mode="before")
    @classmethod
    def _as_of_some_motion(cls, given: Any) -> Any:
        """What is asked of a clip can be checked before anybody knows which motion it will be of."""
        spec = given.get("spec")
        if not isinstance(spec, Mapping):
            return given
        if "motion" in spec:
            raise ValueError(
                "a motion is known by its contents: name its file by --motion, and say the rest in [motion]"
            )
        return {**given, "spec": {**spec, "motion": _SOME_MOTION}} if "motion" in given else given

    @field_validator("spec")
    @classmethod
    def _without_backgrounds(cls, spec: RenderSpec) -> RenderSpec:
        if spec.backgrounds:
            raise ValueError("backgrounds are known by their contents: name their folder by --backgrounds instead")
        return spec

    @property
    def values(self) -> dict[str, Any]:
        """What it says of the specification, and nothing that it leaves open: which motion, among that."""
        return self.spec.model_dump(mode="json", exclude_unset=True, exclude={"motion"})


@cache
def recipe_names() -> tuple[str, ...]:
    """The recipes that come with the project."""
    return tuple(sorted(f.name.removesuffix(_SUFFIX) for f in _folder().iterdir() if f.name.endswith(_SUFFIX)))


def recipe(named: str) -> SpecRecipe:
    """The recipe of this name, or in the file at this path (it ends in .toml). Raises SpecError.

    Its `spec` is what `farm.client.FarmClient.submit` takes: a farm knows no recipes, whoever asks it does.
    """
    if named in recipe_names():
        return _read(_folder().joinpath(named + _SUFFIX).read_bytes(), named + _SUFFIX)
    if not named.endswith(_SUFFIX):
        raise SpecError(
            f"There is no recipe '{named}'; there are {', '.join(recipe_names())}. A file of your own ends in {_SUFFIX}: "
            "begin with `farm recipe show NAME > mine.toml`."
        )
    return _read(_bytes_at(Path(named)), named)


def _folder() -> Traversable:
    return files("farm.recipes")


def _bytes_at(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise SpecError(f"The recipe {path} cannot be read: {error}.") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise SpecError(f"{path} is no file, so it holds no recipe.")
        return os.read(descriptor, MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _read(data: bytes, source: str) -> SpecRecipe:
    if len(data) > MAX_BYTES:
        raise SpecError(f"{source} has over {MAX_BYTES} bytes: that is no recipe.")
    try:
        text = data.decode("utf-8-sig")
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # of UTF-8 and of TOML alike
        raise SpecError(f"{source} is no TOML: {error}. Correct that place.") from error
    try:
        return SpecRecipe.model_validate({**given, "text": text})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:200]
        raise SpecError(f"{source}, {where}: {mistake(first)}. Correct the entry.") from error

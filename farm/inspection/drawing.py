"""Draws what each morph of a model does: the neutral face from the front, and every morph at weight 1 beside it.

What is measured of a morph depends on the model's file alone: not on which others are drawn, nor on what pictures decided
before, so that a worker which looks at three morphs and the page which shows all of them say the same.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.colour import laid_over
from farm.dataset.usability import reasons_against
from farm.drawing.blender import Blender, Drawn
from farm.inspection.effects import NOTHING, PartsSeen, effect
from farm.inspection.looks import NeutralFace
from farm.inspection.record import (
    SIZE,
    DrawnInspection,
    Inspection,
    MorphPicture,
    Rectangle,
    moving_morphs,
    picture_version,
)
from farm.inspection.sprite import pack, reduced
from farm.labels import LabelName
from farm.models.inventory import MAX_MORPHS, Inventory
from farm.models.package import unfold
from farm.morphs.comparison import box_of, changed_pixels, picture_change
from farm.poses import BASIS_LIGHT, Partition

_SUPERSAMPLE = 2
_STYLE = "flat"
_GROUND = np.array((128, 134, 144), np.uint8)
"""sRGB behind the character: neither white nor black hair is lost on it."""


def draw_pictures(
    blender: Blender,
    model: str,
    package: bytes,
    inventory: Inventory,
    pictures: Callable[[int], None] = lambda count: None,
) -> DrawnInspection:
    """Draw the morphs of `model` that move something, each alone at weight 1; the same package gives the same bytes.

    `pictures` takes how many are drawn, after each, and may raise to stop the work. Raises what `Blender.draw` raises.
    """
    moving = moving_morphs(inventory)
    drawn = moving[:MAX_MORPHS]
    loaded: list[pipe.Loaded] = []
    compared = []
    with closing(_compared(blender, package, inventory, drawn, loaded.append)) as stream:
        for count, (face, morph, crop) in enumerate(stream, 1):
            neutral = face
            pictures(count)
            if morph is not None:
                compared.append((morph, crop))
    crops = {morph.index: crop for morph, crop in compared if crop is not None}
    sprite = pack(neutral.pixels, crops)
    inspection = Inspection(
        version=picture_version(),
        model=model,
        size=SIZE,
        head=_square(loaded[0].survey.head_box),
        sprite=(sprite.pixels.shape[1], sprite.pixels.shape[0]),
        morphs=[morph.model_copy(update={"place": sprite.places.get(morph.index)}) for morph, _ in compared],
        left_out=len(moving) - len(drawn),
        unusable=tuple(reasons_against(loaded[0].survey)),
    )
    return DrawnInspection(inspection, sprite.webp())


def look_at(blender: Blender, package: bytes, inventory: Inventory, morphs: Sequence[int]) -> list[MorphPicture]:
    """What these morphs change in the picture, in their order: as `draw_pictures` has it, without keeping a picture.

    Raises what `Blender.draw` raises.
    """
    with closing(_compared(blender, package, inventory, morphs, lambda _: None)) as stream:
        return [morph.model_copy(update={"box": None, "scale": 1}) for _, morph, _ in stream if morph is not None]


type _Compared = tuple["_Neutral", MorphPicture | None, NDArray[np.uint8] | None]


def _compared(
    blender: Blender,
    package: bytes,
    inventory: Inventory,
    morphs: Sequence[int],
    on_loaded: Callable[[pipe.Loaded], None],
) -> Generator[_Compared]:
    """The neutral face, without a morph, then each morph with its crop beside it."""
    with TemporaryDirectory(prefix="farm-inspection-") as room:
        request = _request(package, inventory, Path(room), list(morphs))
        with closing(blender.draw(request, on_loaded)) as shots:
            neutral = _Neutral(next(shots))
            yield neutral, None, None
            for index, shot in zip(morphs, shots, strict=True):
                yield neutral, *neutral.compared(index, shot)


def _request(package: bytes, inventory: Inventory, room: Path, morphs: list[int]) -> pipe.Render:
    character, textures = unfold(package, room)
    # What pictures are to decide does not tell where the parts are.
    known = set(moving_morphs(inventory)) - set(inventory.guessed)
    annotation = {target: morph.index for target, morph in inventory.annotation.items() if morph.index in known}
    return pipe.Render(
        character=str(character),
        textures={index: str(texture) for index, texture in textures.items()},
        morphs=sorted({*morphs, *annotation.values()}),
        annotation=annotation,
        styles=[_STYLE],
        labels=[LabelName.PARTS],
        size=SIZE,
        supersample=_SUPERSAMPLE,
        shots=[_shot(number, weights) for number, weights in enumerate([{}, *({index: 1.0} for index in morphs)])],
    )


def _shot(number: int, weights: dict[int, float]) -> pipe.Shot:
    return pipe.Shot(
        sample=number - 1, partition=Partition.FRONTAL, weights=weights, rotation=(0, 0, 0), light=BASIS_LIGHT
    )


class _Neutral:
    """The neutral face, and what differs from it. All but the pixels that differ is worked out once."""

    def __init__(self, drawn: Drawn) -> None:
        self._picture = drawn.pictures[0]
        self.pixels = _grounded(self._picture)
        self._small = _halved(self.pixels)
        parts = drawn.labels[LabelName.PARTS]
        self._view = PartsSeen.of(parts)
        self._face = NeutralFace(self.pixels, parts)

    def compared(self, index: int, applied: Drawn) -> tuple[MorphPicture, NDArray[np.uint8] | None]:
        """What the morph changes, and the crop of its pixels; None where not one differs."""
        picture = applied.pictures[0]
        differs = (picture != self._picture).any(axis=-1)
        found = box_of(differs)
        if found is None:
            change = picture_change(self._small, self._small)
            return MorphPicture(index=index, change=change, effect=NOTHING), None
        left, top, right, bottom = box = _even(found)
        crop = _grounded(picture[top:bottom, left:right])
        small = self._small.copy()
        small[top // 2 : bottom // 2, left // 2 : right // 2] = _halved(crop)
        pixels = self.pixels.copy()
        pixels[top:bottom, left:right] = crop
        parts = applied.labels[LabelName.PARTS]
        looks = self._face.looks(pixels, parts, changed_pixels(self.pixels, pixels))
        change = picture_change(self._small, small).model_copy(update={"looks": looks})
        words = effect(self._view, PartsSeen.of(parts), differs, change)
        kept, scale = reduced(crop)
        return MorphPicture(index=index, change=change, effect=words, box=box, scale=scale), kept


def _grounded(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 4) on the ground."""
    return laid_over(picture, np.broadcast_to(_GROUND, (*picture.shape[:2], 3)))


def _square(box: tuple[float, float, float, float]) -> Rectangle:
    """The square about a box that is given in shares of the picture, in pixels and inside it."""
    left, top, right, bottom = (min(max(round(share * SIZE), 0), SIZE) for share in box)
    side = max(right - left, bottom - top) or SIZE
    left, top = (min(max((low + high - side) // 2, 0), SIZE - side) for low, high in ((left, right), (top, bottom)))
    return left, top, left + side, top + side


def _even(box: Rectangle) -> Rectangle:
    """The box, grown to whole pixels of the halved picture."""
    left, top, right, bottom = box
    return left // 2 * 2, top // 2 * 2, (right + 1) // 2 * 2, (bottom + 1) // 2 * 2


def _halved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(2 n, 2 m, 3) as (n, m, 3), each the mean of four."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    total = pixels.reshape(height, 2, width, 2, 3).astype(np.uint16).sum(axis=(1, 3))
    return ((total + 2) // 4).astype(np.uint8)

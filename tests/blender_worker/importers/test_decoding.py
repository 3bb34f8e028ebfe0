"""Pictures are decoded within a budget that is asked before the work is done."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from blender_worker.character import textures
from blender_worker.character.textures import Budget, UnreadableTextureError
from blender_worker.importers.build import build
from blender_worker.importers.decoding import TextureDecoder
from farm.models.vrm.reader import read_vrm
from tests.farm.models import made_files as made
from tests.farm.models.made_files import small_character


def png(side: int, shade: int = 0) -> bytes:
    with io.BytesIO() as out:
        Image.new("L", (side, side), shade).save(out, "PNG")
        return out.getvalue()


def test_many_entries_of_one_picture_are_decoded_once() -> None:
    # GIVEN more entries of one large picture than the budget holds
    count = textures.MAX_MODEL_PIXELS // 1024**2 + 8
    names = tuple(f"{number}.png" for number in range(count))
    warnings: list[str] = []
    decoder = TextureDecoder(
        replace(small_character(), textures=names), dict.fromkeys(range(count), png(1024)), warnings
    )
    # WHEN all are asked for
    found = [decoder.texture(number) for number in range(count)]
    # THEN they are one texture
    assert len({id(texture) for texture in found}) == 1
    assert found[0] is not None
    assert warnings == []


def test_what_the_budget_does_not_hold_is_not_decoded() -> None:
    files = {number: png(1024, number) for number in range(textures.MAX_MODEL_PIXELS // 1024**2 + 2)}
    warnings: list[str] = []
    names = tuple(f"{number}.png" for number in files)
    decoder = TextureDecoder(replace(small_character(), textures=names), files, warnings)

    found = [decoder.texture(number) for number in files]

    assert [texture is None for texture in found] == [False] * (len(files) - 2) + [True] * 2
    assert [warning.count("together are too large") for warning in warnings] == [1, 1]


def test_large_pictures_cost_what_decoding_them_costs() -> None:
    budget = Budget()
    for _ in range(4):
        budget.take(8000, 8000)  # kept at 2048 x 2048
    with pytest.raises(UnreadableTextureError, match="too large"):
        budget.take(8000, 8000)
    budget.take(100, 100)


@pytest.mark.parametrize("version", ["1.0", "0.x"])
def test_a_picture_that_a_vrm_has_in_ktx2_alone_is_absent(version: str) -> None:
    draft = made.vrm(version)
    image = draft.picture(b"KTX 20", "face in ktx", "image/ktx2")
    draft.content["textures"][0] = {"extensions": {"KHR_texture_basisu": {"source": image}}}

    surfaces = build(read_vrm(draft.to_bytes()), {}, []).surfaces

    # THEN it counts as one that a head lacks, as a file that is not beside a PMX does
    assert {surface.name: surface.absent for surface in surfaces} == {"顔": "face in ktx", "髪": ""}

"""Every real character that is at hand: drawn, framed, and with the right warnings."""

from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.dataset.usability import reasons_against
from farm.drawing.blender import Blender
from farm.models.files import find_models
from farm.models.package import read_model, to_bytes, unfold
from farm.morphs.annotation import sampled_targets
from farm.poses import Partition
from farm.styles import PAPER_STYLES

pytestmark = pytest.mark.blender
SIZE = 96


def test_every_real_character_gives_pictures(real_models: Path, tmp_path: Path) -> None:
    blender = Blender()
    models = list(find_models(real_models))
    assert len(models) >= 10
    try:
        for number, path in enumerate(models):
            package = read_model(path)
            character, textures = unfold(to_bytes(package), tmp_path / str(number))
            annotation = package.inventory.annotation
            morphs = sorted({annotation[target.name].index for target in sampled_targets(annotation)})
            poses = [{}, *({name: 1.0} for name in morphs)]
            request = pipe.Render(
                character=str(character),
                textures={index: str(file) for index, file in textures.items()},
                morphs=morphs,
                styles=list(PAPER_STYLES),
                size=SIZE,
                supersample=2,
                shots=[
                    pipe.Shot(sample=i, partition=Partition.FRONTAL, weights=w, rotation=(0, 0, 0), light=0.9)
                    for i, w in enumerate(poses)
                ],
            )
            loaded: list[pipe.Loaded] = []
            shots = [shot.pictures for shot in blender.draw(request, loaded.append)]

            untextured = len(package.inventory.textures_absent) > 3
            reasons = reasons_against(loaded[0].survey)
            assert untextured or reasons == [], path.name
            assert all("of its head are missing" in reason for reason in reasons), path.name
            assert len(shots) == len(poses)
            for picture in shots[0]:
                shown = picture[picture[..., 3] > 127][:, :3].astype(int)
                assert 0.05 < len(shown) / SIZE**2 < 0.9, path.name
                pink = (shown[:, 0] > 200) & (shown[:, 1] < 40) & (shown[:, 2] > 200)
                assert pink.mean() < 0.01, path.name
            for name, pictures in zip(morphs, shots[1:], strict=True):
                change = np.abs(pictures[2].astype(int) - shots[0][2].astype(int)).max()
                assert change > 8 or untextured, f"{path.name}: {name} changes nothing"
    finally:
        blender.stop()


def test_missing_textures_are_named_and_present_ones_are_not(real_models: Path) -> None:
    light, bare = (read_model(real_models / "gene" / name).inventory for name in ("Gene_light.pmx", "Gene.pmx"))

    assert light.warnings == []
    absent = ["tex/eye.png", "tex/extra.png", "tex/pale.png", "tex/iraira.png"]
    elsewhere = ("hair2", "arm", "bottoms", "face", "eye2", "top")
    assert sorted(bare.textures_found) == sorted([*absent, *(f"light/{name}.png" for name in elsewhere)])
    assert bare.warnings == [
        "Texture 'tex/hair2.png' is not where the model says; 'light/hair2.png' is drawn. So it is with 5 others: "
        "'tex/arm.png', 'tex/bottoms.png', 'tex/face.png' and 2 more."
    ]

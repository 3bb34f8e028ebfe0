"""Models that read well and are made to hurt: each gives a picture or a sentence, in seconds, and Blender goes on."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing.blender import Blender
from farm.errors import ModelError, RenderError
from farm.models.description import Character, GroupMorph, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character, read_model, to_bytes, unfold
from farm.morphs.annotation import sampled_targets
from farm.morphs.panels import Panel
from farm.poses import Partition

pytestmark = pytest.mark.blender


def nested_groups(made: Character) -> Character:
    """あ as the top of six thousand groups, each inside the next."""
    first = len(made.morphs)
    groups = [
        GroupMorph(
            "あ" if n == 5999 else f"g{n}",
            "",
            Panel.MOUTH,
            np.array([first + n - 1 if n else 0], np.int32),
            np.array([1], np.float32),
        )
        for n in range(6000)
    ]
    return replace(made, morphs=(*(replace(m, name=f"old {m.name}") for m in made.morphs), *groups))


def wide_groups(made: Character) -> Character:
    """Every target as a group that names one large morph thousands of times."""
    everything = np.arange(len(made.positions), dtype=np.int32)
    large = VertexMorph("large", "", Panel.OTHER, everything, np.full((len(everything), 3), 1e-6, np.float32))
    index, times = len(made.morphs), 9999
    groups = [
        GroupMorph(m.name, "", m.panel, np.full(times, index, np.int32), np.ones(times, np.float32))
        for m in made.morphs
        if m.panel is not None
    ]
    hidden = tuple(replace(m, name=f"old {m.name}") for m in made.morphs)
    return replace(made, morphs=(*hidden, large, *groups))


def doubling_groups(made: Character) -> Character:
    """Groups that each name the one before twice: two to the power of sixty morphs."""
    first = len(made.morphs)
    groups = [
        GroupMorph(
            "あ" if n == 59 else f"g{n}",
            "",
            Panel.MOUTH,
            np.array([first + n - 1 if n else 0] * 2, np.int32),
            np.array([1, 1], np.float32),
        )
        for n in range(60)
    ]
    return replace(made, morphs=(*(replace(m, name=f"old {m.name}") for m in made.morphs), *groups))


def absurd_neck(made: Character) -> Character:
    bones = tuple(replace(b, position=(1e30, 1e30, 1e30)) if b.name == "首" else b for b in made.bones)
    return replace(made, bones=bones)


def circular_bones(made: Character) -> Character:
    names = [bone.name for bone in made.bones]
    return replace(made, bones=tuple(replace(b, parent=names.index("頭")) for b in made.bones))


def no_head_bone(made: Character) -> Character:
    return replace(made, bones=tuple(replace(b, name="foo") if b.name == "頭" else b for b in made.bones))


def draw(blender: Blender, content: Character, folder: Path) -> pipe.Survey:
    folder.mkdir()
    path = folder / "hostile.pmx"
    path.write_bytes(pmx_bytes(content))
    package = read_model(path)
    character, _ = unfold(to_bytes(package), folder / "package")
    annotation = package.inventory.annotation
    request = pipe.Render(
        character=str(character),
        textures={},
        morphs=sorted({annotation[target.name].index for target in sampled_targets(annotation)}),
        styles=["flat"],
        size=64,
        supersample=1,
        shots=[pipe.Shot(sample=0, partition=Partition.FRONTAL, weights={}, rotation=(0, 0, 0), light=0.6)],
    )
    loaded: list[pipe.Loaded] = []
    assert len(list(blender.draw(request, loaded.append))) == 1
    return loaded[0].survey


def cpu_seconds(pid: int) -> float:
    """What the process has worked: a busy machine does not count."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize("spoil", [nested_groups, wide_groups, doubling_groups, absurd_neck, circular_bones])
def test_it_ends_in_seconds_and_blender_goes_on(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, spoil: Callable[[Character], Character]
) -> None:
    made = read_character(".pmx", mascots["momo"].read_bytes())
    blender.start()
    pid = blender._process.pid if blender._process else 0
    before = cpu_seconds(pid)

    try:
        draw(blender, spoil(made), tmp_path / "a")
    except (ModelError, RenderError) as error:
        assert len(str(error)) > 20

    assert cpu_seconds(pid) - before < 20
    assert draw(blender, made, tmp_path / "b").coverage > 0.05
    assert blender._process is not None
    assert blender._process.pid == pid, "the same Blender draws the next model"


def test_a_model_without_a_head_bone_is_framed_by_what_turns(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    made = read_character(".pmx", mascots["momo"].read_bytes())

    with_head = draw(blender, made, tmp_path / "a")
    without = draw(blender, no_head_bone(made), tmp_path / "b")

    assert without.head_box == pytest.approx(with_head.head_box, abs=0.04)

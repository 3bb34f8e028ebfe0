"""The options of `farm render` and `farm submit`, and the specification that they ask for."""

from collections.abc import Sequence

import click
import pytest
from click.testing import CliRunner

from farm.cameras import CameraSpec, Framing
from farm.cli.options import SpecOptions, spec_from, spec_options
from farm.errors import SpecError
from farm.labels import LabelName
from farm.morphs.columns import extended_targets
from farm.occluders import OccluderName
from farm.poses import Partition
from farm.recipes.recipe import recipe
from farm.spec import AnnotationRule, CanvasName, RenderSpec


def asked(*arguments: str) -> RenderSpec:
    """The specification of a command line. Raises what the command raises."""
    found: list[RenderSpec] = []

    @click.command()
    @spec_options
    def command(options: SpecOptions) -> None:
        found.append(spec_from(options))

    result = CliRunner().invoke(command, arguments)
    if isinstance(result.exception, SpecError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return found[0]


def _around(count: int, *rings: float) -> RenderSpec:
    spec = recipe("bodies").spec
    camera = CameraSpec(framing=Framing.BODY, around=count, rings=rings)
    return spec.model_copy(update={"camera": camera})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], RenderSpec()),
        (["--seed", "7", "--samples", "3", "--size", "64"], RenderSpec(seed=7, samples=3, size=64)),
        (["--style", "ink", "--style", "flat", "--style", "ink"], RenderSpec(styles=("ink", "flat"))),
        (["--keep-unusable"], RenderSpec(keep_unusable=True)),
        (["--framing", "bust"], RenderSpec(camera=CameraSpec(framing=Framing.BUST))),
        (["--field-of-view", "35.5"], RenderSpec(camera=CameraSpec(field_of_view=35.5))),
        (["--focal-length", "18"], RenderSpec(camera=CameraSpec(field_of_view=90.0))),
        (["--focal-length", "50"], RenderSpec(camera=CameraSpec(field_of_view=39.597753))),
        (["--orthographic"], RenderSpec(camera=CameraSpec(projection="orthographic"))),
        (
            ["--views", "4", "--yaw", "-30", "30.5", "--elevation", "-10", "0"],
            RenderSpec(camera=CameraSpec(views=4, yaw=(-30, 30.5), elevation=(-10, 0))),
        ),
        (["--around", "8"], RenderSpec(camera=CameraSpec(views=8, around=8))),
        (["--around", "4", "--ring", "0", "--ring", "30"], RenderSpec(camera=CameraSpec(around=4, rings=(0, 30)))),
        (["--rest-pose", "t", "--framing", "body"], RenderSpec(rest_pose="t", camera=CameraSpec(framing=Framing.BODY))),
        (["--recipe", "bodies", "--around", "8"], _around(8)),
        (["--recipe", "bodies", "--ring", "20", "--ring", "-20"], _around(4, 20, -20)),
        (["--yaw", "15", "15"], RenderSpec(camera=CameraSpec(yaw=(15, 15)))),
        (
            ["--labels", "depth", "--labels", "parts", "--labels", "depth"],
            RenderSpec(labels=(LabelName.PARTS, LabelName.DEPTH)),
        ),
        (["--labels", "all"], RenderSpec(labels=tuple(name for name in LabelName if name is not LabelName.OCCLUSION))),
        (["--labels", "occlusion"], RenderSpec(labels=(LabelName.OCCLUSION,))),
        (
            ["--labels", "all", "--occluder", "scarf", "--occluder", "glasses"],
            RenderSpec(labels=tuple(LabelName), occluders=(OccluderName.GLASSES, OccluderName.SCARF)),
        ),
        (["--occluder", "all"], RenderSpec(occluders=tuple(OccluderName))),
        (
            ["--annotation", "confirmed", "--least-confidence", "0.5"],
            RenderSpec(annotation=AnnotationRule.CONFIRMED, least_confidence=0.5),
        ),
        (["--combinations"], RenderSpec(combinations=True)),
        (["--extended", "face/joy", "--extended", "eye/happy"], RenderSpec(extended=("eye/happy", "face/joy"))),
        (["--extended", "all"], RenderSpec(extended=extended_targets())),
        (["--canvas", "eevee"], RenderSpec(canvas=CanvasName.EEVEE)),
        (["--pose-space", "face-45"], RenderSpec(pose_space="face-45")),
        (["--recipe", "animeceleb"], RenderSpec()),
        (
            ["--recipe", "talking-head", "--size", "128", "--style", "ink", "--seed", "4", "--field-of-view", "30"],
            RenderSpec(
                pose_space="face-45",
                partitions=(Partition.ROTATED,),
                styles=("ink",),
                labels=(LabelName.PARTS, LabelName.LANDMARKS),
                size=128,
                seed=4,
                camera=CameraSpec(framing=Framing.BUST, field_of_view=30),
            ),
        ),
    ],
)
def test_options_ask_for_a_specification(arguments: Sequence[str], expected: RenderSpec) -> None:
    assert asked(*arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--least-confidence", "1.5"], ["--least-confidence", "less than or equal to 1"]),
        (["--samples", "many"], ["--samples takes 'auto' or a number"]),
        (["--views", "2"], ["several views need a range of yaw or elevation"]),
        (["--ring", "20"], ["say how many each has"]),
        (["--recipe", "bodies", "--rest-pose", "t"], ["counts its angles from rest_pose 'a'"]),
        (["--recipe", "bodies", "--views", "6"], ["another number than `around` gives"]),
        (["--views", "0"], ["--views", "greater than or equal to 1"]),
        (["--views", "65", "--yaw", "0", "1"], ["--views", "less than or equal to 64"]),
        (["--yaw", "30", "-30"], ["--yaw", "give the smaller bound first"]),
        (["--yaw", "nan", "3"], ["--yaw"]),
        (["--elevation", "-90", "0"], ["--elevation", "greater than or equal to -80"]),
        (["--field-of-view", "1"], ["--field-of-view", "greater than or equal to 2"]),
        (["--focal-length", "5"], ["--focal-length"]),
        (["--focal-length", "0"], ["--focal-length"]),
        (["--focal-length", "inf"], ["--focal-length"]),
        (["--orthographic", "--focal-length", "50"], ["--orthographic has no field of view"]),
        (["--focal-length", "50", "--field-of-view", "20"], ["--focal-length and --field-of-view"]),
    ],
)
def test_what_cannot_be_drawn_gets_one_sentence(arguments: Sequence[str], words: Sequence[str]) -> None:
    with pytest.raises(SpecError) as refused:
        asked(*arguments)

    message = str(refused.value)
    for word in words:
        assert word in message
    assert "\n" not in message
    assert "Value error" not in message

"""What Blender drew once it draws again: the same bytes, and a picture that was put in its place is found."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from farm.catalog import Catalog
from farm.cli import main
from farm.dataset.manifest import result_object
from farm.dataset.output import RenderedModel, unpack_result
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.labels import LabelName
from farm.spec import RENDERER_VERSION, RenderSpec
from farm.storage import LocalStore
from farm.verification.redraw import chosen_models
from tests.support.fixtures import assignment_for, read_mascot
from tests.support.packed import rewritten, write_model, write_table

QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)


@pytest.fixture
def drawn(blender: Blender, mascots: dict[str, Path], tmp_path: Path) -> RenderedModel:
    """A mascot that Blender drew."""
    package, store = read_mascot(mascots, "momo"), LocalStore(tmp_path / "store")
    Catalog(store).add(package)
    spec = RenderSpec(samples=2, size=64, styles=("default", "flat"), labels=(LabelName.PARTS, LabelName.LANDMARKS))
    assignment = assignment_for(package, spec)
    manifest = render(assignment, store, blender, QUIET)

    def fetch(file: str, path: Path) -> None:
        path.write_bytes(store.get(result_object(assignment.render_key, file)))

    model = unpack_result(manifest, "momo", fetch, tmp_path / "out")
    write_table(tmp_path / "out")
    return model


def replaced(model: RenderedModel, renderer: int) -> str:
    """One picture is another one, and the manifest says so; its path."""
    images = list(model.manifest.images)
    data = model.image_path(images[0]).read_bytes()
    path = model.image_path(images[-1])
    path.write_bytes(data)
    change = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    images[-1] = images[-1].model_copy(update=change)
    rewritten(model, images=tuple(images), renderer=renderer)
    return path.relative_to(model.folder.parent).as_posix()


@pytest.mark.blender
def test_a_replaced_picture_is_found_by_drawing_again_by_bytes_and_by_look(
    drawn: RenderedModel, mascots: dict[str, Path]
) -> None:
    out = drawn.folder.parent
    command = ["verify", str(out), "--redraw", "1%", "--models", str(mascots["momo"].parent), "--json"]

    whole = CliRunner().invoke(main, command)
    assert whole.exit_code == 0, whole.output
    assert json.loads(whole.stdout)["summary"] == {
        "models": 1, "pictures": 10, "redrawn": 8, "findings": 0, "faults": {},
    }  # fmt: skip

    where = replaced(drawn, RENDERER_VERSION)
    by_bytes = [json.loads(line) for line in CliRunner().invoke(main, command).stdout.splitlines()[:-1]]
    assert [(line["fault"], line["where"]) for line in by_bytes] == [("redraw", where)]
    assert "Drawn again by the same renderer, its bytes differ" in by_bytes[0]["sentence"]

    replaced(drawn, RENDERER_VERSION - 1)
    by_look = [json.loads(line) for line in CliRunner().invoke(main, command).stdout.splitlines()[:-1]]
    assert [(line["fault"], line["where"]) for line in by_look] == [("redraw", where)]
    assert "it looks otherwise" in by_look[0]["sentence"]


def test_without_the_model_file_the_command_says_which_is_missing(mascots: dict[str, Path], tmp_path: Path) -> None:
    write_model(tmp_path / "out", "Aoi", read_mascot(mascots, "nagi").inventory)
    write_table(tmp_path / "out")

    command = ["verify", str(tmp_path / "out"), "--redraw", "100%"]
    answer = CliRunner().invoke(main, [*command, "--models", str(mascots["momo"].parent)])

    assert answer.exit_code == 1
    assert "none of the model files that were named with --models is model" in answer.stdout
    assert "needs the model files" in CliRunner().invoke(main, command).stderr


def test_the_share_is_of_the_models_and_one_at_least(mascots: dict[str, Path], tmp_path: Path) -> None:
    for number in range(6):
        folder = tmp_path / f"model-{number}"
        folder.mkdir()
        (folder / "manifest.json").touch()

    assert [len(chosen_models(tmp_path, share)) for share in (0, 0.01, 0.5, 1)] == [0, 1, 3, 6]
    assert chosen_models(tmp_path, 0.5) == chosen_models(tmp_path, 0.5)

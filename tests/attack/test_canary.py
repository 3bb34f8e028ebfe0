"""A file that only the worker's user may read comes back in nothing, whatever a model asks for; 300 models: `make attack`."""

import base64
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing.blender import Blender
from farm.errors import FarmError
from farm.labels import ARRAYS
from farm.models.package import Package, read_model, to_bytes, unfold
from farm.poses import Partition
from tests.attack.crafted import CANARY, COLOUR, Crafted, Secrets, crafted, secrets
from tests.support.received import receive

_SEEN_AS = (
    CANARY,
    CANARY.decode().encode("utf-16-le"),
    base64.b64encode(CANARY)[:24],
    CANARY.hex().encode(),
    CANARY[::-1],
)


def told(text: str | bytes) -> bool:
    """Whether the canary is in it, in any form that a reader may give it."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return any(form in data for form in _SEEN_AS)


@pytest.fixture(scope="module")
def hidden(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    return secrets(tmp_path_factory.mktemp("hidden"))


def outcome(upload: Crafted) -> tuple[list[Package], str]:
    """The models of an upload, and all that is said of it."""
    try:
        packages, refusals = receive(upload.name, upload.data)
    except FarmError as error:
        return [], str(error)
    held = [package.inventory.model_dump_json() for package in packages]
    return packages, "\n".join([*held, *(f"{refusal.name} {refusal.error}" for refusal in refusals)])


def test_no_upload_brings_the_secret_into_a_package_or_a_sentence(hidden: Secrets) -> None:
    taken = refused = 0
    for upload in itertools.islice(crafted(hidden), 120):
        packages, said = outcome(upload)

        assert not told(said), upload.how
        for package in packages:
            assert not told(to_bytes(package)), upload.how
        taken, refused = taken + bool(packages), refused + (not packages)
    # THEN both ways were gone: most models are good but for what they ask for
    assert taken > 20
    assert refused > 20


@pytest.mark.parametrize("kind", ["link", "folder link", "hidden behind a link above"])
def test_no_link_in_a_folder_is_followed(hidden: Secrets, tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    upload = next(one for one in crafted(hidden) if one.name == "a.pmx")
    (folder / "a.pmx").write_bytes(upload.data)
    name = hidden.picture.name
    match kind:
        case "link":
            (folder / name).symlink_to(hidden.picture)
        case "folder link":
            (folder / "tex").symlink_to(hidden.picture.parent)
        case _:
            (folder / "a").symlink_to("/")

    package = read_model(folder / "a.pmx", folder)

    assert package.textures == {}
    assert not told(to_bytes(package))


@pytest.fixture(scope="module")
def drawable(hidden: Secrets) -> list[tuple[str, Package]]:
    """Models that are taken although they ask for the secret."""
    taken = ((upload.how, outcome(upload)[0]) for upload in itertools.islice(crafted(hidden, 1), 60))
    found = [(how, package) for how, packages in taken for package in packages]
    return found[:: max(1, len(found) // 6)][:6]


@pytest.mark.blender
def test_no_drawing_shows_the_secret(
    blender: Blender, drawable: list[tuple[str, Package]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(drawable) == 6
    for number, (how, package) in enumerate(drawable):
        for what in drawn(blender, package, tmp_path / str(number)):
            assert not told(what), how


def drawn(blender: Blender, package: Package, room: Path) -> Iterator[bytes]:
    """All that Blender answers: warnings, error and log, or pictures and labels."""
    character, textures = unfold(to_bytes(package), room)
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=[],
        styles=["flat", "default"],
        labels=list(ARRAYS),
        size=64,
        supersample=1,
        shots=[pipe.Shot(sample=0, partition=Partition.FRONTAL, weights={}, rotation=(0, 0, 0), light=1.0)],
    )
    loaded: list[pipe.Loaded] = []
    try:
        for one in blender.draw(request, loaded.append):
            yield one.pictures.tobytes()
            yield from (label.tobytes() for label in one.labels.values())
            close = np.abs(one.pictures[..., :3].astype(int) - COLOUR).max(axis=-1) < 12
            assert not close.any(), "the secret picture is on the model"
    except FarmError as error:
        yield f"{error}\n{error.log}".encode()
    yield from (message.model_dump_json().encode() for message in loaded)


@pytest.mark.blender
def test_blender_has_neither_the_workers_secrets_nor_its_files(
    fresh_blender: Blender, hidden: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN a worker with a secret, and a Blender that a model has turned against it
    monkeypatch.setenv("FARM_S3_SECRET_KEY", CANARY.decode())
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY.decode())
    fresh_blender.start()
    assert fresh_blender._process is not None
    pid = fresh_blender._process.pid

    # THEN its environment has nothing of the worker's, and the kernel refuses it the worker's files
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert not told(environment)
    assert b"FARM_" not in environment
    assert Path(f"/proc/{pid}/cwd").readlink() == (fresh_blender._room.home if fresh_blender._room else None)
    if fresh_blender.lacking["files"]:
        pytest.skip(f"this kernel has no Landlock: {fresh_blender.lacking['files']}")
    for path in (hidden.picture, f"/proc/{os.getpid()}/environ"):
        asked = pipe.Render(
            character=str(path), textures={}, morphs=[], styles=["flat"], size=64, supersample=1, shots=[]
        )
        pipe.send(fresh_blender._commands, asked)  # past the room that `Blender.draw` makes for a model
        answer, _ = pipe.receive(fresh_blender._answers, 60)
        assert isinstance(answer, pipe.Failed)
        assert "PermissionError" in answer.message
        assert not told(answer.message)

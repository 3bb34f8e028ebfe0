"""A rendered folder is whole, or what is wrong with its models is found and named."""

import hashlib
import json
import zlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from farm.cli import main
from farm.dataset.output import RenderedModel
from farm.dataset.reading import intact, read_model_folder
from farm.models.package import read_model
from farm.spec import RenderSpec
from farm.verification.findings import Fault
from farm.verification.model import ModelReport
from farm.verification.verify import verify
from tests.farm.verification.damaged import at, faults, folder, found, picture
from tests.support.packed import SPEC, rewritten, write_model, write_table


def test_a_whole_folder_has_no_findings_with_one_process_or_two(whole: Path) -> None:
    seen: list[ModelReport] = []

    assert list(verify(whole, 1, seen.append)) == []
    assert list(verify(whole, 2, seen.append)) == []
    assert [report.pictures for report in seen] == [2 * (1 + 3 * 2)] * 3 * 2


def test_one_flipped_byte_is_found_wherever_it_is(out: Path) -> None:
    sheet = folder(out, "Cyan") / "contact-sheet.png"
    for path in (picture(out, "Beni", 1), folder(out, "Aoi") / "basis/ink.png", sheet):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)

    assert faults(out) == {
        (Fault.HASH, at(out, picture(out, "Beni", 1))),
        (Fault.HASH, at(out, folder(out, "Aoi") / "basis/ink.png")),
        (Fault.HASH, at(out, sheet)),
    }
    assert not intact(read_model_folder(folder(out, "Cyan")))


def test_the_contact_sheet_of_an_earlier_version_has_no_hash_and_has_to_be_whole(out: Path) -> None:
    model = read_model_folder(folder(out, "Beni"))
    rewritten(model, contact_sheet=None)
    assert found(out) == []

    sheet = model.folder / "contact-sheet.png"
    sheet.write_bytes(sheet.read_bytes()[:-100])

    assert faults(out) == {(Fault.PICTURE, at(out, sheet))}


@pytest.mark.parametrize("suffix", [".labels.npz", ".parts.png", ".layers.png", ".marks.json"])
def test_one_flipped_byte_of_a_label_is_found(out: Path, suffix: str) -> None:
    place = folder(out, "Aoi")
    path = place / "labels/frontal" / f"{place.name}_00002{suffix}"
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)

    assert [
        (f.fault in (Fault.HASH, Fault.LABEL), f.where.startswith(f"{place.name}/labels/frontal")) for f in found(out)
    ] == [(True, True)]


def test_a_truncated_picture_is_named_with_its_sizes(out: Path) -> None:
    path = picture(out, "Aoi", 2, "ink", "frontal")
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-30])

    (finding,) = found(out)
    assert (finding.fault, finding.where) == (Fault.SIZE, at(out, path))
    assert finding.sentence == f"It is cut off: it has {size - 30} bytes of {size}."


def test_a_swapped_pair_is_named_with_whose_picture_each_holds(out: Path) -> None:
    one, other = picture(out, "Beni", 0), picture(out, "Beni", 2)
    data = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)

    assert faults(out) == {(Fault.SWAPPED, at(out, one)), (Fault.SWAPPED, at(out, other))}
    assert found(out)[0].sentence == f"It holds the picture of {at(folder(out, 'Beni'), other)}."


def test_swapped_labels_are_found(out: Path) -> None:
    place = folder(out, "Cyan") / "labels/rotated"
    one, other = (place / f"{folder(out, 'Cyan').name}_0000{sample}.parts.png" for sample in (0, 1))
    data = one.read_bytes()
    assert data != other.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(data)

    assert faults(out) == {(Fault.HASH, at(out, one)), (Fault.HASH, at(out, other))}


def test_a_missing_picture_and_a_stray_one_are_named(out: Path) -> None:
    picture(out, "Aoi", 0).rename(picture(out, "Aoi", 7))

    assert faults(out) == {
        (Fault.MISSING, at(out, picture(out, "Aoi", 0))),
        (Fault.STRAY, at(out, picture(out, "Aoi", 7))),
    }


@pytest.mark.parametrize("name", ["more.png", "clip.mp4", "another/note.txt"])
def test_a_stray_file_is_named_wherever_it_lies_in_a_models_folder(out: Path, name: str) -> None:
    stray = folder(out, "Aoi") / name
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"x")

    assert faults(out) == {(Fault.STRAY, at(out, stray))}


def read(out: Path, label: str) -> RenderedModel:
    return read_model_folder(folder(out, label))


def test_a_pose_that_the_seed_does_not_give_is_found_although_row_and_manifest_agree(out: Path) -> None:
    model = read(out, "Beni")
    images = list(model.manifest.images)
    images[4] = images[4].model_copy(update={"pose": (0.5, *images[4].pose[1:])})
    rewritten(model, images=tuple(images))
    write_table(out)

    (finding,) = found(out)
    assert finding.fault is Fault.POSE
    assert "the seed gives" in finding.sentence


def test_another_light_seed_or_annotation_is_found(out: Path) -> None:
    model = read(out, "Beni")
    images = [image.model_copy(update={"light": 0.31}) for image in model.manifest.images]
    rewritten(model, images=tuple(images), spec=SPEC.model_copy(update={"seed": 6}))
    write_table(out)

    sentences = " ".join(finding.sentence for finding in found(out))
    assert "the light is 0.31; the seed gives" in sentences
    assert "The render key is not that of its model" in sentences


def test_a_manifest_that_is_cut_off_is_named(out: Path) -> None:
    path = folder(out, "Aoi") / "manifest.json"
    path.write_bytes(path.read_bytes()[:-100])

    assert (Fault.MANIFEST, at(out, path)) in faults(out)


def test_links_are_named_and_not_followed(out: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    path = picture(out, "Beni", 1)
    path.rename(secret)
    path.symlink_to(secret)
    (folder(out, "Aoi") / "basis").rename(tmp_path / "basis")
    (folder(out, "Aoi") / "basis").symlink_to(tmp_path / "basis")

    named = faults(out)
    assert (Fault.LINK, at(out, path)) in named
    assert (Fault.LINK, at(out, folder(out, "Aoi") / "basis")) in named
    assert (Fault.MISSING, f"{folder(out, 'Aoi').name}/basis/ink.png") in named


def test_a_picture_of_another_size_with_the_right_hash_is_refused_before_it_is_decoded(out: Path) -> None:
    path = picture(out, "Beni", 0)
    data = bytearray(path.read_bytes())
    data[16:24] = (60_000).to_bytes(4) * 2  # the header's width and height: 14 GB as pixels
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    path.write_bytes(data)
    model = read(out, "Beni")
    images = [
        image.model_copy(update={"sha256": hashlib.sha256(data).hexdigest()})
        if model.image_path(image) == path
        else image
        for image in model.manifest.images
    ]
    rewritten(model, images=tuple(images))

    assert (Fault.PICTURE, at(out, path)) in faults(out)


def test_the_command_names_each_fault_and_ends_with_one(out: Path) -> None:
    path = picture(out, "Beni", 1)
    path.write_bytes(path.read_bytes()[:-1] + b"!")

    plain = CliRunner().invoke(main, ["verify", str(out), "--processes", "1"])
    lines = CliRunner().invoke(main, ["verify", str(out), "--processes", "1", "--json"]).stdout.splitlines()

    assert plain.exit_code == 1
    assert f"hash: {at(out, path)}: Its bytes are others" in plain.stdout
    assert json.loads(lines[0])["fault"] == "hash"
    assert json.loads(lines[-1])["summary"] == {"models": 3, "pictures": 42, "findings": 1, "faults": {"hash": 1}}


def test_the_command_says_of_a_whole_folder_that_nothing_is_wrong(whole: Path) -> None:
    answer = CliRunner().invoke(main, ["verify", str(whole), "--processes", "1"])

    assert answer.exit_code == 0, answer.output
    assert answer.stdout == "3 models, 42 pictures: nothing is wrong\n"


def test_pictures_of_many_views_are_verified(mascots: dict[str, Path], tmp_path: Path) -> None:
    spec = RenderSpec(samples=2, size=32, styles=("flat",), camera={"views": 2, "yaw": (-30, 30)})
    write_model(tmp_path, "Views", read_model(mascots["momo"]).inventory, spec)
    write_table(tmp_path)

    assert found(tmp_path) == []

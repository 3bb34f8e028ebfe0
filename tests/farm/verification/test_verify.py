"""A rendered folder is whole, or what is wrong with it is found and named."""

import hashlib
import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from farm.cli import main
from farm.dataset.output import POSES, POSES_PARQUET, RenderedModel
from farm.dataset.reading import intact, models_in, read_model_folder
from farm.dataset.summary import summarise
from farm.dataset.tables import pose_tables
from farm.models.package import read_model
from farm.spec import RenderSpec
from farm.verification.findings import Fault, Finding
from farm.verification.model import ModelReport
from farm.verification.verify import verify
from tests.support.packed import LABELLED, SPEC, model_id, rewritten, write_model, write_table


@pytest.fixture(scope="module")
def whole(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with labels and one without, and their table."""
    out = tmp_path_factory.mktemp("whole")
    inventory = read_model(mascots["nagi"]).inventory
    for label, spec in {"Aoi": LABELLED, "Beni": SPEC, "Cyan": LABELLED}.items():
        write_model(out, label, inventory, spec)
    write_table(out)
    return out


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "out"))


def found(out: Path) -> list[Finding]:
    return list(verify(out, 1, lambda report: None))


def faults(out: Path) -> set[tuple[Fault, str]]:
    return {(finding.fault, finding.where) for finding in found(out)}


def folder(out: Path, label: str) -> Path:
    return out / f"{label}-{model_id(label)[:8]}"


def picture(out: Path, label: str, sample: int, style: str = "flat", partition: str = "rotated") -> Path:
    place = folder(out, label)
    return place / style / partition / f"{place.name}_{sample:05d}.png"


def at(out: Path, path: Path) -> str:
    return path.relative_to(out).as_posix()


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


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda lines: [*lines[:9], *lines[10:]], "poses.csv has no row for it"),
        (lambda lines: [*lines[:9], lines[9], *lines[9:]], "poses.csv has 2 rows for it"),
        (lambda lines: [*lines[:9], lines[9].replace(",5,", ",6,", 1), *lines[10:]], "says seed 6, the manifest 5"),
    ],
)
def test_a_removed_a_doubled_and_a_changed_row_are_found(
    out: Path, change: Callable[[list[str]], list[str]], says: str
) -> None:
    path = out / POSES
    path.write_text("".join(change(path.read_text().splitlines(keepends=True))))

    (finding,) = found(out)
    assert finding.fault is Fault.ROW
    assert says in finding.sentence
    assert finding.where.startswith(folder(out, "Aoi").name)


def test_both_tables_as_a_run_writes_them_are_held_against_each_other(out: Path) -> None:
    with pose_tables(out) as add:
        for model in models_in(out):
            add(model)
    assert found(out) == []

    whole = (out / POSES).read_text()
    (out / POSES).write_text(whole.replace(",perspective,", ",orthographic,", 1))
    by_row = found(out)
    assert [(each.fault, each.where.partition("/")[0]) for each in by_row] == [
        (Fault.ROW, POSES_PARQUET),
        (Fault.ROW, folder(out, "Aoi").name),
    ]
    assert by_row[0].sentence == "From row 1 on it says something else than poses.csv."

    lines = whole.splitlines(keepends=True)
    (out / POSES).write_text("".join(lines[:-1]))
    assert found(out)[0].sentence == f"From row {len(lines) - 1} on it says something else than poses.csv."

    (out / POSES).write_text(whole)
    (out / POSES_PARQUET).write_bytes((out / POSES_PARQUET).read_bytes()[:-10])
    (finding,) = found(out)
    assert finding.where == POSES_PARQUET
    assert "It cannot be read beside poses.csv" in finding.sentence


@pytest.mark.parametrize("name", [POSES, POSES_PARQUET, "index.html", "index-3.html"])
def test_what_spans_all_models_and_is_missing_is_named_and_made_anew(
    out: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.dataset.gallery.MODELS_A_PAGE", 1)
    summarise(models_in(out), out)
    assert found(out) == []
    whole = (out / name).read_bytes()
    (out / name).unlink()

    (finding,) = found(out)
    assert finding.fault is Fault.MISSING
    assert "`farm verify DIR --rebuild` makes it anew" in finding.sentence
    assert name == finding.where or f"The page {name} of the gallery" in finding.sentence

    answer = CliRunner().invoke(main, ["verify", str(out), "--processes", "1", "--rebuild"])
    assert (answer.exit_code, answer.stdout) == (0, "3 models, 42 pictures: nothing is wrong\n"), answer.output
    assert (out / name).read_bytes() == whole


def test_a_page_that_is_a_link_is_named_and_a_link_beside_it_is_not_written_through(out: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (out / "index.html").unlink()
    (out / "index.html").symlink_to(tmp_path / "secret")
    assert [(finding.fault, finding.where) for finding in found(out)] == [(Fault.LINK, "index.html")]

    (out / ".index.html.part").symlink_to(tmp_path / "secret")
    (out / ".poses.csv.part").symlink_to(tmp_path / "secret")
    assert CliRunner().invoke(main, ["verify", str(out), "--processes", "1", "--rebuild"]).exit_code == 0

    assert (tmp_path / "secret").read_text() == "secret"
    assert not (out / "index.html").is_symlink()


def test_rows_of_a_model_that_is_not_here_are_found(out: Path) -> None:
    shutil.rmtree(folder(out, "Beni"))

    (finding,) = found(out)
    assert (finding.fault, finding.where) == (Fault.ROW, POSES)
    assert f"12 rows are of '{folder(out, 'Beni').name}'" in finding.sentence


def test_a_model_in_two_splits_is_found(out: Path) -> None:
    path = out / POSES
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace(",train\n", ",test\n")
    path.write_text("".join(lines))

    (finding,) = found(out)
    assert (finding.fault, finding.where) == (Fault.SPLIT, folder(out, "Aoi").name)
    assert "1 row in 'test', 11 rows in 'train'" in finding.sentence


def test_a_model_on_the_side_that_its_hash_does_not_say_is_found(out: Path) -> None:
    path = out / POSES
    text = path.read_text()
    mine = [line for line in text.splitlines(keepends=True) if f",{folder(out, 'Beni').name}," in line]
    for line in mine:
        text = text.replace(line, line.replace(",train\n", ",test\n"))
    path.write_text(text)

    assert [finding.where for finding in found(out) if finding.fault is Fault.SPLIT] == [folder(out, "Beni").name]


def test_a_link_in_the_place_of_a_model_is_named(out: Path, tmp_path: Path) -> None:
    folder(out, "Beni").rename(tmp_path / "elsewhere")
    folder(out, "Beni").symlink_to(tmp_path / "elsewhere")

    assert (Fault.LINK, folder(out, "Beni").name) in faults(out)


def test_a_model_under_two_names_on_two_sides_is_found(out: Path) -> None:
    twin = out / f"Twin-{model_id('Beni')[:8]}"
    shutil.copytree(folder(out, "Beni"), twin)
    for path in sorted(twin.rglob("Beni-*.png")):
        path.rename(path.with_name(path.name.replace("Beni", "Twin")))
    write_table(out, {twin.name: "test"})

    assert faults(out) == {(Fault.TWICE, twin.name), (Fault.SPLIT, twin.name)}


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

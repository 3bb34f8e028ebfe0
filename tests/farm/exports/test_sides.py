"""Who is on which side, and who is taken for one character."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from farm.cli import main
from farm.dataset.splits import Split, split_of
from farm.errors import SpecError, StorageError
from farm.exports import running
from farm.exports.duplicates import groups, near_duplicates
from farm.exports.folder import FolderLayout
from farm.exports.layouts import LAYOUTS, layout_named
from farm.exports.members import Member, survey
from farm.exports.sides import read_lists, sides_of
from farm.exports.source import FolderSource
from farm.spec import RenderSpec
from farm.verification.exported import verify_export
from tests.support.rendered import hash_of, render, survey_of

SPEC = RenderSpec(styles=("flat",), size=64)
LABELS = [f"fox {number}" for number in range(12)]


def _members(folder: Path) -> list[Member]:
    return survey(FolderSource(folder), 2, lambda done, total: None, lambda manifest: True)


@pytest.fixture(scope="module")
def foxes(tmp_path_factory: pytest.TempPathFactory) -> list[Member]:
    folder = tmp_path_factory.mktemp("foxes")
    for label in LABELS:
        render(folder, label, SPEC, samples=1)
    return _members(folder)


def test_each_model_goes_by_its_hash(foxes: list[Member]) -> None:
    sides = sides_of(foxes, near_duplicates(foxes))

    assert sides.pairs == ()
    assert sides.of == {hash_of(label): split_of(hash_of(label)) for label in LABELS}
    assert set(sides.of.values()) == {"train", "test"}


def test_a_small_set_has_both_sides(foxes: list[Member]) -> None:
    trains = [member for member in foxes if split_of(member.model) == "train"][:3]

    assert sorted(sides_of(trains, ()).of.values()) == ["test", "train", "train"]
    assert set(sides_of(trains[:1], ()).of.values()) == {"train"}


def test_costumes_and_recolourings_of_one_character_stay_together(tmp_path: Path) -> None:
    tests = next(label for label in LABELS if split_of(hash_of(label)) == "test")
    render(tmp_path, tests, SPEC, samples=1)
    # The same neutral head over another body, and the same geometry in other colours.
    for number in range(4):
        render(tmp_path, f"costume {number}", SPEC, samples=1, face=tests)
        render(tmp_path, f"colours {number}", SPEC, samples=1, survey=survey_of(tests))
    for label in ("stranger 1", "stranger 2"):
        render(tmp_path, label, SPEC, samples=1)
    members = _members(tmp_path)

    pairs = near_duplicates(members)
    sides = sides_of(members, pairs)

    one = {hash_of(tests), *(hash_of(f"{kind} {n}") for kind in ("costume", "colours") for n in range(4))}
    assert [set(group) for group in sides.groups] == [one]
    assert len({sides.of[model] for model in one}) == 1
    measured = {(pair.a, pair.b): pair for pair in pairs}
    costume = measured[tuple(sorted((hash_of(tests), hash_of("costume 0"))))]  # type: ignore[index]
    colours = measured[tuple(sorted((hash_of(tests), hash_of("colours 0"))))]  # type: ignore[index]
    assert (costume.likeness, costume.geometry) == (1.0, False)
    assert colours.geometry
    assert colours.likeness < 0.9
    assert len(groups(members, pairs)) == 3


def test_lists_decide_under_any_name_and_say_what_they_break(tmp_path: Path, foxes: list[Member]) -> None:
    a, b, c, d = foxes[:4]
    (tmp_path / "train_list.txt").write_text(f"{a.org_id}\n{b.model}\nnobody\n")
    (tmp_path / "test_list.txt").write_text(f"{c.folder}\n{d.folder.removesuffix('-' + d.model[:8])}\n")
    lists = read_lists(tmp_path)

    sides = sides_of(foxes, (), lists)

    assert [sides.of[m.model] for m in (a, b, c, d)] == ["train", "train", "test", "test"]
    assert all(sides.of[m.model] == split_of(m.model) for m in foxes[4:])
    assert sides.unknown == ("nobody",)


def test_a_list_with_a_byte_order_mark_keeps_its_first_id(tmp_path: Path, foxes: list[Member]) -> None:
    (tmp_path / "train_list.txt").write_bytes(b"\xef\xbb\xbf" + foxes[0].org_id.encode() + b"\r\n")
    (tmp_path / "test_list.txt").write_text("")

    assert read_lists(tmp_path) == {foxes[0].org_id: "train"}


def test_lists_that_part_one_character_are_told(tmp_path: Path) -> None:
    for label in ("one", "the same", "like them"):
        render(tmp_path, label, SPEC, samples=1, face="one")
    members = _members(tmp_path)

    lists: dict[str, Split] = {hash_of("one"): "train", hash_of("the same"): "test"}

    sides = sides_of(members, near_duplicates(members), lists)

    assert sides.of[hash_of("like them")] == "train"
    assert [hash_of("the same") in (pair.a, pair.b) for pair in sides.parted] == [True, True]
    # AND the card of the export says so
    running.export(FolderSource(tmp_path), str(tmp_path / "out"), FolderLayout(), lists=lists)
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert "lists that were given part 2 pairs of near-duplicates: a test on them is no test." in card
    # AND that it is they who decide
    assert "Lists that were given decide first" in card
    # AND the command counts no pair as kept on one side that they part
    for split in ("train", "test"):
        ids = [model for model, side in lists.items() if side == split]
        (tmp_path / f"{split}_list.txt").write_text("\n".join(ids))
    options = ["--format", "folder", "--lists", str(tmp_path), "--out", str(tmp_path / "again")]
    told = CliRunner().invoke(main, ["export", str(tmp_path), *options])
    assert "kept on one side: 1." in told.stderr
    assert "on both sides: 2." in told.stderr


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lists_may_leave_nothing_to_train_with(tmp_path: Path, layout: str) -> None:
    render(tmp_path / "rendered", "one", RenderSpec(styles=("flat",)), samples=1)
    lists: dict[str, Split] = {hash_of("one"): "test"}

    done = running.export(FolderSource(tmp_path / "rendered"), str(tmp_path / "out"), layout_named(layout), lists=lists)

    assert (done.train, done.test) == (0, 1)
    assert list(verify_export(tmp_path / "out", 1, lambda files: None)) == []
    card = (tmp_path / "out" / "README.md").read_text("utf-8")
    assert layout != "webdataset" or "test/shard-{000000..000000}.tar" in card


def test_lists_that_contradict_themselves_are_refused(tmp_path: Path, foxes: list[Member]) -> None:
    (tmp_path / "train_list.txt").write_text("7\n")
    with pytest.raises(StorageError, match=r"test_list\.txt cannot be read"):
        read_lists(tmp_path)
    (tmp_path / "test_list.txt").write_text("7\n")
    with pytest.raises(SpecError, match="'7' is on both lists"):
        read_lists(tmp_path)
    with pytest.raises(SpecError, match="under two of its names"):
        sides_of(foxes, (), {foxes[0].model: "train", foxes[0].org_id: "test"})

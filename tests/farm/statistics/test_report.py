"""The numbers and the page over a rendered folder."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from farm.cli import main
from farm.dataset.reading import models_in
from farm.models.package import read_model
from farm.poses import Partition
from farm.statistics.counts import Counts, Histogram
from farm.statistics.looks import Lots
from tests.support.browser import chromium, page_of
from tests.support.packed import LABELLED, SPEC, with_licence, write_model


@pytest.fixture(scope="module")
def out(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models with labels, under a licence, one without either, whose title is hostile."""
    folder = tmp_path_factory.mktemp("set")
    nagi = read_model(mascots["nagi"]).inventory
    write_model(folder, "Aoi", with_licence(nagi, licenseName="CC0"), LABELLED)
    write_model(folder, "Beni", with_licence(nagi, licenseName="CC0"), LABELLED)
    hostile = {"title": "<script>alert(1)</script>", "comment": ""}
    write_model(folder, "Cyan", nagi.model_copy(update=hostile), SPEC.model_copy(update={"samples": 5}))
    return folder


def numbers(out: Path, *options: str) -> dict[str, object]:
    answer = CliRunner().invoke(main, ["stats", str(out), "--json", *options])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    assert isinstance(found, dict)
    return found


def test_the_numbers_are_those_of_the_manifests(out: Path) -> None:
    found = numbers(out)
    manifests = [model.manifest for model in models_in(out)]

    assert (found["models"], found["samples"], found["pictures"]) == (3, 11, sum(len(m.images) for m in manifests))
    assert found["samples_a_model"] == {"3": 2, "5": 1}
    assert found["models_with_target"]["eye/closed/both"] == 3  # type: ignore[index]
    assert found["licences"] == {"CC0": 2, "none named": 1}
    assert found["permissions"]["commercial"] == {"yes": 2, "unsaid": 1}  # type: ignore[index]
    rotated = [
        image for m in manifests for image in m.images if image.style == "flat" and image.partition is Partition.ROTATED
    ]
    pose = found["pose"]
    assert isinstance(pose, dict)
    edges = np.linspace(-20, 20, 21)
    assert pose["rotation_z"]["counts"] == np.histogram([image.pose[19] for image in rotated], edges)[0].tolist()
    assert pose["mouth_a"]["zero"] == sum(image.pose[12] == 0 for image in rotated)
    assert sum(pose["mouth_a"]["counts"]) == 11 - pose["mouth_a"]["zero"]
    assert sum(found["light"]["counts"]) == 11  # type: ignore[index]


def test_areas_and_means_are_those_of_the_pictures(out: Path) -> None:
    found = numbers(out)

    assert found["looked_at"] == found["pictures"]
    assert found["part_pictures"] == 2 * 3 * 2
    parts = found["parts"]
    assert isinstance(parts, dict)
    assert set(parts) == {"background", "face", "lips"}
    assert parts["lips"]["shown_in"] == 1
    whole = sum(part["mean_area"] for part in parts.values())
    assert whole == pytest.approx(1, abs=1e-4)
    assert found["coverage"]["flat"] == pytest.approx(np.pi * 0.45**2, abs=0.02)  # type: ignore[index]


def test_values_beyond_the_bounds_fall_into_the_outermost_bins_and_what_is_no_number_into_none() -> None:
    histogram = Histogram(0, 1)
    histogram.add([-1, 0, 0.999, 1, 7, float("nan"), float("inf")])

    assert [*histogram.counts[[0, -1]].tolist(), int(histogram.counts.sum())] == [2, 3, 5]


def test_the_same_seed_chooses_the_same_pictures_and_another_one_others(out: Path) -> None:
    def chosen(seed: int) -> list[Path]:
        lots = Lots(seed, 5)
        for model in models_in(out):
            lots.offer(model)
        return [each.path for each in lots.chosen()]

    assert chosen(1) == chosen(1)
    assert len(chosen(1)) == 5
    assert chosen(1) != chosen(2)


def test_memory_of_the_counts_does_not_grow_with_the_pictures(out: Path) -> None:
    model = next(models_in(out))
    counts, lots = Counts(), Lots(0, 10)
    for _ in range(50):
        counts.add(model.folder.name, model.manifest)
        lots.offer(model)

    assert counts.pictures == 50 * len(model.manifest.images)
    assert len(lots.chosen()) == 10
    assert all(len(histogram.counts) == 20 for histogram in counts.poses.values())


def test_the_page_is_the_same_to_the_byte_and_stands_alone(out: Path, tmp_path: Path) -> None:
    for name in ("one.html", "two.html"):
        answer = CliRunner().invoke(main, ["stats", str(out), "--out", str(tmp_path / name), "--seed", "7"])
        assert answer.exit_code == 0, answer.output
    page = (tmp_path / "one.html").read_text()

    assert page == (tmp_path / "two.html").read_text()
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:)""", page)
    assert str(out.parent) not in page


def test_a_browser_shows_plots_means_and_sheet(out: Path, tmp_path: Path) -> None:
    CliRunner().invoke(main, ["stats", str(out), "--out", str(tmp_path / "page.html"), "--sheet", "12"])

    address = (tmp_path / "page.html").as_uri()
    with chromium() as browser, page_of(browser, address) as page:
        page.goto(address)
        assert page.locator(".tiles img").count() == 12
        widths = page.evaluate("[...document.images].map(image => image.naturalWidth)")
        assert widths == [96] * 12 + [128] * 2
        bars = page.get_by_role("img", name="Histogram of light").locator("rect")
        assert sum(bars.nth(place).bounding_box()["height"] > 0 for place in range(20)) > 3  # type: ignore[index]
        page.get_by_text("3 models", exact=True).click()
        expect(page.get_by_role("cell", name="<script>alert(1)</script>")).to_be_visible()


def test_a_picture_that_is_gone_is_counted(mascots: dict[str, Path], tmp_path: Path) -> None:
    model = write_model(tmp_path, "Aoi", read_model(mascots["nagi"]).inventory)
    model.image_path(model.manifest.images[0]).unlink()

    assert numbers(tmp_path)["unreadable"] == 1


def test_an_empty_folder_is_told_how_to_be_filled(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["stats", str(tmp_path)])

    assert answer.exit_code == 1
    assert "holds no rendered models; make some with `farm render" in answer.stderr

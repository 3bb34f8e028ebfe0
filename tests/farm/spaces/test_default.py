"""The default pose space is the paper's, byte for byte what it was before there were others.

The hashes were recorded from the version before pose spaces. Whoever changes what they hash on purpose (a new field of a
manifest) records them anew; nobody else should have to.
"""

import hashlib
import json
from pathlib import Path

import pytest

from farm import __version__, spec
from farm.dataset.manifest import CONTACT_SHEET, MANIFEST
from farm.dataset.output import POSES, RenderedModel, rendered_models
from farm.dataset.tables import pose_tables
from farm.drawing import packing
from farm.drawing.assignment import Assignment
from farm.drawing.plan import plan
from farm.exports import running
from farm.exports.animeceleb import AnimeCelebLayout
from farm.exports.folder import FolderLayout
from farm.exports.huggingface import HuggingFaceLayout
from farm.exports.layout import Layout
from farm.exports.source import FolderSource
from farm.exports.webdataset import WebDatasetLayout
from farm.labels import LabelName
from farm.morphs.expressions import Rule
from farm.morphs.refs import MorphRef
from farm.morphs.vocabulary import all_targets
from farm.spec import RenderSpec, render_key
from tests.support.fixtures import read_mascot
from tests.support.packed import write_model
from tests.support.rendered import render, tree

ANNOTATION = {target: MorphRef(index=place, name=f"m{place}") for place, target in enumerate(all_targets())}
ONE_SIDED = {t: m for t, m in ANNOTATION.items() if not t.endswith("/both") or t.startswith("eye/closed")}
SPECS = {
    "plain": RenderSpec(),
    "wishes": RenderSpec(
        seed=7, samples=40, labels=(LabelName.FLOW,), combinations=True, extended=("face/joy", "mouth/delta")
    ),
    "views": RenderSpec.model_validate({"camera": {"views": 3, "yaw": [-30, 30]}, "styles": ["ink"]}),
}
LAYOUTS: list[Layout] = [AnimeCelebLayout(), WebDatasetLayout(), HuggingFaceLayout(), FolderLayout()]
RECORDED: dict[str, str] = json.loads(Path(__file__).with_name("recorded.json").read_text())


@pytest.fixture(autouse=True)
def _renderer_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    """What later versions of the renderer draw is another matter, and all that the pose has of it is the number."""
    monkeypatch.setattr(spec, "RENDERER_VERSION", 7)
    monkeypatch.setattr(packing, "RENDERER_VERSION", 7)


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(part.replace(__version__.encode(), b"VERSION") for part in parts)).hexdigest()


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("annotation", [ANNOTATION, ONE_SIDED], ids=["all", "one-sided"])
def test_keys_and_plans_are_those_of_before(name: str, annotation: dict[str, MorphRef]) -> None:
    asked = SPECS[name]
    key = render_key("3b" * 32, annotation, asked)
    found = plan(
        Assignment("3b" * 32, annotation, 100, key, asked),
        {3: Rule(binary=True), 12: Rule(overrides={"mouth": "blend"})},
    )

    shots = [{k: v for k, v in shot.model_dump(mode="json").items() if v is not None} for shot in found.shots]
    # As text, since the order of weights is one of adding numbers up; what later versions say besides is None.
    text = json.dumps([key, asked.model_dump(mode="json"), shots, found.morphs, repr(found.samples)])

    assert _hash(text.encode()) == RECORDED[f"plan {name} {'all' if annotation is ANNOTATION else 'one-sided'}"]


def _made(mascots: dict[str, Path], out: Path) -> RenderedModel:
    package = read_mascot(mascots, "nagi")
    # What decides is another matter than what is written of it.
    inventory = package.inventory.model_copy(
        update={"decided_by": "then", "annotation": {t: ANNOTATION[t] for t in all_targets()}}
    )
    return write_model(
        out,
        "nagi",
        inventory,
        RenderSpec(seed=5, samples=6, size=32, styles=("flat", "ink"), extended=("mouth/delta",)),
    )


def test_a_result_has_the_manifest_and_the_table_of_before(mascots: dict[str, Path], tmp_path: Path) -> None:
    model = _made(mascots, tmp_path)

    with pose_tables(tmp_path) as add:
        for each in rendered_models(tmp_path):
            add(each)

    assert model.manifest.contact_sheet == hashlib.sha256((model.folder / CONTACT_SHEET).read_bytes()).hexdigest()
    then = model.manifest.model_copy(update={"contact_sheet": None})  # later versions say it besides
    assert then.to_bytes() != (model.folder / MANIFEST).read_bytes()
    assert _hash(then.to_bytes()) == RECORDED["manifest"]
    assert _hash((tmp_path / POSES).read_bytes()) == RECORDED["table"]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_exports_are_those_of_before(layout: Layout, tmp_path: Path) -> None:
    for label in ("fox", "owl", "bear"):
        render(tmp_path / "rendered", label, RenderSpec(styles=("flat",), labels=(LabelName.PARTS,)), samples=2)

    running.export(FolderSource(tmp_path / "rendered"), str(tmp_path / "out"), layout, threads=2)

    files = tree(tmp_path / "out")
    # Parquet names the version of its writer, and SHA256SUMS and the index have the hash of that.
    left_out = (
        (".parquet", "SHA256SUMS", "index.json", "croissant.json") if layout.name == "huggingface" else ("SHA256SUMS",)
    )
    kept = {name: data for name, data in files.items() if not name.endswith(left_out) and ".partial" not in name}
    assert (
        _hash(*(part for name in sorted(kept) for part in (name.encode(), kept[name])))
        == RECORDED[f"export {layout.name}"]
    )

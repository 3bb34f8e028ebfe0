"""The manifest's form."""

import json
from pathlib import Path

import jsonschema
import pytest

from farm.dataset.manifest import FORMAT, Manifest, ModelRecord, read_manifest, schema
from farm.errors import StorageError
from farm.morphs.refs import MorphRef
from farm.spec import RENDERER_VERSION, RenderSpec
from tests.support.fixtures import GOOD_SURVEY
from tests.support.synthetic import synthetic_manifest

MANIFEST = Manifest(
    renderer=RENDERER_VERSION,
    render_key="0" * 64,
    model=ModelRecord(id="1" * 64, format="PMX 2.0", title="狐", comment="", licence={}),
    annotation={"mouth/a": MorphRef(index=4, name="あ")},
    target_morphs=1,
    spec=RenderSpec(),
    samples=20,
    survey=GOOD_SURVEY,
    warnings=(),
    shards=(),
    basis=(),
    images=(),
)


def test_the_annotation_names_morphs_by_index_and_name() -> None:
    written = json.loads(MANIFEST.to_bytes())

    assert written["format"] == FORMAT == 3
    assert written["annotation"] == {"mouth/a": {"index": 4, "name": "あ"}}
    assert read_manifest(MANIFEST.to_bytes(), "manifest.json") == MANIFEST


@pytest.mark.parametrize("earlier", [1, 2])
def test_an_earlier_format_is_refused_with_a_sentence(earlier: int) -> None:
    old = json.loads(MANIFEST.to_bytes()) | {"format": earlier, "annotation": {"mouth/a": "あ"}}

    with pytest.raises(StorageError, match=r"out/manifest\.json is no manifest of format 3: an earlier or a later"):
        read_manifest(json.dumps(old).encode(), "out/manifest.json")


@pytest.mark.parametrize(
    "name", ["/../../x", "../x.tar", "a/b.tar", "a\\b.tar", "", ".", "..", ".hidden", "x\n", "a\0b"]
)
def test_no_name_of_a_manifest_leads_out_of_its_folder(name: str) -> None:
    shard = {"file": name, "style": "flat", "partition": "frontal", "images": 1, "bytes": 1, "sha256": "0" * 64}
    label_shard = {"file": name, "partition": "frontal", "files": 1, "bytes": 1, "sha256": "0" * 64}
    basis = {"file": name, "style": "flat", "sha256": "0" * 64}
    written = json.loads(MANIFEST.to_bytes())

    for field, record in (("shards", shard), ("labels", label_shard), ("basis", basis)):
        assert read_manifest(json.dumps(written | {field: [record | {"file": "x.tar"}]}).encode(), "one that is good")
        with pytest.raises(StorageError):
            read_manifest(json.dumps(written | {field: [record]}).encode(), "one that is not")
    with pytest.raises(StorageError):  # the folder of a model ends with its hash
        read_manifest(json.dumps(written | {"model": written["model"] | {"id": name}}).encode(), "one that is not")


PUBLISHED = Path(__file__).parents[3] / "docs/reference/manifest.schema.json"


def test_the_published_schema_is_that_of_this_version_and_takes_manifests_of_now_and_before() -> None:
    published = json.loads(PUBLISHED.read_text("utf-8"))
    judge = jsonschema.Draft202012Validator(published)
    judge.check_schema(published)
    now = json.loads(synthetic_manifest("子", 1).to_bytes())
    before = {name: value for name, value in now.items() if name not in ("made_with", "decided_by", "label_files")}

    assert PUBLISHED.read_text("utf-8") == schema()
    for manifest in (now, before, now | {"of_later": 1}):
        judge.validate(manifest)
    for wrong in ({"renderer": "six"}, {"images": [{"file": "../x"}]}, {"model": {"id": "1"}}):
        assert not judge.is_valid(now | wrong)


def test_what_a_later_version_adds_is_passed_over() -> None:
    later = json.loads(MANIFEST.to_bytes())
    for record in (later, later["model"], later["spec"], later["spec"]["camera"], later["survey"], later["provenance"]):
        record["of_later"] = ["unknown"]

    assert read_manifest(json.dumps(later).encode(), "manifest.json") == MANIFEST

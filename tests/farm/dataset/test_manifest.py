"""The manifest's form."""

import json

import pytest

from farm.dataset.manifest import FORMAT, Manifest, ModelRecord, read_manifest
from farm.errors import StorageError
from farm.morphs.refs import MorphRef
from farm.spec import RENDERER_VERSION, RenderSpec
from tests.support.fixtures import GOOD_SURVEY

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

"""Hostile glTF files cost no more than their size."""

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest

from farm.errors import ModelError
from farm.models.description import Expression
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.vrm.reader import read_vrm
from tests.farm.models import made_files as made


def _no_bytes(draft: GlbWriter) -> None:
    for primitive in draft.content["meshes"][0]["primitives"]:
        for name in primitive["attributes"].values():
            draft.content["accessors"][name] = {"componentType": 5126, "count": 2**30, "type": "VEC3"}


def _many_nodes(draft: GlbWriter) -> None:
    draft.content["nodes"] += [{"mesh": 0}] * 16_000
    draft.content["scenes"] = []


def _too_many_nodes(draft: GlbWriter) -> None:
    draft.content["nodes"] += [{}] * 70_000


def _one_array_for_all(draft: GlbWriter) -> None:
    """A thousand accessors over the same bytes, each used by a primitive of its own."""
    points = draft.view(np.zeros((30_000, 3), "<f4").tobytes())
    accessor = {"bufferView": points, "componentType": 5126, "count": 30_000, "type": "VEC3"}
    first = len(draft.content["accessors"])
    draft.content["accessors"] += [dict(accessor) for _ in range(1000)]
    draft.content["meshes"][0]["primitives"] = [{"attributes": {"POSITION": first + place}} for place in range(1000)]


def _long_chain(draft: GlbWriter) -> None:
    first = len(draft.content["nodes"])
    draft.content["nodes"] += [{"children": [first + place + 1]} for place in range(16_000)]


def _images_over_each_other(draft: GlbWriter) -> None:
    length = len(draft.binary)
    for place in range(500):
        view = draft.add("bufferViews", {"buffer": 0, "byteOffset": place, "byteLength": length - place})
        draft.add("images", {"bufferView": view})


@pytest.mark.parametrize(
    "spoil", [_no_bytes, _many_nodes, _too_many_nodes, _one_array_for_all, _long_chain, _images_over_each_other]
)
def test_a_hostile_file_costs_no_more_than_its_size(spoil: Any) -> None:
    draft = made.vrm()
    spoil(draft)
    data = draft.to_bytes()

    def read() -> None:
        try:
            read_vrm(data)
        except ModelError as error:
            assert str(error)

    started = time.process_time()
    read()
    took = time.process_time() - started
    tracemalloc.start()  # costs time itself
    try:
        read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert took < 6  # seconds of CPU, three times what the slowest takes; by squares it would take minutes
    assert peak < 64 * 2**20 + 8 * len(data)


def test_many_binds_over_many_meshes_cost_what_they_say() -> None:
    """Binds are looked up, not searched for: 40,000 of them over 400 meshes."""
    draft = made.vrm()
    nodes = [
        draft.add("nodes", {"mesh": draft.add("meshes", {"primitives": draft.content["meshes"][0]["primitives"]})})
        for _ in range(400)
    ]
    draft.content["scenes"] = []
    custom = draft.content["extensions"]["VRMC_vrm"]["expressions"]["custom"]
    for number in range(100):
        custom[f"e{number}"] = {"morphTargetBinds": [{"node": node, "index": 0, "weight": 1} for node in nodes]}
    data = draft.to_bytes()

    started = time.process_time()
    character = read_vrm(data)

    assert time.process_time() - started < 3  # of CPU, more than twice what it takes
    assert sum(len(m.targets) for m in character.morphs if isinstance(m, Expression)) >= 40_000

"""VRM expressions that change colours and texture transforms, in files edited from real ones."""

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.blender_worker.importers.evaluation import Asked, evaluate


def parts_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The JSON of a GLB, and its binary chunk with its header."""
    length = struct.unpack_from("<I", data, 12)[0]
    return json.loads(data[20 : 20 + length]), data[20 + length :]


def png() -> bytes:
    with io.BytesIO() as out:
        Image.new("RGBA", (2, 2), (9, 9, 9, 255)).save(out, "PNG")
        return out.getvalue()


def glb(content: dict[str, Any], rest: bytes) -> bytes:
    text = json.dumps(content).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A) + text + rest


def test_vrm_0_material_values_change_colour_and_texture_transform(real_models: Path, tmp_path: Path) -> None:
    # GIVEN a VRM 0.x whose expression 'a' also turns a material red and halves and moves its texture
    content, rest = parts_of((real_models / "vrm_256_ryuunoko_v0" / "npc.vrm").read_bytes())
    vrm = content["extensions"]["VRM"]
    name = content["materials"][0]["name"]
    group = next(g for g in vrm["blendShapeMaster"]["blendShapeGroups"] if g["presetName"] == "a")
    group["materialValues"] = [
        {"materialName": name, "propertyName": "_Color", "targetValue": [1.0, 0.0, 0.0, 1.0]},
        {"materialName": name, "propertyName": "_MainTex_ST", "targetValue": [0.5, 0.5, 0.25, 0.125]},
    ]
    path = tmp_path / "npc.vrm"
    path.write_bytes(glb(content, rest))

    found = evaluate(path, [Asked({}), Asked({"a": 0.5}), Asked({"a": 1.0})])

    before, half, full = found.colours
    changed = np.abs(full - before).max(axis=1) > 1e-3
    assert changed.sum() == 1
    np.testing.assert_allclose(full[changed][0], [1, 0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(half[changed][0], (before[changed][0] + full[changed][0]) / 2, atol=1e-5)
    # Unity counts v from the bottom, as we do.
    rest_uv, half_uv, full_uv = found.uvs
    moved = np.abs(full_uv - rest_uv).max(axis=1) > 1e-6
    assert moved.any()
    np.testing.assert_allclose(full_uv[moved], rest_uv[moved] * 0.5 + [0.25, 0.125], atol=1e-5)
    np.testing.assert_allclose(half_uv, (rest_uv + full_uv) / 2, atol=1e-5)


def test_vrm_1_binds_change_colour_and_texture_transform(real_models: Path, tmp_path: Path) -> None:
    content, rest = parts_of((real_models / "vrm_mtoon_conformance_v1" / "mtoon_default.vrm").read_bytes())
    content["extensions"]["VRMC_vrm"]["expressions"] = {
        "preset": {
            "aa": {
                "materialColorBinds": [{"material": 0, "type": "color", "targetValue": [0.0, 0.5, 1.0, 0.25]}],
                "textureTransformBinds": [{"material": 0, "scale": [2.0, 0.5], "offset": [0.1, 0.2]}],
            }
        }
    }
    content["images"] = [{"uri": "data:image/png;base64," + base64.b64encode(png()).decode()}]
    content["textures"] = [{"source": 0}]
    content["materials"][0].setdefault("pbrMetallicRoughness", {})["baseColorTexture"] = {"index": 0}
    path = tmp_path / "mtoon.vrm"
    path.write_bytes(glb(content, rest))

    found = evaluate(path, [Asked({}), Asked({"aa": 1.0})])

    np.testing.assert_allclose(found.colours[1][0], [0.0, 0.5, 1.0, 0.25], atol=1e-5)
    before, after = found.uvs
    # glTF counts v from the top: v' = v * 0.5 + 0.2 there.
    np.testing.assert_allclose(after[:, 0], before[:, 0] * 2.0 + 0.1, atol=1e-5)
    np.testing.assert_allclose(1 - after[:, 1], (1 - before[:, 1]) * 0.5 + 0.2, atol=1e-5)


def test_a_vrm_without_expressions_offers_its_shape_keys(real_models: Path, tmp_path: Path) -> None:
    from farm.models.package import read_model

    content, rest = parts_of((real_models / "vrm_godette" / "Godette_vrm_v4.vrm").read_bytes())
    content["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"] = []
    path = tmp_path / "keys.vrm"
    path.write_bytes(glb(content, rest))

    morphs = {morph.name: morph for morph in read_model(path).inventory.morphs}
    assert morphs["blink_left"].kind == "shape key"
    assert morphs["ah"].kind == "shape key"

    found = evaluate(path, [Asked({"blink_left": 0.0}), Asked({"blink_left": 1.0})])
    assert np.abs(found.positions[1] - found.positions[0]).max() > 0.005

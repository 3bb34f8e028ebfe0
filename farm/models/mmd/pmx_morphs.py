"""Reads the morphs of a PMX file. Indices of what does not exist are left out, and told in a warning."""

import numpy as np
from numpy.typing import NDArray

from farm.errors import ModelFormatError
from farm.models.binary import finite
from farm.models.description import (
    BoneMorph,
    Floats,
    GroupMorph,
    Ints,
    MaterialMorph,
    MaterialOffset,
    Morph,
    OtherMorph,
    UVMorph,
    VertexMorph,
)
from farm.models.mmd.pmx_cursor import SIGNED, UNSIGNED, PmxCursor
from farm.morphs.panels import Panel
from farm.wording import counted

_SMALLEST_MORPH = 4 + 4 + 1 + 1 + 4


def read_morphs(r: PmxCursor, vertices: int, bones: int, materials: int) -> tuple[Morph, ...]:
    """The morphs of a file with so many vertices, bones and materials. Raises ModelFormatError, ModelTruncatedError."""
    morphs: list[Morph] = []
    count = r.count("morphs", _SMALLEST_MORPH)
    for _ in range(count):
        name, name_en = r.text(), r.text()
        panel_code, kind = r.integer("B"), r.integer("B")
        panel = Panel(panel_code) if panel_code <= 4 else Panel.OTHER
        match kind:
            case 0 | 9:
                rows = _offsets(r, [("index", SIGNED[r.morph_size]), ("weight", "<f4")])
                index = rows["index"].astype(np.int32)
                kept = (index >= 0) & (index < count)
                weights = finite(rows["weight"][kept])
                morphs.append(GroupMorph(name, name_en, panel, index[kept], weights, flip=kind == 9))
            case 1:
                rows = _offsets(r, [("index", UNSIGNED[r.vertex_size]), ("offset", "<f4", 3)])
                moved, offsets = _kept(r, name, rows, vertices)
                morphs.append(VertexMorph(name, name_en, panel, moved, offsets))
            case 2:
                rows = _offsets(r, [("index", SIGNED[r.bone_size]), ("move", "<f4", 3), ("turn", "<f4", 4)])
                index = rows["index"].astype(np.int32)
                kept = (index >= 0) & (index < bones)
                move, turn = finite(rows["move"][kept]), finite(rows["turn"][kept])
                morphs.append(BoneMorph(name, name_en, panel, index[kept], move, turn))
            case 3 | 4 | 5 | 6 | 7:
                rows = _offsets(r, [("index", UNSIGNED[r.vertex_size]), ("offset", "<f4", 4)])
                moved, offsets = _kept(r, name, rows, vertices)
                morphs.append(UVMorph(name, name_en, panel, kind - 3, moved, offsets))
            case 8:
                count_of = r.count("material offsets", r.material_size + 113)
                entries = [_material_offset(r) for _ in range(count_of)]
                kept_entries = tuple(e for e in entries if e.material is None or e.material < materials)
                if len(kept_entries) < count_of:
                    r.warnings.append(f"Morph '{name}' changes materials that do not exist; they are ignored.")
                morphs.append(MaterialMorph(name, name_en, panel, kept_entries))
            case 10:
                for _ in range(r.count("impulses", 26)):
                    r.index(r.body_size)  # a rigid body; bodies come later in the file and are never read
                    r.take(25)
                morphs.append(OtherMorph(name, name_en, panel))
            case _:
                raise ModelFormatError(
                    f"Morph '{name}' has the unknown type {kind}, so the PMX file is damaged. Copy or download it again."
                )
    return tuple(morphs)


def _offsets(r: PmxCursor, fields: list[tuple[str, str] | tuple[str, str, int]]) -> NDArray[np.void]:
    dtype = np.dtype(fields)
    return r.array(dtype, r.count("morph offsets", dtype.itemsize))


def _kept(r: PmxCursor, name: str, rows: NDArray[np.void], vertices: int) -> tuple[Ints, Floats]:
    """The rows whose vertex exists; the others are counted in a warning."""
    index = rows["index"].astype(np.int32)
    kept = (index >= 0) & (index < vertices)
    if not kept.all():
        absent = counted(int((~kept).sum()), "vertex that does", "vertices that do")
        r.warnings.append(f"Morph '{name}' moves {absent} not exist; ignored.")
    return index[kept], finite(rows["offset"][kept])


def _material_offset(r: PmxCursor) -> MaterialOffset:
    index = r.index(r.material_size)
    adds = r.integer("B") == 1
    v = r.floats(28)
    return MaterialOffset(
        material=index,
        adds=adds,
        diffuse=(v[0], v[1], v[2], v[3]),
        specular=(v[4], v[5], v[6]),
        shininess=v[7],
        ambient=(v[8], v[9], v[10]),
        edge_colour=(v[11], v[12], v[13], v[14]),
        edge_size=v[15],
        texture_tint=(v[16], v[17], v[18], v[19]),
        sphere_tint=(v[20], v[21], v[22], v[23]),
        toon_tint=(v[24], v[25], v[26], v[27]),
    )

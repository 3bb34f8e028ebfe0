"""PMX and PMD files packed by hand, record by record."""

import struct


def pmx_text(text: str) -> bytes:
    data = text.encode("utf-16-le")
    return struct.pack("<i", len(data)) + data


def pack_pmx(
    vertices: list[bytes],
    *,
    bones: int = 300,
    bone_size: int = 2,
    additional_uvs: int = 0,
    triangles: bytes = struct.pack("<i", 0),
    textures: bytes = struct.pack("<i", 0),
    materials: bytes = struct.pack("<i", 0),
    bone_records: bytes | None = None,
    morphs: bytes = struct.pack("<i", 0),
) -> bytes:
    """A PMX 2.0 file (UTF-16, indices of vertices in 2 bytes, others in 1) around records packed by hand."""
    head = b"PMX " + struct.pack("<fB8B", 2.0, 8, 0, additional_uvs, 2, 1, 1, bone_size, 1, 1)
    if bone_records is None:
        one = pmx_text("首") + pmx_text("") + struct.pack("<3f", 0, 1, 0) + b"\xff" * bone_size
        bone_records = struct.pack("<i", bones) + (one + struct.pack("<iH3f", 0, 0x1A, 0, 1, 0)) * bones
    texts = b"".join(pmx_text(text) for text in ("名", "name", "", ""))
    body = struct.pack("<i", len(vertices)) + b"".join(vertices)
    return head + texts + body + triangles + textures + materials + bone_records + morphs


def pmx_vertex(
    deform: int, tail: bytes, position: tuple[float, ...] = (1, 2, 3), uvs: int = 0, edge: float = 0.5
) -> bytes:
    """One vertex record: `tail` is what follows the deform type, up to the edge scale."""
    fixed = struct.pack("<8f", *position, 0, 1, 0, 0.25, 0.75)
    return fixed + struct.pack("<4f", 9, 9, 9, 9) * uvs + struct.pack("<B", deform) + tail + struct.pack("<f", edge)


def pmd_text(text: str | bytes, size: int) -> bytes:
    """A text field of fixed size: cut at its end, zero and then rubbish behind a shorter text, as MMD's tools leave it."""
    data = text if isinstance(text, bytes) else text.encode("cp932")
    return data[:size] if len(data) >= size else (data + b"\0").ljust(size, b"\xfd")


type Skin = tuple[str | bytes, int, list[tuple[int, tuple[float, float, float]]]]
"""A PMD morph: its name, its kind, and by vertex how far it moves."""


def pack_pmd(
    *,
    skins: list[Skin] | None = None,
    toons: list[str] | None = None,
    english: bool = True,
    textures: tuple[str, str] = ("かお.bmp*つや.sph", "ひかり.spa"),
) -> bytes:
    """A PMD file: a square of four vertices, two materials, the bones センター, 首, 頭 and some skins."""
    if skins is None:
        skins = [
            ("base", 0, [(1, (1.0, 0.0, 0.0)), (3, (1.0, 1.0, 0.0))]),
            ("まばたき", 2, [(0, (0.0, -0.5, 0.0)), (1, (0.0, -0.25, 0.0))]),
            ("とても長い名前のモーフ", 3, [(1, (0.0, 0.0, 0.125))]),
        ]
    out = b"Pmd" + struct.pack("<f", 1.0) + pmd_text("初音モデル", 20) + pmd_text("一行目\n作者: 誰か", 256)
    out += struct.pack("<I", 4)
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    for place, (x, y) in enumerate(corners):
        out += struct.pack("<8f2HBB", x, y, 0, 0, 0, -1, x, 1 - y, 1, 2, (100, 75, 50, 0)[place], place == 3)
    out += struct.pack("<I6H", 6, 0, 1, 2, 2, 1, 3)
    out += struct.pack("<I", 2)
    for texture, toon, alpha in zip(textures, (0, 0xFF), (1.0, 0.5), strict=True):
        out += struct.pack("<11fBBI", 0.5, 0.25, 0.75, alpha, 5, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, toon, 1, 3)
        out += pmd_text(texture, 20)
    out += struct.pack("<H", 3)
    for name, parent, tail in (("センター", 0xFFFF, 1), ("首", 0, 2), ("頭", 1, 0)):
        out += pmd_text(name, 20) + struct.pack("<HHBH3f", parent, tail, 0, 0, 0.0, 10.0 + tail, 0.5)
    out += struct.pack("<HHHBHf2H", 1, 2, 1, 2, 40, 0.5, 1, 0)  # one IK chain of two links
    out += struct.pack("<H", len(skins))
    for skin, panel, offsets in skins:
        out += pmd_text(skin, 20) + struct.pack("<iB", len(offsets), panel)
        out += b"".join(struct.pack("<I3f", vertex, *offset) for vertex, offset in offsets)
    out += struct.pack("<BH", 1, 1) + b"\x01" + pmd_text("体", 50) + struct.pack("<IHB", 1, 1, 1)
    if not english:
        out += b"\0"
    else:
        out += b"\1" + pmd_text("Miku", 20) + pmd_text("first line", 256)
        out += b"".join(pmd_text(name, 20) for name in ("center", "neck", "head"))
        out += b"".join(pmd_text(f"skin {place}", 20) for place in range(1, len(skins)))
        out += pmd_text("body", 50)
    if toons is None:
        toons = ["own_toon.bmp", *(f"toon{number:02d}.bmp" for number in range(2, 11))]
    out += b"".join(pmd_text(toon, 100) for toon in toons)
    return out + struct.pack("<II", 0, 0)  # rigid bodies, joints

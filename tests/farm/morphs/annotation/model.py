"""A model's morphs for tests of annotation, and what the vocabulary proposes for them."""

from farm.morphs.annotation import SourceMorph
from farm.morphs.panels import Panel
from farm.morphs.refs import MorphRef

EYE, EYEBROW, MOUTH = Panel.EYE, Panel.EYEBROW, Panel.MOUTH


def morph_of(name: str, panel: Panel | None = EYE, moved: int = 10, kind: str = "vertex") -> SourceMorph:
    return SourceMorph(name, kind, panel, moved)


def ref_to(index: int, name: str) -> MorphRef:
    return MorphRef(index=index, name=name)


MODEL = [
    morph_of("まばたき"),
    morph_of("ウィンク"),
    morph_of("ウィンク２"),
    morph_of("上", EYEBROW),
    morph_of("上", Panel.OTHER),
    morph_of("あ", MOUTH),
    morph_of("照れ", Panel.OTHER, kind="material"),
]
PROPOSED = {
    "eye/closed/both": ref_to(0, "まばたき"),
    "eye/closed/left": ref_to(2, "ウィンク２"),
    "eyebrow/raised/both": ref_to(3, "上"),
    "mouth/a": ref_to(5, "あ"),
}

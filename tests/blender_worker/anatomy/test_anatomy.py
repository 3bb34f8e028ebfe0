"""Parts and landmarks: found on every character, in their places, and moving as the morphs say."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.labels import LANDMARKS
from farm.morphs.vocabulary import POSE_ENTRIES, target_morphs
from tests.blender_worker.anatomy.studied import studied

SEEN_TARGETS = [target.name for target in target_morphs()]
EYES_AND_MOUTH = {name for name in LANDMARKS if name.startswith(("eye_", "iris_", "mouth_"))}
EVERYTHING = set(LANDMARKS) - {"neck"}
BROWS = ("EYEBROW_LEFT", "EYEBROW_RIGHT")
HEAD_PARTS = {"HAIR", "FACE", "EYE_LEFT", "EYE_RIGHT", *BROWS, "LIPS", "MOUTH_INSIDE", "BODY"}


@dataclass(frozen=True)
class Studied:
    """What `studied` found on one model; places are in head heights from the neck."""

    found: dict[str, Any]

    @property
    def parts(self) -> dict[str, dict[str, Any]]:
        parts: dict[str, dict[str, Any]] = self.found["parts"]
        return parts

    def at(self, name: str, target: str = "") -> np.ndarray:
        """Where a landmark is at rest, or with a target at full weight."""
        return np.array((self.found["posed"][target] if target else self.found["rest"])[name])

    def moved(self, name: str, target: str) -> np.ndarray:
        """How a target moves a landmark."""
        moved: np.ndarray = self.at(name, target) - self.at(name)
        return moved

    def gap(self, side: str, target: str = "") -> float:
        """How far an eye is open."""
        return float((self.at(f"eye_{side}_top", target) - self.at(f"eye_{side}_bottom", target))[2])

    def mouth(self, target: str = "") -> tuple[float, float]:
        """Width and height of the mouth's opening."""
        width = (self.at("mouth_left", target) - self.at("mouth_right", target))[0]
        return float(width), float((self.at("mouth_top", target) - self.at("mouth_bottom", target))[2])


def study(*models: tuple[Path, str], targets: list[str] = SEEN_TARGETS) -> list[Studied]:
    """Study (model, how it is mangled)."""
    return [Studied(studied(model, mangled, targets)) for model, mangled in models]


@pytest.fixture(scope="module")
def own(mascots: dict[str, Path]) -> dict[str, Studied]:
    """The project's own characters."""
    return dict(zip(mascots, study(*((path, "") for path in mascots.values())), strict=True))


@pytest.fixture(scope="module")
def nagi(own: dict[str, Studied]) -> Studied:
    """Nagi, who has all targets."""
    return own["nagi"]


REAL = {
    "gene": "gene/Gene_light.pmx",
    "gene_pmd": "gene/Gene.pmd",
    "uka": "uka/MS_Uka.pmx",
    "godette": "vrm_godette/Godette_vrm_v4.vrm",
    "npc": "vrm_256_ryuunoko_v0/npc.vrm",
    "cool_loops": "vrm_cool_loops_v0/cool_loops.vrm",
    "mtoon": "vrm_mtoon_conformance_v1/mtoon_default.vrm",
    "yw": "yw_test_model/yw_test_model.pmx",
}


@pytest.fixture(scope="module")
def real(real_models: Path) -> dict[str, Studied]:
    """Other people's characters."""
    return dict(zip(REAL, study(*((real_models / path, "") for path in REAL.values())), strict=True))


def is_a_face(one: Studied) -> None:
    """Hair above the face, the eyes on their sides, brows over eyes over nose over mouth over chin over neck."""
    parts, mean = one.parts, {name: np.array(part["mean"]) for name, part in one.parts.items()}
    assert parts["EYE_LEFT"]["box"][0][0] > 0 > parts["EYE_RIGHT"]["box"][1][0]
    assert mean["EYE_LEFT"][2] == pytest.approx(mean["EYE_RIGHT"][2], abs=0.02)
    assert parts["HAIR"]["box"][1][2] > parts["FACE"]["box"][1][2] > mean["EYEBROW_LEFT"][2] > mean["EYE_LEFT"][2]
    assert mean["EYE_LEFT"][2] > mean["MOUTH_INSIDE"][2] > mean["NECK"][2] > mean["BODY"][2]
    assert mean["HAIR"][1] > mean["EYE_LEFT"][1], "hair is behind the eyes"
    for side, sign in (("left", 1), ("right", -1)):
        inner, outer, top, bottom, iris = (
            one.at(f"eye_{side}_{place}") if place != "iris" else one.at(f"iris_{side}")
            for place in ("inner", "outer", "top", "bottom", "iris")
        )
        assert 0 < inner[0] * sign < iris[0] * sign < outer[0] * sign
        assert bottom[2] < iris[2] < top[2]
        brow_inner, brow_outer = one.at(f"eyebrow_{side}_inner"), one.at(f"eyebrow_{side}_outer")
        assert 0 < brow_inner[0] * sign < brow_outer[0] * sign
        assert brow_inner[2] > top[2]
        # The same on both sides.
        other = one.at(f"iris_{'right' if side == 'left' else 'left'}")
        assert iris * (-1, 1, 1) == pytest.approx(other, abs=0.02)
    eyes, nose, chin = one.at("iris_left")[2], one.at("nose"), one.at("chin")
    mouth = one.at("mouth_top")
    assert eyes > nose[2] > mouth[2] >= one.at("mouth_bottom")[2] - 1e-3 > chin[2] > 0
    assert one.at("mouth_left")[0] > 0 > one.at("mouth_right")[0]
    assert nose[1] <= min(mouth[1], one.at("eye_left_inner")[1]), "the nose is the front of the face"
    for middle in (nose, chin, mouth):
        assert abs(middle[0]) < 0.03


def test_landmarks_are_points_that_follow_the_head(own: dict[str, Studied], real: dict[str, Studied]) -> None:
    # GIVEN every character that has landmarks
    for name, one in (own | real).items():
        assert set(one.found["rest"]) <= EVERYTHING
        for landmark in one.found["rest"]:
            # THEN each is a mean of vertices that turn with the head
            assert one.found["sums"][landmark] == pytest.approx(1, abs=1e-5), (name, landmark)
            assert one.found["turns"][landmark] > 0.85, (name, landmark)
            # AND turning the head turns it about the neck's axis
            angle = np.radians(20)
            turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
            assert np.array(one.found["turned"][landmark]) == pytest.approx(turn @ one.at(landmark), abs=0.02)


def test_every_run_has_its_triangles_and_a_model_is_studied_fast(
    own: dict[str, Studied], real: dict[str, Studied]
) -> None:
    for name, one in (own | real).items():
        assert all(one.found["matches"]), name
        assert "BACKGROUND" not in one.parts, name
        assert one.found["seconds"] < 3, name  # of CPU


@pytest.mark.parametrize("name", ["nagi", "momo"])
def test_a_mascot_is_whole(own: dict[str, Studied], name: str) -> None:
    one = own[name]
    assert {"NECK", "ACCESSORIES"} | HEAD_PARTS == set(one.parts)
    assert set(one.found["rest"]) == EVERYTHING
    is_a_face(one)
    # Materials of these names, whole.
    assert [one.parts[brow]["triangles"] for brow in BROWS] == [32, 32]
    assert one.parts["MOUTH_INSIDE"]["triangles"] == 288 * 3
    assert one.parts["LIPS"]["triangles"] == 96
    assert one.parts["EYE_LEFT"]["triangles"] == one.parts["EYE_RIGHT"]["triangles"]
    assert one.found["rules"]["髪"] == "name"
    assert one.found["rules"]["顔"].startswith("face")


@pytest.mark.parametrize("name", ["gene", "uka", "godette"])
def test_a_real_character_is_whole(real: dict[str, Studied], name: str) -> None:
    one = real[name]
    assert set(one.parts) >= HEAD_PARTS - {"LIPS"}
    assert set(one.found["rest"]) == EVERYTHING
    is_a_face(one)
    head = sum(part["triangles"] for kind, part in one.parts.items() if kind != "BODY")
    assert 0.1 < one.parts["HAIR"]["triangles"] / head < 0.9
    assert sum(one.parts[brow]["triangles"] for brow in BROWS) < 0.05 * head


def test_the_lips_and_the_inside_of_a_mouth_that_is_one_with_the_face_are_mouth(real: dict[str, Studied]) -> None:
    for name in ("gene", "uka"):
        inside = real[name].parts["MOUTH_INSIDE"]
        for part in (inside, real[name].parts["LIPS"]):
            low, high = np.array(part["box"])
            assert (high - low).max() < 0.3, "neither chin nor cheeks"
            assert low[2] > real[name].at("chin")[2] + 0.02
        assert inside["triangles"] > 584  # more than teeth and tongue, which are pieces of their own


def test_names_that_mean_nothing_lead_to_nearly_the_same_parts(real: dict[str, Studied]) -> None:
    # GIVEN one character as PMX and as PMD, whose materials have no names
    pmx, pmd = real["gene"], real["gene_pmd"]
    # THEN eyes, brows and mouth are the same triangles, and so are most of the hair's
    for part in ("EYE_LEFT", "EYE_RIGHT", *BROWS):
        assert pmd.parts[part]["triangles"] == pmx.parts[part]["triangles"]
    for part in ("LIPS", "MOUTH_INSIDE"):
        assert pmd.parts[part]["triangles"] == pytest.approx(pmx.parts[part]["triangles"], rel=0.05)
    assert pmd.parts["HAIR"]["triangles"] == pytest.approx(pmx.parts["HAIR"]["triangles"], rel=0.2)


def test_odd_heads_are_made_of_what_they_have(real: dict[str, Studied]) -> None:
    assert set(real["mtoon"].parts) == {"FACE"}  # a ball
    assert set(real["yw"].parts) == {"FACE", "NECK", "BODY"}
    assert set(real["cool_loops"].parts) == {"FACE", "EYE_LEFT", "EYE_RIGHT", "MOUTH_INSIDE", "NECK", "BODY"}
    assert set(real["cool_loops"].found["rest"]) >= EYES_AND_MOUTH
    assert {"FACE", "EYE_LEFT", "EYE_RIGHT", *BROWS, "BODY"} <= set(real["npc"].parts)
    for name in ("cool_loops", "npc"):
        assert real[name].at("iris_left")[0] > 0 > real[name].at("iris_right")[0]


# Seventeen entries of the pose vector: the landmark that must move moves the right way, and only on its side.
STILL = 2e-3
"""Head heights."""


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("semantic", ["closed", "half_closed", "wide"])
def test_a_lid_moves(nagi: Studied, semantic: str, side: str) -> None:
    other = "right" if side == "left" else "left"
    target = f"eye/{semantic}/{side}"
    gap, rest = nagi.gap(side, target), nagi.gap(side)
    top = nagi.moved(f"eye_{side}_top", target)[2]
    match semantic:
        case "closed":
            assert top < -0.6 * rest
            assert abs(gap) < 0.15 * rest
        case "half_closed":
            assert top < 0
            assert nagi.gap(side, f"eye/closed/{side}") < 0.3 * rest < gap < 0.8 * rest
        case "wide":
            assert top > 0
            assert gap > 1.1 * rest
    for name in EVERYTHING:
        if f"_{side}" not in name:
            assert np.linalg.norm(nagi.moved(name, target)) < STILL, name
    assert nagi.gap(other, target) == pytest.approx(nagi.gap(other), abs=STILL)
    assert nagi.gap(other, f"eye/{semantic}/both") == pytest.approx(gap, abs=STILL)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("semantic", ["raised", "lowered", "angry"])
def test_a_brow_moves(nagi: Studied, semantic: str, side: str) -> None:
    target = f"eyebrow/{semantic}/{side}"
    inner, outer = (nagi.moved(f"eyebrow_{side}_{end}", target)[2] for end in ("inner", "outer"))
    match semantic:
        case "raised":
            assert min(inner, outer) > 0.02
        case "lowered":
            assert max(inner, outer) < -0.02
        case "angry":
            assert inner < -0.02
            assert inner < outer - 0.02
    for name in EVERYTHING:
        if not name.startswith(f"eyebrow_{side}"):
            assert np.linalg.norm(nagi.moved(name, target)) < STILL, name


@pytest.mark.parametrize("vowel", ["a", "e", "i", "o", "u"])
def test_a_mouth_moves(nagi: Studied, vowel: str) -> None:
    rest_width, rest_height = nagi.mouth()
    shapes = {one: nagi.mouth(f"mouth/{one}") for one in "aeiou"}
    width, height = shapes[vowel]
    assert height > rest_height + 0.02
    match vowel:
        case "a":
            assert height == max(tall for _, tall in shapes.values())
        case "i":
            assert width == max(wide for wide, _ in shapes.values()) > 1.2 * rest_width
        case "u":
            assert width == min(wide for wide, _ in shapes.values()) < 0.7 * rest_width
        case "e":  # open and a little broader, less than a and i
            assert shapes["i"][0] > width > rest_width
            assert height < shapes["a"][1]
        case "o":  # a tall, narrow ring, broader than u
            assert shapes["u"][0] < width < rest_width
            assert height > shapes["u"][1]
    for name in EVERYTHING - {"chin"}:
        if not name.startswith("mouth_"):
            assert np.linalg.norm(nagi.moved(name, f"mouth/{vowel}")) < STILL, name


def test_the_pose_vector_is_covered() -> None:
    assert POSE_ENTRIES == 3 * 2 + 3 * 2 + 5


@pytest.mark.parametrize("name", ["gene", "uka", "godette", "npc", "cool_loops"])
def test_real_lids_close(real: dict[str, Studied], name: str) -> None:
    for side in ("left", "right"):
        assert abs(real[name].gap(side, "eye/closed/both")) < 0.3 * real[name].gap(side)


@pytest.mark.parametrize("name", ["gene", "uka"])
def test_real_faces_move_as_their_morphs_say(real: dict[str, Studied], name: str) -> None:
    one = real[name]
    for side in ("left", "right"):
        rest = one.gap(side)
        assert one.gap(side, f"eye/closed/{side}") < one.gap(side, f"eye/half_closed/{side}") < rest
        assert one.gap(side, f"eye/wide/{side}") > rest
        for semantic, sign in (("raised", 1), ("lowered", -1)):
            assert one.moved(f"eyebrow_{side}_outer", f"eyebrow/{semantic}/{side}")[2] * sign > 0
        angry = [one.moved(f"eyebrow_{side}_{end}", f"eyebrow/angry/{side}")[2] for end in ("inner", "outer")]
        assert angry[0] < angry[1]
    width, height = one.mouth()
    assert one.mouth("mouth/a")[1] > height + 0.04
    assert one.mouth("mouth/u")[0] < 0.7 * width


# Hostile and poor models
MANGLED = [
    "no_triangles",
    "no_numbers",
    "one_point",
    "in_splinters",
    "no_head",
    "no_names",
    "nothing_known",
    "one_material",
]


@pytest.fixture(scope="module")
def mangled(mascots: dict[str, Path]) -> dict[str, Studied]:
    """Nagi, spoiled in several ways."""
    return dict(zip(MANGLED, study(*((mascots["nagi"], how) for how in MANGLED), targets=[]), strict=True))


@pytest.mark.parametrize("how", MANGLED)
def test_a_spoiled_model_is_studied_all_the_same(mangled: dict[str, Studied], how: str) -> None:
    one = mangled[how]
    assert all(one.found["matches"])
    assert (set(one.parts) == set()) == (how == "no_triangles")
    assert one.found["seconds"] < 20  # of CPU
    assert set(one.found["rest"]) <= EVERYTHING


@pytest.mark.parametrize("how", ["no_names", "one_material"])
def test_morphs_and_bones_tell_what_names_do_not(mangled: dict[str, Studied], nagi: Studied, how: str) -> None:
    one = mangled[how]
    assert set(one.parts) >= HEAD_PARTS
    assert set(one.found["rest"]) == EVERYTHING
    for brow in BROWS:
        assert one.parts[brow]["triangles"] == nagi.parts[brow]["triangles"]
    for landmark in EVERYTHING - {"nose", "chin"}:
        assert one.at(landmark) == pytest.approx(nagi.at(landmark), abs=0.03), landmark


def test_without_names_and_morphs_there_is_still_a_face_under_hair_on_a_body(mangled: dict[str, Studied]) -> None:
    parts = mangled["nothing_known"].parts
    assert {"HAIR", "FACE", "BODY", "NECK"} <= set(parts)
    assert parts["FACE"]["mean"][2] > parts["NECK"]["mean"][2] > parts["BODY"]["mean"][2]
    assert parts["FACE"]["mean"][1] < parts["HAIR"]["mean"][1]

"""The mascots' bones, and which of them moves which vertices."""

import numpy as np

from farm.mascots.sculpt import Array, Rig, smoothstep
from farm.models.description import Bone, BoneFlag, Inheritance

ROOT, BODY, NECK, HEAD, EYES, LEFT_EYE, RIGHT_EYE, LEFT_SHOULDER, RIGHT_SHOULDER = range(9)
NECK_HEIGHT = 13.2
_COUNT = 9


def bones(eye: tuple[float, float]) -> tuple[Bone, ...]:
    """The skeleton, in the order of the constants above; `eye` is X and Y of the left eye."""
    shown = BoneFlag.ROTATABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED
    x, y = eye

    def bone(
        name: str, name_en: str, position: tuple[float, float, float], parent: int | None, tail: int | None = None
    ) -> Bone:
        return Bone(name, name_en, position, parent, 0, shown, tail_bone=tail, tail_offset=(0.0, 1.0, 0.0))

    def eye_bone(name: str, name_en: str, position: tuple[float, float, float]) -> Bone:
        flags = shown | BoneFlag.INHERIT_ROTATION
        return Bone(
            name, name_en, position, HEAD, 0, flags, tail_offset=(0.0, 0.0, -1.0), inheritance=Inheritance(EYES, 1.0)
        )

    centre = Bone("センター", "center", (0.0, 8.0, 0.0), None, 0, shown | BoneFlag.MOVABLE, tail_bone=BODY)
    return (
        centre,
        bone("上半身", "upper body", (0.0, 10.0, 0.1), ROOT, NECK),
        bone("首", "neck", (0.0, NECK_HEIGHT, 0.22), BODY, HEAD),
        bone("頭", "head", (0.0, 13.9, 0.2), NECK),
        bone("両目", "eyes", (0.0, 18.5, 0.0), HEAD),
        eye_bone("左目", "eye_L", (x, y, 0.2)),
        eye_bone("右目", "eye_R", (-x, y, 0.2)),
        bone("左肩", "shoulder_L", (0.35, 12.8, 0.15), BODY),
        bone("右肩", "shoulder_R", (-0.35, 12.8, 0.15), BODY),
    )


def fixed(bone: int) -> Rig:
    """Everything follows one bone."""

    def weights(positions: Array) -> Array:
        result = np.zeros((len(positions), _COUNT))
        result[:, bone] = 1.0
        return result

    return weights


def neck(positions: Array) -> Array:
    """From the upper body over the neck to the head, by height."""
    y = positions[:, 1]
    above, top = smoothstep(12.9, 13.4, y), smoothstep(13.5, 14.2, y)
    result = np.zeros((len(positions), _COUNT))
    result[:, BODY], result[:, NECK], result[:, HEAD] = (1.0 - above, above * (1.0 - top), above * top)
    return result


def bust(positions: Array) -> Array:
    """The upper body; round the neck's base a little of the neck, at the arms the shoulders."""
    x, y = positions[:, 0], positions[:, 1]
    near = 0.35 * smoothstep(0.9, 0.45, np.hypot(x, positions[:, 2] - 0.22)) * smoothstep(12.7, 13.1, y)
    left, right = (0.5 * smoothstep(1.1, 1.9, sign * x) for sign in (1.0, -1.0))
    result = np.zeros((len(positions), _COUNT))
    result[:, NECK], result[:, LEFT_SHOULDER], result[:, RIGHT_SHOULDER] = (near, left, right)
    result[:, BODY] = 1.0 - near - left - right
    return result


def long_hair(positions: Array) -> Array:
    """The head; what lies on the shoulders and the back stays with the upper body."""
    stays = 0.9 * smoothstep(13.3, 11.2, positions[:, 1])
    result = np.zeros((len(positions), _COUNT))
    result[:, HEAD], result[:, BODY] = 1.0 - stays, stays
    return result

"""Where the camera stands: by default fixed for all images of a model, straight in front of the neck bone.

Framing measured on 83 characters: the head fills 48 % of the frame's height, the frame's centre is 0.3 frame heights
above the neck. Source: the released images of AnimeCeleb. Lengths are those of the model's file.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from farm.cameras import CameraSpec, Framing

HEAD_SHARE = 0.48
CENTRE_ABOVE_NECK = 0.3
_BUST_HEAD_SHARE = 0.3
_BUST_CENTRE = 0.1
"""Frame heights from the neck up to the centre of a bust."""
_BODY_MARGIN = 1.08
_BODY_ROOM = 1.4
"""Of a body that moves: raised arms reach a quarter of its height above the head, and its middle stays where it is."""
_STEP = 15.0
"""Degrees between directions from which a body is measured; between two of them it is less than the margin larger."""
_ROWS = 2**15
"""Points that are measured at once."""
_ORTHOGRAPHIC_ANGLE = 20.0
"""Degrees; a parallel camera stands as far away as one with this field of view would."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that looks at `target` from a sphere about it, upright."""

    target: tuple[float, float, float]
    """World position of the frame's centre."""
    height: float
    """What the frame shows of the plane through the target, from bottom to top; it is as wide as high."""
    field_of_view: float
    """Degrees, vertical and horizontal."""
    orthographic: bool = False
    yaw: float = 0.0
    """Degrees; positive: from +X, the character's left."""
    elevation: float = 0.0
    """Degrees; positive: from above."""

    def seen_from(self, yaw: float, elevation: float) -> "Camera":
        """The same frame from elsewhere on the sphere."""
        return replace(self, yaw=yaw, elevation=elevation)

    @property
    def distance(self) -> float:
        """From the camera to the target."""
        angle = _ORTHOGRAPHIC_ANGLE if self.orthographic else self.field_of_view
        return self.height / 2 / float(np.tan(np.radians(angle) / 2))

    @property
    def near(self) -> float:
        """Nothing of the face is nearer than a tenth of the distance."""
        return self.distance * 0.1

    @property
    def far(self) -> float:
        """Capes and long hair reach a few frame heights behind."""
        return self.distance * 4

    def axes(self) -> NDArray[np.float64]:
        """(3, 3) with the rows right, up, backwards: from world axes to OpenGL's camera axes."""
        (sy, cy), (se, ce) = ((np.sin(a), np.cos(a)) for a in np.radians((self.yaw, self.elevation)))
        return np.array([[cy, sy, 0.0], [-se * sy, se * cy, ce], [ce * sy, -ce * cy, se]])

    def position(self) -> NDArray[np.float64]:
        """(3,) world position."""
        return np.asarray(self.axes()[2] * self.distance + self.target)

    def view(self) -> NDArray[np.float64]:
        """(4, 4) from world to OpenGL's camera axes, for column vectors."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes()
        matrix[:3, 3] = -matrix[:3, :3] @ self.position()
        return matrix

    def projection(self) -> NDArray[np.float64]:
        """(4, 4) from OpenGL's camera axes to clip space."""
        near, far = self.near, self.far
        if self.orthographic:
            matrix = np.diag([2 / self.height, 2 / self.height, -2 / (far - near), 1.0])
            matrix[2, 3] = -(far + near) / (far - near)
            return matrix
        focal = 1 / np.tan(np.radians(self.field_of_view) / 2)
        matrix = np.diag([focal, focal, (far + near) / (near - far), 0.0])
        matrix[2, 3] = 2 * far * near / (near - far)
        matrix[3, 2] = -1
        return matrix

    def view_projection(self) -> NDArray[np.float32]:
        """(4, 4) from world to clip space."""
        return np.asarray(self.projection() @ self.view(), np.float32)

    def distance_to(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n,) distances of (n, 3) world points from the camera's plane."""
        return np.asarray((self.position() - points.astype(np.float64)) @ self.axes()[2])

    def project[T: np.floating](self, points: NDArray[T], size: int) -> NDArray[T]:
        """(n, 3) world points as (n, 2) pixels of a square picture, x to the right, y down, origin at its top left."""
        right, up, _, depth = self.view_projection().astype(points.dtype)
        shares = np.maximum(points @ depth[:3] + depth[3], 1e-9)
        return np.column_stack(
            [
                ((points @ right[:3] + right[3]) / shares * 0.5 + 0.5) * size,
                ((points @ up[:3] + up[3]) / shares * -0.5 + 0.5) * size,
            ]
        )


def frame(
    spec: CameraSpec,
    neck: tuple[float, float, float],
    head_height: float,
    body: NDArray[np.float32],
    held: bool = False,
    moves: bool = False,
) -> Camera:
    """The camera straight in front of a character.

    Its neck bone is at `neck` and its head ends `head_height` above that; `body` is (n, 3), its vertices at rest, or, for a
    frame of the body that has `held` all of it from everywhere that `spec` looks from, the points that it reaches. Where it
    `moves`, the frame of a body has room for limbs that are stretched out anywhere.
    """
    x, y, z = neck
    match spec.framing:
        case Framing.HEAD:
            height = head_height / HEAD_SHARE
            target = (x, y, z + CENTRE_ABOVE_NECK * height)
        case Framing.BUST:
            height = head_height / _BUST_HEAD_SHARE
            target = (x, y, z + _BUST_CENTRE * height)
        case Framing.BODY:
            low, high = (body.min(axis=0), body.max(axis=0)) if len(body) else (np.zeros(3), np.ones(3))
            height = float(max(high[2] - low[2], 2 * np.abs([low[0] - x, high[0] - x]).max(), 1e-3)) * _BODY_MARGIN
            target = (x, y, float(low[2] + high[2]) / 2)
            if held and len(body):
                height = _holding(spec, body - np.array(target, np.float32)) * _BODY_MARGIN
            height *= _BODY_ROOM if moves else 1.0
    return Camera(target, height, spec.field_of_view, spec.projection == "orthographic")


def _holding(spec: CameraSpec, points: NDArray[np.float32]) -> float:
    """The least height of a frame about the origin that holds (n, 3) points in all views that `spec` may give."""
    slope = 0.0 if spec.projection == "orthographic" else float(np.tan(np.radians(spec.field_of_view) / 2))
    edges = []
    for yaw, elevation in _looks(spec):
        # The camera is height / 2 / slope away: what is nearer than the target needs a larger frame to be inside.
        right, up, back = Camera((0, 0, 0), 1.0, 1.0, yaw=yaw, elevation=elevation).axes()
        edges += [way + back * slope for way in (right, -right, up, -up)]
    ways = np.array(edges, np.float32).T
    rows = (points[first : first + _ROWS] @ ways for first in range(0, len(points), _ROWS))
    return max(1e-3, 2 * max(float(row.max()) for row in rows))


def _looks(spec: CameraSpec) -> Iterator[tuple[float, float]]:
    """Yaws and elevations that stand for all that views may have."""
    if spec.around:
        yaws, elevations = [360 * step / spec.around for step in range(spec.around)], [*(spec.rings or (0.0,))]
    else:
        yaws, elevations = _steps(*spec.yaw), _steps(*spec.elevation)
    yield 0.0, 0.0  # the basis picture
    yield from ((yaw, elevation) for yaw in yaws for elevation in elevations)


def _steps(low: float, high: float) -> list[float]:
    return np.linspace(low, high, 1 + math.ceil((high - low) / _STEP)).tolist()

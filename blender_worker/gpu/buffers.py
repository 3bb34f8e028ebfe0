"""An actor on the graphics card: the vertex buffers, indices and textures that all passes over it share."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import gpu
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.character.actor import Actor, Pose, Run
from blender_worker.character.ramps import Ramp
from blender_worker.character.surface import Surface
from blender_worker.character.textures import Texture
from blender_worker.gpu.textures import reduced, texel_density, upload, upload_ramp

_MARGIN = 0.05
"""Of the frame's side: more than an outline and the filter reach."""


@dataclass(slots=True)
class DrawRun:
    """A run of the actor, ready to be drawn."""

    run: Run
    kept: NDArray[np.bool_]
    """(m,) which of the run's triangles can ever be inside the frame; the others are not drawn."""
    surface: Surface
    indices: gpu.types.GPUIndexBuf
    texture: gpu.types.GPUTexture
    ramp: gpu.types.GPUTexture
    sphere: gpu.types.GPUTexture
    cutoff: float
    """Alpha under which a texel is cut out and over which it is opaque; -1 blends."""


class Geometry:
    """The buffers of one actor."""

    def __init__(self, actor: Actor, camera: Camera, size: int, views: Collection[Camera] | None = None) -> None:
        """`size` is the side in pixels that is drawn on; textures are reduced to what `camera` sees of them there.

        `views` are all the cameras that will ever be used; None for any.
        """
        self._actor = actor
        self._outside = outside(actor, views) if views is not None else None
        self._white = upload(np.full((1, 1, 4), 255, np.uint8))
        self._textures = self._upload_textures(camera, size)
        self._ramps: dict[bytes, gpu.types.GPUTexture] = {}
        self._fixed = self._upload_fixed(actor.vertices.uvs)
        self.runs = [self._upload_run(run) for run in actor.runs]
        self._loaded: tuple[Pose, gpu.types.GPUVertBuf, gpu.types.GPUVertBuf] | None = None

    def _upload_textures(self, camera: Camera, size: int) -> dict[Texture, gpu.types.GPUTexture]:
        actor = self._actor
        screen = camera.project(actor.rest.positions, size)
        densities: dict[Texture, list[NDArray[np.float64]]] = {}
        for run in actor.runs:
            texture = actor.surfaces[run.surface].texture
            if texture is not None:
                found = texel_density(run.triangles, texture, actor.vertices.uvs, screen, size)
                densities.setdefault(texture, []).append(found)
        uploaded = {texture: upload(reduced(texture, found)) for texture, found in densities.items()}
        for surface in actor.surfaces:
            if surface.sphere is not None and surface.sphere not in uploaded:
                pixels = surface.sphere.shrunk(max(surface.sphere.pixels.shape) / size).copy()
                pixels[..., 3] = 255
                uploaded[surface.sphere] = upload(pixels)
        return uploaded

    def _upload_fixed(self, uvs: NDArray[np.float32]) -> gpu.types.GPUVertBuf:
        """All of the vertices but their positions."""
        vertices = self._actor.vertices
        form = _format(("normal", 3), ("uv", 2), ("turns", 1), ("outlines", 1))
        buffer = gpu.types.GPUVertBuf(form, len(vertices.positions))
        for name, values in (
            ("normal", vertices.normals),
            ("uv", uvs),
            ("turns", vertices.turns),
            ("outlines", vertices.outlines),
        ):
            buffer.attr_fill(name, np.ascontiguousarray(values, np.float32))
        return buffer

    def _upload_run(self, run: Run) -> DrawRun:
        surface = self._actor.surfaces[run.surface]
        kept = np.ones(len(run.triangles), bool)
        if self._outside is not None:
            kept = ~(self._outside[run.triangles].all(axis=1)).any(axis=1)
        return DrawRun(
            run=run,
            kept=kept,
            surface=surface,
            indices=gpu.types.GPUIndexBuf(type="TRIS", seq=np.ascontiguousarray(run.triangles[kept])),
            texture=self._white if surface.texture is None else self._textures[surface.texture],
            ramp=self._ramp(surface.ramp),
            sphere=self._white if surface.sphere is None else self._textures[surface.sphere],
            cutoff=0.0 if surface.opaque else -1.0 if surface.cutoff is None else surface.cutoff,
        )

    def _ramp(self, ramp: Ramp) -> gpu.types.GPUTexture:
        key = ramp.tobytes()
        if key not in self._ramps:
            self._ramps[key] = upload_ramp(ramp)
        return self._ramps[key]

    def batches(
        self, pose: Pose, indices: Sequence[gpu.types.GPUIndexBuf], other: Pose | None = None
    ) -> list[gpu.types.GPUBatch]:
        """Batches that draw the triangles of each of `indices` in `pose`.

        They have the vertex attributes position, normal, uv, turns, outlines, and, with `other`, that pose's positions.
        """
        positions, fixed = self._load(pose)
        extra = _filled("other", other) if other is not None else None
        batches = []
        for one in indices:
            batch = gpu.types.GPUBatch(type="TRIS", buf=positions, elem=one)
            batch.vertbuf_add(fixed)
            if extra is not None:
                batch.vertbuf_add(extra)
            batches.append(batch)
        return batches

    def _load(self, pose: Pose) -> tuple[gpu.types.GPUVertBuf, gpu.types.GPUVertBuf]:
        if self._loaded is None or self._loaded[0] is not pose:
            fixed = self._fixed if pose.uvs is None else self._upload_fixed(pose.uvs)
            self._loaded = pose, _filled("position", pose), fixed
        return self._loaded[1:]


def outside(actor: Actor, views: Collection[Camera]) -> NDArray[np.bool_]:
    """(n, 4) whether a vertex, in every pose and from each of `views`, is beyond the frame's left, right, low, high edge.

    A triangle whose corners are all beyond one edge cannot be seen. What can move may be anywhere.
    """
    moved = actor.movable
    still = np.flatnonzero(~moved)
    found = np.zeros((len(moved), 4), bool)
    found[still] = True
    for camera in views:
        places = camera.project(actor.rest.positions[still], 1)
        ahead = camera.distance_to(actor.rest.positions[still]) > camera.near
        beyond = np.column_stack([places < -_MARGIN, places > 1 + _MARGIN])
        found[still] &= beyond & ahead[:, None]
    return found


def _filled(name: str, pose: Pose) -> gpu.types.GPUVertBuf:
    buffer = gpu.types.GPUVertBuf(_format((name, 3)), len(pose.positions))
    buffer.attr_fill(name, pose.positions)
    return buffer


def _format(*attributes: tuple[str, int]) -> gpu.types.GPUVertFormat:
    form = gpu.types.GPUVertFormat()
    for name, length in attributes:
        form.attr_add(id=name, comp_type="F32", len=length, fetch_mode="FLOAT")
    return form

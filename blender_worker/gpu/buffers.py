"""An actor on the graphics card: the vertex buffers, indices and textures that all passes over it share."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import gpu
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.character.actor import Actor, Directions, Pose, Run
from blender_worker.character.ramps import Ramp
from blender_worker.character.surface import LEAST_ALPHA, Look, Map, Surface
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
    hull: gpu.types.GPUIndexBuf
    texture: gpu.types.GPUTexture
    ramp: gpu.types.GPUTexture
    ramped: bool
    """Whether the ramp is anything but white throughout."""
    sphere: gpu.types.GPUTexture
    detail: dict[str, gpu.types.GPUTexture]
    """The textures of the surface's details, by the names of `Detail`; empty where it has no details."""
    cutoff: float
    """Alpha under which a texel is cut out and over which it is opaque; -1 blends."""
    covered: bool
    """Whether no texel is transparent, nor any vertex."""

    def is_solid(self, look: Look) -> bool:
        """Whether nothing of the surface is cut out or shines through, when it looks like this."""
        return self.surface.opaque or (self.covered and look.colour[3] >= 1.0)

    def is_invisible(self, look: Look) -> bool:
        """Whether all of the surface is too transparent to be drawn, when it looks like this."""
        return not self.surface.opaque and look.colour[3] < max(self.cutoff, LEAST_ALPHA)


class Geometry:
    """The buffers of one actor."""

    def __init__(self, actor: Actor, camera: Camera, size: int, views: Collection[Camera] | None = None) -> None:
        """`size` is the side in pixels that is drawn on; textures are reduced to what `camera` sees of them there.

        `views` are all the cameras that will ever be used; None for any.
        """
        self._actor = actor
        self._outside = outside(actor, views) if views is not None else None
        self._white = upload(np.full((1, 1, 4), 255, np.uint8))
        self._holed: set[Map | None] = set()
        """The maps that are transparent somewhere."""
        self._textures = self._upload_textures(camera, size)
        self._ramps: dict[bytes, gpu.types.GPUTexture] = {}
        self._fixed = self._upload_fixed(actor.vertices.uvs, actor.vertices.directions)
        detailed = any(surface.detail is not None for surface in actor.surfaces)
        self._detail = self._upload_detail(actor.vertices.second_uvs, actor.vertices.tangents) if detailed else None
        self.runs = [self._upload_run(run) for run in actor.runs]
        self._loaded: tuple[Pose, list[gpu.types.GPUVertBuf]] | None = None

    def _upload_textures(self, camera: Camera, size: int) -> dict[Map, gpu.types.GPUTexture]:
        actor = self._actor
        screen = camera.project(actor.rest.positions, size)
        densities: dict[Map, list[NDArray[np.float64]]] = {}
        for run in actor.runs:
            for one in actor.surfaces[run.surface].placed:
                second = actor.vertices.second_uvs if one.second else None
                uvs = actor.vertices.uvs if second is None else second
                found = texel_density(run.triangles, one.texture, uvs, screen, size)
                densities.setdefault(one, []).append(found)
        uploaded = {}
        for one, seen in densities.items():
            pixels = reduced(one, seen)
            uploaded[one] = upload(pixels, one.wrap, one.smooth, one.data)
            if (pixels[..., 3] < 255).any():
                self._holed.add(one)
        for surface in actor.surfaces:
            for ball in surface.balls:
                if ball not in uploaded:
                    uploaded[ball] = upload(ball.texels(max(ball.texture.pixels.shape) / size), ball.wrap, ball.smooth)
        return uploaded

    def _upload_fixed(self, uvs: NDArray[np.float32], directions: Directions) -> gpu.types.GPUVertBuf:
        """All of the vertices but their positions."""
        vertices = self._actor.vertices
        form = _format(("normal", 3), ("uv", 2), ("turns", 1), ("outlines", 1), ("hull", 3))
        buffer = gpu.types.GPUVertBuf(form, len(vertices.positions))
        for name, values in (
            ("normal", directions.normals),
            ("uv", uvs),
            ("turns", vertices.turns),
            ("outlines", vertices.outlines),
            ("hull", directions.hulls),
        ):
            buffer.attr_fill(name, np.ascontiguousarray(values, np.float32))
        return buffer

    def _upload_detail(
        self, second_uvs: NDArray[np.float32] | None, tangents: NDArray[np.float32] | None
    ) -> gpu.types.GPUVertBuf:
        """What the vertices of surfaces with details have besides: white, and no coordinates, where there is none of it."""
        vertices = self._actor.vertices
        count = len(vertices.positions)
        buffer = gpu.types.GPUVertBuf(_format(("tint", 4), ("second_uv", 2), ("tangent", 4)), count)
        tints = np.ones((count, 4), np.float32) if vertices.colours is None else vertices.colours
        buffer.attr_fill("tint", np.ascontiguousarray(tints, np.float32))
        places = np.zeros((count, 2), np.float32) if second_uvs is None else second_uvs
        buffer.attr_fill("second_uv", np.ascontiguousarray(places, np.float32))
        along = np.zeros((count, 4), np.float32) if tangents is None else tangents
        buffer.attr_fill("tangent", np.ascontiguousarray(along, np.float32))
        return buffer

    def _upload_run(self, run: Run) -> DrawRun:
        surface = self._actor.surfaces[run.surface]
        kept = self._kept(run.triangles)
        indices = gpu.types.GPUIndexBuf(type="TRIS", seq=np.ascontiguousarray(run.triangles[kept]))
        hull = indices
        if run.hull is not None:
            hull = gpu.types.GPUIndexBuf(type="TRIS", seq=np.ascontiguousarray(run.hull[self._kept(run.hull)]))
        return DrawRun(
            run=run,
            kept=kept,
            surface=surface,
            indices=indices,
            hull=hull,
            texture=self._texture(surface.base),
            ramp=self._ramp(surface.ramp),
            ramped=bool((surface.ramp != 1).any()),
            sphere=self._texture(surface.sphere),
            detail={}
            if surface.detail is None
            else {
                "emission": self._texture(surface.detail.emission),
                "shade": self._texture(surface.detail.shade),
                "rim": self._texture(surface.detail.rim),
                "matcap": self._texture(surface.detail.matcap),
                "shift": self._texture(surface.detail.shift),
                "normal": self._texture(surface.detail.normal),
            },
            cutoff=0.0 if surface.opaque else -1.0 if surface.cutoff is None else surface.cutoff,
            covered=surface.base not in self._holed and not (surface.detail is not None and surface.detail.coloured),
        )

    def _kept(self, triangles: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(m,) which of (m, 3) triangles may be seen."""
        if self._outside is None:
            return np.ones(len(triangles), bool)
        one, two, three = triangles.T
        return np.asarray((self._outside[one] & self._outside[two] & self._outside[three]) == 0)

    def _texture(self, one: Map | None) -> gpu.types.GPUTexture:
        return self._white if one is None else self._textures[one]

    def _ramp(self, ramp: Ramp) -> gpu.types.GPUTexture:
        key = ramp.tobytes()
        if key not in self._ramps:
            self._ramps[key] = upload_ramp(ramp)
        return self._ramps[key]

    def batches(
        self, pose: Pose, indices: Sequence[gpu.types.GPUIndexBuf], other: Pose | None = None
    ) -> list[gpu.types.GPUBatch]:
        """Batches that draw the triangles of each of `indices` in `pose`.

        They have the vertex attributes position, normal, uv, turns, outlines, hull, where a surface has details also tint,
        second_uv and tangent, and, with `other`, that pose's positions.
        """
        positions, *more = self._load(pose)
        if other is not None:
            more.append(_filled("other", other))
        batches = []
        for one in indices:
            batch = gpu.types.GPUBatch(type="TRIS", buf=positions, elem=one)
            for each in more:
                batch.vertbuf_add(each)
            batches.append(batch)
        return batches

    def _load(self, pose: Pose) -> list[gpu.types.GPUVertBuf]:
        if self._loaded is None or self._loaded[0] is not pose:
            buffers = [_filled("position", pose), self._fixed]
            rest = self._actor.vertices
            directions = pose.directions or rest.directions
            if pose.uvs is not None or pose.directions is not None:
                buffers[1] = self._upload_fixed(rest.uvs if pose.uvs is None else pose.uvs, directions)
            if self._detail is not None:
                buffers.append(self._detail)
                if pose.second_uvs is not None or directions.tangents is not rest.tangents:
                    second = rest.second_uvs if pose.second_uvs is None else pose.second_uvs
                    buffers[-1] = self._upload_detail(second, directions.tangents)
            self._loaded = pose, buffers
        return self._loaded[1]


def outside(actor: Actor, views: Collection[Camera]) -> NDArray[np.uint8]:
    """(n,) beyond which of the frame's left, top, right, low edges a vertex is, in every pose and from each of `views`: a bit
    each.

    A triangle whose corners are all beyond one edge cannot be seen. What can move may be anywhere.
    """
    moved = actor.movable
    still = np.flatnonzero(~moved)
    beyond = np.full(len(still), 0b1111, np.uint8)
    for camera in views:
        places = camera.project(actor.rest.positions[still], 1)
        ahead = camera.distance_to(actor.rest.positions[still]) > camera.near
        across, down = places.T
        edges = (across < -_MARGIN, down < -_MARGIN, across > 1 + _MARGIN, down > 1 + _MARGIN)
        beyond &= sum((edge & ahead).astype(np.uint8) << bit for bit, edge in enumerate(edges))
    found = np.zeros(len(moved), np.uint8)
    found[still] = beyond
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

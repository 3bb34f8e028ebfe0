"""The actor's vertices as plain meshes in a scene of their own, for Blender's engine Eevee.

A mesh for every run is filled with the posed vertices, so that all formats, morphs and overlays look as in the forward
canvas. No shader is built again after the first picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.canvases.detail_nodes import BITANGENT, PLACE, SECOND_PLACE, TANGENT
from blender_worker.canvases.materials import NORMAL, TINT, PuppetMaterials, set_scene
from blender_worker.character.actor import Actor, Directions, Pose, Vertices
from farm.models.posing.turns import Turn
from farm.styles.style import Style

_STEP, _MOST = 5e-6, 1e-3
"""Of the way to the camera: how far each run is moved there before the one drawn before it, and all of them at most, so
that overlays that lie exactly on a surface are seen, as they are in MikuMikuDance. At 2e-6 some dots still show through."""
_BEHIND = np.float32(1e-3)
"""Of the way to the camera: how far outlines lie behind, as they do in the forward canvas."""
_THICKEST = 2.0
"""Outlines are at most so many times as thick as the style says."""


@dataclass(slots=True)
class _Sheet:
    """A mesh object that shows some of the vertices."""

    mesh: bpy.types.Mesh
    vertices: NDArray[np.int32]
    """(k,)"""
    share: np.float32
    """How far it is moved, of the way to the camera."""


@dataclass(slots=True)
class _Hull:
    """An outline: a sheet turned inside out."""

    sheet: _Sheet
    surface: int
    folded: bool = True
    """Whether all of its vertices are at one point, where nothing of it is drawn."""


class Puppet:
    """One actor's meshes and materials. Let go of it before the scene is emptied."""

    def __init__(self, actor: Actor, styles: Sequence[Style], size: int) -> None:
        """`size` is the picture's side in pixels."""
        self._actor, self._styles, self._size = actor, list(styles), size
        self.scene = _new_scene()
        self._materials = PuppetMaterials(actor, styles)
        outlined = any(style.outline for style in styles)
        self._sheets: list[_Sheet] = []
        self._hulls: list[_Hull] = []
        step = min(_STEP, _MOST / max(1, len(actor.runs)))
        for number, run in enumerate(actor.runs):
            share = np.float32(step * number)
            material = self._materials.surface(run.surface)
            self._sheets.append(self._sheet(run.triangles, material, share))
            if outlined and (self._materials.rest[run.surface].outline > 0 or run.surface in self._materials.painted):
                material = self._materials.outline(run.surface)
                hull = run.triangles if run.hull is None else run.hull
                if not len(hull):
                    continue
                sheet = self._sheet(hull[:, ::-1], material, share - _BEHIND)
                self._hulls.append(_Hull(sheet, run.surface))
        self._pose: Pose | None = None
        self._camera: Camera | None = None
        self._ways = actor.vertices.hulls
        """(n, 3) where outlines lie from the vertices, as the head is turned now."""

    @property
    def soft(self) -> bool:
        """Whether any texture is half transparent somewhere, as it is along cut-out edges."""
        return self._materials.soft

    @property
    def half_clear(self) -> bool:
        """Whether a whole surface is half transparent in the present pose."""
        return self._pose is not None and self._materials.any_half_clear(self._pose.looks)

    def take(self, pose: Pose, camera: Camera) -> None:
        """Stand in `pose` before `camera`."""
        sheets = self._sheets + [hull.sheet for hull in self._hulls]
        if self._pose is None or self._pose.turn != pose.turn or self._pose.directions is not pose.directions:
            self._turn(sheets, pose)
        if pose.uvs is not None or (self._pose is not None and self._pose.uvs is not None):
            uvs = self._actor.vertices.uvs if pose.uvs is None else pose.uvs
            for sheet in sheets:
                _fill(sheet.mesh, PLACE, uvs[sheet.vertices])
        if pose.second_uvs is not None or (self._pose is not None and self._pose.second_uvs is not None):
            second = self._actor.vertices.second_uvs if pose.second_uvs is None else pose.second_uvs
            assert second is not None
            for sheet in sheets:
                _fill(sheet.mesh, SECOND_PLACE, second[sheet.vertices])
        self._pose, self._camera = pose, camera
        for sheet in self._sheets:
            self._place(sheet, pose.positions[sheet.vertices])
        self._materials.set_looks(pose.looks)

    def _turn(self, sheets: Sequence[_Sheet], pose: Pose) -> None:
        """Turn what points anywhere with the pose."""
        found = pose.directions or _turned(self._actor.vertices, pose.turn)
        self._ways = found.hulls
        filled = {NORMAL: found.normals}
        if found.tangents is not None:
            filled[TANGENT] = found.tangents[:, :3]
            filled[BITANGENT] = _unit(np.cross(found.normals, filled[TANGENT]) * found.tangents[:, 3:])
        for sheet in sheets:
            for name, way in filled.items():
                _fill(sheet.mesh, name, way[sheet.vertices])

    def wear(self, style: int, light: float) -> None:
        """Show the style of that number, under a light of that intensity. Call `take` before."""
        assert self._camera is not None
        worn = self._styles[style]
        set_scene(self.scene, light, self._materials.formulas.index(worn.shown), self._camera)
        for hull in self._hulls:
            self._draw_outline(hull, worn.outline)
        self.scene.view_layers[0].update()

    def _place(self, sheet: _Sheet, points: NDArray[np.float32]) -> None:
        """Put a sheet's vertices at `points`, a little towards the camera: on the picture they stay where they are."""
        assert self._camera is not None
        if self._camera.orthographic:
            ways = np.asarray(self._camera.axes()[2] * self._camera.distance, np.float32)
        else:
            ways = np.asarray(self._camera.position(), np.float32) - points
        _fill(sheet.mesh, "position", np.asarray(points + ways * sheet.share, np.float32))
        sheet.mesh.update()

    def _draw_outline(self, hull: _Hull, width: float) -> None:
        """An outline that is `width` pixels of a picture of 256 wide, times what the look says."""
        assert self._pose is not None
        look = self._pose.looks[hull.surface]
        # What is half transparent writes no depth in Eevee: the back of its outline would shine through it.
        drawn = width > 0 and look.outline > 0 and self._actor.surfaces[hull.surface].outline_alpha(look) > 0
        if drawn and not self._materials.half_clear(self._pose.looks, hull.surface):
            self._place(hull.sheet, self._pushed_out(hull.sheet, width * min(look.outline, _THICKEST) * 2 / 256))
            hull.folded = False
        elif not hull.folded:
            _fill(hull.sheet.mesh, "position", np.zeros((len(hull.sheet.vertices), 3), np.float32))
            hull.sheet.mesh.update()
            hull.folded = True

    def _pushed_out(self, sheet: _Sheet, distance: float) -> NDArray[np.float32]:
        """(k, 3) vertices moved `distance` half frames to where their outline lies on the picture."""
        assert self._pose is not None
        assert self._camera is not None
        camera, points = self._camera, self._pose.positions[sheet.vertices]
        screen = camera.axes()[:2].astype(np.float32)
        away = self._ways[sheet.vertices] @ screen.T
        length = np.linalg.norm(away, axis=1, keepdims=True)
        away = np.divide(away, length, out=np.zeros_like(away), where=length > 1e-6)
        if camera.orthographic:
            half_frame = np.full(len(points), camera.height / 2)
        else:
            half_frame = camera.distance_to(points) * np.tan(np.radians(camera.field_of_view) / 2)
        ways = distance * half_frame * self._actor.vertices.outlines[sheet.vertices]
        return np.asarray(points + (away * ways[:, None]) @ screen, np.float32)

    def _sheet(self, triangles: NDArray[np.int32], material: bpy.types.Material, share: np.float32) -> _Sheet:
        vertices, corners = np.unique(triangles, return_inverse=True)
        mesh = bpy.data.meshes.new(material.name)
        mesh.vertices.add(len(vertices))
        mesh.loops.add(triangles.size)
        mesh.loops.foreach_set("vertex_index", corners.ravel().astype(np.int32))
        mesh.polygons.add(len(triangles))
        mesh.polygons.foreach_set("loop_start", np.arange(0, triangles.size, 3, dtype=np.int32))
        relief = (TANGENT, BITANGENT) if self._actor.vertices.tangents is not None else ()
        for name in (NORMAL, *relief):
            mesh.attributes.new(name, "FLOAT_VECTOR", "POINT")
        mesh.attributes.new(PLACE, "FLOAT2", "POINT")
        _fill(mesh, PLACE, self._actor.vertices.uvs[vertices])
        if (places := self._actor.vertices.second_uvs) is not None:
            mesh.attributes.new(SECOND_PLACE, "FLOAT2", "POINT")
            _fill(mesh, SECOND_PLACE, places[vertices])
        if (tints := self._actor.vertices.colours) is not None:
            mesh.attributes.new(TINT, "FLOAT_COLOR", "POINT")
            mesh.attributes[TINT].data.foreach_set("color", np.ascontiguousarray(tints[vertices]).ravel())
        mesh.materials.append(material)
        mesh.update(calc_edges=False)
        self.scene.collection.objects.link(bpy.data.objects.new(material.name, mesh))
        return _Sheet(mesh, vertices.astype(np.int32), share)


def _new_scene() -> bpy.types.Scene:
    """A scene for emission alone on a transparent ground."""
    scene = bpy.data.scenes.new("puppet")
    scene.render.engine = "BLENDER_EEVEE"
    scene.render.film_transparent = True
    scene.render.dither_intensity = 0.0  # noise against banding; pictures are to be equal from run to run
    scene.view_settings.view_transform = "Standard"
    scene.eevee.use_shadows = False
    # Nothing here reflects the world, and without one Eevee works out what it would cast at a resolution of 1,024: two
    # seconds of software OpenGL for each character.
    scene.world = bpy.data.worlds.new("puppet")
    scene.world.color = (0.0, 0.0, 0.0)
    scene.world.probe_resolution = "128"
    return scene


def _fill(mesh: bpy.types.Mesh, attribute: str, values: NDArray[np.float32]) -> None:
    """Set all of a mesh's attribute: (vertices, 2 or 3)."""
    mesh.attributes[attribute].data.foreach_set("vector", np.ascontiguousarray(values, np.float32).ravel())


def _turned(vertices: Vertices, turn: Turn) -> Directions:
    """The directions at rest, each turned by its vertex's share of the head's rotation."""
    axis, w, shares = np.array(turn[:3], np.float32), np.float32(turn[3]), vertices.turns[:, None]

    def turned(ways: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(ways + shares * 2 * np.cross(axis, np.cross(axis, ways) + w * ways), np.float32)

    rest, tangents = vertices.directions, vertices.tangents
    if tangents is not None:
        tangents = np.column_stack([turned(tangents[:, :3]), tangents[:, 3:]])
    return Directions(turned(rest.normals), turned(rest.hulls), tangents)


def _unit(ways: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 3) of length 1, as the normals are that they were made of."""
    return np.asarray(ways / np.linalg.norm(ways, axis=1, keepdims=True).clip(1e-6), np.float32)

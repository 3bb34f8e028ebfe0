"""The Eevee canvas, the reference: the paper's engine in an off-screen viewport that lives on between images."""

from collections.abc import Sequence

import bpy
import gpu
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.canvases.filters import resolve
from blender_worker.canvases.puppet import Puppet
from blender_worker.character.actor import Actor, Pose
from farm.styles.style import Style

_HARD, _SOFT, _HALF_CLEAR = 1, 4, 16
"""Samples a drawn pixel: with nothing transparent, with soft edges in textures, with a surface that is half transparent
as a whole. Eevee draws such a surface in a share of the samples."""


class EeveeCanvas:
    """A `canvas.Canvas`: draws one actor."""

    def __init__(self, actor: Actor, styles: Sequence[Style], size: int, supersample: int) -> None:
        self._supersample, self._large = supersample, size * supersample
        self._styles = list(styles)
        self._puppet = Puppet(actor, styles, size)
        self._space, self._region = _viewport()
        self._screen = gpu.types.GPUOffScreen(self._large, self._large, format="RGBA16F")

    def draw(self, pose: Pose, camera: Camera, light: float) -> list[NDArray[np.uint8]]:
        """A (size, size, 4) picture for each style, top row first."""
        self._puppet.take(pose, camera)
        samples = _HALF_CLEAR if self._puppet.half_clear else _SOFT if self._puppet.soft else _HARD
        self._puppet.scene.eevee.taa_samples = samples
        return [self._draw(number, camera, light) for number in range(len(self._styles))]

    def _draw(self, style: int, camera: Camera, light: float) -> NDArray[np.uint8]:
        self._puppet.wear(style, light)
        self._screen.draw_view3d(
            self._puppet.scene,
            self._puppet.scene.view_layers[0],
            self._space,
            self._region,
            Matrix(camera.view().tolist()),
            Matrix(camera.projection().tolist()),
            do_color_management=False,
            draw_background=False,
        )
        data = np.array(self._screen.texture_color.read(), np.float32).reshape(self._large, self._large, 4)
        return resolve(data[::-1], self._supersample)


def _viewport() -> tuple[bpy.types.SpaceView3D, bpy.types.Region]:
    """A 3D view of the start-up file, set to show a scene as it is rendered. It is never on a screen."""
    area = next(area for screen in bpy.data.screens for area in screen.areas if area.type == "VIEW_3D")
    space = area.spaces.active
    space.shading.type = "RENDERED"
    space.shading.use_scene_lights_render = True
    space.shading.use_scene_world_render = True
    space.overlay.show_overlays = False
    return space, next(region for region in area.regions if region.type == "WINDOW")

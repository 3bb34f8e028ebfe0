"""The final canvas: what everybody does, `bpy.ops.render.render` with many samples and a file for every image.

It shares the Eevee canvas's puppet. It is the baseline of the benchmark and the picture that the others are held against.
"""

from collections.abc import Sequence
from math import radians
from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray
from PIL import Image

from blender_worker.camera import Camera
from blender_worker.canvases.puppet import Puppet
from blender_worker.character.actor import Actor, Pose
from farm.styles.style import Style

_FILTER = 1.5
"""Pixels; Blender's default."""


class FinalCanvas:
    """A `canvas.Canvas`: draws one actor."""

    def __init__(self, actor: Actor, styles: Sequence[Style], size: int, samples: int) -> None:
        self._styles = list(styles)
        self._puppet = Puppet(actor, styles, size)
        scene = self._scene = self._puppet.scene
        scene.eevee.taa_render_samples = samples
        render = scene.render
        render.filter_size = _FILTER
        render.resolution_x = render.resolution_y = size
        render.resolution_percentage = 100
        render.image_settings.file_format = "PNG"
        render.image_settings.color_mode = "RGBA"
        render.image_settings.color_depth = "8"
        scene.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        scene.collection.objects.link(scene.camera)

    def draw(self, pose: Pose, camera: Camera, light: float) -> list[NDArray[np.uint8]]:
        """A (size, size, 4) picture for each style, top row first."""
        self._aim(camera)
        self._puppet.take(pose, camera)
        with TemporaryDirectory() as folder:
            return [self._draw(number, light, Path(folder) / f"{number}.png") for number in range(len(self._styles))]

    def _aim(self, camera: Camera) -> None:
        """The same frustum as `camera.projection`."""
        data = self._scene.camera.data
        data.type = "ORTHO" if camera.orthographic else "PERSP"
        data.ortho_scale = camera.height
        data.angle = radians(camera.field_of_view)
        data.clip_start, data.clip_end = camera.near, camera.far
        self._scene.camera.matrix_world = Matrix(camera.view().tolist()).inverted()

    def _draw(self, style: int, light: float, path: Path) -> NDArray[np.uint8]:
        self._puppet.wear(style, light)
        self._scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True, scene=self._scene.name)
        with Image.open(path) as file:
            picture = np.array(file.convert("RGBA"))
        picture[picture[..., 3] == 0] = 0
        return picture

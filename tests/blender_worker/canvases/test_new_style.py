"""A style is one file: both canvases draw it, and nothing else has to be touched."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.blender
_ROOT = Path(__file__).parents[3]

_SEPIA = '''"""Old photographs."""

from farm.styles.expression import colour, maximum, power
from farm.styles.style import BASE, FACING, LIGHT, Style

STYLE = Style("sepia", "an old photograph", power(BASE, 1.4) * colour(1.0, 0.75, 0.5) * (LIGHT + maximum(FACING, 0.0)))
'''

_SCRIPT = """
import json, sys, tempfile
from pathlib import Path
import farm
from farm import pipe
from farm.dataset.similarity import ssim
from farm.mascots import write_mascots
from farm.models.package import read_model, to_bytes, unfold
from farm.spec import CanvasName, RenderSpec
from farm.drawing.blender import Blender

room = Path(tempfile.mkdtemp())
character, textures = unfold(to_bytes(read_model(write_mascots(room)[0])), room / "package")
spec = RenderSpec(styles=("flat", "sepia"), size=96)
blender = Blender()
drawn = []
for canvas in (CanvasName.FORWARD, CanvasName.EEVEE):
    shot = pipe.Shot(sample=0, partition="rotated", weights={}, rotation=(0.0, 0.0, 0.0), light=0.6)
    request = pipe.Render(character=str(character), textures={i: str(p) for i, p in textures.items()}, morphs=[],
                          canvas=canvas, styles=list(spec.styles), size=96, supersample=2, shots=[shot])
    drawn += [one.pictures for one in blender.draw(request, lambda _: None)]
blender.stop()
flat, sepia = drawn[0]
print(json.dumps({"where": farm.__file__, "alike": ssim(sepia, drawn[1][1]), "differs": ssim(sepia, flat)}))
"""


def test_a_file_in_the_styles_folder_is_a_style(tmp_path: Path) -> None:
    # GIVEN the packages with one file more
    for package in ("farm", "blender_worker"):
        shutil.copytree(_ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "farm" / "styles" / "sepia.py").write_text(_SEPIA)

    # WHEN that style is asked for
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        timeout=600,
    )

    # THEN both canvases draw it, and alike
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["where"].startswith(str(tmp_path))
    assert answer["alike"] > 0.985
    assert answer["differs"] < 0.98

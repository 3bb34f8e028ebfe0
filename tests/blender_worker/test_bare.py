"""Blender comes without what it has for people at its windows, and without the formats that it would read."""

import subprocess
import sys

import pytest

_PROGRAM = """
import sys
from blender_worker.bare import SPARED, spare

spare()
from blender_worker import scene
import bpy

scene.start()
rooms = [f"{folder}/{room}/" for folder in bpy.utils.script_paths() for room in ("startup", "addons_core")]
for name, module in sys.modules.items():
    if str(getattr(module, "__file__", "")).startswith(tuple(rooms)):
        print("loaded", name)
print("unknown", *(name for name in SPARED if type(sys.modules[name]).__module__ != "blender_worker.bare"))
print("network", *({"requests", "urllib3", "ssl", "http.client"} & sys.modules.keys()))
"""


@pytest.mark.blender
def test_blender_loads_no_add_on_and_no_client_for_any_network() -> None:
    ran = subprocess.run([sys.executable, "-P", "-c", _PROGRAM], capture_output=True, text=True, check=True)

    told = [line.split() for line in ran.stdout.splitlines() if line.startswith(("loaded", "unknown", "network"))]
    assert told == [["loaded", "bpy_site_customize"], ["unknown"], ["network"]]
    assert "Traceback" not in ran.stderr

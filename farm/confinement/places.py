"""What a confined process of ours may open before anybody's file: its program, its libraries, the graphics driver."""

import importlib.util
import os
import site
import sys
from pathlib import Path

from farm.confinement.landlock import Access

_LIBRARIES = ("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/run/opengl-driver")
_CONFIGURATION = (
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives", "fonts", "glvnd", "egl", "vulkan",
    "drirc", "OpenCL", "nvidia",
)  # fmt: skip
"""In /etc; the rest of it holds what is nobody's business."""
_KERNEL = (
    "self", "cpuinfo", "meminfo", "stat", "filesystems", "devices", "modules", "version", "driver/nvidia", "sys/kernel",
    "sys/vm",
)  # fmt: skip
"""In /proc, where other processes' memory and environment stand as well."""
_DEVICES = ("dri", "kfd", "mali0", "nvidia-caps")

PINNED = frozenset(Path("/proc", name) for name in _KERNEL)
"""Paths that `landlock.restrict` has to hold open."""


def program(*packages: str) -> dict[Path, Access]:
    """Python, its packages, the system's libraries, and `packages`, from wherever they are imported."""
    paths = {Path(name): Access.READ for name in (*_LIBRARIES, sys.prefix, sys.base_prefix, sys.exec_prefix)}
    paths |= {Path("/etc", name): Access.READ for name in _CONFIGURATION}
    paths |= dict.fromkeys(PINNED, Access.READ)
    paths |= {Path("/dev", name): Access.DEVICE for name in ("null", "zero", "full", "random", "urandom")}
    further = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    if site.ENABLE_USER_SITE:
        further.append(site.getusersitepackages())
    paths |= {Path(folder): Access.READ for folder in further if folder.startswith("/")}
    for package in packages:
        found = importlib.util.find_spec(package)
        for folder in (found.submodule_search_locations if found else None) or ():
            paths.setdefault(Path(folder).parent, Access.LIST)  # the import system looks for names
            paths[Path(folder)] = Access.READ
    return paths


def graphics() -> dict[Path, Access]:
    """What OpenGL drivers look at and speak to."""
    paths = {Path("/dev", name): Access.DEVICE for name in _DEVICES}
    paths |= dict.fromkeys(Path("/dev").glob("nvidia*"), Access.DEVICE)
    return paths | {Path("/sys"): Access.READ}

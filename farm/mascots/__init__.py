"""Two sample characters of our own, made by code: nothing in this repository is anybody else's model."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from farm.mascots.cast import MASCOTS
from farm.models.mmd.pmx_writer import pmx_bytes

__all__ = ["write_mascots"]


def write_mascots(directory: Path) -> list[Path]:
    """Writes `<directory>/<name>/<name>.pmx` and its textures for every mascot; returns the paths of the .pmx files.

    The same code writes the same bytes every time. Existing files of these names are replaced.
    """

    def write(name: str) -> Path:
        mascot = MASCOTS[name]()
        home = directory / name
        (home / "tex").mkdir(parents=True, exist_ok=True)
        for path, image in mascot.pictures.items():
            image.save(home / path, format="PNG")
        model = home / f"{name}.pmx"
        model.write_bytes(pmx_bytes(mascot.character))
        return model

    with (
        ThreadPoolExecutor() as pool
    ):  # NumPy and Pillow do nearly all of it, and leave the other thread alone meanwhile
        return list(pool.map(write, MASCOTS))

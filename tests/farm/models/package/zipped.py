"""Model files for tests, in zips and folders."""

import io
import zipfile
from pathlib import Path

from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package
from tests.farm.models import made_files as made
from tests.support.received import receive

PMX = pmx_bytes(made.small_character(textures=("tex\\Face.png", "missing.bmp", "hair.png")))
HEADLESS = pmx_bytes(made.small_character(bones=("センター",)))


def zip_of(content: dict[str, bytes]) -> bytes:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in content.items():
                file.writestr(name, data)
        return out.getvalue()


def folder_of(root: Path, content: dict[str, bytes]) -> Path:
    for name, data in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def only_model(file_name: str, data: bytes) -> Package:
    packages, refusals = receive(file_name, data)
    assert refusals == []
    (one,) = packages
    return one


MODEL = {"m.pmx": PMX, "tex/face.PNG": b"face", "hair.png": b"hair"}

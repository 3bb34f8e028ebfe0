"""What Blender is asked to draw of a model, with all that its vocabulary proposes played and annotated."""

from pathlib import Path
from typing import Any

from farm import pipe
from farm.models.package import Package, to_bytes, unfold
from tests.support.morphs import played


def request_of(package: Package, folder: Path, **asked: Any) -> pipe.Render:
    """`asked` are further fields of the request; the model's files are laid into `folder`."""
    character, textures = unfold(to_bytes(package), folder)
    annotation = played(package)
    of_model = {
        "character": str(character),
        "textures": {index: str(path) for index, path in textures.items()},
        "morphs": sorted(set(annotation.values())),
        "annotation": annotation,
    }
    return pipe.Render(**(of_model | asked))

"""Rendered folders as data sets of PyTorch, one for each task of the paper, and one for taking away what hides a face.

    faces = Faces("DIR")                        # reads the manifests, once
    train = Segmentation(faces, "train")        # opens a picture when it is asked for it
    for batch in DataLoader(train, batch_size=16, shuffle=True): ...

Source of the tasks: AnimeCeleb, arXiv 2111.07640, section 4. Only this package needs torch, and only what gives tensors
imports it: `Faces` can be had without.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from farm.torch.colorization import Colorization
    from farm.torch.deocclusion import Deocclusion
    from farm.torch.faces import Faces
    from farm.torch.harmonization import Harmonization
    from farm.torch.reenactment import Reenactment
    from farm.torch.segmentation import Segmentation

__all__ = ["Colorization", "Deocclusion", "Faces", "Harmonization", "Reenactment", "Segmentation"]


def __getattr__(name: str) -> object:
    """A class of `__all__`, from the module of its name. Raises ModuleNotFoundError where torch is missing for it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{name.lower()}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModuleNotFoundError(
            f"farm.torch.{name} needs PyTorch: pip install 'facefarm[torch]' (on Linux gigabytes, with CUDA; for the CPU "
            "alone, install torch first as pytorch.org says).",
            name="torch",
        ) from None

"""Rendered folders as data sets of PyTorch, one for each task of the paper, and one for taking away what hides a face.

    faces = Faces("DIR")                        # reads the manifests, once
    train = Segmentation(faces, "train")        # opens a picture when it is asked for it
    for batch in DataLoader(train, batch_size=16, shuffle=True): ...

Source of the tasks: AnimeCeleb, arXiv 2111.07640, section 4. Only this package needs torch.
"""

try:
    import torch as _torch  # noqa: F401 - to say at once what is missing
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "farm.torch needs PyTorch: pip install 'facefarm[torch]' (on Linux gigabytes, with CUDA; for the CPU alone, "
        "install torch first as pytorch.org says).",
        name="torch",
    ) from None

from farm.torch.colorization import Colorization
from farm.torch.deocclusion import Deocclusion
from farm.torch.faces import Faces
from farm.torch.harmonization import Harmonization
from farm.torch.reenactment import Reenactment
from farm.torch.segmentation import Segmentation

__all__ = ["Colorization", "Deocclusion", "Faces", "Harmonization", "Reenactment", "Segmentation"]

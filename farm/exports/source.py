"""What is exported: rendered models, wherever they are."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from farm.dataset.manifest import MANIFEST, read_manifest
from farm.dataset.output import RenderedModel
from farm.errors import StorageError
from farm.exports.rows import File, read


class Source(Protocol):
    """Rendered models. Its methods may be called by several threads."""

    def entries(self) -> Sequence[str]:
        """What the models are called here, each once. Raises StorageError when there is none."""

    def surveyed(self, entry: str) -> tuple[RenderedModel, bytes | None]:
        """A model, without its pictures if those cost something, and its neutral face (PNG) in the plainest style."""

    def at_hand(self, entries: Sequence[str]) -> AbstractContextManager[Iterator[RenderedModel]]:
        """The models as folders on this machine for as long as the context lasts, each read when it is asked for."""


def plainest(styles: Sequence[str]) -> str:
    """The style in which faces are compared: the one without light, if it was drawn."""
    return "flat" if "flat" in styles else styles[0]


class FolderSource:
    """The folder that ``farm render --out`` left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def entries(self) -> Sequence[str]:
        found = sorted(path.parent.name for path in self._folder.glob(f"*/{MANIFEST}"))
        if not found:
            raise StorageError(
                f"{self._folder} holds no rendered models; make some with `farm render PATH --out {self._folder}`."
            )
        return found

    def surveyed(self, entry: str) -> tuple[RenderedModel, bytes | None]:
        model = self._model(entry)
        return model, neutral(model, plainest(model.manifest.spec.styles))

    @contextmanager
    def at_hand(self, entries: Sequence[str]) -> Iterator[Iterator[RenderedModel]]:
        yield map(self._model, entries)

    def _model(self, entry: str) -> RenderedModel:
        path = self._folder / entry / MANIFEST
        return RenderedModel(path.parent, read_manifest(path.read_bytes(), str(path)))


def neutral(model: RenderedModel, style: str) -> bytes | None:
    """The neutral face in a style (PNG); None when the model has none. Raises StorageError when it is damaged."""
    for basis in model.manifest.basis:
        if basis.style == style:
            return read(File(str(model.folder / "basis" / f"{style}.png"), basis.sha256))
    return None

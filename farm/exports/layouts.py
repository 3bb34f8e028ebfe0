"""The layouts by name; the module of one is imported when it is used, since some need large libraries."""

from importlib import import_module

from farm.errors import StorageError
from farm.exports.layout import Layout

_CLASSES = {
    "animeceleb": "AnimeCelebLayout",
    "webdataset": "WebDatasetLayout",
    "huggingface": "HuggingFaceLayout",
    "folder": "FolderLayout",
}
LAYOUTS = tuple(_CLASSES)


def layout_named(name: str) -> Layout:
    """The layout of a name. Raises StorageError where there is none: a marker may come from elsewhere."""
    if name not in _CLASSES:
        raise StorageError(f"'{name[:40]}' is no layout that is known; there are {', '.join(LAYOUTS)}.")
    layout: Layout = getattr(import_module(f"farm.exports.{name}"), _CLASSES[name])()
    return layout

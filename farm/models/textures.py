"""Finds the texture files that a model names, and never any other file.

Models come from Windows: back-slashes, any case, names in another Unicode form than the file system's. A reference is
resolved component by component among the entries that really stand in the model's folder; whatever would leave that
folder (.., absolute and UNC paths, symbolic links) is treated as absent.
"""

import unicodedata
from pathlib import Path

MAX_TEXTURE_BYTES = 64 * 2**20
_MAX_COMPONENTS = 32


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def find_texture(folder: Path, reference: str) -> Path | None:
    """The file under `folder` that `reference` (as the model writes it) names, or None."""
    parts = [part for part in reference.replace("\\", "/").split("/") if part not in ("", ".")]
    if reference.replace("\\", "/").startswith("/") or len(parts) > _MAX_COMPONENTS:
        return None
    here = folder
    for depth, part in enumerate(parts):
        if part == ".." or ":" in part or "\0" in part:
            return None
        try:
            entries = sorted(here.iterdir())
        except OSError:
            return None
        found = [entry for entry in entries if _key(entry.name) == _key(part)]
        exact = [entry for entry in found if entry.name == part]
        if not found:
            return None
        here = (exact or found)[0]
        last = depth == len(parts) - 1
        if here.is_symlink() or (last and not here.is_file()) or (not last and not here.is_dir()):
            return None
    if here == folder or here.stat().st_size > MAX_TEXTURE_BYTES:
        return None
    return here

"""What a store holds when something was rendered into it."""

import hashlib
from pathlib import Path


def results_in(folder: Path) -> dict[str, str]:
    """Every object under renders/ of a store's folder, with the hash of its bytes."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "renders").rglob("*"))
        if path.is_file()
    }

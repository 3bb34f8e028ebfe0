"""Where one Blender lives: folders of its own, an environment that was built for it, and nothing of the worker's.

Blender is asked to draw strangers' models. What it can see is listed here; what it then gives up for good stands in
`blender_worker.confined`.
"""

import os
import shutil
import sys
from pathlib import Path

from farm import pipe
from farm.environment import for_stranger
from farm.scratch import Scratch


class Room:
    """A Blender's folders, until `close`. Raises OSError when none can be made."""

    def __init__(self) -> None:
        self._scratch = Scratch()
        self.path = self._scratch.path
        """Where the three are, in a folder that is its user's alone."""
        self.home = self._scratch.path / "home"
        """All that it may write to, but for the shaders."""
        self.model = self._scratch.path / "model"
        """The model that it draws, to be read."""
        self.shaders = _shaders() or self.home
        """Compiled shaders, kept for the next Blender: making them anew takes a driver seconds, up to a minute."""
        self.home.mkdir()
        self.model.mkdir()

    def command(self, commands: int, answers: int, memory: int) -> list[str]:
        """How Blender is started: without code from the current folder (-P)."""
        places = map(str, (self.home, self.model, self.shaders))
        return [sys.executable, "-P", "-m", "blender_worker", str(commands), str(answers), *places, str(memory)]

    def environment(self) -> dict[str, str]:
        """All of Blender's environment. It has no setting of the farm in it, and so no secret."""
        return for_stranger() | {
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "XDG_CACHE_HOME": str(self.shaders),
            "BLENDER_USER_RESOURCES": str(self.home),
        }

    def bring(self, request: pipe.Render) -> pipe.Render:
        """The request with its files where Blender can read them. Raises OSError for one that is not there."""
        self.clear()
        character = Path(request.character)
        # Equal textures have one path, here as there: Blender reads them once.
        places = {path: index for index, path in sorted(request.textures.items(), reverse=True)}
        brought = {path: self._bring(Path(path), f"texture-{index}") for path, index in places.items()}
        clip = request.clip
        if clip is not None:
            motion = Path(clip.file)
            clip = clip.model_copy(update={"file": str(self._bring(motion, f"motion{motion.suffix}"))})
        return request.model_copy(
            update={
                "clip": clip,
                "character": str(self._bring(character, f"character{character.suffix}")),
                "textures": {index: str(brought[path]) for index, path in request.textures.items()},
            }
        )

    def _bring(self, file: Path, name: str) -> Path:
        place = self.model / name
        source = file.resolve(strict=True)
        try:
            os.link(source, place)
        except OSError:  # another file system, or one without links
            shutil.copyfile(source, place)
        return place

    def clear(self) -> None:
        """Take the model away."""
        for file in self.model.iterdir():
            file.unlink()

    @property
    def lock(self) -> int:
        """The descriptor that keeps the folders from being removed as a dead process's."""
        return self._scratch.lock

    def remove(self) -> None:
        """Remove the folders; for a process that has closed the lock."""
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Remove the folders, and close the lock."""
        self._scratch.close()


def _shaders() -> Path | None:
    """The user's folder of compiled shaders; None where there can be none."""
    try:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        folder = Path(home, "facefarm", "shaders")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        own = folder.stat().st_uid == os.geteuid() and os.access(folder, os.W_OK)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None
    return folder if own and folder.is_absolute() else None

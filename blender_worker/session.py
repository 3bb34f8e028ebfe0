"""Answers the worker: loads a model, draws its shots, sends the pictures."""

import time
import traceback
from pathlib import Path

import bpy
import gpu
import numpy as np

from blender_worker import scene
from blender_worker.artist import Artist
from blender_worker.character.actor import Actor
from blender_worker.clip import Clip
from blender_worker.importers.build import build
from farm import pipe
from farm.errors import FarmError, RenderError
from farm.models.package import read_character
from farm.wording import gathered


def serve(commands: int, answers: int, lacking: dict[str, str]) -> None:
    """Answer commands until the worker closes the pipe; `lacking` is what `confine` could not do."""
    gpu.init()
    scene.start()
    renderer, version = gpu.platform.renderer_get(), bpy.app.version_string
    pipe.send(answers, pipe.Ready(renderer=renderer, blender=version, lacking=lacking))
    try:
        while True:
            command, _ = pipe.receive(commands)
            if isinstance(command, pipe.Render):
                _render(command, commands, answers)
    except pipe.Closed:
        pass


def _load(command: pipe.Render) -> tuple[Actor, Clip | None]:
    path = Path(command.character)
    files = {file: Path(file).read_bytes() for file in set(command.textures.values())}
    textures = {index: files[file] for index, file in command.textures.items()}
    character = read_character(path.suffix, path.read_bytes())
    for index, name in command.names.items():
        if index >= len(character.morphs) or character.morphs[index].name != name:
            raise RenderError(
                f"Morph {index} of the model is not '{name}', as its annotation says: it was made for another file. Upload "
                "the model again and annotate it anew."
            )
    if command.clip is None:
        made = build(character, textures, command.morphs, command.halves, command.movements, rest=command.rest_pose)
        return made, None
    clip = Clip(command.clip, character, command.annotation, command.camera.framing)
    wanted = [*command.morphs, *sorted(clip.played - {*command.morphs})]
    actor = build(character, textures, wanted, command.halves, command.movements, clip.stirred)
    actor.anchor, actor.extras = clip.anchor, clip.played - {*command.morphs}
    actor.warnings += clip.warnings
    return actor, clip


def _render(command: pipe.Render, commands: int, answers: int) -> None:
    try:
        _draw(command, commands, answers)
    except FarmError as error:
        pipe.send(answers, pipe.Failed(code=error.code, message=str(error)))
    except pipe.Closed:
        raise
    except Exception as error:  # noqa: BLE001 - one odd model must not cost the process, nor three attempts
        traceback.print_exc()  # into the log that the worker keeps
        sentence = (
            f"Blender could not draw the model ({type(error).__name__}: {error}). Please report it, with the model."
        )
        pipe.send(answers, pipe.Failed(code=RenderError.code, message=sentence))
    finally:
        # By now nothing of Python's holds a texture of the scene any more: freeing one after its image is a crash.
        scene.clear()


def _draw(command: pipe.Render, commands: int, answers: int) -> None:
    started = time.perf_counter()
    actor, clip = _load(command)
    artist = Artist(actor, command, clip)
    pipe.send(
        answers,
        pipe.Loaded(
            warnings=gathered(actor.warnings),
            survey=artist.survey,
            unseen=artist.unseen,
            unworn=artist.unworn,
            part_rules=artist.part_rules,
            clip=clip and clip.found(actor.skeleton),
            blender=bpy.app.version_string,
            seconds=time.perf_counter() - started,
        ),
    )
    wanted, _ = pipe.receive(commands)
    if not isinstance(wanted, pipe.Draw):
        raise pipe.Closed  # a worker that does not match
    for index, shot in enumerate(wanted.shots):
        drawing = artist.draw(shot)
        payload = (np.ascontiguousarray(array) for array in (*drawing.pictures, *drawing.arrays))
        pipe.send(answers, pipe.Pictures(shot=index, seconds=drawing.seconds, marks=drawing.marks), *payload)
    pipe.send(answers, pipe.Finished())

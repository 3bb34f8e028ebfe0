"""What Blender is asked for a plan."""

from collections.abc import Mapping
from pathlib import Path

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.drawing.plan import Plan


def request_for(
    assignment: Assignment, todo: Plan, character: Path, textures: Mapping[int, Path], motion: Path | None = None
) -> pipe.Render:
    """All shots of `todo`, the plan if every morph that it takes shows; `character` and `textures` are what
    `farm.models.package.unfold` leaves, `motion` is the file of a clip's."""
    spec, cast = assignment.spec, assignment.annotation | todo.annotation
    morphs = set(todo.morphs)
    if spec.labels and not spec.space.targets:
        morphs |= {ref.index for ref in cast.values()}  # nothing plays them, but they tell where eyes and mouth are
    return pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=sorted(morphs),
        halves=todo.halves,
        movements=todo.movements,
        bends=spec.space.bends if todo.movements else {},
        rest_pose=spec.stance,
        names={
            morph.index: morph.name for morph in (*cast.values(), *assignment.named.values()) if morph.index in morphs
        },
        annotation={target: morph.index for target, morph in cast.items()},
        canvas=spec.canvas,
        camera=spec.camera,
        occluders=list(spec.occluders),
        styles=list(spec.styles),
        labels=list(spec.labels),
        size=spec.size,
        supersample=spec.supersample,
        clip=pipe.Clip(file=str(motion), motion=spec.motion) if spec.motion is not None else None,
        shots=todo.shots,
    )

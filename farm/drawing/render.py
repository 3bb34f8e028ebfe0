"""Renders one model: from its package and a specification to a stored result.

Nothing here knows of jobs: it takes an assignment, draws, packs and uploads, and reports progress through a function.
The manifest goes up last, so a crash at any point leaves either a whole result or none. What was drawn before a crash or
an interruption stands in checkpoints, and is not drawn again.
"""

import logging
import time
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from farm import pipe
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, Manifest, result_object
from farm.dataset.usability import KEEP_IT, reasons_against
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender, Drawn
from farm.drawing.checkpoints import Checkpoints
from farm.drawing.encoding import encoded
from farm.drawing.grounds import Grounds
from farm.drawing.packing import Packer
from farm.drawing.plan import Plan, plan
from farm.drawing.request import request_for
from farm.errors import BlenderDiedError, FarmError, UnusableModelError
from farm.models.package import unfold
from farm.morphs.annotation import resolve
from farm.motion.reading import unfold_motion
from farm.poses import NEUTRAL, Partition
from farm.spaces.casting import named_morphs
from farm.spec import AnnotationRule, StyleName
from farm.storage import ObjectStore

log = logging.getLogger(__name__)


class Interrupted(FarmError):
    """The work is to stop here, and what is drawn is to be kept: a `Reporter` or `Blender.interrupt` brings it."""

    def __init__(self, sentence: str, code: str = "interrupted") -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reporter:
    """How the renderer tells the outside what happens; every function may raise to stop the work."""

    images: Callable[[int], None]
    """Called with the number of images drawn so far."""
    stage: Callable[[str, float], None]
    """Called with the name of a stage and the seconds that it took."""
    drawn: Callable[[StyleName, Partition], None]
    """Called for every image."""
    planned: Callable[[int], None] = lambda samples: None
    """Called with the number of samples of the result once it is known, before the first image."""


def render(assignment: Assignment, store: ObjectStore, blender: Blender, report: Reporter) -> Manifest:
    """Draw `assignment` and store the result; its manifest.

    Raises ModelError, MotionError, MappingError or RenderError when the model, its motion or its annotation is at fault,
    BlenderDiedError, BlenderStartError and ServiceError when none is, and whatever a function of `report` raises. When it is
    interrupted, and when Blender died, what is drawn is kept first: another call, anywhere, draws the rest, and the result is
    the same to the byte.
    """
    with TemporaryDirectory(prefix="farm-render-") as folder, ExitStack() as stack:
        room, spec = Path(folder), assignment.spec
        catalog = Catalog(store)
        inventory = catalog.inventory(assignment.model)
        of_face = bool(spec.space.targets)  # a space of bodies alone asks for no morph, nor for a face that shows them
        confirmed = spec.annotation is AnnotationRule.CONFIRMED and of_face
        if confirmed and not assignment.annotation and not spec.keep_unusable:
            raise UnusableModelError(
                "Nobody has confirmed which morph of the model plays which target, and only confirmed ones count here. "
                "Inspect it (/v1/annotations), then submit it again; or ask for `annotation: proposals`."
            )
        morphs = inventory.source_morphs()
        annotation = resolve(assignment.annotation, morphs)
        named = named_morphs(spec.space, morphs, annotation)
        assignment = replace(assignment, annotation=annotation, named=named)

        def planned(message: pipe.Loaded) -> Plan:
            frames = message.clip.frames if message.clip else None
            return plan(assignment, inventory.rules, message.unseen, frames, message.unworn)

        doubted = [entry.index for entry in inventory.morphs if of_face and entry.denied and entry.moved]
        asked = plan(assignment, inventory.rules)
        packer = stack.enter_context(closing(Packer(assignment, asked, room)))
        checkpoints = stack.enter_context(closing(Checkpoints(store, assignment, packer, room, planned)))
        kept = checkpoints.resume()
        # What Blender says of the model counts when it is said first: all shots of a result follow one plan.
        answers = [] if kept is None else [kept]
        begin = packer.taken
        if kept is not None:
            log.info("%s: %d of %d shots were drawn before", assignment.render_key, begin, len(packer.todo.shots))
            report.planned(len(packer.todo.samples))
            report.images(packer.images)
            asked = packer.todo if packer.todo.beyond(asked) else asked
        unseen: set[int] = set()
        settled = False

        def rest() -> list[pipe.Shot]:
            return packer.todo.shots[begin:]

        def loaded(message: pipe.Loaded) -> list[pipe.Shot]:
            nonlocal asked, settled
            report.stage("load", message.seconds)
            unseen.update(message.unseen)
            message = message.model_copy(update={"unseen": sorted(unseen)})
            if not answers and (todo := planned(message)).beyond(asked):
                asked = todo
                return []
            settled = True
            reasons = reasons_against(message.survey)
            if reasons and not spec.keep_unusable:
                raise UnusableModelError(f"{' '.join(reasons)} {KEEP_IT}")
            if not answers:
                packer.follow(planned(message))
                report.planned(len(packer.todo.samples))
            answers.append(message)
            return rest()

        def drawings(files: tuple[Path, Mapping[int, Path]], motion: Path | None) -> Generator[Drawn]:
            # What stands in for a morph that shows nothing has to show itself: then the model is loaded again, with that.
            while not settled:
                request = request_for(assignment, asked, *files, motion)
                # Where nothing is annotated, what is named for a face and was denied tells whether one is to be seen.
                request = request.model_copy(
                    update={"morphs": request.morphs or doubted, "shots": request.shots[begin:]}
                )
                with closing(blender.draw(request, loaded)) as stream:
                    yield from stream

        if begin < len(packer.todo.shots):
            started = time.perf_counter()
            files = unfold(catalog.package(assignment.model), room / "package")
            motion = unfold_motion(catalog.motion(spec.motion.id), room) if spec.motion else None
            report.stage("fetch", time.perf_counter() - started)
            grounds = Grounds(assignment, catalog, room / "backgrounds")
            try:
                with ThreadPoolExecutor(2) as pool, closing(drawings(files, motion)) as stream:
                    for item, seconds in encoded(stream, pool, rest, spec, grounds):
                        shot = packer.todo.shots[packer.taken]
                        for stage, value in seconds.items():
                            report.stage(stage, value)
                        packer.add(item)
                        checkpoints.keep_up(answers[0])
                        if shot.sample != NEUTRAL.index:
                            for style in spec.styles:
                                report.drawn(style, shot.partition)
                            report.images(packer.images)
            except (Interrupted, BlenderDiedError):
                if answers:
                    checkpoints.keep_all(answers[0])
                raise
        started = time.perf_counter()
        first = answers[0]
        warnings = (*inventory.warnings, *first.warnings, *_left_out(packer.todo), *reasons_against(first.survey))
        manifest = packer.finish(store, inventory, first, warnings)
        if not store.put_new(result_object(assignment.render_key, MANIFEST), manifest.to_bytes()):
            log.info("%s: another attempt stored the same result before", assignment.render_key)
        report.stage("upload", time.perf_counter() - started)
        checkpoints.clear()
        return manifest


def _left_out(todo: Plan) -> list[str]:
    nothing = "changes nothing in the model's pictures"
    return [
        *(f"Morph '{morph.name}' {nothing}, so no sample plays '{target}'." for target, morph in todo.unseen.items()),
        *(
            f"Morph '{morph.name}' {nothing}: '{todo.annotation[target].name}' plays '{target}'."
            for target, morph in todo.replaced.items()
        ),
        *(f"The face shows too little for '{name}' to be put on it, so no sample wears that." for name in todo.unworn),
    ]

"""Renders one model: from its package and a specification to a stored result.

Nothing here knows of queues: it takes a job's content, draws, packs and uploads, and reports progress through a
function. The manifest goes up last, so a crash at any point leaves either a whole result or none.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from farm import pipe
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, result_object
from farm.dataset.usability import reasons_against
from farm.errors import UnusableModelError
from farm.jobs.states import Job
from farm.models.package import unfold
from farm.poses import NEUTRAL, Partition
from farm.spec import RenderSpec, StyleName
from farm.storage import ObjectStore
from farm.worker.blender import Blender
from farm.worker.encoding import encoded
from farm.worker.grounds import Grounds
from farm.worker.packing import Packer
from farm.worker.plan import plan


@dataclass(frozen=True, slots=True)
class Reporter:
    """How the renderer tells the outside what happens; every function may raise to stop the work."""

    images: Callable[[int], None]
    """Called with the number of images drawn so far."""
    stage: Callable[[str, float], None]
    """Called with the name of a stage and the seconds that it took."""
    drawn: Callable[[StyleName, Partition], None]
    """Called for every image."""


def render(job: Job, spec: RenderSpec, store: ObjectStore, blender: Blender, report: Reporter) -> tuple[str, ...]:
    """Draw `job` and store the result; the warnings that the manifest records.

    Raises ModelError or RenderError when the model is at fault, BlenderDiedError and ServiceError when it is not, and
    whatever a function of `report` raises.
    """
    with TemporaryDirectory(prefix="farm-render-") as folder, ExitStack() as stack:
        room = Path(folder)
        catalog = Catalog(store)
        started = time.perf_counter()
        character, textures = unfold(catalog.package(job.model), room / "package")
        inventory = catalog.inventory(job.model)
        report.stage("fetch", time.perf_counter() - started)
        todo = plan(job, spec, inventory.rules)
        request = pipe.Render(
            character=str(character),
            textures={index: str(path) for index, path in textures.items()},
            morphs=todo.morphs,
            annotation=job.annotation,
            canvas=spec.canvas,
            camera=spec.camera,
            styles=list(spec.styles),
            labels=list(spec.labels),
            size=spec.size,
            supersample=spec.supersample,
            shots=todo.shots,
        )
        warnings = list(inventory.warnings)
        answers: list[pipe.Loaded] = []

        def loaded(message: pipe.Loaded) -> None:
            warnings.extend(message.warnings)
            answers.append(message)
            report.stage("load", message.seconds)
            reasons = reasons_against(message.survey)
            if reasons and not spec.keep_unusable:
                raise UnusableModelError(" ".join(reasons) + " To render it all the same, ask for keep_unusable.")
            warnings.extend(reasons)

        packer = stack.enter_context(closing(Packer(job, spec, todo, room)))
        grounds = Grounds(spec, job.model, catalog, room / "backgrounds")
        stream = stack.enter_context(closing(blender.draw(request, loaded)))
        pool = stack.enter_context(ThreadPoolExecutor(2))
        images = 0
        for item in encoded(stream, pool, todo.shots, spec, grounds):
            shot = todo.shots[item.drawn.shot]
            for stage, seconds in item.drawn.seconds.items():
                report.stage(stage, seconds)
            report.stage("encode", item.seconds)
            packer.add(shot, item)
            if shot.sample != NEUTRAL.index:
                for style in spec.styles:
                    report.drawn(style, shot.partition)
                images += len(spec.styles)
                report.images(images)
        started = time.perf_counter()
        manifest = packer.finish(store, inventory, answers[0], tuple(warnings))
        store.put(result_object(job.render_key, MANIFEST), manifest.to_bytes())
        report.stage("upload", time.perf_counter() - started)
        return manifest.warnings

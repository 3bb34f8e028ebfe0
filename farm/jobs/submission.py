"""Turns a list of models and a specification into a batch of jobs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from farm.catalog import Catalog, unknown_background
from farm.errors import SpecError
from farm.jobs import states
from farm.jobs.states import Job
from farm.jobs.store import Batch, JobStore, new_id
from farm.morphs.annotation import MappingTable, annotate, sampled_targets
from farm.poses import sample_count
from farm.spec import RenderSpec, render_key

MAX_MODELS = 10_000
"""Models in one batch."""
_ASKING = 16
"""Questions to the store at a time."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A model of a batch and the label that its results carry for people."""

    model: str
    name: str


def submit(
    entries: Sequence[Entry],
    spec: RenderSpec,
    table: MappingTable | None,
    name: str,
    catalog: Catalog,
    jobs: JobStore,
    enqueue: Callable[[str], None],
) -> Batch:
    """Make a batch: annotate every model, store the jobs, then put them on the queue.

    Raises NotFoundError for an unknown model or background and SpecError for a list that is empty, too long or has a
    model twice.
    """
    if not entries:
        raise SpecError("The batch has no models; name at least one.")
    if len(entries) > MAX_MODELS:
        raise SpecError(f"The batch has {len(entries)} models, over the limit of {MAX_MODELS}; split it.")
    if len({entry.model for entry in entries}) < len(entries):
        raise SpecError("The batch names a model twice; its pictures would be the same. Name it once.")
    _check_backgrounds(spec, catalog)
    batch_id = new_id()
    made = [_job(entry, batch_id, spec, table, catalog) for entry in entries]
    jobs.add_batch(batch_id, name, spec, made)
    for job in made:
        enqueue(job.id)
    return jobs.batch(batch_id)


def _check_backgrounds(spec: RenderSpec, catalog: Catalog) -> None:
    with ThreadPoolExecutor(_ASKING) as pool:  # there can be thousands, and each is a question to the store
        for background, there in zip(spec.backgrounds, pool.map(catalog.has_background, spec.backgrounds), strict=True):
            if not there:
                raise unknown_background(background)


def _job(entry: Entry, batch_id: str, spec: RenderSpec, table: MappingTable | None, catalog: Catalog) -> Job:
    morphs = catalog.inventory(entry.model).source_morphs()
    annotation = annotate(morphs, table)
    samples = spec.samples_of(sample_count(sampled_targets(annotation)))
    return Job(
        id=new_id(),
        batch=batch_id,
        model=entry.model,
        name=entry.name,
        annotation=annotation,
        samples=samples,
        images_total=spec.images_of(samples),
        render_key=render_key(entry.model, annotation, spec),
    )


def requeue_running(jobs: JobStore, enqueue: Callable[[str], None]) -> int:
    """Put every job that counts as rendering back on the queue; how many there were.

    For a farm that starts anew: no worker runs, so whatever was being rendered has lost its worker.
    """
    found = jobs.running()
    for job_id in found:
        enqueue(job_id)
    return len(found)


def cancel_batch(batch_id: str, jobs: JobStore) -> Batch:
    """Cancel every job of the batch that has not ended. Workers notice within a second. Raises NotFoundError."""
    jobs.batch(batch_id)
    for job in jobs.jobs(batch_id):
        jobs.change(job.id, states.cancel)
    return jobs.batch(batch_id)

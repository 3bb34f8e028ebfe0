"""Whose batch it is. Put behind `needs` among the dependencies of a route that changes what becomes of one."""

from typing import Annotated

from fastapi import Depends

from api.auth import PrincipalOf
from api.schemas import BatchPath, JobPath
from api.services import Services, ServicesOf
from farm.errors import ConflictError, ForbiddenError
from farm.jobs.batches import Batch
from farm.keys import Principal, Role


def _check_own(who: Principal, batch: Batch) -> None:
    """Raise ForbiddenError unless `who` asked for the batch, or may operate the farm."""
    if batch.record.owner != who.name and not who.may(Role.OPERATE):
        whose = f"is {batch.record.owner}'s" if batch.record.owner else "has no owner"
        raise ForbiddenError(
            f"Batch {batch.id} {whose}: to change what becomes of it, {who.name} needs the role {Role.OPERATE}."
        )


def _check_no_preview(who: Principal, batch: Batch) -> None:
    """Raise ConflictError for a preview that somebody else than an operator wants again.

    Ended previews are free; all that were ever cancelled, tried again at once, would go before everything else.
    """
    if batch.record.preview and not who.may(Role.OPERATE):
        raise ConflictError("A preview is not tried again. Ask for another one: what was drawn of it is found again.")


def _own_batch(batch_id: BatchPath, services: ServicesOf, who: PrincipalOf) -> Batch:
    """The batch, which is theirs to change. Raises NotFoundError, ForbiddenError."""
    batch = services.jobs.batch(batch_id)
    _check_own(who, batch)
    return batch


def _own_job(job_id: JobPath, services: ServicesOf, who: PrincipalOf) -> None:
    batch = _batch_of(services, job_id)
    _check_own(who, batch)
    _check_no_preview(who, batch)


def _batch_of(services: Services, job_id: str) -> Batch:
    return services.jobs.batch(services.jobs.job(job_id).batch)


def _no_preview_again(batch: Annotated[Batch, Depends(_own_batch)], who: PrincipalOf) -> None:
    _check_no_preview(who, batch)


OWN_BATCH = Depends(_own_batch)
"""403 for another user's batch."""
OWN_JOB = Depends(_own_job)
"""403 for a job of another user's batch, 409 for that of a preview: for trying it again."""
NO_PREVIEW_AGAIN = Depends(_no_preview_again)
"""409 for a preview: for trying it again."""

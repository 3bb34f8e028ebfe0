"""The route for previews: a look at a few samples before a full run."""

from fastapi import APIRouter

from api.auth import PrincipalOf, needs
from api.schemas import BatchView, PreviewRequest
from api.services import ServicesOf
from api.views import batch_view
from farm.jobs.batches import PRIORITIES
from farm.jobs.submission import Entry, Request
from farm.keys import Role
from farm.morphs.annotation import read_table

router = APIRouter(prefix="/v1/previews", tags=["batches"])


@router.post("", status_code=201, dependencies=[needs(Role.SUBMIT)])
def create(request: PreviewRequest, services: ServicesOf, who: PrincipalOf) -> BatchView:
    """Render the first samples of a model, before everything else that waits.

    So the previews of a user that are not drawn yet may cost a certain number of pixels, FARM_PREVIEW_MEGAPIXELS; what
    would be more is refused (429).

    No sample depends on another, so these are the very pictures with which the full run of this specification begins; of a
    clip, they are its first frames.
    """
    batch, _ = services.batches.submit(
        Request(
            entries=[Entry(request.model, request.model[:8])],
            spec=services.asked(request.spec).beginning(request.samples),
            table=read_table(request.mapping) if request.mapping is not None else None,
            name="preview",
            priority=PRIORITIES.stop - 1,
            owner=who.name,
            bound=not who.may(Role.OPERATE),
            preview=True,
        )
    )
    return batch_view(batch)

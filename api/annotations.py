"""Routes for mapping tables: which morph of a model plays which target."""

from typing import Annotated

from fastapi import APIRouter, Body

from api.annotation_views import CsvResponse
from api.auth import needs
from api.schemas import CheckedTable, ProposalsRequest
from api.services import ServicesOf
from farm.keys import Role
from farm.morphs.annotation import read_table, table_csv, table_text

router = APIRouter(prefix="/v1/annotations", tags=["annotations"], dependencies=[needs(Role.ANNOTATE)])
_CSV = "text/csv"


@router.post("/proposals", response_class=CsvResponse)
def proposals(request: ProposalsRequest, services: ServicesOf) -> CsvResponse:
    """The morph names of the models and the target proposed for each, as CSV: edit it, then submit it as `mapping`."""
    models = dict.fromkeys(request.models)
    return CsvResponse(table_csv([services.catalog.proposals(model).source_morphs() for model in models]))


@router.post("/check")
def check(table: Annotated[bytes, Body(media_type=_CSV)]) -> CheckedTable:
    """Whether an edited table can be used as `mapping`; 422 names the line of what is wrong."""
    read = read_table(table_text(table))
    rows = [*read.rows.values(), *(row for own in read.exceptions.values() for row in own.values())]
    return CheckedTable(rows=len(rows), mapped=sum(target is not None for _, target in rows))

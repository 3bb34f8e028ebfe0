"""The route by which a model is taken back for good."""

from datetime import UTC, datetime

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.auth import PrincipalOf, needs
from api.schemas import ModelPath
from api.services import ServicesOf
from farm.jobs.withdrawal import withdraw as withdraw_from_farm
from farm.keys import Role
from farm.licences.tombstones import Tombstone

router = APIRouter(prefix="/v1/models", tags=["models"])


class WithdrawalRequest(BaseModel):
    """Why a model is taken back."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(
        min_length=1, max_length=2000, pattern=r"^[^\x00]*$", description="For whoever brings the model again"
    )


class WithdrawalAnswer(BaseModel):
    """What was taken away with a model."""

    jobs_cancelled: int
    results_removed: int


@router.post("/{model_id}/withdrawal", dependencies=[needs(Role.OPERATE)])
def withdraw(
    model_id: ModelPath, request: WithdrawalRequest, services: ServicesOf, who: PrincipalOf
) -> WithdrawalAnswer:
    """Take a model back for good: its jobs are cancelled, its files, results and annotation removed, and it is kept out.

    May be asked again, and for a model that the farm does not have. What was brought home from the farm is not touched.
    """
    stone = Tombstone(model=model_id, who=who.name or "nobody", when=datetime.now(UTC), why=request.why)
    gone = withdraw_from_farm(stone, services.store, services.catalog, services.book, services.jobs)
    services.annotations.withdraw(model_id)
    return WithdrawalAnswer(jobs_cancelled=gone.cancelled, results_removed=gone.results)

"""What people say of annotations, as HTTP shows it."""

from datetime import datetime

from fastapi import Response

from api.annotation_schemas import (
    MAX_EXCEPTIONS,
    AnnotationView,
    CollectionView,
    GroupChangeView,
    GroupVerdictView,
    PlayingView,
    RecordView,
    RowView,
    RulesView,
    RuleView,
    SavedView,
    VerdictView,
)
from farm.annotations.effect import Effect, Playing
from farm.annotations.groups import Collection, GroupEntry, GroupState
from farm.annotations.tables import Row, Rows
from farm.annotations.verdicts import AnnotationRecord
from farm.morphs.annotation import sampled_targets
from farm.poses import sample_count
from farm.spec import AnnotationRule


class CsvResponse(Response):
    """A table."""

    media_type = "text/csv"


def record_view(record: AnnotationRecord) -> RecordView:
    """A version of a record as HTTP shows it."""
    return RecordView(
        version=record.version,
        verdicts={
            target: VerdictView(
                status=verdict.status, morph=verdict.morph, who=verdict.who, when=_moment(verdict.when), why=verdict.why
            )
            for target, verdict in record.verdicts.items()
        },
        idle=list(record.idle),
        who=record.who,
        when=_moment(record.when) if record.when else None,
        why=record.why,
        restores=record.restores,
    )


def annotation_view(model: str, record: AnnotationRecord, effect: Effect) -> AnnotationView:
    """A model's annotation as HTTP shows it."""
    return AnnotationView(
        model=model,
        record=record_view(record),
        targets={target: _playing_view(playing) for target, playing in effect.targets.items()},
        rule=rules_of(effect),
        pictured=effect.pictured,
    )


def saved_view(model: str, record: AnnotationRecord, before: Effect, after: Effect, saved: bool) -> SavedView:
    """A model's annotation after a change, as HTTP shows it."""
    view = annotation_view(model, record, after)
    return SavedView(**dict(view), saved=saved, before=rules_of(before))


def rules_of(effect: Effect) -> RulesView:
    """What the paper's rule makes of an annotation, by what counts."""

    def rule(counting: AnnotationRule) -> RuleView:
        targets = sampled_targets(effect.annotation(counting, 0.0))
        return RuleView(target_morphs=len(targets), samples=sample_count(targets))

    return RulesView(proposals=rule(AnnotationRule.PROPOSALS), confirmed=rule(AnnotationRule.CONFIRMED))


def _playing_view(playing: Playing) -> PlayingView:
    said = playing.said
    return PlayingView(
        morph=playing.morph,
        status=playing.status,
        origin=playing.origin,
        confidence=playing.confidence,
        who=said.who if said else "",
        when=_moment(said.when) if said else None,
        why=said.why if said else "",
    )


def collection_view(collection: Collection, rows: Rows, state: GroupState, inspected: int) -> CollectionView:
    """A collection as HTTP shows it."""
    return CollectionView(
        name=collection.name,
        models=len(collection.models),
        who=collection.who,
        when=_moment(collection.when),
        version=state.version,
        names=len(rows.sorted),
        decided=rows.decided(state),
        inspected=inspected,
        unseen=len(rows.digest.unseen),
    )


def row_view(row: Row, state: GroupState) -> RowView:
    """A row of a collection's table as HTTP shows it."""
    verdict = state.of(row.key)
    standing = verdict if verdict is not None and verdict.decided else None
    exceptions = row.exceptions(standing) if standing else []
    return RowView(
        id=row.id,
        name=row.name,
        reading=row.reading,
        panel=row.panel,
        kinds=list(row.kinds),
        models=row.models,
        proposal=row.proposal(),
        proposals=dict(sorted(row.proposals.items())),
        verdict=GroupVerdictView(
            target=standing.target, who=standing.who, when=_moment(standing.when), why=standing.why
        )
        if standing
        else None,
        version=verdict.version if verdict else 0,
        exceptions=exceptions[:MAX_EXCEPTIONS],
        exceptions_total=len(exceptions),
    )


def change_view(entry: GroupEntry) -> GroupChangeView:
    """A change of a collection's verdicts as HTTP shows it."""
    kept = {"name", "panel", "target", "decided", "exceptions", "replaces", "restores"}
    return GroupChangeView(
        version=entry.version,
        who=entry.who,
        when=_moment(entry.when),
        why=entry.why,
        verdicts=[verdict.model_dump(mode="json", include=kept) for verdict in entry.verdicts],
    )


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)

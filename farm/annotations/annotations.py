"""What the farm takes for a model's annotation: proposals of the catalog and the word of people, together."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from threading import Lock as ThreadLock

from farm.annotations.collections import Collections, applied
from farm.annotations.counting import counting, proposals_count
from farm.annotations.digest import Digest, digest_in, digest_of
from farm.annotations.effect import Effect, effect
from farm.annotations.groups import GroupState
from farm.annotations.journal import Lock
from farm.annotations.records import AnnotationRecords
from farm.annotations.tables import Rows
from farm.annotations.verdicts import NOTHING_SAID, AnnotationRecord
from farm.catalog import Catalog
from farm.errors import NotFoundError, OutdatedModelError, WithdrawnModelError
from farm.models.inventory import Inventory
from farm.morphs.annotation import MappingTable
from farm.morphs.decision import DECISION_VERSION
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import Annotation
from farm.spec import RenderSpec
from farm.storage import ObjectStore

_READING = 8
"""Inventories read at a time."""
_KEPT_ROWS = 32
_ROWS_SECONDS = 600.0
"""How long the rows of a collection are remembered: another replica may have forgotten a model of it."""
_UNSEEN_ROWS_SECONDS = 30.0
"""The same where workers may draw a model any moment, and so change what is proposed for it."""
_SHARE = 20
"""But so many times as long as it takes to look: while a thousand models are drawn, each of them is news."""


class Annotations:
    """Every method raises ServiceError when the store or Redis does not answer, NotFoundError for an unknown model or
    collection, and OutdatedModelError for a model of an earlier version."""

    def __init__(self, catalog: Catalog, store: ObjectStore, lock: Lock) -> None:
        self._catalog, self._store = catalog, store
        self.records = AnnotationRecords(store, lock)
        self.collections = Collections(store, lock)
        self._rows: OrderedDict[str, tuple[float, Rows]] = OrderedDict()
        self._guard = ThreadLock()

    def effect(self, model: str, record: AnnotationRecord | None = None) -> Effect:
        """How the targets of a model stand; with `record` in place of its own, how they would."""
        inventory = self._catalog.proposals(model)
        groups, own = self._said(model)
        found = effect(model, inventory.morphs, inventory.annotation, groups, own if record is None else record)
        return replace(found, pictured=inventory.pictured)

    def known(self, models: Sequence[str]) -> set[str]:
        """Those of `models` that a person may have said anything of."""
        return self.records.inspected(models) | self.collections.members(models)

    def ordered(
        self, model: str, spec: RenderSpec, table: MappingTable | None, known: bool
    ) -> tuple[Annotation, Provenance]:
        """The annotation that counts for a specification, and whose word it is. `known`: whether the model is among `known`.

        A row of `table`, which came with the batch, decides for its name; what it leaves open is as `effect` says. Where
        nobody has said anything, the file alone decides, and the same request is always the same order: what pictures show,
        the worker finds out. Where people have, they saw the proposals that count beside their word.
        """
        if not known and proposals_count(spec, table):
            return self._catalog.annotation(model), NOBODYS
        held = self._catalog.inventory(model)
        groups, record = self._said(model) if known else ({}, NOTHING_SAID)
        by_file = counting(model, held, spec, table, groups, record)
        if not (by_file[1].record or by_file[1].groups):
            return by_file
        return counting(model, self._catalog.proposals(model), spec, table, groups, record, held.guessed)

    def _said(self, model: str) -> tuple[Mapping[str, GroupState], AnnotationRecord]:
        return applied(self.collections, model), self.records.read(model)

    def rows(self, collection: str) -> Rows:
        """The rows of a collection's table. Models that are gone are left out."""
        with self._guard:
            if (known := self._rows.get(collection)) and time.monotonic() < known[0]:
                self._rows.move_to_end(collection)
                return known[1]
        begun = time.monotonic()
        rows = Rows(self._digest(collection))
        dear = _SHARE * (time.monotonic() - begun)
        with self._guard:
            lasting = max(_UNSEEN_ROWS_SECONDS, dear) if rows.digest.unseen else _ROWS_SECONDS
            self._rows[collection] = time.monotonic() + lasting, rows
            if len(self._rows) > _KEPT_ROWS:
                self._rows.popitem(last=False)
        return rows

    def forget(self, model: str) -> None:
        """The model is gone, or has come again: collections that have it are to be digested anew."""
        for collection in self.collections.of_model(model):
            self._store.delete(_digest_key(collection))
            with self._guard:
                self._rows.pop(collection, None)

    def withdraw(self, model: str) -> None:
        """The model was taken back: what people said of it goes, and `forget`."""
        self.forget(model)
        self.records.remove(model)

    def _digest(self, collection: str) -> Digest:
        key, kept = _digest_key(collection), None
        with suppress(NotFoundError):
            kept = digest_in(self._store.get(key), DECISION_VERSION)
        if kept is None or self._has_changed(kept):
            models = sorted(self.collections.read(collection).models)
            # What was known of their pictures before their inventories: news in between is seen the next time.
            sizes = self._catalog.pictures_sizes(models)
            with ThreadPoolExecutor(_READING) as pool:
                found = list(zip(models, pool.map(self._inventory, models), sizes, strict=True))
            there = [(model, inventory, size) for model, inventory, size in found if inventory is not None]
            kept = digest_of(
                [(model, inventory) for model, inventory, _ in there],
                [model for model, inventory, _ in found if inventory is None],
                {
                    model: size if _glimpsed(inventory) else 0
                    for model, inventory, size in there
                    if not inventory.pictured
                },
            )
            self._store.put(key, kept.to_bytes(DECISION_VERSION))
        return kept

    def _has_changed(self, digest: Digest) -> bool:
        """Whether a model that was gone has come again, or one was drawn."""
        sizes = self._catalog.pictures_sizes(list(digest.unseen))
        news = [model for (model, known), size in zip(digest.unseen.items(), sizes, strict=True) if size != known]
        if any(digest.unseen[model] for model in news):
            return True
        # Nothing of these was of this version; what came since may be of an earlier one still.
        with ThreadPoolExecutor(_READING) as pool:
            return any(pool.map(self._inventory, digest.absent)) or any(pool.map(self._is_glimpsed, news))

    def _is_glimpsed(self, model: str) -> bool:
        return (inventory := self._inventory(model)) is not None and _glimpsed(inventory)

    def _inventory(self, model: str) -> Inventory | None:
        try:
            return self._catalog.proposals(model)
        except (NotFoundError, OutdatedModelError, WithdrawnModelError):
            return None


def _glimpsed(inventory: Inventory) -> bool:
    """Whether pictures of any of its morphs have decided."""
    return any(entry.evidence is not None and entry.evidence.picture is not None for entry in inventory.morphs)


def _digest_key(collection: str) -> str:
    return f"annotations/collections/{collection}/digest.json"

"""The annotation that counts for a specification, of one model whose inventory is known. No I/O."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from farm.annotations.effect import Origin, effect
from farm.annotations.groups import GroupState
from farm.annotations.verdicts import NOTHING_SAID, AnnotationRecord
from farm.models.inventory import Inventory
from farm.morphs.annotation import MappingTable, annotate
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import Annotation
from farm.morphs.vocabulary import all_targets
from farm.spec import AnnotationRule, RenderSpec

NO_GROUPS: Mapping[str, GroupState] = MappingProxyType({})
"""The model is in no collection of which anything was said."""


def proposals_count(spec: RenderSpec, table: MappingTable | None) -> bool:
    """Whether what was decided for a model counts as it is, if nobody has said anything of it."""
    return table is None and spec.annotation is AnnotationRule.PROPOSALS and not spec.least_confidence


def counting(
    model: str,
    inventory: Inventory,
    spec: RenderSpec,
    table: MappingTable | None,
    groups: Mapping[str, GroupState] = NO_GROUPS,
    record: AnnotationRecord = NOTHING_SAID,
    guessed: Sequence[int] | None = None,
) -> tuple[Annotation, Provenance]:
    """The annotation, and whose word it is, of a model with this content hash, this inventory and these verdicts.

    `guessed` are the morphs that a worker will look at, where pictures have decided the inventory, so that it names none.
    A row of `table`, which came with the batch, decides for its name; what it leaves open is as `effect` says.
    """
    if not groups and record == NOTHING_SAID and proposals_count(spec, table):
        return inventory.annotation, NOBODYS
    source = inventory.source_morphs()
    proposals = inventory.annotation if table is None else annotate(source, table.of(model))
    stands = effect(model, inventory.morphs, proposals, groups, record)
    annotation = stands.annotation(spec.annotation, spec.least_confidence)
    provenance = stands.provenance
    if spec.annotation is AnnotationRule.CONFIRMED:
        provenance = provenance.model_copy(update={"groups": {}})  # they are proposals, and none counts
    own = {target for target, playing in stands.targets.items() if playing.origin is Origin.PERSON}
    if table is not None:
        of_model = table.of(model)
        named = {index for index, morph in enumerate(source) if of_model.find(index, morph) is not None}
        said = {target: ref for target, ref in proposals.items() if ref.index in named}
        found = {target: ref for target, ref in annotation.items() if ref.index not in named} | said
        annotation = {target: found[target] for target in all_targets() if target in found}
        own = own - said.keys()
        own |= {target for target, ref in said.items() if of_model.own(ref.index, source[ref.index]) is not None}
        provenance = provenance.model_copy(update={"table": True})
    if spec.annotation is AnnotationRule.CONFIRMED or not (inventory.guessed if guessed is None else guessed):
        return annotation, provenance
    in_order = tuple(target for target in all_targets() if target in own)
    return annotation, provenance.model_copy(update={"own": in_order})

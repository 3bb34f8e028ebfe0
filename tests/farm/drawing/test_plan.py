"""The plan: from an annotation by index to the weights of every shot."""

from dataclasses import replace

from farm.drawing.plan import plan
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.morphs.expressions import Rule
from farm.morphs.refs import MorphRef
from farm.poses import NEUTRAL
from farm.spec import RenderSpec
from tests.farm.models import made_files as made
from tests.support.fixtures import assignment_for
from tests.support.received import receive

SPEC = RenderSpec(samples=40, styles=("toon",))


def test_of_morphs_with_one_name_the_annotated_ones_are_drawn() -> None:
    (package,), _ = receive("twice.pmx", pmx_bytes(made.names_twice()))

    found = plan(assignment_for(package, SPEC), package.inventory.rules)

    assert found.morphs == [2, 3, 4]
    moved = {index for shot in found.shots for index, weight in shot.weights.items() if weight}
    assert moved == {2, 3, 4}
    for shot in found.shots:
        weights = {} if shot.sample == NEUTRAL.index else found.samples[shot.sample].weights
        assert shot.weights == {made.NAMES_TWICE[target].index: weight for target, weight in weights.items()}


def test_a_rule_binds_the_expression_of_its_index_alone() -> None:
    (package,), _ = receive("twice.pmx", pmx_bytes(made.names_twice()))
    both = {"eyebrow/raised/both": MorphRef(index=3, name="上"), "mouth/u": MorphRef(index=1, name="上")}
    asked = replace(assignment_for(package, SPEC), annotation=both)

    free, bound = plan(asked, {}), plan(asked, {1: Rule(binary=True)})

    for before, after in zip(free.samples, bound.samples, strict=True):
        assert after.weights.get("eyebrow/raised/both") == before.weights.get("eyebrow/raised/both")
        assert after.weights.get("mouth/u", 0.0) == float(before.weights.get("mouth/u", 0.0) > 0.5)
    assert any(0 < sample.weights.get("mouth/u", 0.0) < 1 for sample in free.samples)

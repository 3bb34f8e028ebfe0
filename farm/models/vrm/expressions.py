"""The expressions of VRM 1.0 and the blend-shape groups of VRM 0.x, in the order of the file.

A bind to something that does not exist, or that changes nothing, is left out: what a morph cannot move it must not label.
Source: VRMC_vrm-1.0, expressions; VRM 0.0, blendShapeMaster.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.models.description import ColourBind, Expression, Tint, TransformBind
from farm.models.gltf.targets import Targets
from farm.models.gltf.values import Json, entries, member, members, number, text, vector, whole
from farm.models.materials import GltfMaterial, Shading
from farm.models.vrm.materials_0 import linear, transformed
from farm.morphs.expressions import Rule

_UNSET = ("", "unknown")
_SAME = 1e-6
_TINTS_0 = {
    "_Color": Tint.COLOUR,
    "_EmissionColor": Tint.EMISSION,
    "_ShadeColor": Tint.SHADE,
    "_RimColor": Tint.RIM,
    "_OutlineColor": Tint.OUTLINE,
}
_AXES_0 = {"_MainTex_ST": (0, 1), "_MainTex_ST_S": (0,), "_MainTex_ST_T": (1,)}
"""Which of u and v a property of VRM 0.x moves."""

type Colour = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class BoundMaterials:
    """The character's materials, and where the file's own numbers and names for them lead."""

    materials: Sequence[GltfMaterial]
    places: Mapping[int, int]
    """The file's index of a material to the character's."""

    def by_name(self) -> dict[str, int]:
        """The character's index of the first material of each name."""
        found: dict[str, int] = {}
        for _, place in sorted(self.places.items()):
            found.setdefault(self.materials[place].name, place)
        return found

    def colour_bind(self, place: int, tint: Tint, colour: Colour) -> ColourBind | None:
        """The bind, if it changes a colour of a material that is drawn."""
        rest = _rest(self.materials[place], tint)
        if rest is None or not self.materials[place].triangle_count:
            return None
        pairs = zip(rest, colour, strict=False)
        return ColourBind(place, tint, colour) if any(abs(a - b) > _SAME for a, b in pairs) else None

    def transform_bind(
        self, place: int, scale: tuple[float, float], offset: tuple[float, float]
    ) -> TransformBind | None:
        """The bind, if it moves a texture of a material that is drawn."""
        if not self.materials[place].triangle_count:
            return None
        uses = self.materials[place].placed
        pairs = (pair for use in uses for pair in zip((*use.scale, *use.offset), (*scale, *offset), strict=True))
        return TransformBind(place, scale, offset) if any(abs(a - b) > _SAME for a, b in pairs) else None


def _rest(material: GltfMaterial, tint: Tint) -> tuple[float, ...] | None:
    toon = material.mtoon
    match tint:
        case Tint.COLOUR:
            return material.colour
        case Tint.EMISSION:
            return material.emission_colour if material.shading is not Shading.UNLIT else None
        case _ if toon is None:
            return None
        case Tint.SHADE:
            return toon.shade_colour
        case Tint.RIM:
            return toon.rim_colour
        case Tint.MATCAP:
            return toon.matcap_colour
        case Tint.OUTLINE:
            return toon.outline_colour


def read_expressions_1(
    section: Json, targets: Targets, bound_materials: BoundMaterials
) -> Iterator[tuple[Expression, bool]]:
    """VRM 1.0's expressions, presets first, each with whether it was meant to have an effect."""
    for kind in ("preset", "custom"):
        for name, value in member(section, kind).items():
            entry = value if isinstance(value, dict) else {}
            binds = members(entry, "morphTargetBinds")
            colours, transforms = members(entry, "materialColorBinds"), members(entry, "textureTransformBinds")
            yield (
                Expression(
                    text(name),
                    tuple(_found(targets, ((bind, [whole(bind.get("node"))], 1.0) for bind in binds))),
                    tuple(_colours_1(colours, bound_materials)),
                    tuple(_transforms_1(transforms, bound_materials)),
                    _rule(entry),
                ),
                bool(binds or colours or transforms),
            )


def read_expressions_0(
    section: Json, targets: Targets, bound_materials: BoundMaterials
) -> Iterator[tuple[Expression, bool]]:
    """VRM 0.x' blend-shape groups, each with whether it was meant to have an effect."""
    by_name = bound_materials.by_name()
    for group in members(section, "blendShapeGroups"):
        preset = text(group.get("presetName")).lower()
        binds, values = members(group, "binds"), members(group, "materialValues")
        meshes = (
            (bind, targets.nodes_of(mesh), 100.0) for bind in binds if (mesh := whole(bind.get("mesh"))) is not None
        )
        colours, transforms = _values_0(values, bound_materials, by_name)
        yield (
            Expression(
                text(group.get("name")) if preset in _UNSET else preset,
                tuple(_found(targets, meshes)),
                colours,
                transforms,
                Rule(binary=group.get("isBinary") is True),
            ),
            bool(binds or values),
        )


def read_shape_keys(targets: Targets) -> tuple[Expression, ...]:
    """An expression for each name of a morph target: what a file without expressions offers."""
    found: dict[str, list[tuple[int, float]]] = {}
    for name, node, place in targets.named():
        keys = found.setdefault(name, [])
        target = targets.find(node, place)
        if target is not None:
            keys.append((target, 1.0))
    return tuple(Expression(name, tuple(keys), kind="shape key") for name, keys in found.items())


def _found(targets: Targets, binds: Iterator[tuple[Json, Sequence[int | None], float]]) -> Iterator[tuple[int, float]]:
    """The targets behind (bind, its nodes, the weight that means all), with their weights."""
    for bind, nodes, full in binds:
        place, weight = whole(bind.get("index")), max(0.0, min(1.0, number(bind.get("weight"), full) / full))
        if place is None or not weight:
            continue
        for node in nodes:
            target = targets.find(node, place) if node is not None else None
            if target is not None:
                yield target, weight


def _colours_1(binds: list[Json], bound_materials: BoundMaterials) -> Iterator[ColourBind]:
    for bind in binds:
        place, kind = bound_materials.places.get(_index(bind)), bind.get("type")
        if place is None or not isinstance(kind, str) or kind not in list(Tint) or not entries(bind, "targetValue"):
            continue
        found = bound_materials.colour_bind(place, Tint(kind), vector(bind["targetValue"], (0.0, 0.0, 0.0, 1.0)))
        if found is not None:
            yield found


def _transforms_1(binds: list[Json], bound_materials: BoundMaterials) -> Iterator[TransformBind]:
    for bind in binds:
        place = bound_materials.places.get(_index(bind))
        if place is not None:
            scale, offset = vector(bind.get("scale"), (1.0, 1.0)), vector(bind.get("offset"), (0.0, 0.0))
            found = bound_materials.transform_bind(place, scale, offset)
            if found is not None:
                yield found


def _index(bind: Json) -> int:
    place = whole(bind.get("material"))
    return place if place is not None else -1


def _values_0(
    values: list[Json], bound_materials: BoundMaterials, by_name: Mapping[str, int]
) -> tuple[tuple[ColourBind, ...], tuple[TransformBind, ...]]:
    colours: list[ColourBind | None] = []
    moved: dict[int, tuple[list[float], list[float]]] = {}
    for value in values:
        place, what = by_name.get(text(value.get("materialName"))), text(value.get("propertyName"))
        given = entries(value, "targetValue")
        if place is None or len(given) < 4:
            continue
        base = bound_materials.materials[place].base
        if what in _TINTS_0:
            colours.append(bound_materials.colour_bind(place, _TINTS_0[what], _colour_0(_TINTS_0[what], given)))
        elif what in _AXES_0 and base is not None:
            width, height, x, y = vector(given, (1.0, 1.0, 0.0, 0.0))
            scale, offset = moved.setdefault(place, (list(base.scale), list(base.offset)))
            for axis in _AXES_0[what]:
                scale[axis] = (width, height)[axis]
                offset[axis] = transformed((width, height), (x, y))[axis]
    transforms = [
        bound_materials.transform_bind(place, (scale[0], scale[1]), (offset[0], offset[1]))
        for place, (scale, offset) in moved.items()
    ]
    return tuple(c for c in colours if c is not None), tuple(t for t in transforms if t is not None)


def _colour_0(tint: Tint, given: list[object]) -> Colour:
    red, green, blue, alpha = vector(given, (0.0, 0.0, 0.0, 1.0))
    if tint is Tint.EMISSION:  # the one colour that Unity keeps in linear light
        return red, green, blue, alpha
    return linear(red), linear(green), linear(blue), alpha


def _rule(entry: Json) -> Rule:
    overrides = {
        kind: entry[field_name]
        for kind, field_name in (("blink", "overrideBlink"), ("mouth", "overrideMouth"), ("lookAt", "overrideLookAt"))
        if entry.get(field_name) in ("block", "blend")
    }
    return Rule(binary=entry.get("isBinary") is True, overrides=overrides)

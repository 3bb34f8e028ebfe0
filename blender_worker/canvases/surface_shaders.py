"""The shaders that draw a surface in all styles at once: a layer for each of the styles' formulas.

Each kind of surface has a shader of its own that does only what such a surface needs. Software OpenGL follows both sides of
every branch, so one shader for all would look up sphere maps and ramps, and raise colours to powers, where there are none.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import gpu

from blender_worker.canvases import detail
from blender_worker.character.surface import LEAST_ALPHA
from blender_worker.gpu.shading import FRAGMENT_SOURCE, VERTEX_SOURCE, create_shader, surface_info
from farm.styles.expression import Node, glsl, mentions
from farm.styles.style import FACING, LIGHT
from farm.styles.surface import SphereBlend, own_colour, with_own_light

_VERTEX = """
void main() {
    world_normal = turned_normal();
    texture_uv = uv;
    gl_Position = frame.view_projection * vec4(position, 1.0);
DETAIL
}
"""
_EVEN_RAMP = """
vec3 shade_ramp(float place) { return ramp_tint.rgb + ramp_floor.rgb; }
"""
_RAMP = """
vec3 shade_ramp(float place) {
    return texture(ramp_image, vec2(place, 0.5)).rgb * ramp_tint.rgb + ramp_floor.rgb;
}
"""
_SPHERE = """
    vec2 place = (mat3(frame.view) * normal).xy * 0.5 + 0.5;
    SECOND
    vec3 sphere = texture(sphere_image, place).rgb * sphere_tint.rgb;
"""

_OUTLINE_VERTEX = """
void main() {
    texture_uv = uv;
    vec4 clip = frame.view_projection * vec4(position, 1.0);
    vec2 away = (frame.view_projection * vec4(turned(hull), 0.0)).xy;
    float size = length(away);
    if (size > 1e-6) {
        clip.xy += away / size * options.z * outlines * clip.w;
    }
    clip.z += options.z > 0.0 ? BEHIND * clip.w : 0.0;
    gl_Position = clip;
MORE
}
""".replace("BEHIND", "0.0002")
"""The hull lies a little behind (0.6 % of the head's height): that of a sheet seen from its back would blot the sheet.
Without a width it is a veil, which lies where the surface does."""
_OUTLINE_FRAGMENT = """
void main() {
    float alpha = texture(image, texture_uv).a;
    if (alpha < max(options.x, LEAST)) { discard; }
    out0 = vec4(outline_colour.rgb, 1.0) * outline_colour.a * (options.x >= 0.0 ? 1.0 : alpha);
}
""".replace("LEAST", str(LEAST_ALPHA))
_SOLID_OUTLINE_FRAGMENT = """
void main() {
    out0 = vec4(outline_colour.rgb, 1.0);
}
"""


@dataclass(frozen=True, slots=True)
class SurfaceKind:
    """What a surface needs of its shader."""

    blend: SphereBlend
    ramped: bool
    """Whether its shade ramp is anything but white throughout."""
    detailed: bool
    solid: bool
    """Whether it is opaque wherever it is: nothing is cut out and nothing shines through."""
    shifted: bool = False
    """Whether a map moves its shade's edge."""
    bumped: bool = False
    """Whether a map says where its normals point."""
    outline: bool = False
    """Whether it is its outline that is drawn: in the outline's colour, times as much of its own as `options.y` says."""


def uses_ramp(formulas: Iterable[Node]) -> bool:
    """Whether any of the formulas asks for the surface's shade ramp."""
    return any("shade_ramp(" in glsl(formula) for formula in formulas)


def uses_light(formulas: Iterable[Node]) -> bool:
    """Whether any of the formulas asks for the light."""
    return any(mentions(formula, LIGHT) for formula in formulas)


def uses_normal(formulas: Iterable[Node]) -> bool:
    """Whether any of the formulas asks for the surface's normal; rim light, which needs it, goes with the light."""
    return any(mentions(formula, LIGHT) or mentions(formula, FACING) for formula in formulas)


@cache
def surface_shader(formulas: tuple[Node, ...], kind: SurfaceKind) -> gpu.types.GPUShader:
    """Shows what each of the formulas gives in a layer of its own, with alpha multiplied in."""
    detailed, bumped = kind.detailed, kind.bumped
    between = [("VEC3", "world_normal"), ("VEC2", "texture_uv"), *(detail.BETWEEN if detailed else ())]
    between += detail.BUMPED_BETWEEN if bumped else ()
    info = surface_info(*between, detailed=detailed, bumped=bumped, types=detail.TYPES if detailed else "")
    shaded, lit = uses_ramp(formulas), uses_light(formulas)
    # What is seen of an outline is its back, for which the normal is turned round: it is lit as its front would be.
    outputs = []
    for index, formula in enumerate(formulas):
        info.fragment_out(index, "VEC4", f"out{index}")
        shown = f"min({glsl(with_own_light(formula) if detailed else formula)}, vec3(1.0))"
        if kind.outline:
            shown = f"outline_colour.rgb * mix(vec3(1.0), {shown}, options.y)"
        outputs.append(f"    out{index} = vec4({shown} * alpha, alpha);")
    if detailed:
        detail.declare(info)
    source = f"""
{detail.FRAGMENT if detailed else _RAMP if kind.ramped else _EVEN_RAMP}
{detail.BUMPED_FRAGMENT if bumped else ""}
vec3 own_colour(vec3 texel, vec3 normal) {{
    vec3 colour = colour_alpha.rgb;
    vec3 added = added_colour.rgb;
    {_sphere(kind)}
    return {glsl(own_colour(kind.blend))};
}}
void main() {{
    vec4 texel = {"solid_texel_here()" if kind.solid else "texel_here()"}{" * tint_here" if detailed else ""};
    float alpha = {"1.0" if kind.solid else f"alpha_here(texel.a, {LEAST_ALPHA})"};
    vec3 normal = {"-" if kind.outline else ""}{"bumped_normal()" if bumped else "normal_here()"};
    vec3 base = own_colour(texel.rgb, normal);
    float facing = dot(normal, vec3(0.0, -1.0, 0.0));
    float light = frame.constants.x;
{detail.terms(shaded, lit, kind.shifted) if detailed else ""}
{"\n".join(outputs)}
}}
"""
    more = (detail.VERTEX if detailed else "") + (detail.BUMPED_VERTEX if bumped else "")
    if kind.outline:
        vertex = _OUTLINE_VERTEX.replace("MORE", "    world_normal = turned_normal();" + more)
    else:
        vertex = _VERTEX.replace("DETAIL", more)
    return create_shader(info, VERTEX_SOURCE + vertex, FRAGMENT_SOURCE + source)


def _sphere(kind: SurfaceKind) -> str:
    """Looks the sphere map up, where there is one."""
    if kind.blend is SphereBlend.NONE:
        return ""
    return _SPHERE.replace("SECOND", "place = mix(place, second_place, detail.second.w);" if kind.detailed else "")


@cache
def outline_shader(solid: bool) -> gpu.types.GPUShader:
    """Draws a surface's hull in its outline's colour alone; `solid` for one that is opaque as its outline is."""
    info = surface_info(("VEC2", "texture_uv"))
    info.fragment_out(0, "VEC4", "out0")
    vertex = _OUTLINE_VERTEX.replace("MORE", "")
    return create_shader(info, VERTEX_SOURCE + vertex, _SOLID_OUTLINE_FRAGMENT if solid else _OUTLINE_FRAGMENT)

"""What the forward canvas draws of a surface's details: emission, own shades, rim light, matcaps, vertex colours, relief.

Surfaces without any of it are drawn by the plain shader, whose cost they alone decide. A surface's values stand in one
small uniform buffer, which lives as long as the process (`gpu.shading` says why) and is filled before each such draw.
"""

from collections.abc import Sequence
from functools import cache

import gpu
import numpy as np

from blender_worker.character.surface import Detail, Look, Map
from blender_worker.gpu.buffers import DrawRun

_SLOT, _FIRST_SAMPLER = 1, 3
_FLOATS = 7 * 4
LEAST_BASE = 1e-5
"""Linear light: what a black surface is taken for where its shade is divided by it."""
TYPES = """
struct Detail {
    vec4 emission;  // and the rim's mix
    vec4 shade;  // and 1 where it is the surface's own
    vec4 rim;  // and its lift
    vec4 matcap;  // and the rim's power
    vec4 second;  // 1 where emission, shade, rim, sphere are looked up at the second coordinates
    vec4 second_too;  // and where shift, normal are
    vec4 relief;  // the shift, what the map adds to it, the scale of the normals
};
"""
BUMPED_VERTEX = """
    tangent_here = vec4(turned(tangent.xyz), tangent.w);
"""
VERTEX = """
    tint_here = tint;
    second_place = second_uv;
    to_eye = frame.constants.y > 0.5 ? vec3(0.0, 0.0, 1.0) : -(frame.view * vec4(position, 1.0)).xyz;
"""
BETWEEN = (("VEC4", "tint_here"), ("VEC2", "second_place"), ("VEC3", "to_eye"))
BUMPED_BETWEEN = (("VEC4", "tangent_here"),)
FRAGMENT = """
// The ramp's dark end: the shade against the surface's own colour, where it has one of its own.
vec3 dark_end = vec3(0.0);
float edge_shift = 0.0;
vec3 shade_ramp(float place) {
    vec3 tone = texture(ramp_image, vec2(place + edge_shift, 0.5)).rgb;
    return mix(tone * ramp_tint.rgb + ramp_floor.rgb, mix(dark_end, vec3(1.0), tone), detail.shade.w);
}
vec2 placed(float second) { return mix(texture_uv, second_place, second); }
vec2 place_on_ball(vec3 normal, vec3 eye) {
    // VRMC_materials_mtoon: axes at right angles to the direction to the eye; in our world up is z.
    vec3 across = normalize(cross(vec3(0.0, 0.0, 1.0), eye));
    return vec2(dot(across, normal), dot(cross(eye, across), normal)) * 0.495 + 0.5;
}
"""


BUMPED_FRAGMENT = """
vec3 bumped_normal() {
    vec3 n = world_normal / max(length(world_normal), 1e-6), along = tangent_here.xyz;
    vec3 bump = texture(normal_image, placed(detail.second_too.y)).rgb * 2.0 - 1.0;
    vec3 found = (along * bump.x + cross(n, along) * tangent_here.w * bump.y) * detail.relief.z + n * bump.z;
    return (gl_FrontFacing ? found : -found) / max(length(found), 1e-6);
}
"""
_SHIFT = """
    edge_shift = detail.relief.x + detail.relief.y * texture(shift_image, placed(detail.second_too.x)).r;
"""
_SHADE = f"""
    if (detail.shade.w > 0.5) {{
        base = max(base, vec3({LEAST_BASE}));
        dark_end = texture(shade_image, placed(detail.second.y)).rgb * detail.shade.rgb / base;
    }}
"""
_RIM = """
    vec3 eye = normalize(to_eye) * mat3(frame.view);
    float looking = dot(normal, eye), rim_lift = detail.rim.w, rim_power = detail.matcap.w, rim_mix = detail.emission.w;
    vec3 rim = detail.rim.rgb;
    vec3 rim_mask = texture(rim_image, placed(detail.second.z)).rgb;
    vec3 matcap = texture(matcap_image, place_on_ball(normal, eye)).rgb * detail.matcap.rgb;
"""


def terms(shaded: bool, lit: bool, shifted: bool) -> str:
    """The terms of `with_own_light`, for formulas of which any asks for the shade ramp, or for the light; `shifted` where a
    map moves the shade's edge."""
    emission = "    vec3 emission = texture(emission_image, placed(detail.second.x)).rgb * detail.emission.rgb;"
    return emission + (_SHIFT if shifted else "") + (_SHADE if shaded else "") + (_RIM if lit else "")


@cache
def _buffer() -> gpu.types.GPUUniformBuf:
    return gpu.types.GPUUniformBuf(gpu.types.Buffer("FLOAT", _FLOATS, np.zeros(_FLOATS, np.float32)))


def declare(info: gpu.types.GPUShaderCreateInfo) -> None:
    """Add to a shader's interface what the code here reads."""
    info.uniform_buf(_SLOT, "Detail", "detail")
    for place, name in enumerate(("emission", "shade", "rim", "matcap", "shift", "normal")):
        info.sampler(_FIRST_SAMPLER + place, "FLOAT_2D", f"{name}_image")


def fill(shader: gpu.types.GPUShader, item: DrawRun, look: Look, maps: Sequence[str]) -> None:
    """Give `shader` a surface's values, and those of its `maps` that it looks up."""
    surface = item.surface
    detail = surface.detail or Detail()
    values = np.array(
        (
            (*look.emission, detail.rim_mix),
            (*look.shade, float(detail.own_shade)),
            (*look.rim, detail.rim_lift),
            (*(look.matcap if detail.matcap is not None else (0.0, 0.0, 0.0)), detail.rim_power),
            [_is_second(one) for one in (detail.emission, detail.shade, detail.rim, surface.sphere)],
            [_is_second(one) for one in (detail.shift, detail.normal, None, None)],
            (*detail.shifts, detail.normal_scale, 0.0),
        ),
        np.float32,
    )
    _buffer().update(gpu.types.Buffer("FLOAT", _FLOATS, values.ravel()))
    shader.uniform_block("detail", _buffer())
    for name in maps:
        shader.uniform_sampler(f"{name}_image", item.detail[name])


def _is_second(one: Map | None) -> float:
    return float(one is not None and one.second)

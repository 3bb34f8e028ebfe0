"""The four shader styles, each said once.

A style is the body of a GLSL function from the surface's colour to the shown one, both linear light:
    vec3 style(vec3 base, float facing, float light)
`base` is texture times material colour; `facing` is the cosine between normal and light, in [-1, 1]; `light` is the
light's intensity, in [0.3, 0.9] (paper). Names "default" and "toon" follow the authors' files; the paper names S.3 flat
colours; the fourth is ours.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Style:
    """One way to show a surface."""

    name: str
    glsl: str
    outline: float = 0.0
    """Outline width in pixels of a 256-pixel picture; 0 draws none."""


_CEL = """
    float edge = 0.8 - 0.5 * light;
    float lit = smoothstep(edge - 0.02, edge + 0.02, facing);
    vec3 shade = base * vec3(0.62, 0.56, 0.66);
    return mix(shade, base, lit) * (0.86 + 0.2 * light);
"""

STYLES = {
    style.name: style
    for style in (
        Style("default", "return base * (0.50 + 0.62 * light * (0.25 + 0.75 * max(facing, 0.0)));"),
        Style("toon", _CEL),
        Style("flat", "return base;"),
        Style("ink", _CEL, outline=1.1),
    )
}

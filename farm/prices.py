"""What a specification costs a model, in pixels drawn: the one place that says which of two orders is the larger work.

A price is no time, but grows as it does: 4,096 million pixels are about a minute of a worker without a GPU. What makes no
pixels of its own (to read a character, to pose it, to send a picture) is counted as the pixels that take as long, or small
pictures, few of them, would be free. Shares are those of `docs/performance.md`.
"""

from farm.spec import CanvasName, RenderSpec

MODEL = 32 * 10**6
"""To read a character, build and survey it takes as long as some sixty pictures of the paper's."""
PICTURE = 512**2
"""Of a shot in four styles, whose pictures are drawn with 512 x 512 pixels each, half the time is no pixel's."""
_CANVASES = {CanvasName.FORWARD: 1, CanvasName.EEVEE: 64, CanvasName.FINAL: 256}
"""How much longer than on `forward` a picture takes: Eevee 66 to 75 times, a render 140 (on a GPU) to 600 (without)."""


def price(spec: RenderSpec, samples: int) -> int:
    """Pixels that a model with so many samples costs, drawn as `spec` says; at least `MODEL`.

    A picture has size x size pixels, each of supersample x supersample drawn ones. A label is a drawing of its own, once
    for all styles and never filtered.
    """
    shots = samples * len(spec.partitions) * spec.views
    picture = (PICTURE + (spec.size * spec.supersample) ** 2) * _CANVASES[spec.canvas]
    label = PICTURE + spec.size**2
    return MODEL + shots * (len(spec.styles) * picture + len(spec.labels) * label)

"""What is to be drawn: the one value around which everything here is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import Annotation, MorphRef
from farm.spaces.casting import Cast
from farm.spec import RenderSpec


@dataclass(frozen=True, slots=True)
class Assignment:
    """One model, drawn as a specification says. Equal assignments give equal bytes, whoever draws them and when."""

    model: str
    """Content hash of the model."""
    annotation: Annotation
    samples: int
    """As ordered: what every annotated morph makes of it. Without those that show nothing there may be fewer."""
    render_key: str
    """The name of the result in the store."""
    spec: RenderSpec
    provenance: Provenance = NOBODYS
    ordered: Annotation | None = None
    """The annotation that the render key is of, where pictures have made another one of it."""
    understudies: Mapping[str, Sequence[MorphRef]] = field(default_factory=dict)
    """By target: who plays it, the first of them that shows, where pictures show nothing of the annotated morph."""
    named: Mapping[str, MorphRef] = field(default_factory=dict)
    """What plays by its name alone in the pose space: `farm.spaces.casting.named_morphs`."""
    cast: Cast | None = None
    """How keys of the pose space are played, where that is known already, as from a manifest."""

    @property
    def images_total(self) -> int:
        """Images of so many samples, without the basis images."""
        return self.spec.images_of(self.samples)

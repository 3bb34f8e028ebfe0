"""What the pose of a clip's frame can be. The motion is not in the folder: only drawing it again tells more."""

from dataclasses import replace

from farm.dataset.manifest import ImageRecord, Manifest
from farm.poses import Sample
from farm.spaces.space import space_named

type Pose = tuple[float, ...]


def as_told(manifest: Manifest, image: ImageRecord, sample: Sample) -> tuple[Sample, Pose]:
    """The frame, turned as the picture's pose says, and the nearest pose to that one that a motion can give.

    What the model cannot play is 0, and weights stay in their ranges; the head may be turned any way. A pose of another
    length than the manifest's comes back as it is.
    """
    space = space_named(manifest.spec.pose_space)
    mask = manifest.pose_mask
    if len(image.pose) != len(mask):
        return sample, image.pose
    ranges = [*space.ranges, *[(0.0, 1.0)] * len(manifest.extra_columns)]
    rotation, turning = [0.0, 0.0, 0.0], set[int]()
    for axis, (_, parameter, degrees) in space.angles.items():
        for entry in parameter.entries:
            place = space.entries.index(entry)
            turning.add(place)
            rotation[axis] = image.pose[place] * degrees
    pose = tuple(
        value if place in turning else min(max(value, low), high) if playable else 0.0
        for place, (value, playable, (low, high)) in enumerate(zip(image.pose, mask, ranges, strict=True))
    )
    x, y, z = rotation
    return replace(sample, rotation=(x, y, z)), pose

"""Whether a model can give face pictures: the paper's first step, which drops unusable models.

A rule looks at measures of the neutral picture and gives a sentence; its thresholds stand here and nowhere else. They
are ours: the paper names no criterion.
"""

from farm.pipe import Survey

MIN_COVERAGE = 0.005
"""Share of the picture that must show anything."""
MIN_HEAD_INSIDE = 0.5
"""Share of the head's vertices that must lie in the frame."""
MIN_FACE_VISIBLE = 0.05
"""Share of the face's vertices that must not be hidden behind something; half of them (teeth, tongue) always are."""
MIN_FACING = -0.2
"""Mean cosine between the face's normals and the way to the camera; below it, one looks at the back of the head."""


def reasons_against(survey: Survey) -> list[str]:
    """Why the model is unusable, a sentence each; empty when it is usable."""
    reasons = []
    if survey.head_vertices == 0:
        reasons.append("Nothing but a stage: no part of the mesh follows the neck bone.")
    elif survey.head_inside < MIN_HEAD_INSIDE:
        reasons.append(f"The head is outside the frame: {survey.head_inside:.0%} of it is inside.")
    if survey.coverage < MIN_COVERAGE:
        reasons.append(f"The picture is empty: {survey.coverage:.2%} of it shows anything.")
    if survey.face_facing is not None and survey.face_facing < MIN_FACING:
        reasons.append("No face is visible from the front: the parts that the morphs move look away from the camera.")
    elif survey.face_visible is not None and survey.face_visible < MIN_FACE_VISIBLE:
        reasons.append(f"The face is covered: {survey.face_visible:.0%} of its vertices can be seen.")
    return reasons

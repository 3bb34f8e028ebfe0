"""Whether a model can give face pictures: the paper's first step, which drops unusable models.

A rule looks at measures of the neutral picture and gives a sentence; its thresholds stand here and nowhere else. They
are ours: the paper names no criterion.
"""

from farm.pipe import BodySurvey, Survey

KEEP_IT = "To render it all the same, ask for keep_unusable (on the command line: --keep-unusable)."
MIN_COVERAGE = 0.005
"""Share of the picture that must show anything."""
MIN_HEAD_INSIDE = 0.5
"""Share of the head's vertices that must lie in the frame."""
MIN_FACE_CHANGED = 0.001
"""Share of the head's pixels that all annotated morphs together must change: a mouth alone changes one in a hundred."""
MIN_LIMBS = 0.01
"""Share of what shows that arms and legs must be, where poses of the body are asked for."""
MAX_BARE = 0.1
"""Share of the head's pixels that may lack the texture that their material names: an earring, not a face."""


def reasons_against(survey: Survey) -> list[str]:
    """Why the model is unusable, a sentence each; empty when it is usable."""
    reasons = []
    if survey.head_vertices == 0:
        reasons.append("Nothing but a stage: no part of the mesh follows the neck bone.")
    elif survey.head_inside < MIN_HEAD_INSIDE:
        reasons.append(f"The head is outside the frame: {survey.head_inside:.0%} of it is inside.")
    if survey.coverage < MIN_COVERAGE:
        reasons.append(f"The picture is empty: {survey.coverage:.2%} of it shows anything.")
    if survey.body is not None:
        reasons += _against_body(survey.body)
    if survey.bare > MAX_BARE:
        reasons.append(
            f"Textures of its head are missing: {survey.bare:.0%} of the head should show some that are absent or cannot be "
            f"read, most of it '{survey.bare_texture}'."
        )
    if survey.face_changed is not None and survey.face_changed < MIN_FACE_CHANGED:
        shown = f"its morphs change {survey.face_changed:.2%} of the head's pixels"
        if survey.face_ahead is not None and survey.face_ahead < 0:
            reasons.append(f"No face is visible from the front: it looks away from the camera; {shown}.")
        else:
            reasons.append(f"The face is covered: {shown}.")
    return reasons


def _against_body(body: BodySurvey) -> list[str]:
    if body.lacking:
        return [
            f"It has no humanoid {' and '.join(body.lacking)}: the bones of a VRM's humanoid, or those that MikuMikuDance "
            "names so (左腕, 左ひじ, 左手首, 左足, 左ひざ, 左足首, and the same of 右), are not all there."
        ]
    if body.limbs < MIN_LIMBS:
        return [f"Nothing of its body is seen: {body.limbs:.2%} of what shows is arms and legs."]
    return []

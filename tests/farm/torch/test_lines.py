"""Line drawings: dark strokes and edges of parts are lines, even colours are paper."""

import numpy as np

from farm.labels import Part
from farm.torch.lines import line_drawing


def test_strokes_are_lines_and_even_colours_paper_however_dark() -> None:
    picture = np.full((20, 30, 3), 255, np.uint8)
    picture[:, 15:] = (60, 40, 90)
    picture[5, :] = 20  # a stroke over both colours, too weak on the dark one to be all line

    drawn = line_drawing(picture, np.zeros((20, 30), np.uint8))

    assert (drawn[5, :14] == 0).all()
    assert (drawn[5, 17:] < 128).all()
    rest = np.delete(drawn, 5, axis=0)
    assert (rest[:, :14] == 255).all()
    assert (rest[:, 17:] == 255).all()


def test_the_edge_of_a_part_is_a_line_where_the_picture_has_none() -> None:
    parts = np.full((20, 20), Part.HAIR, np.uint8)
    parts[8:12, 8:12] = Part.FACE
    parts[0:3, 0:3] = Part.IGNORE

    drawn = line_drawing(np.full((20, 20, 3), 180, np.uint8), parts)

    assert (drawn[9, [7, 11]] < 128).all()
    assert (drawn[[7, 11], 9] < 128).all()
    assert drawn[9, 9] == 255
    assert (drawn[:7, :6] == 255).all()

"""The preview of a clip for people: its frames as an MP4 file (H.264), which every browser plays.

One thread and a fixed quantiser, so that equal frames give equal bytes whatever machine encodes them; no clock and no name of
a machine is in the file.
"""

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_OPTIONS = {
    "preset": "medium",
    # What decides by real numbers (adaptive quantisers, trees of macro blocks, weights) is off.
    "x264-params": "qp=20:threads=1:lookahead-threads=1:sliced-threads=0:aq-mode=0:mbtree=0:weightp=0:weightb=0:keyint=60",
}
_MUXER = {"fflags": "+bitexact", "movflags": "+faststart"}
_PAPER = 255
"""Behind what is transparent: white."""
_FINEST = 1001
"""The largest denominator of a rate: 29.97 frames a second are 30,000 in 1,001 s."""


class ClipVideo:
    """A file that grows frame by frame, and is whole when it is closed."""

    def __init__(self, path: Path, size: int, rate: float) -> None:
        """`size` is the pictures' width and height, `rate` how many are shown a second."""
        import av  # a large library, and most results are no clips

        self.path = path
        self._even = size + size % 2
        """Colours are kept for two by two pixels."""
        self._container: OutputContainer = av.open(str(path), "w", format="mp4", options=_MUXER)
        fraction = Fraction(rate).limit_denominator(_FINEST)
        stream = self._container.add_stream("libx264", rate=fraction, options=_OPTIONS)
        self._stream: VideoStream = stream
        stream.width = stream.height = self._even
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= av.codec.context.Flags.bitexact

    def add(self, picture: NDArray[np.uint8]) -> None:
        """The next frame: (size, size, 3), or (size, size, 4) with straight alpha."""
        import av

        frame = av.VideoFrame.from_ndarray(_planes(_opaque(picture, self._even)), "yuv420p")
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Write what is left."""
        for packet in self._stream.encode():
            self._container.mux(packet)
        self._container.close()


def _opaque(picture: NDArray[np.uint8], side: int) -> NDArray[np.int32]:
    """(side, side, 3) over the paper."""
    whole = np.full((side, side, 3), _PAPER, np.int32)
    rows, columns = picture.shape[:2]
    colours = picture[..., :3].astype(np.int32)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(np.int32)
        colours = (colours * alpha + _PAPER * (255 - alpha) + 127) // 255
    whole[:rows, :columns] = colours
    return whole


def _planes(colours: NDArray[np.int32]) -> NDArray[np.uint8]:
    """(side * 3 / 2, side) brightness, and below it the two planes of colour, a value for two by two pixels (BT.601).

    In whole numbers, and by no library that does it another way on another processor.
    """
    side = len(colours)
    fours = colours.reshape(side // 2, 2, side // 2, 2, 3).sum(axis=(1, 3)) + 2 >> 2
    brightness = (colours @ np.array([66, 129, 25]) + 128 >> 8) + 16
    blue = (fours @ np.array([-38, -74, 112]) + 128 >> 8) + 128
    red = (fours @ np.array([112, -94, -18]) + 128 >> 8) + 128
    flat = np.concatenate([brightness.ravel(), blue.ravel(), red.ravel()])
    return flat.astype(np.uint8).reshape(side * 3 // 2, side)

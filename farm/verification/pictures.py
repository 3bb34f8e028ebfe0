"""Holds the picture files of one model against its manifest and against the rules for pictures."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.dataset.manifest import CONTACT_SHEET
from farm.dataset.output import RenderedModel
from farm.dataset.picture_reading import BROKEN, read_picture
from farm.dataset.reading import Listing, read_file
from farm.dataset.usability import reasons_against
from farm.dataset.validation import check_pictures
from farm.errors import InvalidSampleError, StorageError
from farm.pipe import View
from farm.verification.findings import Fault, FindingList
from farm.views import shows_face
from farm.wording import reason

MIN_HEAD_SHARE = 0.5
"""Of what the neutral picture shows in the head's box, the share that any picture from the front has to show there."""
_SHOWN = 8
"""Alpha from which a pixel counts as covered."""
_OVERHEAD = 2**20
"""Bytes that a PNG file may have beyond its pixels."""
_SHEET_PIXELS = 64 * 2**20


@dataclass(frozen=True, slots=True)
class _Expected:
    """A picture as the manifest has it."""

    where: str
    sha256: str
    size: int | None
    """Bytes; None: the manifest does not say."""
    view: View | None
    """None: the neutral picture, which is always transparent and from the front."""


class PictureFiles:
    """The pictures of one model. `looked_at` counts those that were read."""

    def __init__(self, model: RenderedModel, found: Listing, findings: FindingList) -> None:
        self._model, self._found, self._findings = model, found, findings
        self._spec = model.manifest.spec
        self._most = self._spec.size**2 * 4 + _OVERHEAD
        self._neutral: dict[str, NDArray[np.bool_]] = {}
        """What the neutral picture of a style shows in the head's box."""
        self._wrong: dict[str, tuple[str, int]] = {}
        """Hash and size of each file whose bytes are others than they should be."""
        self.looked_at = 0
        self.names: set[str] = {CONTACT_SHEET}
        """The files that the manifest knows, below the model's folder."""

    def check(self) -> None:
        """Look at every picture."""
        manifest, folder = self._model.manifest, self._model.folder
        expected: dict[str, _Expected] = {}
        for basis in manifest.basis:
            expected[f"basis/{basis.style}.png"] = _Expected(f"basis/{basis.style}.png", basis.sha256, None, None)
            self._one(expected[f"basis/{basis.style}.png"], basis.style)
        for image in manifest.images:
            where = self._model.image_path(image).relative_to(folder).as_posix()
            if where in expected:
                continue  # listed twice, which was said
            expected[where] = _Expected(where, image.sha256, image.bytes, image.view)
            self._one(expected[where], image.style)
        self._name_wrong(expected)
        self.names |= expected.keys()
        self._sheet()
        if not self._spec.keep_unusable:
            for reason in reasons_against(manifest.survey):
                self._findings.add(Fault.HEAD, "", reason)

    def _one(self, expected: _Expected, style: str) -> None:
        where, add = expected.where, self._findings.add
        size = self._found.sizes.get(where)
        if size is None:
            if where not in self._found.strange:  # a link was named already
                add(Fault.MISSING, where, "The picture is missing.")
            return
        self.looked_at += 1
        try:
            data = read_file(self._model.folder / where, self._most)
        except (StorageError, FileNotFoundError) as error:
            add(Fault.SIZE, where, f"The picture cannot be read: {error}")
            return
        digest = hashlib.sha256(data).hexdigest()
        if digest != expected.sha256:
            self._wrong[where] = digest, size
            return
        pixels = self._decoded(data, expected)
        if pixels is not None and not self._spec.keep_unusable and pixels.shape[2] == 4:
            self._look(pixels, expected, style)

    def _decoded(self, data: bytes, expected: _Expected) -> NDArray[np.uint8] | None:
        side = self._spec.size
        mode = "RGB" if self._spec.backgrounds and expected.view is not None else "RGBA"
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                if picture.size != (side, side):
                    width, height = picture.size
                    self._findings.add(
                        Fault.PICTURE, expected.where, f"It has {width} x {height} pixels, not {side} x {side}."
                    )
                    return None
                if picture.mode != mode:
                    self._findings.add(Fault.PICTURE, expected.where, f"Its mode is {picture.mode}, not {mode}.")
                    return None
                return np.asarray(picture)
        except BROKEN as error:
            self._findings.add(Fault.PICTURE, expected.where, f"It cannot be decoded ({reason(error)}).")
            return None

    def _look(self, pixels: NDArray[np.uint8], expected: _Expected, style: str) -> None:
        view = expected.view
        try:
            check_pictures(pixels[None], [style], view is None or shows_face(view))
        except InvalidSampleError as error:
            self._findings.add(Fault.PICTURE, expected.where, str(error))
            return
        head = self._head(pixels)
        if view is None:
            self._neutral[style] = head
        elif (view.yaw, view.elevation) == (0, 0) and style in self._neutral and not self._spec.space.bends:
            # A head that turns stays where it is, but for poses of the body, which take it elsewhere.
            before, now = (np.count_nonzero(shown) for shown in (self._neutral[style], head))
            if now < MIN_HEAD_SHARE * before:
                self._findings.add(
                    Fault.HEAD,
                    expected.where,
                    f"The head is outside the picture: where it is, {now} pixels show anything, and {before} of the "
                    "neutral picture.",
                )

    def _head(self, pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which pixels in the box of the neutral picture's head are covered."""
        side = self._spec.size
        box = self._model.manifest.survey.head_box
        left, top, right, bottom = (round(min(share, 1.0) * side) if share > 0 else 0 for share in box)
        return np.asarray(pixels[top:bottom, left:right, 3] >= _SHOWN)

    def _name_wrong(self, expected: Mapping[str, _Expected]) -> None:
        """Say of each file with other bytes whether they are those of another one."""
        owners = {each.sha256: where for where, each in expected.items()} if self._wrong else {}
        for where, (digest, size) in self._wrong.items():
            should = expected[where].size
            if (owner := owners.get(digest)) is not None:
                self._findings.add(Fault.SWAPPED, where, f"It holds the picture of {owner}.")
            elif should is not None and size != should:
                how = "cut off" if size < should else "too long"
                self._findings.add(Fault.SIZE, where, f"It is {how}: it has {size} bytes of {should}.")
            else:
                self._findings.add(Fault.HASH, where, "Its bytes are others than the manifest says.")

    def _sheet(self) -> None:
        """The contact sheet: that it is there, whole, and, where its manifest says its hash, the one that was made."""
        if CONTACT_SHEET not in self._found.sizes:
            self._findings.add(Fault.MISSING, CONTACT_SHEET, "The contact sheet is missing.")
            return
        try:
            data = read_file(self._model.folder / CONTACT_SHEET, 4 * _SHEET_PIXELS)
            if self._model.manifest.contact_sheet not in (None, hashlib.sha256(data).hexdigest()):
                self._findings.add(Fault.HASH, CONTACT_SHEET, "Its bytes are others than the manifest says.")
                return
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                if picture.width * picture.height > _SHEET_PIXELS:
                    raise ValueError(f"{picture.width} x {picture.height} pixels are too many")
                picture.load()
        except (*BROKEN, StorageError) as error:
            self._findings.add(Fault.PICTURE, CONTACT_SHEET, f"It cannot be decoded ({reason(error)}).")


def decoded(path: Path, side: int) -> NDArray[np.uint8]:
    """The pixels of a picture file of ours, (side, side, 3 or 4). Raises StorageError for anything else."""
    try:
        data = read_file(path, side**2 * 4 + _OVERHEAD)
    except FileNotFoundError as error:
        raise StorageError(f"{path} cannot be read ({reason(error)}); `farm verify` says more.") from error
    return read_picture(data, side, str(path))

"""Whether the pages of the gallery stand, the first one and those that another leads to."""

import re
from pathlib import Path

from farm.dataset.gallery import GALLERY
from farm.dataset.reading import read_file
from farm.errors import StorageError
from farm.verification.findings import REBUILD, Fault, FindingList

_LINK = re.compile(rb'href="(index(?:-[1-9][0-9]{0,6})?\.html)"')
_MOST = 16 * 2**20
"""Bytes of a page; one of 50 models has about 100 KB."""


def check_pages(directory: Path, findings: FindingList) -> None:
    """Whether the gallery is there: its pages name each other."""
    named = {GALLERY}
    for path in directory.glob("index*.html"):
        if path.is_symlink():
            continue  # what links there are is said of the folder
        try:
            named.update(link.decode() for link in _LINK.findall(read_file(path, _MOST)))
        except FileNotFoundError:
            pass
        except StorageError as error:
            findings.add(Fault.LINK, "", str(error))
    for name in sorted(name for name in named if not (directory / name).exists()):
        findings.add(Fault.MISSING, "", f"The page {name} of the gallery is missing; {REBUILD}.")

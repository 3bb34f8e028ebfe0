"""Which bone or morph of a character a motion means by a name."""

from collections.abc import Sequence

from farm.models.description import Bone, Morph
from farm.morphs.names import normalise
from farm.motion.vmd import NAME_BYTES, read_name


def cut(name: str) -> str:
    """A name as far as a VMD can hold it: 15 bytes of Shift-JIS.

    >>> cut("右足首調整用ボーン")
    '右足首調整用ボ'
    """
    return read_name(name.encode("cp932", errors="replace")[:NAME_BYTES])


class Names:
    """The bones, or the morphs, of one character.

    A name is looked for as it is, then without regard to width, case and spaces, then among the English ones. Both sides are
    cut as a VMD cuts them; of several that are alike then the first counts, as in MikuMikuDance.
    """

    def __init__(self, listed: Sequence[Bone] | Sequence[Morph]) -> None:
        own = [cut(entry.name) for entry in listed]
        english = [cut(entry.name_en or "") for entry in listed]
        self._tables: list[dict[str, int]] = []
        for names in (own, list(map(normalise, own)), list(map(normalise, english))):
            table: dict[str, int] = {}
            for index, name in enumerate(names):
                if name:
                    table.setdefault(name, index)
            self._tables.append(table)

    def find(self, name: str) -> int | None:
        """The index of what `name` means; None where nothing is called so."""
        wanted = cut(name)
        exact, alike, english = self._tables
        for table, key in ((exact, wanted), (alike, normalise(wanted)), (english, normalise(wanted))):
            if key in table:
                return table[key]
        return None

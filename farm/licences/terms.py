"""What the creator of a model lets people do with it, as its file and the texts beside it say.

VRM says it in fields: VRM 0.x ``meta`` (allowedUserName, licenseName, commercialUssageName, otherPermissionUrl), VRM 1.0
``VRMC_vrm.meta`` (avatarPermission, allowRedistribution, modification, commercialUsage, creditNotation), and VRoid Hub in
the query of a URL. MMD models say it in free text. A text is only read for what it forbids: that it allows something is for
a person to decide, who has read it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit


class Permission(StrEnum):
    """What somebody may want to do with a model. The names stand on command lines and in files."""

    USE = "use"
    """Anybody may use the model, not its creator alone."""
    REDISTRIBUTION = "redistribution"
    """It may be passed on."""
    MODIFICATION = "modification"
    """It may be changed."""
    COMMERCIAL = "commercial"
    """Companies may earn with it."""


class Ruling(StrEnum):
    """Whether it is permitted."""

    YES = "yes"
    NO = "no"
    UNSAID = "unsaid"


@dataclass(frozen=True, slots=True)
class Said:
    """One statement."""

    permission: Permission
    answer: Ruling
    source: str
    """Where it stands, for people: the field and its value, or the sentence of a text."""


@dataclass(frozen=True, slots=True)
class Terms:
    """All that is said of a model."""

    said: tuple[Said, ...]
    credit: Ruling
    """Whether the creator has to be named."""
    licence: str
    """As `licence_named` has it."""

    def answer(self, permission: Permission) -> Said:
        """What holds: a single "no" goes before any "yes"."""
        found = [said for said in self.said if said.permission is permission]
        for wanted in (Ruling.NO, Ruling.YES):
            for said in found:
                if said.answer is wanted:
                    return said
        return Said(permission, Ruling.UNSAID, "")


_USE, _REDISTRIBUTION, _MODIFICATION, _COMMERCIAL = Permission
_YES, _NO = Ruling.YES, Ruling.NO

_NAMED: dict[str, dict[Permission, Ruling]] = {
    "Redistribution_Prohibited": {_REDISTRIBUTION: _NO},
    "CC0": {_REDISTRIBUTION: _YES, _MODIFICATION: _YES, _COMMERCIAL: _YES},
    "CC_BY": {_REDISTRIBUTION: _YES, _MODIFICATION: _YES, _COMMERCIAL: _YES},
    "CC_BY_SA": {_REDISTRIBUTION: _YES, _MODIFICATION: _YES, _COMMERCIAL: _YES},
    "CC_BY_NC": {_REDISTRIBUTION: _YES, _MODIFICATION: _YES, _COMMERCIAL: _NO},
    "CC_BY_NC_SA": {_REDISTRIBUTION: _YES, _MODIFICATION: _YES, _COMMERCIAL: _NO},
    "CC_BY_ND": {_REDISTRIBUTION: _YES, _MODIFICATION: _NO, _COMMERCIAL: _YES},
    "CC_BY_NC_ND": {_REDISTRIBUTION: _YES, _MODIFICATION: _NO, _COMMERCIAL: _NO},
}
"""VRM 0.x ``licenseName``; "Other" says nothing."""
_FIELDS: dict[str, tuple[Permission, dict[str, Ruling]]] = {
    "allowedUserName": (_USE, {"Everyone": _YES, "OnlyAuthor": _NO, "ExplicitlyLicensedPerson": _NO}),
    "commercialUssageName": (_COMMERCIAL, {"Allow": _YES, "Disallow": _NO}),
    "avatarPermission": (_USE, {"everyone": _YES, "onlyAuthor": _NO, "onlySeparatelyLicensedPerson": _NO}),
    "allowRedistribution": (_REDISTRIBUTION, {"true": _YES, "false": _NO}),
    "modification": (
        _MODIFICATION,
        {"prohibited": _NO, "allowModification": _YES, "allowModificationRedistribution": _YES},
    ),
    "commercialUsage": (_COMMERCIAL, {"corporation": _YES, "personalProfit": _NO, "personalNonProfit": _NO}),
}
_VRM_1_DEFAULTS = {
    "avatarPermission": "onlyAuthor",
    "allowRedistribution": "false",
    "modification": "prohibited",
    "commercialUsage": "personalNonProfit",
    "creditNotation": "required",
}
"""Of fields that are left out. Source: VRMC_vrm-1.0, meta."""
_HUB = "hub.vroid.com"
_HUB_FIELDS: dict[str, tuple[Permission, dict[str, Ruling]]] = {
    "allowed_to_use_user": (_USE, {"everyone": _YES, "author": _NO}),
    "redistribution": (_REDISTRIBUTION, {"allow": _YES, "disallow": _NO}),
    "modification": (_MODIFICATION, {"allow": _YES, "disallow": _NO}),
    "corporate_commercial_use": (_COMMERCIAL, {"allow": _YES, "disallow": _NO}),
}

_SUBJECTS = {
    _REDISTRIBUTION: re.compile(
        r"再配[布佈]|二次[配分][布佈发發]|転載|转载|轉載|재배포|re-?distribut|re-?upload|distribut", re.I
    ),
    _MODIFICATION: re.compile(r"改[変造变變]|修改|改模|개조|수정|modif|edit", re.I),
    _COMMERCIAL: re.compile(r"商[用业業]|営利|营利|營利|상업|영리|commercial", re.I),
}
_FORBIDS = re.compile(
    r"禁|不可|不許|不许|厳禁|しないで|行わないで|お断り|おことわり|ご?遠慮|認めませ|できませ|許可しませ|[×✕✖]|\bNG\b|請勿|请勿|勿|"
    r"금지|불가|prohibit|forbid|forbidden|not\s+(?:be\s+)?(?:allow|permit)|\bno\b|\bdo\s+not\b|\bdon'?t\b|\bnot\b|\bnon\b|non-",
    re.I,
)
_NO_BAN = re.compile(r"禁止(?:しませ|していませ|ではありませ|事項|は特に)|not\s+(?:prohibited|forbidden)", re.I)
_PIECES = re.compile(r"[。.;、,!]")
_BULLET = re.compile(r"\s*(?:[-*・●○□▪•※>]|\(?\d+[.):]|\s{2,})")
_BAN = re.compile(r"禁止(?:事項|行為)?\s*[】\]:>)]*\s*$|prohibit\w*\W*$|not\s+allowed\W*$|forbidden\W*$", re.I)
"""The heading of a list of what is forbidden."""
_MAX_HEADING = 40
_MAX_TEXT = 64 * 2**10
_MAX_QUOTE = 120


def terms_of(vrm_1: bool, licence: Mapping[str, str], texts: Iterable[tuple[str, str]]) -> Terms:
    """The terms of a model: `licence` are the fields of VRM's meta, `texts` are (name, text) of what stands beside it."""
    meta = {**_VRM_1_DEFAULTS, **licence} if vrm_1 else dict(licence)
    hub = _hub(meta)
    credit = Ruling.UNSAID
    if meta.get("creditNotation") == "unnecessary" or hub.get("credit") == "unnecessary":
        credit = Ruling.NO
    if meta.get("creditNotation") == "required" or hub.get("credit") == "necessary":
        credit = Ruling.YES
    if (name := meta.get("licenseName", "")).startswith("CC"):
        credit = Ruling.NO if name == "CC0" else Ruling.YES
    said = (*_of_fields(meta, _FIELDS, ""), *_of_name(name), *_of_fields(hub, _HUB_FIELDS, "VRoid Hub: "))
    forbidden = (found for file, text in texts for found in _of_text(file, text))
    return Terms((*said, *forbidden), credit, licence_named(meta))


def licence_named(licence: Mapping[str, str]) -> str:
    """The licence's name or address by the fields of VRM's meta; empty where none is named."""
    name = licence.get("licenseName", "")
    named = name if name != "Other" else ""
    return named or licence.get("licenseUrl") or licence.get("otherLicenseUrl") or ""


def _of_fields(
    meta: Mapping[str, str], fields: Mapping[str, tuple[Permission, dict[str, Ruling]]], source: str
) -> Iterator[Said]:
    for name, (permission, answers) in fields.items():
        if (answer := answers.get(meta.get(name, ""))) is not None:
            yield Said(permission, answer, f"{source}{name} {meta[name]}")


def _of_name(name: str) -> Iterator[Said]:
    for permission, answer in _NAMED.get(name, {}).items():
        yield Said(permission, answer, f"licenseName {name}")


def _hub(meta: Mapping[str, str]) -> dict[str, str]:
    """What the query of a VRoid Hub licence's address says."""
    for name in ("otherPermissionUrl", "otherLicenseUrl", "licenseUrl"):
        try:
            address = urlsplit(meta.get(name, ""))
            query = parse_qs(address.query, max_num_fields=50)
        except ValueError:
            continue  # what creators write here is not always an address
        if address.hostname == _HUB and query:
            return {key: values[0] for key, values in query.items()}
    return {}


def _of_text(file: str, text: str) -> Iterator[Said]:
    """What a free text forbids, piece by piece: "改変・再配布自由、商用利用禁止" forbids one thing only."""
    below_ban = False
    for line in unicodedata.normalize("NFKC", text[:_MAX_TEXT]).split("\n"):
        about = any(subject.search(line) for subject in _SUBJECTS.values())
        if not about and len(line) <= _MAX_HEADING and _BAN.search(line):
            below_ban = True
        elif line.strip() and not _BULLET.match(line):
            below_ban = False
        for piece in _PIECES.split(line):
            if below_ban or (_FORBIDS.search(piece) and not _NO_BAN.search(piece)):
                for permission, subject in _SUBJECTS.items():
                    if subject.search(piece):
                        yield Said(permission, Ruling.NO, f"{file}: {' '.join(piece.split())[:_MAX_QUOTE]}")

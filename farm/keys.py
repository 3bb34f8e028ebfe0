"""API keys and what they allow.

A key is ``ff_`` and 32 random bytes in URL-safe base64. Only its SHA-256 is configured. A plain, fast hash is enough:
slow, salted ones make guessing a *person's* password dear, and 256 random bits cannot be guessed at any price.

Keys are configured as entries ``name:role+role:sha256`` on lines of their own or between commas or semicolons, in the
setting FARM_API_KEYS, in the file FARM_API_KEYS_FILE, or in both. A line that begins with ``#`` is a comment.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path

from farm.errors import KeysError
from farm.settings import Settings

_PREFIX = "ff_"
_RANDOM_BYTES = 32
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_FORM = "name:role+role:sha256, as `farm keys new` prints it"


class Role(StrEnum):
    """What a key is for. Every key may read; what else a role allows says `ALLOWED`."""

    READ = "read"
    """See models, batches, jobs, events and results; change nothing."""
    SUBMIT = "submit"
    """Bring models and backgrounds in and make batches of them."""
    ANNOTATE = "annotate"
    """Say which morph of a model plays which target."""
    OPERATE = "operate"
    """Run the farm: everything, other people's batches and the workers included."""


ALLOWED: dict[Role, frozenset[Role]] = {
    Role.READ: frozenset({Role.READ}),
    Role.SUBMIT: frozenset({Role.READ, Role.SUBMIT}),
    Role.ANNOTATE: frozenset({Role.READ, Role.ANNOTATE}),
    Role.OPERATE: frozenset(Role),
}
"""For each role of a key, the roles that a request may need for the key to be enough."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever asks: the name and the roles of a key."""

    name: str
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Whether a request that needs `role` is theirs to make."""
        return any(role in ALLOWED[own] for own in self.roles)


ANONYMOUS = Principal("anonymous", frozenset(Role))
"""Anybody, where no keys are configured."""


def new_key() -> str:
    """A key that nobody has had before."""
    return _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)


def entry_for(name: str, roles: Iterable[Role], key: str) -> str:
    """The entry that lets the bearer of `key` in as `name`. Raises KeysError for a name that no entry can hold."""
    if not _usable(name):
        raise KeysError(
            f"'{name}' cannot name a key: take up to 64 ASCII letters, digits, dots, hyphens and underscores, "
            f"beginning with a letter or digit; '{ANONYMOUS.name}' is taken."
        )
    return f"{name}:{'+'.join(role for role in Role if role in set(roles))}:{hash_of(key).hex()}"


def _usable(name: str) -> bool:
    return bool(_NAME.fullmatch(name)) and name != ANONYMOUS.name


def hash_of(key: str) -> bytes:
    """The SHA-256 of a key, by which entries know it."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


class Keyring:
    """The keys that open the farm, each with its principal; `compare` is for tests that watch it."""

    def __init__(
        self, entries: Iterable[tuple[bytes, Principal]], compare: Callable[[bytes, bytes], bool] = hmac.compare_digest
    ) -> None:
        self._entries = tuple(entries)
        self._compare = compare

    @property
    def principals(self) -> list[Principal]:
        """Everybody with a key, in the order of the configuration."""
        return [principal for _, principal in self._entries]

    def find(self, presented: str) -> Principal | None:
        """Whose key `presented` is; None if nobody's. The time it takes tells nothing: every entry is compared."""
        return self.find_hashed(hash_of(presented))

    def find_hashed(self, digest: bytes) -> Principal | None:
        """The same by the SHA-256 of the key."""
        found = None
        for known, principal in self._entries:
            if self._compare(known, digest):
                found = principal
        return found


def read_entries(text: str, source: str) -> list[tuple[bytes, Principal]]:
    """The entries in `text`: the hash of each key and its principal.

    Raises KeysError, whose sentence names `source` and the number of the entry and quotes nothing of it: people paste
    keys into wrong places.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    entries = [entry.strip() for line in lines for entry in re.split("[,;]", line) if entry.strip()]
    found = []
    for number, entry in enumerate(entries, 1):
        where = f"Entry {number} of {source}"
        fields = [field.strip() for field in entry.split(":")]
        if len(fields) != 3:
            raise KeysError(f"{where} is not of the form {_FORM}.")
        name, roles, digest = fields
        if not _usable(name):
            raise KeysError(f"{where} begins with no usable name; make it anew: {_FORM}.")
        try:
            named = frozenset(Role(role.strip()) for role in roles.split("+"))
        except ValueError:
            raise KeysError(f"{where} names no role or an unknown one; there are {', '.join(Role)}.") from None
        if not _HASH.fullmatch(digest):
            raise KeysError(
                f"{where} does not end in a SHA-256 of 64 small hexadecimal digits. The hash belongs there, never the "
                "key; if a key stands there, make a new one with `farm keys new`."
            )
        found.append((bytes.fromhex(digest), Principal(name, named)))
    return found


class Keys:
    """The configured keys. A file of them is read again when it has changed, so that a key can be taken back at once.

    An unreadable file opens nothing: until it is mended, `ring` raises for everybody.
    """

    def __init__(self, text: str = "", file: Path | None = None) -> None:
        self._text = text.strip()
        self._file = file
        self._seen: object = None
        self._ring = Keyring(())

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        """The keys that the settings name."""
        file = Path(settings.api_keys_file) if settings.api_keys_file else None
        return cls(settings.api_keys.get_secret_value(), file)

    @property
    def configured(self) -> bool:
        """Whether keys are asked for at all. A named file asks for them even while it is empty."""
        return bool(self._text) or self._file is not None

    def ring(self) -> Keyring:
        """The keys as they are now. Raises KeysError when they cannot be read, and says where."""
        try:
            version = self._version()
            if self._seen != version:
                self._ring, self._seen = self._read(), version
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise KeysError(f"The file {self._file} that FARM_API_KEYS_FILE names cannot be read: {reason}.") from error
        return self._ring

    def _version(self) -> object:
        if self._file is None:
            return "no file"
        status = self._file.stat()
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _read(self) -> Keyring:
        entries = read_entries(self._text, "FARM_API_KEYS")
        if self._file is not None:
            entries += read_entries(self._file.read_text("utf-8"), f"the file {self._file}")
        names = [principal.name for _, principal in entries]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise KeysError(f"More than one API key is named {', '.join(twice)}; give every key a name of its own.")
        if len({digest for digest, _ in entries}) < len(entries):
            raise KeysError("The same API key is configured under two names; make a new one with `farm keys new`.")
        return Keyring(entries)


def keys_for_api(settings: Settings) -> Keys:
    """The keys to run the API with.

    Raises KeysError when they cannot be read, and when none are configured although others can reach the API.
    """
    keys = Keys.of(settings)
    keys.ring()
    if not keys.configured and not is_loopback(settings.api_host):
        raise KeysError(
            f"The API would let in everybody who can reach {settings.api_host or 'any address'}: no keys are configured. "
            "Make one with `farm keys new` and set FARM_API_KEYS or FARM_API_KEYS_FILE, or listen on 127.0.0.1."
        )
    return keys


def is_loopback(host: str) -> bool:
    """Whether `host`, an address or a name, is reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

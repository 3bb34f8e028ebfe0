"""Who is signed in on the operators' page: an id in a browser's cookie, and in Redis the hash of the key that it stands for.

Neither tells the key. A session ends with its key, by signing out, and when nobody used it for a day.
"""

import hashlib
import secrets

from farm.jobs.connection import Connection

_SECONDS = 24 * 3600
_MAX_ID = 100


class Sessions:
    """Every method raises ServiceError when Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self, key_hash: bytes) -> str:
        """A new session for a key, known by the SHA-256 of it; its id."""
        session = secrets.token_urlsafe(32)
        self._connection.safely(lambda: self._connection.redis.set(_name(session), key_hash.hex(), ex=_SECONDS))
        return session

    def key_hash(self, session: str) -> bytes | None:
        """The hash of the key that a session stands for; None when there is no such session. Using it prolongs it."""
        if len(session) > _MAX_ID:
            return None
        found = self._connection.safely(lambda: self._connection.redis.getex(_name(session), ex=_SECONDS))
        return bytes.fromhex(found) if found else None

    def end(self, session: str) -> None:
        """Forget a session."""
        self._connection.safely(lambda: self._connection.redis.delete(_name(session)))


def _name(session: str) -> str:
    # Who reads Redis shall not find what a browser has to show.
    return f"farm:session:{hashlib.sha256(session.encode('utf-8', 'replace')).hexdigest()}"

"""Addresses that take one object by HTTP PUT without keys (AWS Signature Version 4, by query).

The clients for S3 sign only the host. Here the headers are signed, too, so that the server refuses other ones: what is
put has the announced length, and nothing is there yet.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Presigned:
    """An address, and the headers that have to go with the bytes."""

    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Signer:
    """Whose word counts, and where."""

    access_key: str
    secret_key: str
    region: str
    session_token: str = ""
    """Of keys that were lent for a time."""

    def put(self, address: str, seconds: int, size: int) -> Presigned:
        """For an object of `size` bytes at `address`, its URL without a query, for so many `seconds` from now."""
        now = datetime.now(UTC)
        scope = f"{now:%Y%m%d}/{self.region}/s3/aws4_request"
        headers = {"Content-Length": str(size), "If-None-Match": "*"}
        signed = {"host": urlsplit(address).netloc, **{name.lower(): value for name, value in headers.items()}}
        query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": f"{now:%Y%m%dT%H%M%SZ}",
            "X-Amz-Expires": str(seconds),
            **({"X-Amz-Security-Token": self.session_token} if self.session_token else {}),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
        }
        asked = urlencode(query, quote_via=quote, safe="")
        request = _canonical("PUT", urlsplit(address).path, asked, signed)
        text = "\n".join((_ALGORITHM, query["X-Amz-Date"], scope, hashlib.sha256(request.encode()).hexdigest()))
        return Presigned(f"{address}?{asked}&X-Amz-Signature={self._signature(now, text)}", headers)

    def _signature(self, now: datetime, text: str) -> str:
        key = b"AWS4" + self.secret_key.encode()
        for part in (f"{now:%Y%m%d}", self.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def _canonical(method: str, path: str, query: str, headers: Mapping[str, str]) -> str:
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    return "\n".join((method, path, query, *lines, "", ";".join(sorted(headers)), "UNSIGNED-PAYLOAD"))

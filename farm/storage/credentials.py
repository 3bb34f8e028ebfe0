"""Whose word a request to S3 carries: keys that are set, keys that were lent with a session token, or those that a token
service lends for a pod's token file (web identity, as EKS, MinIO and Ceph know it) and that are asked for again in time.
"""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from urllib.parse import urlencode
from xml.sax.saxutils import unescape

import urllib3
from minio.credentials.credentials import Credentials
from minio.credentials.providers import Provider, StaticProvider
from urllib3.exceptions import HTTPError

from farm.errors import StorageError, StoreRefusedError
from farm.settings import Settings

_EARLY = timedelta(minutes=1)
"""Before lent keys end, others are asked for: a request that has begun must be able to end."""
_MOST_BYTES = 2**20
_FIELD = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration|Code)>([^<]{1,16384})</\1>")


def provider(settings: Settings, http: urllib3.PoolManager) -> Provider | None:
    """Where the credentials come from; None: requests are anonymous. Raises StorageError for half of a pair."""
    access, secret = settings.s3_access_key.get_secret_value(), settings.s3_secret_key.get_secret_value()
    if access and secret:
        return StaticProvider(access, secret, settings.s3_session_token.get_secret_value() or None)
    if access or secret:
        raise StorageError("FARM_S3_ACCESS_KEY and FARM_S3_SECRET_KEY belong together, and one of them is not set.")
    if token := os.environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        return _WebIdentity(Path(token), settings.s3_region, http)
    return None


class _WebIdentity(Provider):
    """Keys for AWS_ROLE_ARN, by the token in a file. (The client's own provider puts the token into an address, which ends
    in logs, and cannot read the times of Ceph.)"""

    def __init__(self, token: Path, region: str, http: urllib3.PoolManager) -> None:
        self._token, self._http = token, http
        ending = ".cn" if region.startswith("cn-") else ""
        self._service = os.environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{region}.amazonaws.com{ending}"
        self._role = os.environ.get("AWS_ROLE_ARN", "")
        self._session = os.environ.get("AWS_ROLE_SESSION_NAME") or "facefarm"
        self._lent: Credentials | None = None
        self._until = datetime.min.replace(tzinfo=UTC)
        self._lock = Lock()

    def retrieve(self) -> Credentials:
        """The keys. Raises StoreRefusedError, and HTTPError while the token service is away."""
        with self._lock:
            if self._lent is None or datetime.now(UTC) > self._until:
                self._lent, self._until = self._ask()
            return self._lent

    def _ask(self) -> tuple[Credentials, datetime]:
        """Keys, and until when they may be used."""
        try:
            token = self._token.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise StoreRefusedError(
                f"AWS_WEB_IDENTITY_TOKEN_FILE, {self._token}, cannot be read: {reason}. Is it mounted, and ours to read?"
            ) from error
        form = {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            **({"RoleArn": self._role, "RoleSessionName": self._session} if self._role else {}),
            "WebIdentityToken": token,
        }
        response = self._http.request(
            "POST",
            self._service,
            body=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            preload_content=False,
        )
        try:
            text = response.read(_MOST_BYTES).decode("utf-8", "replace")
        finally:
            response.release_conn()
        found = {name: unescape(value) for name, value in _FIELD.findall(text)}
        if response.status >= 500 or response.status == 429:
            raise HTTPError(f"the token service answered {response.status}")
        try:
            until = datetime.fromisoformat(found["Expiration"]).astimezone(UTC) - _EARLY
            return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get("SessionToken")), until
        except (KeyError, ValueError, OverflowError) as error:
            said = found.get("Code") or f"HTTP {response.status}"
            raise StoreRefusedError(
                f"The token service {self._service} lends no keys for the token in AWS_WEB_IDENTITY_TOKEN_FILE ({said}). "
                "Check AWS_ROLE_ARN, that the role trusts this service account, and AWS_ENDPOINT_URL_STS where it is not AWS."
            ) from error

"""Settings for the tests' S3 server."""

from typing import Any

from pydantic import SecretStr

from farm.settings import Settings
from tests.support import servers


def settings_of(server: servers.S3Server, **changed: Any) -> Settings:
    keys = {"s3_access_key": SecretStr(servers.ACCESS_KEY), "s3_secret_key": SecretStr(servers.SECRET_KEY)}
    chosen: dict[str, Any] = {"s3_endpoint": server.endpoint, **keys, **changed}
    return Settings(**chosen)

"""Settings of a bucket of the tests' S3 server."""

from pydantic import SecretStr

from farm.settings import Settings
from tests.support import servers


def s3_settings(server: servers.S3Server, secret: str = servers.SECRET_KEY) -> Settings:
    return Settings(
        s3_endpoint=server.endpoint, s3_access_key=SecretStr(servers.ACCESS_KEY), s3_secret_key=SecretStr(secret)
    )

"""The client of an S3 server, and what can be wrong with what is set for it."""

import ssl
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.credentials.providers import Provider

from farm.errors import StorageError
from farm.settings import Settings
from farm.storage.credentials import provider


def connect(settings: Settings) -> tuple[Minio, Provider | None]:
    """A client, and where its credentials come from; nothing is sent yet. Raises StorageError for settings of no server."""
    try:
        address = urlsplit(settings.s3_endpoint.strip())
        port = address.port
    except ValueError as error:
        raise StorageError(f"FARM_S3_ENDPOINT is no address ({error}); it looks like http://minio:9000.") from error
    if not address.hostname or address.scheme not in ("http", "https") or port == 0:
        raise StorageError("Set FARM_S3_ENDPOINT to the S3 server, such as http://minio:9000.")
    if address.path.strip("/") or address.query or address.fragment or "@" in address.netloc:
        raise StorageError(
            "FARM_S3_ENDPOINT is the server alone, such as http://minio:9000: bucket and prefix stand in FARM_STORAGE_URL "
            "(s3://bucket/prefix), keys in FARM_S3_ACCESS_KEY and FARM_S3_SECRET_KEY."
        )
    secure = address.scheme == "https"
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=60),
        retries=False,  # `S3Store` alone decides what is tried again
        maxsize=16,
        ssl_context=_trust(settings.s3_ca_file) if secure else None,
    )
    credentials = provider(settings, http)
    try:
        client = Minio(
            address.netloc, credentials=credentials, region=settings.s3_region or None, secure=secure, http_client=http
        )
    except ValueError as error:
        raise StorageError(
            f"FARM_S3_ENDPOINT or FARM_S3_REGION cannot be used ({error}); they look like https://s3.example.org and "
            "us-east-1."
        ) from error
    return client, credentials


def _trust(ca_file: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(Path(ca_file).expanduser())
        except (OSError, ssl.SSLError) as error:  # an SSLError is an OSError; said, since it is what a wrong file gives
            reason = (
                error.strerror or str(error)
                if not isinstance(error, ssl.SSLError)
                else "it holds no certificate as PEM"
            )
            raise StorageError(
                f"FARM_S3_CA_FILE, {ca_file}, cannot be used: {reason}. Name a file with the certificate of the authority "
                "that signed the S3 server's, or with that one itself."
            ) from error
    return context

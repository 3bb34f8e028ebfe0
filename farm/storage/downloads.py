"""A download from S3 that survives its connection."""

from minio import Minio
from minio.error import S3Error
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.response import BaseHTTPResponse

from farm.errors import ServiceError

_PIECE = 2**18  # bytes


class Download:
    """A range of an object, read in pieces; after an error it goes on where the last whole piece ended."""

    def __init__(self, client: Minio, bucket: str, key: str, start: int, length: int | None) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._position, self._left = start, length
        self._version: str | None = None
        self._response: BaseHTTPResponse | None = None

    @property
    def done(self) -> bool:
        """Whether all of it was read."""
        return self._left == 0

    def open(self) -> None:
        """Ask for what was not read yet, of the version that was read before."""
        try:
            response = self._client.get_object(
                self._bucket,
                self._key,
                offset=self._position,
                length=self._left or 0,
                request_headers={"If-Match": self._version} if self._version else None,
            )
        except S3Error as error:
            if error.code == "InvalidRange":  # it begins behind the object's end
                self._left = 0
                return
            if error.code == "PreconditionFailed":
                raise ServiceError(
                    f"The object '{self._key}' was replaced while it was read. Read it again."
                ) from error
            raise
        self._response, self._version = response, response.headers["ETag"]
        self._left = int(response.headers["Content-Length"])

    def piece(self) -> bytes:
        """The next bytes, as many as are there. Not to be called when `done`."""
        if self._response is None:
            self.open()
        assert self._response is not None
        assert self._left is not None
        try:
            data = self._response.read1(_PIECE)
            if not data:
                raise ProtocolError("the body ended early")
        except HTTPError:
            self.close()
            raise
        self._position += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Give the connection back."""
        if self._response is not None:
            self._response.close()
            self._response.release_conn()
            self._response = None

"""What an S3 server's errors mean: whether asking again can help, and else what a person has to change."""

import re
import ssl

from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3.exceptions import HTTPError, SSLError

_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_PASSING_CODES = {"RequestTimeout", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict", "NoSuchUpload"}
"""Errors of other statuses that sending the request (or, after NoSuchUpload, the whole object) again can overcome."""
_FULL_CODES = {"XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientStorage"}
_REGION = re.compile(r"<Region>([a-z0-9-]{1,40})</Region>|use region ([a-z0-9-]{1,40})|expecting '([a-z0-9-]{1,40})'")
_OTHER_REGION = {
    "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError", "PermanentRedirect", "Redirect", "TemporaryRedirect",
    "IllegalLocationConstraintException", "RetryHead",
}  # fmt: skip
_RIGHTS = (
    "s3:GetObject, s3:PutObject and s3:DeleteObject on the objects, and s3:ListBucket on the bucket, without a condition on "
    "the prefix"
)
_REMEDIES = {
    "AccessDenied": f"The farm's keys are wrong, or lack a right: {_RIGHTS}. Without s3:ListBucket an object that is not "
    "there looks like this, too.",
    "AllAccessDisabled": "The server has closed the bucket to everybody; ask who runs it.",
    "AccountProblem": "The account is closed to everybody; ask who runs the server.",
    "InvalidAccessKeyId": "The server does not know FARM_S3_ACCESS_KEY.",
    "SignatureDoesNotMatch": "FARM_S3_SECRET_KEY is not the one of FARM_S3_ACCESS_KEY.",
    "RequestTimeTooSkewed": "This machine's clock and the server's differ by minutes: set this one right.",
    "InvalidBucketName": "FARM_STORAGE_URL names no bucket of this server.",
} | dict.fromkeys(
    ("ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidTokenId", "TokenRefreshRequired"),
    "The session token has run out, or is not of these keys: renew FARM_S3_ACCESS_KEY, FARM_S3_SECRET_KEY and "
    "FARM_S3_SESSION_TOKEN together, or use a token file (AWS_WEB_IDENTITY_TOKEN_FILE), which the farm renews by itself.",
)  # fmt: skip
_GENERAL = (
    "Check FARM_S3_ENDPOINT (http, https), keys, this machine's clock and that the server runs; `farm doctor` tries."
)


def is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, SSLError):
        return not _tls(error)
    if isinstance(error, HTTPError):
        return True
    return _status(error) in _PASSING_STATUS or (isinstance(error, S3Error) and error.code in _PASSING_CODES)


def is_full(error: Exception) -> bool:
    """Whether the server has no room for what was sent."""
    return _status(error) == 507 or (isinstance(error, S3Error) and error.code in _FULL_CODES)


def is_refusal(error: Exception) -> bool:
    """Whether the server refuses us, whatever we ask: a person has to change something."""
    if isinstance(error, SSLError):
        return bool(_tls(error))
    code = error.code if isinstance(error, S3Error) else ""
    return _status(error) in (401, 403) or code in _REMEDIES or code in _OTHER_REGION or _has_other_region(error)


def reason(error: Exception) -> str:
    """The error in a word, without an address or a key."""
    if isinstance(error, S3Error) and error.code:
        return error.code
    status = _status(error)
    return f"HTTP {status}" if status else type(error).__name__


def remedy(error: Exception, region: str) -> str:
    """A sentence that says what to change; `region` is the one that requests are signed for."""
    if isinstance(error, SSLError):
        return _tls(error) or _GENERAL
    if isinstance(error, S3Error):
        other = _other_region(error)
        if other and other != region:
            return f"The bucket is in the region '{other}', and FARM_S3_REGION says '{region}': set it to '{other}'."
        if error.code in _OTHER_REGION:
            return (
                f"FARM_S3_REGION, '{region}', is not the region of the bucket, or FARM_S3_ENDPOINT is of another one."
            )
        return _REMEDIES.get(error.code or "", _GENERAL)
    if isinstance(error, InvalidResponseError) and "HTTPS" in str(error):
        return "The server speaks TLS: write https:// in FARM_S3_ENDPOINT."
    return _GENERAL


def _tls(error: SSLError) -> str:
    """What is wrong with the server's TLS for good; empty for what may pass, such as a connection that was cut."""
    cause = next(
        (one for one in (*error.args, error.__cause__, error.__context__) if isinstance(one, ssl.SSLError)), None
    )
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = cause.verify_message.rstrip(".")
        match cause.verify_code:
            case 62 | 64:  # X509_V_ERR_HOSTNAME_MISMATCH, ..._IP_ADDRESS_MISMATCH
                return f"The server's certificate is of another name ({said}): write its own name in FARM_S3_ENDPOINT."
            case 9 | 10:  # ..._CERT_NOT_YET_VALID, ..._CERT_HAS_EXPIRED
                return f"The server's certificate does not count now ({said}): renew it, or set this machine's clock right."
        return (
            f"The server's certificate is of nobody whom this machine trusts ({said}): name the certificate of its "
            "authority, or the server's own if it signed itself, in FARM_S3_CA_FILE."
        )
    if cause is not None and cause.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "The server speaks no TLS: write http:// in FARM_S3_ENDPOINT."
    return ""


def _has_other_region(error: Exception) -> bool:
    return isinstance(error, S3Error) and bool(_other_region(error))


def _other_region(error: S3Error) -> str:
    if error.code not in (*_OTHER_REGION, "BadRequest"):  # the last is the client's word for an answer without a body
        return ""
    body = error.response.data if error.response is not None else b""
    found = _REGION.search(f"{(body or b'').decode('utf-8', 'replace')} {error.message or ''}")
    header = error.response.headers.get("x-amz-bucket-region", "") if error.response is not None else ""
    return next(filter(None, found.groups()), "") if found else header


def _status(error: Exception) -> int | None:
    """The HTTP status that the error came with."""
    match error:
        case S3Error():
            return error.response.status
        case ServerError():
            return error.status_code
        case InvalidResponseError():  # such as a gateway's page in HTML; the client tells the status in no other way
            return error._code
    return None

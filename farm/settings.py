"""The settings of every role, read from environment variables that begin with FARM_."""

from contextlib import suppress
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Field `redis_url` is the variable FARM_REDIS_URL, and so on."""

    model_config = SettingsConfigDict(env_prefix="FARM_", extra="ignore")

    redis_url: str = "redis://127.0.0.1:6379/0"
    storage_url: str = "file://~/.local/share/facefarm/store"
    s3_endpoint: str = ""
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    s3_session_token: SecretStr = SecretStr("")
    """Of keys that a token service lent for a time; they end with it."""
    s3_region: str = "us-east-1"
    s3_ca_file: str = ""
    """Certificates of authorities, as PEM, that are trusted besides this machine's: of an S3 server with one of its own."""
    require_gpu: bool = False
    """The worker refuses to start on software OpenGL."""
    shutdown_seconds: int = 45
    """How long a worker that is told to stop goes on with its model before it hands the job back."""
    worker_name: str = ""
    """Tells workers on one machine apart; the machine's name if empty."""
    lease_seconds: float = Field(45.0, ge=3, allow_inf_nan=False)
    """How long a worker may be silent before its job goes to another. All roles of a farm need the same."""
    job_seconds: float = Field(3600.0, gt=0, allow_inf_nan=False)
    """An attempt that takes longer is ended, and counts as broken down."""
    blender_memory_gib: float = Field(12.0, gt=0, allow_inf_nan=False)
    """A Blender that takes more memory is killed, and its attempt counts as broken down."""
    history_days: float = Field(30.0, gt=0, allow_inf_nan=False)
    """Batches that ended longer ago are forgotten; their results stay in the store."""
    api_url: str = "http://127.0.0.1:8000"
    """Where the command line finds the API."""
    api_key: SecretStr = SecretStr("")
    """The key that the command line and the SDK show to it."""
    api_host: str = "127.0.0.1"
    """The address that the API listens on. `farm api --host` sets it; whoever starts the API otherwise sets it too."""
    api_path: str = Field("", pattern="^$|^(/[A-Za-z0-9._~-]+)+$")
    """The path under which a proxy shows the API and its pages, such as /farm."""
    trusted_proxies: str = "127.0.0.1"
    """Addresses and networks, separated by commas, whose word counts on who a request is from, and whether it came by TLS."""
    api_keys: SecretStr = SecretStr("")
    """Who may use the API: entries of `farm.keys`. With neither this nor a file, anybody on this machine may."""
    api_keys_file: str = ""
    """A file with more such entries, read again when it changes."""
    import_buckets: str = ""
    """Further buckets, separated by commas, from which models may be registered; the farm's own always may."""
    rate_limit: float = Field(100.0, ge=0, allow_inf_nan=False)
    """Requests a second that one key, or one address without a key, may go on making; 0: as many as it likes."""
    preview_megapixels: int = Field(4096, ge=1)
    """Millions of pixels that one user's previews that are not drawn yet may cost (`farm.prices`); who may operate has no
    limit."""
    annotation: Literal["proposals", "confirmed"] = "proposals"
    """Which annotations count for batches that do not say it (`farm.spec.AnnotationRule`)."""
    webhook_private: bool = False
    """Webhooks may go to this machine and to private networks. Whoever may submit can then reach what the API reaches."""
    target_seconds: float = Field(600.0, gt=0, allow_inf_nan=False)
    """Within which an autoscaler that does not say it is to have all drawn (`farm.jobs.scaling`)."""
    assumed_rate: float = Field(400.0, gt=0, allow_inf_nan=False)
    """Images a second of one worker, until workers have reported how fast they are."""
    flower_basic_auth: SecretStr = SecretStr("")
    """user:password; without it Flower is open to whoever reaches its port."""
    flower_url: str = Field("", pattern="^$|^https?://")
    """Where the operators' page says that Flower is; it does not mention it if empty."""
    grafana_url: str = Field("", pattern="^$|^https?://")
    """The same for Grafana."""
    log_format: Literal["text", "json"] = "text"
    """How API and workers write their logs: lines for people, or an object of JSON each."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must stand in no log."""
        values = [getattr(self, name) for name in type(self).model_fields]
        found = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
        with suppress(ValueError):  # it is none, and whoever connects says so
            url = urlsplit(self.redis_url)
            found.append(unquote(url.netloc.rpartition("@")[0].partition(":")[2]))
            found.append(dict(parse_qsl(url.query)).get("sentinel_password", ""))
        return tuple(secret for secret in found if secret)

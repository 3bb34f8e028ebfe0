"""The settings of every role, read from environment variables that begin with FARM_."""

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Field `redis_url` is the variable FARM_REDIS_URL, and so on."""

    model_config = SettingsConfigDict(env_prefix="FARM_", extra="ignore")

    redis_url: str = "redis://127.0.0.1:6379/0"
    storage_url: str = "file:///tmp/facefarm-store"
    s3_endpoint: str = ""
    s3_access_key: SecretStr = SecretStr("")
    s3_secret_key: SecretStr = SecretStr("")
    s3_region: str = "us-east-1"
    require_gpu: bool = False
    """The worker refuses to start on software OpenGL."""
    shutdown_seconds: int = 45
    """How long a worker that is told to stop goes on with its model before it hands the job back."""
    api_url: str = "http://127.0.0.1:8000"
    """Where the command line finds the API."""
    flower_basic_auth: SecretStr = SecretStr("")
    """user:password; without it Flower is open to whoever reaches its port."""

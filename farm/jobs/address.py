"""Where Redis is: FARM_REDIS_URL, read once, and the connections that every process of the farm makes by it.

    redis://[[user]:password@]host[:port][/database]
    rediss://...                         the same over TLS; ?ssl_ca_certs=FILE names the CA
    unix://[[user]:password@]/path[?db=database]
    redis+sentinel://[[user]:password@]host[:port],host[:port].../service[/database]
                                         whichever server the Sentinels name; rediss+sentinel:// over TLS

Celery's connections and ours are made here alike, so they wait for an answer equally long, and fail over alike.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

import redis
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection, SentinelManagedSSLConnection

from farm.errors import ServiceError

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 10.0
HEALTH_SECONDS = 5
"""A connection that was idle for longer is asked whether it is still there before it is used."""
_SENTINEL_SECONDS = 2.0
"""To connect to a Sentinel, and for its answer: there are others to ask."""
_UNSENT_MILLISECONDS = 15_000
_KEEPALIVE = {
    name: value
    for option, value in (
        ("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", _UNSENT_MILLISECONDS),
    )
    if (name := getattr(socket, option, None)) is not None
}  # fmt: skip
"""A peer that went away without a word is missed within half a minute. The kernel's own: two hours."""
_REDIS_PORT, _SENTINEL_PORT = 6379, 26379
_FORMS = (
    "it looks like redis://host:6379/0, rediss://host:6379/0 (TLS), unix:///path/to/socket, or "
    "redis+sentinel://host:26379,host:26379/service/0"
)
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_OPTIONS = {
    "redis": ("db",),
    "unix": ("db",),
    "redis+sentinel": ("db", "sentinel_username", "sentinel_password"),
}
"""What may stand behind the question mark; with TLS, `_TLS_OPTIONS` besides."""


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """A Redis server, or the Sentinels that know which one it is. Neither its text nor its `repr` has a secret."""

    scheme: str
    """"redis", "unix" or "redis+sentinel"."""
    hosts: tuple[tuple[str, int], ...]
    """The server, or the Sentinels; none for a socket."""
    path: str = ""
    """The socket's."""
    service: str = ""
    """What the Sentinels call the server."""
    database: int = 0
    username: str = field(default="", repr=False)
    """Some write the password there."""
    password: str = field(default="", repr=False)
    sentinel_username: str = ""
    sentinel_password: str = field(default="", repr=False)
    tls: tuple[tuple[str, Any], ...] | None = None
    """Options of `redis.SSLConnection`; None: no TLS."""

    def __str__(self) -> str:
        places = ", ".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        if self.scheme == "unix":
            return f"{self.path}, database {self.database}"
        if self.service:
            return f"'{self.service}' of the Sentinels {places}, database {self.database}"
        return f"{places}/{self.database}"

    def __json__(self) -> str:
        """As workers write it where they tell Flower how they are set up."""
        return str(self)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not stand in a log."""
        return tuple(secret for secret in (self.password, self.sentinel_password) if secret)

    def pool(
        self, answer_seconds: float, decode: bool, on_disconnect: Callable[[Any], None] | None = None
    ) -> redis.ConnectionPool:
        """Connections to it; none is made yet. A command is never sent a second time: the first may have been carried out.

        `decode`: answers are text. `on_disconnect` is told of each connection that ends.
        """
        timing = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": answer_seconds,
            "health_check_interval": HEALTH_SECONDS,
        }
        network = {"socket_keepalive": True, "socket_keepalive_options": _KEEPALIVE}
        who = {"username": self.username or None, "password": self.password or None}
        options: dict[str, Any] = {
            **timing,
            **who,
            "db": self.database,
            "decode_responses": decode,
            "connection_class": _watched(self._kind(), on_disconnect),
        }
        if self.scheme == "unix":
            del options["socket_connect_timeout"]
            return redis.ConnectionPool(**options, path=self.path)
        options |= network | dict(self.tls or ())
        if self.scheme == "redis":
            (host, port), *_ = self.hosts
            return redis.ConnectionPool(**options, host=host, port=port)
        sentinels = Sentinel(  # type: ignore[no-untyped-call]  # redis-py says no types here
            self.hosts,
            sentinel_kwargs={
                "socket_connect_timeout": _SENTINEL_SECONDS,
                "socket_timeout": _SENTINEL_SECONDS,
                "retry": redis.retry.Retry(redis.backoff.NoBackoff(), 0),
                **network,
                "username": self.sentinel_username or None,
                "password": self.sentinel_password or None,
                **({} if self.tls is None else {"ssl": True, **dict(self.tls)}),
            },
        )
        return SentinelConnectionPool(self.service, sentinels, **options)  # type: ignore[no-untyped-call]  # nor here

    def _kind(self) -> type[Any]:
        if self.scheme == "unix":
            return redis.UnixDomainSocketConnection
        if self.scheme == "redis":
            return redis.Connection if self.tls is None else redis.SSLConnection
        return SentinelManagedConnection if self.tls is None else SentinelManagedSSLConnection

    def celery_url(self, login: bool) -> str:
        """As Celery and Flower write it, with user and password or without.

        Celery needs no `login`: its connections are made by `pool` (`farm.worker.broker`), and whoever inspects a worker is
        told the address.
        """
        who = ""
        if login and (self.username or self.password):
            who = f"{quote(self.username, safe='')}:{quote(self.password, safe='')}@"
        if self.scheme == "unix":
            return f"redis+socket://{who}{self.path}?virtual_host={self.database}"
        kind = "sentinel" if self.service else "redis" if self.tls is None else "rediss"
        places = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return ";".join(f"{kind}://{who}{place}/{self.database}" for place in places)


def _watched(kind: type[Any], on_disconnect: Callable[[Any], None] | None) -> type[Any]:
    if on_disconnect is None:
        return kind

    def disconnect(self: Any, *arguments: Any, **options: Any) -> None:
        kind.disconnect(self, *arguments, **options)
        on_disconnect(self)

    return type(kind.__name__, (kind,), {"disconnect": disconnect})


def read_address(url: str) -> RedisAddress:
    """What FARM_REDIS_URL says. Raises ServiceError, which names no secret, for what is no address of a Redis server."""
    try:
        return _read(url)
    except ValueError as error:
        raise ServiceError(f"FARM_REDIS_URL is no Redis address ({error}); {_FORMS}.") from error


def _read(url: str) -> RedisAddress:
    """Raises ValueError."""
    parts = urlsplit(url)
    if "cluster" in parts.scheme:
        raise ValueError("Facefarm runs on one Redis server with or without Sentinels, not on a cluster")
    scheme = parts.scheme.replace("rediss", "redis")
    if scheme not in _OPTIONS:
        raise ValueError("its scheme is none of redis, rediss, unix, redis+sentinel and rediss+sentinel")
    if parts.fragment or "@" in parts.path + parts.query:
        raise ValueError(
            "special characters of a password are written as %23 for #, %2F for /, %3F for ? and %40 for @"
        )
    tls = parts.scheme.startswith("rediss")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    known = (*_OPTIONS[scheme], *(_TLS_OPTIONS if tls else ()))
    if strange := options.keys() - set(known):
        raise ValueError(f"{sorted(strange)[0][:40]!r} is no option of {parts.scheme}://; there are {', '.join(known)}")
    who, _, places = parts.netloc.rpartition("@")
    username, _, password = who.partition(":")
    path, service = [piece for piece in parts.path.split("/") if piece], ""
    hosts: tuple[tuple[str, int], ...] = ()
    if scheme == "unix":
        if places or not path:
            raise ValueError("a socket's path begins with a third slash: unix:///run/redis.sock")
        path = []
    elif scheme == "redis":
        hosts = (_place(places or "localhost", _REDIS_PORT),)
    else:
        hosts = tuple(_place(place, _SENTINEL_PORT) for place in places.split(","))
        if not path:
            raise ValueError("the Sentinels' name for the server is missing: redis+sentinel://host:26379/mymaster")
        service, path = unquote(path[0]), path[1:]
    return RedisAddress(
        scheme=scheme,
        hosts=hosts,
        path=unquote(parts.path) if scheme == "unix" else "",
        service=service,
        database=_database(path, options),
        username=unquote(username),
        password=unquote(password),
        sentinel_username=options.get("sentinel_username", ""),
        sentinel_password=options.get("sentinel_password", ""),
        tls=_tls(options) if tls else None,
    )


def _place(text: str, port: int) -> tuple[str, int]:
    found: SplitResult = urlsplit(f"//{text}")
    if not found.hostname or found.username is not None:
        raise ValueError("a host is missing")
    return unquote(found.hostname), found.port or port


def _database(path: list[str], options: dict[str, str]) -> int:
    said = {text for text in (*path, options.get("db")) if text is not None}
    if len(said) > 1 or any(not text.isdecimal() for text in said):
        raise ValueError("its database is one whole number, such as /0")
    return int(said.pop()) if said else 0


def _tls(options: dict[str, str]) -> tuple[tuple[str, Any], ...]:
    found: dict[str, Any] = {name: options[name] for name in _TLS_OPTIONS if name in options}
    for name in _FILES:
        if name in found and not Path(found[name]).is_file():
            raise ValueError(f"{name} names no file: {found[name]}")
    # Celery's spelling, and redis-py's.
    found["ssl_cert_reqs"] = options.get("ssl_cert_reqs", "required").lower().removeprefix("cert_")
    if found["ssl_cert_reqs"] not in ("none", "optional", "required"):
        raise ValueError("ssl_cert_reqs is none, optional or required")
    if "ssl_check_hostname" in found:
        found["ssl_check_hostname"] = found["ssl_check_hostname"].lower() in ("1", "true", "yes")
    elif found["ssl_cert_reqs"] == "none":
        found["ssl_check_hostname"] = False  # or TLS refuses: nothing is compared where nothing is verified
    return tuple(found.items())

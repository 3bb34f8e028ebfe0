"""An upgrade from the chart before this one: nothing that a cluster refuses to change is changed, nothing is lost, and what
need not start anew does not. `tests/deployment/kubernetes/previous` holds that chart, packaged.
"""

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.chart.manifests import CHART, DATA, Helm, Manifest, load, pod_templates

(PREVIOUS,) = (DATA / "previous").glob("*.tgz")
INSTALLED = sorted(path.stem for path in (DATA / "previous" / "values").glob("*.yaml"))
"""Values with which people have installed that chart, and upgrade with."""
CHANGEABLE = {
    "StatefulSet": {
        "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit", "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    },
}  # fmt: skip
"""Of a StatefulSet the API server lets nothing else be changed, and says so in these words."""
TAKEN_AWAY: set[tuple[str, str]] = set()
"""What an upgrade may delete: nothing so far."""


def named(manifests: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}


def fixed(manifest: Manifest) -> Any:
    """What cannot be changed in a cluster."""
    spec = manifest.get("spec", {})
    match manifest["kind"]:
        case "Deployment":
            return spec["selector"]
        case "StatefulSet":
            return {key: value for key, value in spec.items() if key not in CHANGEABLE["StatefulSet"]}
        case "Secret":
            return manifest["type"]
        case "PodDisruptionBudget":
            return spec["selector"]  # it can, and would then guard other pods than before
        case "Service":
            return (spec["type"], spec["selector"], [(port["name"], port["port"]) for port in spec["ports"]])
        case _:
            return None


def complaints(before: list[Manifest], after: list[Manifest]) -> list[str]:
    old, new = named(before), named(after)
    found = [f"{kind} {name} is gone" for kind, name in old.keys() - new.keys() - TAKEN_AWAY]
    for key in sorted(old.keys() & new.keys()):
        if fixed(old[key]) != fixed(new[key]):
            found.append(f"{' '.join(key)} has other fixed fields: {fixed(old[key])} became {fixed(new[key])}")
        if key[0] == "Secret" and (lost := old[key]["data"].keys() - new[key]["data"].keys()):
            found.append(f"{' '.join(key)} lacks {lost}")
    return found


def made_by(helm: Helm, chart: Path) -> dict[str, list[Manifest]]:
    found = {}
    for name in INSTALLED:
        done = helm("template", "farm", chart, "-n", "farm", "-f", DATA / "previous" / "values" / f"{name}.yaml")
        assert done.returncode == 0, done.stderr
        found[name] = load(done.stdout)
    return found


@pytest.fixture(scope="module")
def before(helm: Helm) -> dict[str, list[Manifest]]:
    return made_by(helm, PREVIOUS)


@pytest.fixture(scope="module")
def after(helm: Helm) -> dict[str, list[Manifest]]:
    return made_by(helm, CHART)


@pytest.mark.parametrize("name", INSTALLED)
def test_an_upgrade_changes_nothing_that_a_cluster_holds_fixed(
    before: dict[str, list[Manifest]], after: dict[str, list[Manifest]], name: str
) -> None:
    assert complaints(before[name], after[name]) == []


@pytest.mark.parametrize(
    ("kind", "path", "value", "complaint"),
    [
        ("StatefulSet", ("spec", "volumeClaimTemplates"), [], "other fixed fields"),
        ("Deployment", ("spec", "selector", "matchLabels", "app.kubernetes.io/name"), "other", "other fixed fields"),
        ("StatefulSet", ("metadata", "name"), "farm-facefarm-valkey", "is gone"),
        ("Secret", ("data",), {}, "lacks"),
    ],
)
def test_the_comparison_notices(
    before: dict[str, list[Manifest]], kind: str, path: tuple[str, ...], value: Any, complaint: str
) -> None:
    changed = copy.deepcopy(before["defaults"])
    place = next(each for each in changed if each["kind"] == kind)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert any(complaint in each for each in complaints(before["defaults"], changed))


@pytest.mark.parametrize("name", INSTALLED)
def test_pods_of_before_are_served_guarded_and_counted_by_what_comes_after(
    before: dict[str, list[Manifest]], after: dict[str, list[Manifest]], name: str
) -> None:
    pods = {component: each["metadata"]["labels"] for component, each in pod_templates(before[name]).items()}
    selectors = {
        component: each["spec"]["selector"]["matchLabels"]
        for (kind, _), each in named(after[name]).items()
        if kind in {"Deployment", "StatefulSet"}
        for component in [each["metadata"]["labels"]["app.kubernetes.io/component"]]
    }
    assert pods.keys() == selectors.keys()
    for component, selector in selectors.items():
        assert selector.items() <= pods[component].items(), component


def test_the_next_version_will_not_start_redis_and_minio_anew(
    helm: Helm, rendered: dict[str, list[Manifest]], tmp_path: Path
) -> None:
    chart = tmp_path / "facefarm"
    shutil.copytree(CHART, chart)
    told = (
        (chart / "Chart.yaml")
        .read_text()
        .replace("\nversion: ", "\nversion: 9")
        .replace('appVersion: "', 'appVersion: "9')
    )
    (chart / "Chart.yaml").write_text(told)
    done = helm("template", "farm", chart, "-n", "farm")
    assert done.returncode == 0, done.stderr
    later = load(done.stdout)

    versions = {each["metadata"]["labels"]["helm.sh/chart"] for each in later}
    assert len(versions) == 1
    assert versions.pop().startswith("facefarm-9")
    for component in ("redis", "minio"):
        assert pod_templates(later)[component] == pod_templates(rendered["defaults"])[component]


def test_values_of_before_are_still_taken(helm: Helm, tmp_path: Path) -> None:
    """`helm upgrade --reuse-values` gives the chart every default of the one before, and knows none of the new ones."""
    shown = helm("show", "values", PREVIOUS)
    assert shown.returncode == 0, shown.stderr
    (tmp_path / "old.yaml").write_text(shown.stdout)
    done = helm("template", "farm", CHART, "-f", tmp_path / "old.yaml")
    assert done.returncode == 0, done.stderr

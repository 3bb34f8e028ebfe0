"""The values files that come with the chart, to install with as they are, and what an installation says then."""

import re
import shlex

import pytest

from tests.deployment.chart.manifests import (
    CHART,
    EXAMPLES,
    Helm,
    Manifest,
    containers,
    environment,
    pod_templates,
)


def secrets_made_before(name: str) -> dict[str, set[str]]:
    """The Secrets that a values file's comment has people make, and their keys."""
    found = {}
    for line in EXAMPLES[name].read_text().splitlines():
        if match := re.match(r"#\s+kubectl .*create secret generic (\S+) (.*)", line):
            words = [word.removeprefix("--from-literal=") for word in shlex.split(match[2])]
            found[match[1]] = {word.partition("=")[0] for word in words}
    return found


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_secret_is_made_by_the_chart_or_by_the_commands_in_the_file(
    rendered: dict[str, list[Manifest]], name: str
) -> None:
    manifests = rendered[name]
    there = {each["metadata"]["name"]: set(each["data"]) for each in manifests if each["kind"] == "Secret"}
    made = secrets_made_before(name)
    assert not there.keys() & made.keys()
    used: dict[str, set[str]] = {}
    for _, container in containers(manifests):
        for entry in environment(container).values():
            if reference := entry.get("valueFrom", {}).get("secretKeyRef"):
                used.setdefault(reference["name"], set()).add(reference["key"])
    for pod in pod_templates(manifests).values():
        for volume in pod["spec"]["volumes"]:
            if "secret" in volume:
                keys = {item["key"] for item in volume["secret"]["items"]}
                used.setdefault(volume["secret"]["secretName"], set()).update(keys)

    assert all(keys <= (there | made)[secret] for secret, keys in used.items())
    assert {secret: used[secret] for secret in made} == made, "nobody is asked for what is not used"


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_command_in_the_file_is_the_one_that_installs_it(helm: Helm, name: str) -> None:
    text = EXAMPLES[name].read_text()
    (command,) = re.findall(r"^#\s+(helm install .*)$", text, re.MULTILINE)
    words = shlex.split(command.replace("helm/facefarm ", f"{CHART} ").replace("helm/facefarm/", f"{CHART}/"))
    done = helm(*words[1:], "--dry-run=client")
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert "kubectl -n facefarm get pods -w" in notes
    assert "helm test farm -n facefarm --logs --timeout 1200s" in notes
    assert "farm submit MODELS --out RESULTS" in notes


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_the_chart_package_has_it(name: str) -> None:
    ignored = (CHART / ".helmignore").read_text().split()
    assert not [pattern for pattern in ignored if EXAMPLES[name].match(pattern)]


def test_a_farm_without_a_known_key_says_how_it_is_tested(helm: Helm) -> None:
    done = helm("install", "farm", CHART, "--dry-run=client", "--set", "api.keys.existingSecret=mine")
    assert done.returncode == 0, done.stderr
    assert "test.existingSecret" in done.stdout.partition("NOTES:")[2]
    assert "helm.sh/hook: test" not in done.stdout

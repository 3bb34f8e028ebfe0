"""`helm test`: the pod's own script, against a real farm, renders the mascots and fails when nothing is rendered."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from farm.keys import Role, entry_for
from tests.deployment.chart.manifests import Manifest, environment, pod_templates
from tests.support import servers

KEY = "a key of the test"


def script_of(manifests: list[Manifest]) -> str:
    """The pod's script, as the shell of its container gets it."""
    (container,) = pod_templates(manifests)["test"]["spec"]["containers"]
    assert container["command"] == ["sh", "-ec"]
    (script,) = container["args"]
    assert isinstance(script, str)
    return script


def run_here(script: str, api: str, folder: Path, seconds: float) -> subprocess.CompletedProcess[str]:
    """The script on this machine: the image's `farm`, with a /tmp of its own."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    (programs / "farm").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m farm "$@"\n')
    (programs / "farm").chmod(0o755)
    shell = shutil.which("sh")
    assert shell is not None
    environment = {
        "PATH": f"{programs}:{os.defpath}",
        "HOME": str(folder),
        "PYTHONPATH": os.pathsep.join(sys.path),
        "FARM_API_URL": api,
        "FARM_API_KEY": KEY,
    }
    return subprocess.run(
        [shell, "-ec", script.replace("/tmp/", f"{folder}/")],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )


def test_the_pod_runs_once_and_its_log_stays(manifests: list[Manifest]) -> None:
    tests = [each for each in manifests if "helm.sh/hook" in each["metadata"].get("annotations", {})]
    for pod in tests:
        notes = pod["metadata"]["annotations"]
        assert (pod["kind"], notes["helm.sh/hook"]) == ("Pod", "test")
        assert notes["helm.sh/hook-delete-policy"] == "before-hook-creation"
        assert pod["spec"]["restartPolicy"] == "Never"
        assert pod["spec"]["activeDeadlineSeconds"] > 0
        (container,) = pod["spec"]["containers"]
        assert set(environment(container)) == {"FARM_API_URL", "FARM_API_KEY"}


def test_every_farm_with_a_known_key_has_one(rendered: dict[str, list[Manifest]]) -> None:
    without = {name for name, manifests in rendered.items() if "test" not in pod_templates(manifests)}
    assert without == {"external"}
    (container,) = pod_templates(rendered["own-authorities"])["test"]["spec"]["containers"]
    assert environment(container)["FARM_API_KEY"]["valueFrom"]["secretKeyRef"] == {
        "name": "team-test",
        "key": "api-key",
    }


@pytest.mark.blender
def test_it_renders_the_mascots_twice_and_fails_where_nothing_is_rendered(
    rendered: dict[str, list[Manifest]], fresh_redis: str, tmp_path: Path
) -> None:
    # GIVEN a farm that asks for keys
    script = script_of(rendered["defaults"])
    known = {
        "FARM_REDIS_URL": fresh_redis,
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
        "FARM_API_KEYS": entry_for("helm", [Role.SUBMIT], KEY),
    }
    with servers.api_server(tmp_path / "api", known) as api:
        with servers.worker_process(tmp_path / "worker", known):
            for run in ("first", "second"):
                done = run_here(script, api.url, tmp_path / run, servers.PATIENCE_SECONDS * 3)
                assert done.returncode == 0, done.stdout + done.stderr
                assert len(list((tmp_path / run / "results").rglob("*_0000[01].png"))) == 32
            # THEN the second one drew anew, and did not find the first one's pictures
            assert len(list((tmp_path / "store" / "renders").iterdir())) == 4
        # AND without a worker it is no success
        with pytest.raises(subprocess.TimeoutExpired):
            run_here(script, api.url, tmp_path / "third", 20)

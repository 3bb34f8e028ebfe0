"""The audit of what is pinned fails for a known vulnerability, and not for want of a network."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from farm.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
KNOWN = {("jinja2", "2.4.1"): ["GHSA-462w-v97r-4m45", "PYSEC-2019-217"]}


@contextmanager
def osv(status: int = 200, known: dict[tuple[str, str], list[str]] = KNOWN) -> Iterator[str]:
    """As much of OSV's API as is asked, a vulnerability a page; the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/querybatch"
            queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            body = json.dumps({"results": [self.result(query) for query in queries]}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def result(self, query: dict[str, Any]) -> dict[str, Any]:
            assert query["package"]["ecosystem"] == "PyPI"
            ids = known.get((query["package"]["name"], query["version"]), [])
            page = int(query.get("page_token", 0))
            if not ids:
                return {}
            more = {"next_page_token": str(page + 1)} if page + 1 < len(ids) else {}
            return {"vulns": [{"id": ids[page], "modified": "2026-01-01T00:00:00Z"}], **more}

        def log_message(self, format: str, *args: object) -> None:
            """Nothing: a test's output is its failures."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def audit(service: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "tools" / "audit.py", "--service", service, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "some.txt"
    path.write_text(
        "httpx==0.28.1 \\\n    --hash=sha256:00\nJinja2==2.4.1 ; python_version >= '3' \\\n    --hash=sha256:11\n"
    )
    return path


def test_a_pin_with_a_known_vulnerability_fails_and_is_named(lock: Path) -> None:
    with osv() as service:
        done = audit(service, lock)

    assert done.returncode == 1
    assert "jinja2 2.4.1" in done.stderr
    for number in KNOWN["jinja2", "2.4.1"]:
        assert f"https://osv.dev/vulnerability/{number}" in done.stderr
    assert "httpx" not in done.stderr


def test_what_was_accepted_with_a_reason_passes_and_without_one_does_not(lock: Path) -> None:
    one, other = KNOWN["jinja2", "2.4.1"]
    accepted = lock.with_name("accepted-advisories.txt")
    with osv() as service:
        accepted.write_text(f"# those\n{one} no template comes from a stranger\n")
        half = audit(service, lock)
        accepted.write_text(f"{one} no template comes from a stranger\n{other}\n")
        bare = audit(service, lock)
        accepted.write_text(f"{one} no template comes from a stranger\n{other} the same\n")
        whole = audit(service, lock)

    assert (half.returncode, one in half.stderr, other in half.stderr) == (1, False, True)
    assert (bare.returncode, f"why {other} does not matter" in bare.stderr) == (1, True)
    assert (whole.returncode, whole.stdout) == (0, "audit: no known vulnerability in 2 pins, 2 accepted\n")


def test_every_pin_of_the_project_is_looked_up() -> None:
    # GIVEN the project's own lock files, of which each has a package that is in no other
    with osv(known={}) as service:
        done = audit(service)
    assert done.returncode == 0, done.stderr
    counted = int(done.stdout.split()[-2])
    pinned = {
        line.split(" ")[0]
        for path in (ROOT / "requirements").glob("*.txt")
        for line in path.read_text().splitlines()
        if "==" in line
    }
    assert counted == len(pinned) > 100


def test_without_an_answer_it_says_so_in_a_line_and_fails_nothing(lock: Path) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    with osv(status=503) as broken:
        for service in (nobody, broken):
            done = audit(service, lock)
            assert (done.returncode, done.stderr, done.stdout.count("\n")) == (0, "", 1)
            assert "skipped" in done.stdout
            assert "2 pins were not looked up" in done.stdout
            assert audit(service, "--require", lock).returncode == 1


def test_a_file_that_pins_nothing_is_no_clean_one(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("# nothing\n")
    with osv() as service:
        assert audit(service, tmp_path / "empty.txt").returncode == 1

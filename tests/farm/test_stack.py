"""The embedded farm as `farm up` keeps it: alone in its folder, mended when a part dies, whole after a loss of Redis."""

import os
import shutil
import signal
from pathlib import Path

import httpx
import pytest
import redis

from farm import local_keys
from farm.catalog import Catalog
from farm.client import FarmClient, ModelRef, RefusedError
from farm.errors import ConflictError, ServiceError
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack
from farm.storage import LocalStore
from tests.support.fixtures import read_mascot
from tests.support.servers import asked, wait_until

pytestmark = pytest.mark.blender


@pytest.fixture
def home(mascots: dict[str, Path], tmp_path: Path) -> Path:
    Catalog(LocalStore(tmp_path / "home" / "store")).add(read_mascot(mascots, "momo"))
    return tmp_path / "home"


def kept(home: Path, workers: int = 0) -> EmbeddedStack:
    """A farm that is kept. Most tests of it draw nothing, and a worker with its Blender starts for longer than the rest."""
    return EmbeddedStack(home, workers, keep=True)


def answers(stack: EmbeddedStack) -> bool:
    answer = asked(f"{stack.api_url}/readyz")
    return answer is not None and answer[0] == 200


def process_of(stack: EmbeddedStack, word: str) -> int:
    """The stack's child whose command line has this word."""
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    port = stack.api_url.rpartition(":")[2].encode() if word == "api" else b""
    lines = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return next(pid for pid, line in lines.items() if word.encode() in line.split(b"\0") and port in line)


def kill_and_mend(stack: EmbeddedStack, times: int) -> None:
    for _ in range(times):
        os.kill(process_of(stack, "api"), signal.SIGKILL)
        wait_until(lambda: stack.mend() != [], "the API being missed")


def test_nobody_else_on_this_machine_gets_at_the_farm(home: Path) -> None:
    with kept(home, workers=1) as stack, FarmClient(stack.api_url) as client:
        # THEN its own user's programs find the key, and no command line, file or port gives others anything
        assert next(client.models())
        secrets = (stack.api_key, stack._password, stack._flower_password)
        mine = [pid for pid in Path("/proc").glob("[0-9]*") if _is_in(pid, home)]
        lines = b" ".join((pid / "cmdline").read_bytes() for pid in mine)
        assert len(mine) >= 3
        assert not [secret for secret in secrets if secret.encode() in lines]

        private = [home / name for name in ("store", "logs", "valkey", "tmp")]
        assert [oct(folder.stat().st_mode & 0o777) for folder in private] == ["0o700"] * 4
        written = [
            file for folder in private for file in folder.rglob("*") if file.is_file() and "momo" not in file.name
        ]
        new = [file for file in written if file.stat().st_mode & 0o077 and not file.is_relative_to(home / "store")]
        assert written
        assert new == []
        key_file = local_keys._file(stack.api_url)
        assert oct(key_file.stat().st_mode & 0o777) == "0o600"

        with redis.Redis(port=int(stack.redis.partition(":")[2])) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        for path in ("/v1/models", "/v1/batches", "/v1/workers"):
            assert httpx.get(stack.api_url + path, trust_env=False).status_code == 401
        with FarmClient(stack.api_url, "") as stranger_client, pytest.raises(RefusedError):
            next(stranger_client.models())

    assert not key_file.exists()
    assert local_keys.known(stack.api_url) == ""


def _is_in(process: Path, home: Path) -> bool:
    try:
        return f"TMPDIR={home / 'tmp'}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_a_home_that_another_user_made_is_refused_and_one_open_to_all_is_closed(home: Path, tmp_path: Path) -> None:
    for name in (".", "store", "logs"):
        made = tmp_path / f"of others {name}"
        (made / name).mkdir(parents=True, exist_ok=True)
        os.chown(made / name, 65534, 65534)
        with pytest.raises(ServiceError, match="belongs to another user"), kept(made):
            pass
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "store").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    os.chown(tmp_path / "linked" / "store", 65534, 65534, follow_symlinks=False)
    with pytest.raises(ServiceError, match="belongs to another user"), kept(tmp_path / "linked"):
        pass
    home.mkdir(exist_ok=True)
    home.chmod(0o777)
    with kept(home) as farm:
        assert answers(farm)
        assert home.stat().st_mode & 0o002 == 0
    # AND one such as /tmp stays as it is
    home.chmod(0o1777)
    with kept(home):
        assert home.stat().st_mode & 0o7777 == 0o1777


def test_a_second_farm_in_the_same_folder_is_refused_and_the_first_goes_on(home: Path) -> None:
    with kept(home) as first:
        with pytest.raises(ConflictError, match="Another farm is writing into"), kept(home):
            pass

        assert answers(first)
        assert (home / "tmp").is_dir()
    with kept(home) as again:
        assert answers(again)


def test_a_part_that_dies_is_started_again_and_what_dies_too_often_is_told(home: Path) -> None:
    with kept(home) as stack:
        os.kill(process_of(stack, "api"), signal.SIGKILL)
        wait_until(lambda: not answers(stack), "the API being gone")

        wait_until(lambda: stack.mend() == ["api"], "the API being missed")

        wait_until(lambda: answers(stack), "the API answering again")
        assert stack.mend() == []
        with pytest.raises(ServiceError, match="The embedded api ended with code -9"):
            kill_and_mend(stack, 20)


def test_a_farm_whose_redis_data_is_lost_has_its_batches_again_when_it_starts(home: Path) -> None:
    with kept(home) as stack, FarmClient(stack.api_url) as client:
        model = next(client.models())
        batch = client.submit([ModelRef(model, "momo")], RenderSpec(samples=1, size=32), paused=True, name="night")
    shutil.rmtree(home / "valkey")

    with kept(home) as stack, FarmClient(stack.api_url) as client:
        found = client.batch(batch.id)

    assert (found.name, found.paused, found.images_total) == ("night", True, batch.images_total)

"""The Python SDK against a real API, with a proxy between them that loses connections on demand."""

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from farm.client import BatchView, FarmClient, JobView, RefusedError, UploadedModel, transport
from farm.client.events import messages
from farm.client.watch import Source, watch
from farm.dataset.manifest import ImageRecord, Manifest, ModelRecord, ShardRecord, result_object
from farm.errors import FarmError, ServiceError, StorageError
from farm.jobs.batches import BatchRecord, Webhook
from farm.jobs.connection import Connection
from farm.jobs.states import Job, State, claim, fail, finish, job_id, lose, progress
from farm.jobs.store import JobStore, new_id, utc_now
from farm.jobs.workers import Workers
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.poses import Partition
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.stack import free_port
from farm.storage import ObjectStore, open_store
from tests.farm.models import made_files as made
from tests.support import servers
from tests.support.faults import Fault, FaultyProxy
from tests.support.fixtures import GOOD_SURVEY

SPEC = RenderSpec(samples=1, size=48)
WORKER = "worker@test"


@dataclass
class Farm:
    """An API without workers: the tests do their work on the job store."""

    api: servers.Api
    jobs: JobStore
    store: ObjectStore
    client: FarmClient
    model: UploadedModel

    def submit(self, **options: object) -> BatchView:
        return self.client.submit([self.model], SPEC, **options)  # type: ignore[arg-type]

    def batch_of(self, count: int) -> str:
        """A batch of jobs that no order made."""
        batch = new_id()
        jobs = [Job(job_id(batch, i), "0" * 64, f"model {i}", {}, 1, 8, f"{batch}{i}") for i in range(count)]
        self.jobs.add_batch(batch, BatchRecord(f"batch of {count}", SPEC, utc_now()), jobs)
        return batch

    def begin(self, job: str) -> None:
        self.jobs.change(job, lambda j: claim(j, WORKER))

    def done(self, job: str) -> None:
        self.begin(job)
        self.jobs.change(job, lambda j: finish(j, j.attempt))

    def failed(self, job: str, why: str = "It has no face.") -> None:
        self.begin(job)
        self.jobs.change(job, lambda j: fail(j, j.attempt, "model-unusable", why))


@pytest.fixture(scope="module")
def farm(
    new_database: Callable[[], str], mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("client")
    url = new_database()
    environment = {
        "FARM_REDIS_URL": url,
        "FARM_STORAGE_URL": f"file://{folder / 'store'}",
        "FARM_RATE_LIMIT": "0",
        "FARM_WEBHOOK_PRIVATE": "1",
    }
    with servers.api_server(folder, environment) as api, FarmClient(api.url) as client:
        (model,), _ = client.upload(mascots["momo"])
        store = open_store(Settings(storage_url=environment["FARM_STORAGE_URL"]))
        yield Farm(api, JobStore(Connection(url)), store, client, model)


@pytest.fixture
def proxy(farm: Farm) -> Iterator[FaultyProxy]:
    with FaultyProxy("127.0.0.1", int(farm.api.url.rpartition(":")[2]), seed=3) as proxy:
        yield proxy


def later(seconds: float, action: object) -> threading.Timer:
    assert callable(action)
    timer = threading.Timer(seconds, action)
    timer.start()
    return timer


# Trying again


def test_a_submission_over_a_bad_line_makes_one_batch(farm: Farm, proxy: FaultyProxy) -> None:
    before = len(list(farm.client.batches()))
    with FarmClient(proxy.endpoint) as client:
        client.batch(farm.submit().id)
        proxy.cut_bytes = (1000, 4500)  # a request and its answer take about 3,500: many answers are lost
        proxy.fault = Fault.CUT
        made = [client.submit([farm.model], SPEC, name=f"number {number}").id for number in range(6)]

    assert proxy.seen[Fault.CUT] > 2
    assert len(set(made)) == 6
    assert len(list(farm.client.batches())) == before + 7


def test_the_same_key_gives_the_same_batch_and_another_request_under_it_is_refused(farm: Farm) -> None:
    first = farm.submit(idempotency_key="mine", name="one")
    again = farm.submit(idempotency_key="mine", name="one")

    assert (again.id, first.replayed, again.replayed) == (first.id, False, True)
    with pytest.raises(RefusedError, match="stands for another request") as caught:
        farm.submit(idempotency_key="mine", name="two")
    assert caught.value.code == "idempotency-key-reused"


def heal_after_three(proxy: FaultyProxy) -> None:
    """Let the server be there again when it was missed three times."""
    servers.wait_until(lambda: proxy.seen[Fault.UNAVAILABLE] >= 3, "three vain requests")
    proxy.fault = Fault.OK


def test_a_store_that_is_away_for_a_moment_is_waited_for(farm: Farm, proxy: FaultyProxy) -> None:
    batch = farm.submit().id
    said: list[str] = []
    with FarmClient(proxy.endpoint, tell=said.append) as client:
        proxy.fault = Fault.UNAVAILABLE
        healing = threading.Thread(target=heal_after_three, args=(proxy,))
        healing.start()
        assert client.batch(batch).id == batch
        healing.join()

    assert proxy.seen[Fault.UNAVAILABLE] >= 3
    assert len(said) == 1
    assert "Trying for" in said[0]


def test_a_lost_api_is_waited_for_only_as_long_as_patience_lasts(farm: Farm, proxy: FaultyProxy) -> None:
    batch = farm.submit().id
    with FarmClient(proxy.endpoint, patience=1.0) as client:
        client.batch(batch)
        proxy.fault = Fault.REFUSE
        begun = time.monotonic()
        with pytest.raises(ServiceError, match="Start one with `farm up`"):
            client.batch(batch)
        assert 0.2 < time.monotonic() - begun < transport.PATIENCE_SECONDS / 2


def test_what_might_do_harm_twice_is_not_tried_again(farm: Farm, proxy: FaultyProxy) -> None:
    with FarmClient(proxy.endpoint) as client:
        proxy.fault = Fault.UNAVAILABLE
        with pytest.raises(RefusedError) as caught:
            client.preview(farm.model.id)
        assert caught.value.status == 503
        assert proxy.seen[Fault.UNAVAILABLE] == 1


def test_a_rate_limit_slows_down_and_does_not_stop(farm: Farm, tmp_path: Path) -> None:
    environment = {**farm.api.environment, "FARM_RATE_LIMIT": "5"}
    with servers.api_server(tmp_path, environment) as api, FarmClient(api.url) as client:
        begun = time.monotonic()
        for _ in range(32):  # 25 may come at once
            client.workers()

        assert time.monotonic() - begun > 0.9


def test_nobody_at_an_address_is_found_out_in_seconds() -> None:
    with FarmClient(f"http://127.0.0.1:{free_port()}") as client:
        begun = time.monotonic()
        with pytest.raises(ServiceError, match="does not answer"):
            client.workers()
        assert time.monotonic() - begun < transport.PATIENCE_SECONDS / 2


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://a b:port"])
def test_what_is_no_address_is_said_at_once(url: str) -> None:
    with pytest.raises(FarmError, match="is no address of an API"):
        FarmClient(url).workers()


def test_another_web_server_is_told_from_a_farm(tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "workers").write_text("<html>Welcome!</html>")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with FarmClient(f"http://127.0.0.1:{server.server_port}") as client:
            with pytest.raises(ServiceError, match="is no farm's API"):
                client.workers()
            with pytest.raises(RefusedError, match="HTTP 404"):
                client.batch("momo")
        server.shutdown()


def test_the_key_is_shown(farm: Farm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from farm.keys import Role, entry_for, new_key

    key = new_key()
    environment = {**farm.api.environment, "FARM_API_KEYS": entry_for("reader", [Role.READ], key)}
    with servers.api_server(tmp_path, environment) as api:
        with FarmClient(api.url, key) as client:
            assert client.workers() == []
            with pytest.raises(RefusedError, match="needs the role submit"):
                client.submit([farm.model], SPEC)
        with FarmClient(api.url) as client, pytest.raises(RefusedError) as caught:
            client.workers()
        assert caught.value.code == "unauthorized"
        monkeypatch.setenv("FARM_API_KEY", key)
        with FarmClient(api.url) as client:
            assert client.workers() == []


# Models, batches, jobs, workers


def test_models_are_listed_shown_and_deleted(farm: Farm, mascots: dict[str, Path]) -> None:
    (nagi,), refused = farm.client.upload(mascots["nagi"])
    batch = farm.client.submit([nagi], SPEC)

    assert refused == []
    assert {nagi.id, farm.model.id} <= set(farm.client.models())
    assert farm.client.model(nagi.id).inventory == nagi.inventory
    with pytest.raises(RefusedError, match="cancel their batches"):
        farm.client.delete_model(nagi.id)
    farm.client.cancel(batch.id)
    farm.client.delete_model(nagi.id)
    assert nagi.id not in set(farm.client.models())


def test_a_batch_can_be_steered(farm: Farm) -> None:
    batch = farm.submit(name="steered", priority=-2, paused=True, webhook=Webhook("http://127.0.0.1:9/", "s" * 20)).id

    assert (farm.client.batch(batch).priority, farm.client.batch(batch).paused) == (-2, True)
    assert farm.client.resume(batch).paused is False
    assert farm.client.pause(batch).paused is True
    assert farm.client.set_priority(batch, 7).priority == 7
    assert batch in [found.id for found in farm.client.batches("paused", "teer")]
    ended = farm.client.cancel(batch)
    assert (ended.ended, ended.jobs[State.CANCELLED]) == (True, 1)
    assert batch in [found.id for found in farm.client.batches("ended")]
    assert farm.client.retry(batch) == 0
    assert farm.client.retry(batch, [State.CANCELLED]) == 1


def test_jobs_come_page_by_page_and_by_state(farm: Farm) -> None:
    batch = farm.batch_of(2300)
    for place in (5, 1500, 2299):
        farm.done(job_id(batch, place))

    assert [job.id for job in farm.client.jobs(batch)] == [job_id(batch, place) for place in range(2300)]
    assert [job.id for job in farm.client.jobs(batch, [State.DONE])] == [job_id(batch, i) for i in (5, 1500, 2299)]
    assert list(farm.client.jobs(batch, [State.FAILED, State.CANCELLED])) == []


def test_batches_come_newest_first_page_by_page(farm: Farm) -> None:
    made = [farm.batch_of(1) for _ in range(130)]

    found = [batch.id for batch, _ in zip(farm.client.batches(), range(130), strict=False)]

    assert found == made[::-1]


def test_a_broken_job_tells_its_story_and_is_retried(farm: Farm) -> None:
    job = job_id(farm.batch_of(1), 0)
    for _ in range(3):
        farm.begin(job)
        farm.jobs.change(job, lambda j: lose(j, j.attempt, "blender-died", "Blender ended with signal 11.", 1e9))
    farm.jobs.keep_log(job, "Segmentation fault")

    found = farm.client.job(job)
    assert found.state is State.QUARANTINED
    assert [attempt.code for attempt in found.attempts] == ["blender-died"] * 3
    assert farm.client.log(job) == "Segmentation fault"
    assert farm.client.retry_job(job).state is State.QUEUED
    with pytest.raises(RefusedError, match="only failed, quarantined or cancelled"):
        farm.client.retry_job(job)


def test_workers_are_drained_and_resumed(farm: Farm) -> None:
    Workers(Connection(farm.api.environment["FARM_REDIS_URL"])).register(WORKER, 2)

    assert farm.client.drain_worker(WORKER, "It smells.").drained == "It smells."
    (worker,) = farm.client.workers()
    assert (worker.name, worker.concurrency, worker.alive, worker.drained) == (WORKER, 2, True, "It smells.")
    assert farm.client.resume_worker(WORKER).drained == ""


# Events


def test_no_event_is_missed_over_lost_connections(farm: Farm, proxy: FaultyProxy) -> None:
    # GIVEN a stream through a proxy that resets every connection now and then
    batch = farm.batch_of(60)
    seen: list[tuple[str, str]] = []
    client = FarmClient(proxy.endpoint)
    stream = client.events(batch)

    def read() -> None:
        seen.extend((event.data["job"], event.data["state"]) for event in stream if event.kind == "job")

    reader = threading.Thread(target=read)
    reader.start()
    assert stream.opened.wait(servers.PATIENCE_SECONDS)
    servers.wait_until(lambda: stream.last_id != "", "the first position")

    # WHEN jobs end meanwhile
    for place in range(60):
        if place % 15 == 7:
            proxy.fault = Fault.REFUSE
        if place % 15 == 12:
            proxy.fault = Fault.OK
        farm.done(job_id(batch, place))
        time.sleep(0.03)

    # THEN each of their changes came once, in order, and the stream ended with the batch
    reader.join(servers.PATIENCE_SECONDS)
    assert not reader.is_alive()
    client.close()
    assert seen == [(job_id(batch, place), state) for place in range(60) for state in ("leased", "done")]


def test_a_stream_goes_on_behind_an_event_and_a_batch_that_has_ended_ends_it(farm: Farm) -> None:
    batch = farm.batch_of(2)
    with farm.client.events(batch) as stream:
        assert next(stream).kind == "snapshot"
        farm.done(job_id(batch, 0))
        first = next(stream)
    farm.done(job_id(batch, 1))

    rest = list(farm.client.events(batch, after=first.id))

    assert [event.data.get("state", event.data.get("change")) for event in rest] == ["done", "leased", "done", "ended"]
    assert [event.kind for event in farm.client.events(batch)] == ["snapshot"]
    assert list(farm.client.events(batch, after=rest[-1].id)) == []


def test_a_stream_is_closed_from_another_thread(farm: Farm) -> None:
    stream = farm.client.events()
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    assert stream.opened.wait(servers.PATIENCE_SECONDS)

    stream.close()

    reader.join(servers.PATIENCE_SECONDS)
    assert not reader.is_alive()


def test_a_stream_that_is_refused_says_why(farm: Farm) -> None:
    with pytest.raises(RefusedError, match="There is no batch"):
        next(farm.client.events("0" * 16))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_blocks_are_read_however_the_bytes_come(size: int) -> None:
    data = ': hello\r\n\r\nretry: 5\nid: 1-0\n\nid: 2-0\nevent: job\ndata: {"name":\ndata: "a\u2028b"}\n\nid: 9-0\ndata: cut'
    raw = data.encode()

    found = list(messages(raw[at : at + size] for at in range(0, len(raw), size)))

    assert [(m.id, m.kind, m.data) for m in found] == [
        (None, "message", ""),
        ("1-0", "message", ""),
        ("2-0", "job", '{"name":\n"a\u2028b"}'),
    ]


# Following a batch


def follow(
    farm: Farm, batch: str, work: object, source: Source | None = None, told: list[JobView] | None = None
) -> tuple[list[JobView], BatchView]:
    """The jobs that were told while `work` was done, in `told` as soon as they are, and the batch at the end."""
    assert callable(work)
    told = [] if told is None else told
    begun = False
    for update in watch(source, True) if source else farm.client.watch(batch, jobs=True):
        told += update.ended
        if not begun:
            begun = True
            worker = threading.Thread(target=work)
            worker.start()
    worker.join()
    return told, update.batch


def test_every_job_that_ends_is_told_once_and_those_that_had_ended_too(farm: Farm) -> None:
    batch = farm.batch_of(120)
    farm.done(job_id(batch, 0))
    farm.failed(job_id(batch, 1))

    def work() -> None:
        for place in range(2, 120):
            farm.done(job_id(batch, place))

    told, ended = follow(farm, batch, work)

    assert sorted(job.id for job in told) == sorted(job_id(batch, place) for place in range(120))
    assert {job.state for job in told} == {State.DONE, State.FAILED}
    assert (ended.ended, ended.images_done) == (True, 119 * 8)


def test_a_job_that_is_retried_meanwhile_is_told_again(farm: Farm) -> None:
    batch = farm.batch_of(2)
    first, second = job_id(batch, 0), job_id(batch, 1)
    told: list[JobView] = []

    def work() -> None:
        farm.failed(first)
        servers.wait_until(lambda: bool(told), "the failure being told")
        farm.client.retry_job(first)
        farm.done(first)
        farm.done(second)

    follow(farm, batch, work, told=told)

    assert [(job.id, job.state) for job in told] == [
        (first, State.FAILED), (first, State.DONE), (second, State.DONE),
    ]  # fmt: skip


def test_without_a_stream_the_batch_is_asked_for(farm: Farm) -> None:
    batch = farm.batch_of(3)
    client = farm.client
    deaf = Source(
        batch=lambda: client.batch(batch),
        jobs=lambda states: client.jobs(batch, states),
        job=client.job,
        events=lambda: client.events("0" * 16),  # is refused
    )

    def work() -> None:
        for place in range(3):
            farm.done(job_id(batch, place))
            time.sleep(0.3)

    told, ended = follow(farm, batch, work, deaf)

    assert [job.id for job in told] == [job_id(batch, place) for place in range(3)]
    assert ended.ended


def test_progress_shows_while_a_model_is_drawn(farm: Farm) -> None:
    batch = farm.batch_of(1)
    job = job_id(batch, 0)
    farm.begin(job)
    seen: list[int] = []
    for update in farm.client.watch(batch):
        if not seen or seen[-1] != update.batch.images_done:
            seen.append(update.batch.images_done)
            done = update.batch.images_done + 2
            farm.jobs.change(job, lambda j: progress(j, 1, done) if done < 8 else finish(j, 1))  # noqa: B023

    assert seen == [0, 2, 4, 6, 8]


# Results


@pytest.fixture(scope="module")
def result(farm: Farm) -> tuple[str, Manifest, bytes]:
    """A done job with a shard of 3 MiB that holds one picture, its manifest, and the shard's bytes."""
    batch = farm.batch_of(1)
    job = farm.jobs.job(job_id(batch, 0))
    picture = b"not really a picture" * 5000
    shard = b"\0" * 512 + picture + bytes(range(256)) * (3 * 4096)
    digest = hashlib.sha256(picture).hexdigest()
    manifest = Manifest(
        renderer=1,
        render_key=job.render_key,
        model=ModelRecord(id=job.model, format="pmx", title="", comment="", licence={}),
        annotation={},
        target_morphs=0,
        spec=SPEC,
        samples=1,
        survey=GOOD_SURVEY,
        warnings=(),
        shards=(
            ShardRecord(
                file="toon-frontal.tar", style="toon", partition=Partition.FRONTAL, images=1, bytes=len(shard),
                sha256=hashlib.sha256(shard).hexdigest(),
            ),
        ),
        basis=(),
        images=(
            ImageRecord(
                file="0000_00000.png", offset=512, bytes=len(picture), sample=0, style="toon",
                partition=Partition.FRONTAL, pose=(0.0,) * 20,
                rotation=((1, 0, 0), (0, 1, 0), (0, 0, 1)), light=1.0, seed=1, sha256=digest,
            ),
        ),
    )  # fmt: skip
    farm.store.put(result_object(job.render_key, "toon-frontal.tar"), shard)
    farm.store.put(result_object(job.render_key, "contact-sheet.png"), b"a sheet")
    farm.store.put(result_object(job.render_key, "manifest.json"), manifest.to_bytes())
    farm.done(job.id)
    return job.id, manifest, shard


def test_a_file_comes_whole_over_connections_that_are_cut(
    farm: Farm, proxy: FaultyProxy, result: tuple[str, Manifest, bytes], tmp_path: Path
) -> None:
    job, manifest, shard = result
    path = tmp_path / "shard.tar"
    with FarmClient(proxy.endpoint) as client:
        client.job(job)
        proxy.cut_bytes = (2**18, 2**20)
        proxy.fault = Fault.CUT
        client.fetch(job, "toon-frontal.tar", path, len(shard), manifest.shards[0].sha256)

    assert path.read_bytes() == shard
    assert 3 <= proxy.seen[Fault.CUT] <= 12, "it goes on where it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("size", "sha256"), [(5, None), (None, "0" * 64)])
def test_a_file_that_is_not_what_was_promised_is_not_kept(
    farm: Farm, result: tuple[str, Manifest, bytes], tmp_path: Path, size: int | None, sha256: str | None
) -> None:
    with pytest.raises(StorageError, match="etch it again"):
        farm.client.fetch(result[0], "toon-frontal.tar", tmp_path / "shard.tar", size, sha256)

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_there_leaves_nothing(
    farm: Farm, result: tuple[str, Manifest, bytes], tmp_path: Path
) -> None:
    with pytest.raises(RefusedError) as caught:
        farm.client.fetch(result[0], "ink-frontal.tar", tmp_path / "shard.tar")

    assert caught.value.status == 404
    assert list(tmp_path.iterdir()) == []


def test_manifest_contact_sheet_and_single_pictures_are_read(farm: Farm, result: tuple[str, Manifest, bytes]) -> None:
    job, manifest, shard = result
    (image,) = manifest.images

    assert farm.client.manifest(job) == manifest
    assert farm.client.contact_sheet(job) == b"a sheet"
    assert farm.client.image(job, image) == shard[512 : 512 + image.bytes]
    with pytest.raises(StorageError, match="came damaged"):
        farm.client.image(job, image.model_copy(update={"sha256": "0" * 64}))


def test_names_that_are_no_utf8_or_too_long_are_sent_all_the_same(farm: Farm) -> None:
    batch = farm.client.submit([replace(farm.model, name="ä" * 300)], SPEC)

    (job,) = farm.client.jobs(batch.id)
    assert job.name == "ä" * 200


def test_a_table_of_bare_names_names_the_morphs_that_move(farm: Farm, tmp_path: Path) -> None:
    path = tmp_path / "twice.pmx"
    path.write_bytes(pmx_bytes(made.names_twice()))
    (model,), _ = farm.client.upload(path)

    proposed, decided = (farm.client.submit([model], SPEC, mapping=table) for table in (None, made.BARE_NAMES))

    assert model.inventory.annotation == made.NAMES_TWICE
    assert [job.annotation for job in farm.client.jobs(proposed.id)] == [made.NAMES_TWICE]
    assert [job.annotation for job in farm.client.jobs(decided.id)] == [made.BARE_NAMES_GIVE]

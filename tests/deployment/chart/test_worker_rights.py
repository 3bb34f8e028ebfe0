"""Workers come to the store as a user of their own, who may do what they do and nothing else."""

import json
import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from farm.backgrounds import Background
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, result_object
from farm.drawing import checkpoints
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.errors import NotFoundError, ServiceError
from farm.inspection.drawing import draw_pictures
from farm.inspection.pictures import KeptPictures
from farm.reading.messages import MotionAbout
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.storage import ObjectStore, open_store
from tests.deployment.chart.manifests import (
    CHART,
    Helm,
    Manifest,
    containers,
    environment,
    find,
    pod_templates,
    secret_data,
)
from tests.deployment.chart.manifests import (
    render as rendered_chart,
)
from tests.support.fixtures import assignment_for, read_mascot
from tests.support.minio_server import minio_server
from tests.support.servers import ACCESS_KEY, SECRET_KEY, S3Server

QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)
BUCKET, WORKER = "rights", "worker-of-rights"
KEY_VARIABLES = ("FARM_S3_ACCESS_KEY", "FARM_S3_SECRET_KEY")


def s3_user(manifests: list[Manifest], name: str) -> tuple[dict[str, str], ...]:
    """Where a component's two S3 keys come from."""
    of = next(environment(container) for component, container in containers(manifests) if component == name)
    return tuple(of[variable]["valueFrom"]["secretKeyRef"] for variable in KEY_VARIABLES)


@pytest.mark.parametrize("values", ["defaults", "everything", "no-gpu"])
def test_workers_do_not_come_as_the_servers_root(rendered: dict[str, list[Manifest]], values: str) -> None:
    manifests = rendered[values]

    assert [each["name"] for each in s3_user(manifests, "api")] == ["farm-facefarm-s3"] * 2
    assert [each["name"] for each in s3_user(manifests, "worker")] == ["farm-facefarm-s3-worker"] * 2
    root, worker = (secret_data(manifests, f"farm-facefarm-{name}") for name in ("s3", "s3-worker"))
    assert not set(root.values()) & set(worker.values())
    assert sorted(worker) == ["access-key", "secret-key"]


@pytest.mark.parametrize(
    ("options", "secret"),
    [
        ((), "team-s3"),
        (("storage.worker.existingSecret=team-s3-worker",), "team-s3-worker"),
        (("storage.worker.accessKey=w", "storage.worker.secretKey=s"), "farm-facefarm-s3-worker"),
    ],
)
def test_an_external_store_has_a_user_for_workers_where_one_is_named(
    helm: Helm, options: tuple[str, ...], secret: str
) -> None:
    manifests = rendered_chart(helm, "external", *(word for option in options for word in ("--set", option)))

    assert {each["name"] for each in s3_user(manifests, "worker")} == {secret}
    assert {each["name"] for each in s3_user(manifests, "api")} == {"team-s3"}


def test_a_key_without_its_secret_is_refused(helm: Helm) -> None:
    done = helm("template", "farm", CHART, "--set", "storage.worker.accessKey=w")
    assert done.returncode != 0
    assert "storage.worker.secretKey" in done.stderr


def users_of_minio(manifests: list[Manifest]) -> dict[str, str]:
    data: dict[str, str] = find(manifests, "ConfigMap", "farm-facefarm-minio-users")["data"]
    return data


def test_minio_makes_the_user_after_each_start(helm: Helm, tmp_path: Path) -> None:
    manifests = rendered_chart(helm, "defaults")
    pod = pod_templates(manifests)["minio"]["spec"]
    (container,) = pod["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    (volume,) = (each for each in pod["volumes"] if "configMap" in each)
    (shell, program) = container["lifecycle"]["postStart"]["exec"]["command"]
    files = users_of_minio(manifests)

    # THEN the script is where it is called, is one, and finds all that it names
    assert volume["configMap"]["name"] == "farm-facefarm-minio-users"
    folder, _, name = program.rpartition("/")
    assert (mounts[volume["name"]], shell) == (folder, "sh")
    (tmp_path / name).write_text(files[name])
    subprocess.run(["sh", "-n", tmp_path / name], check=True, timeout=60)
    known = environment(container)
    for variable in ("MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD", "WORKER_ACCESS_KEY", "WORKER_SECRET_KEY"):
        assert f'"${variable}"' in files[name]
        assert variable in known
    assert f"{folder}/worker-policy.json" in files[name]
    # AND other rights start the server anew
    other = rendered_chart(helm, "defaults", "--set", "storage.url=s3://faces")
    sums = [pod_templates(each)["minio"]["metadata"]["annotations"]["checksum/users"] for each in (manifests, other)]
    assert sums[0] != sums[1]
    assert "arn:aws:s3:::faces/renders/*" in users_of_minio(other)["worker-policy.json"]


def test_in_a_prefix_of_a_bucket_the_rights_end_with_it(helm: Helm) -> None:
    manifests = rendered_chart(helm, "defaults", "--set", "storage.url=s3://faces/tonight/")

    statements = json.loads(users_of_minio(manifests)["worker-policy.json"])["Statement"]

    of_names, *of_objects = (set(statement["Resource"]) for statement in statements)
    assert of_names == {"arn:aws:s3:::faces"}
    assert all(name.startswith("arn:aws:s3:::faces/tonight/") for names in of_objects for name in names)


type Stores = tuple[ObjectStore, ObjectStore]
"""A bucket as its owner has it, and as a worker with the chart's rights."""


def as_user(environment: dict[str, str]) -> ObjectStore:
    given: dict[str, Any] = {name.removeprefix("FARM_").lower(): value for name, value in environment.items()}
    return open_store(Settings(**given))


@pytest.fixture(scope="module")
def radosgws(helm: Helm, s3: S3Server) -> Stores:
    """In Ceph, whose gateway has no rights of users: as a policy of the bucket."""
    owner = Minio(s3.endpoint.partition("//")[2], ACCESS_KEY, SECRET_KEY, secure=False, region="us-east-1")
    owner.make_bucket(BUCKET)
    s3.add_user(WORKER)
    manifests = rendered_chart(helm, "defaults", "--set", f"storage.url=s3://{BUCKET}")
    policy = json.loads(users_of_minio(manifests)["worker-policy.json"])
    # There an object is its maker's alone, and the owner is let in.
    for statement in policy["Statement"]:
        statement["Principal"] = {"AWS": [f"arn:aws:iam:::user/{WORKER}"]}
    everything = {"Action": ["s3:*"], "Resource": [f"arn:aws:s3:::{BUCKET}/*"]}
    policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam:::user/lab"]}, **everything})
    owner.set_bucket_policy(BUCKET, json.dumps(policy))
    return as_user(s3.environment(BUCKET)), as_user(s3.environment(BUCKET, access_key=WORKER, secret_key=WORKER))


@pytest.fixture(scope="module")
def minios(helm: Helm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stores]:
    """In MinIO, by the script that the chart's container runs after each start, and after the second one."""
    folder = tmp_path_factory.mktemp("minio")
    manifests = rendered_chart(helm, "defaults", "--set", f"storage.url=s3://{BUCKET}")
    root, worker = (secret_data(manifests, f"farm-facefarm-{name}") for name in ("s3", "s3-worker"))
    files = users_of_minio(manifests)
    (folder / "worker-policy.json").write_text(files["worker-policy.json"])
    with minio_server(folder, root["access-key"], root["secret-key"]) as server:
        known = {"MINIO_ROOT_USER": root["access-key"], "MINIO_ROOT_PASSWORD": root["secret-key"]}
        known |= {"WORKER_ACCESS_KEY": worker["access-key"], "WORKER_SECRET_KEY": worker["secret-key"]}
        script = files["minio-users.sh"].replace("/etc/facefarm", str(folder)).replace(":9000", f":{server.port}")
        for _ in range(2):
            done = server.run(script, known)
            assert done.returncode == 0, done.stdout + done.stderr
        place = {"FARM_STORAGE_URL": f"s3://{BUCKET}", "FARM_S3_ENDPOINT": server.endpoint}
        yield (
            as_user({**place, "FARM_S3_ACCESS_KEY": root["access-key"], "FARM_S3_SECRET_KEY": root["secret-key"]}),
            as_user({**place, "FARM_S3_ACCESS_KEY": worker["access-key"], "FARM_S3_SECRET_KEY": worker["secret-key"]}),
        )


@pytest.fixture(params=["radosgws", "minios"])
def stores(request: pytest.FixtureRequest) -> Stores:
    found: Stores = request.getfixturevalue(request.param)
    return found


@pytest.mark.s3
@pytest.mark.blender
def test_a_worker_does_its_work_with_these_rights(
    stores: Stores, mascots: dict[str, Path], blender: Blender, tmp_path: Path
) -> None:
    owners, workers = stores
    package = read_mascot(mascots, "momo")
    catalog = Catalog(owners)
    catalog.add(package)
    assignment = assignment_for(package, RenderSpec(seed=1, samples=2, size=32))
    left = checkpoints.folder(assignment.render_key) + "00000-00000-0.tar"
    owners.put(left, b"of an attempt that ended")

    # a result, and no checkpoint of it stays
    manifest = render(assignment, workers, blender, QUIET)
    checkpoints.discard(workers, assignment.render_key)
    assert owners.get(result_object(assignment.render_key, MANIFEST)) == manifest.to_bytes()
    assert not owners.exists(left)
    # pictures to annotate by
    drawn = draw_pictures(
        blender, package.id, catalog.package(package.id), catalog.inventory(package.id), lambda _: None
    )
    KeptPictures(workers).keep(drawn)
    assert KeptPictures(workers).drawn([package.id]) == {package.id}
    # a model that another version decided, one that is not there, one that was withdrawn
    older = package.inventory.model_copy(update={"decided_by": "names"})
    owners.put(f"models/{package.id}/inventory.json", older.model_dump_json().encode())
    assert Catalog(workers).inventory(package.id) == package.inventory
    # what pictures show of its morphs
    Catalog(workers).keep_pictures(package.id, {morph.index: morph.change for morph in drawn.inspection.morphs})
    assert Catalog(workers).pictured(package.id) is not None
    with pytest.raises(NotFoundError, match="no model"):
        Catalog(workers).inventory("0" * 64)
    # a background
    catalog.add_background(Background("b", 1, 1, b"png"))
    assert Catalog(workers).background("b") == b"png"
    # a motion
    (tmp_path / "dance.vmd").write_bytes(b"motion")
    catalog.add_motion(MotionAbout(id="a" * 64, format="VMD", seconds=0, bones=0, morphs=0), tmp_path / "dance.vmd")
    assert Catalog(workers).motion("a" * 64) == b"motion"


FORBIDDEN: dict[str, Callable[[ObjectStore], object]] = {
    "another model's file": lambda store: store.put("models/m/package.zip", b""),
    "the model goes": lambda store: store.delete("models/m/package.zip"),
    "a result goes": lambda store: store.delete("renders/r/manifest.json"),
    "orders are read": lambda store: store.get("batches/b/order.json"),
    "an order is made": lambda store: store.put("batches/b/order.json", b""),
    "an order goes": lambda store: store.delete("batches/b/order.json"),
    "verdicts are read": lambda store: store.get("annotations/a.json"),
    "a verdict is made": lambda store: store.put("annotations/a.json", b""),
    "an upload is read": lambda store: store.get("uploads/u"),
    "an upload is made": lambda store: store.put("uploads/u", b""),
    "a tombstone is made": lambda store: store.put("withdrawn/w.json", b""),
    "a tombstone goes": lambda store: store.delete("withdrawn/w.json"),
    "a motion is made": lambda store: store.put("motions/m/motion", b""),
    "a background is made": lambda store: store.put("backgrounds/b.png", b""),
}
PLACES = (
    "models/m/package.zip",
    "renders/r/manifest.json",
    "batches/b/order.json",
    "annotations/a.json",
    "uploads/u",
    "withdrawn/w.json",
)


@pytest.mark.s3
@pytest.mark.parametrize("what", FORBIDDEN)
def test_a_worker_may_do_nothing_else(stores: Stores, what: str) -> None:
    owners, workers = stores
    for place in PLACES:
        owners.put(place, b"kept")

    with pytest.raises(ServiceError, match="AccessDenied"):
        FORBIDDEN[what](workers)

    assert all(owners.get(place) == b"kept" for place in PLACES)


@pytest.mark.s3
@pytest.mark.usefixtures("radosgws")
def test_a_worker_may_not_change_the_bucket(stores: Stores, s3: S3Server) -> None:
    client = Minio(s3.endpoint.partition("//")[2], WORKER, WORKER, secure=False, region="us-east-1")
    for change in (
        lambda: client.set_bucket_policy(BUCKET, "{}"),
        lambda: client.remove_bucket(BUCKET),
        lambda: client.put_object(BUCKET, "anywhere", BytesIO(b""), 0),
    ):
        with pytest.raises(Exception, match=r"AccessDenied|Access Denied"):
            change()

"""`farm submit --motion`: the motion goes up with the models, and one that is none stops everything before."""

from pathlib import Path

from farm.motion.vmd_writer import MorphKey, vmd_bytes
from tests.farm.cli.batches.farm import Farm

DANCE = vmd_bytes(morphs=[MorphKey("あ", 0, 0.0), MorphKey("あ", 60, 1.0)])


def test_a_motion_is_submitted_with_the_models(farm: Farm, mascots: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "dance.vmd").write_bytes(DANCE)
    run = farm.run(
        "submit", mascots["momo"], "--recipe", "clips", "--motion", tmp_path / "dance.vmd", "--rate", "10", "--paused"
    )

    assert run.returncode == 0, run.stderr
    found = farm.client.batch(run.stdout.split()[1].rstrip(":"))
    assert found.spec.motion is not None
    assert (found.spec.motion.frames, found.images_total) == (21, 21)
    # What was uploaded is the file that was read: the farm knows it by the same hash.
    assert farm.client.upload_motion(tmp_path / "dance.vmd") == found.spec.motion.id
    farm.client.cancel(found.id)


def test_a_motion_that_is_none_stops_a_submission_before_anything_is_uploaded(
    farm: Farm, mascots: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "cut.vmd").write_bytes(DANCE[:70])
    before = len(list(farm.client.batches()))
    run = farm.run("submit", mascots["momo"], "--motion", tmp_path / "cut.vmd")

    assert run.returncode == 1
    assert "cut off" in run.stderr
    assert "Traceback" not in run.stderr
    assert len(list(farm.client.batches())) == before

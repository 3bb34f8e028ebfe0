"""The export in the release's layout brings labels and light along, beside what the release has."""

import hashlib
import json
from pathlib import Path

from farm.exports.animeceleb import AnimeCelebLayout
from farm.exports.running import export
from farm.exports.source import FolderSource
from farm.labels import LabelName
from farm.spec import RenderSpec
from tests.support.rendered import hash_of, render

LABELS = ("Nagi_v2", "桃", "Sora (swim, 2nd)")


def test_labels_and_light_come_along(tmp_path: Path) -> None:
    spec = RenderSpec(styles=("flat",), labels=(LabelName.PARTS, LabelName.LANDMARKS))
    models = {hash_of(label): render(tmp_path / "rendered", label, spec, samples=2) for label in LABELS}

    export(FolderSource(tmp_path / "rendered"), str(tmp_path / "out"), AnimeCelebLayout())

    rows = [
        json.loads(line) for path in (tmp_path / "out").glob("*/rows.jsonl") for line in path.read_text().splitlines()
    ]
    assert len(rows) == 3 * 2 * 2
    for row in rows:
        model = models[row["model"]]
        partition = "rotation" if row["partition"] == "rotated" else "expression"
        name = row["png_name"]
        place = f"{partition}/{row['num_cluster']}/{name.rpartition('_')[0]}"
        assert (tmp_path / "out" / "combined_flat" / place / name).is_file()
        (image,) = [i for i in model.manifest.images if (i.sample, i.partition) == (row["sample"], row["partition"])]
        assert (row["light"], row["pose"], row["seed"]) == (image.light, list(image.pose), image.seed)
        for label in model.manifest.label_files:
            if (label.sample, label.partition) == (row["sample"], row["partition"]):
                ending = label.file[label.file.index(".") :]
                data = (tmp_path / "out" / "labels" / place / f"{name.removesuffix('.png')}{ending}").read_bytes()
                assert hashlib.sha256(data).hexdigest() == label.sha256
    assert sum(path.is_file() for path in (tmp_path / "out" / "labels").rglob("*")) == sum(
        len(model.manifest.label_files) for model in models.values()
    )

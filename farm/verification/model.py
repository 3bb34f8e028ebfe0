"""Verifies one model's folder: everything that its manifest says, and that there is nothing besides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from farm.dataset.manifest import CLIP_VIDEO, CONTACT_SHEET, MANIFEST
from farm.dataset.output import POSES, folder_name
from farm.dataset.reading import listing, read_model_folder
from farm.dataset.shards import sha256_of
from farm.dataset.splits import split_of
from farm.errors import StorageError
from farm.verification.derivation import check_counts, check_poses
from farm.verification.findings import Fault, Finding, FindingList
from farm.verification.labels import LabelFiles
from farm.verification.pictures import PictureFiles
from farm.verification.rows import Run, check_rows
from farm.wording import counted


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What was found in one folder."""

    folder: str
    model: str = ""
    """The model's id; empty where the manifest cannot be read."""
    pictures: int = 0
    """PictureFiles that were looked at, the neutral ones too."""
    splits: dict[str, int] = field(default_factory=dict)
    """Rows of the pose table by the split that they name; empty where the table names none."""
    findings: tuple[Finding, ...] = ()


def verify_model(folder: Path, columns: Sequence[str], runs: Sequence[Run] | None) -> ModelReport:
    """Verify the model in `folder`, whose rows in the pose table stand at `runs` (None: there is no usable table)."""
    findings = FindingList(folder.name)
    try:
        found = listing(folder)
        for name in found.strange:
            findings.add(Fault.LINK, name, "It is a link or a device, or lies too deep; it was not opened.")
        model = read_model_folder(folder)
    except StorageError as error:
        findings.add(Fault.MANIFEST, MANIFEST, str(error))
        return ModelReport(folder.name, findings=findings.all())
    manifest = model.manifest
    if not folder.name.endswith(folder_name("", manifest.model.id).removeprefix("model")):
        findings.add(Fault.MANIFEST, MANIFEST, f"It is that of another model, {manifest.model.id[:8]}.")
    check_counts(manifest, findings)
    check_poses(manifest, findings)
    pictures = PictureFiles(model, found, findings)
    pictures.check()
    clip = manifest.clip
    if clip is not None and clip.video_sha256:
        video = folder / CLIP_VIDEO
        if CLIP_VIDEO not in found.sizes:
            findings.add(Fault.MISSING, CLIP_VIDEO, "The preview of the clip is missing.")
        elif sha256_of(video) != clip.video_sha256:
            findings.add(Fault.HASH, CLIP_VIDEO, "It is not the preview that the manifest names.")
    labels = LabelFiles(model, found, findings)
    labels.check()
    splits: dict[str, int] = {}
    if runs is not None:
        splits = check_rows(model, columns, runs, findings)
        if len(splits) > 1:
            counts = ", ".join(f"{counted(count, 'row')} in '{split[:20]}'" for split, count in sorted(splits.items()))
            findings.add(Fault.SPLIT, "", f"The model is on both sides of the split: {counts}.")
        elif splits and (side := split_of(manifest.model.id)) not in splits:
            (said,) = splits
            findings.add(
                Fault.SPLIT, "", f"Its rows of {POSES} are for '{said[:20]}', and by its hash it is for '{side}'."
            )
    known = pictures.names | labels.names | {MANIFEST, CONTACT_SHEET} | ({CLIP_VIDEO} if clip is not None else set())
    for name in sorted(found.sizes.keys() - known):
        findings.add(Fault.STRAY, name, "The manifest does not know this file.")
    return ModelReport(folder.name, manifest.model.id, pictures.looked_at, splits, findings.all())

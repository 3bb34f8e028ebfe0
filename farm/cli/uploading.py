"""Hands a farm what is to be rendered, and tells the user what it refuses."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from farm.cli.console import note, tracked
from farm.cli.wishes import Wish
from farm.client import FarmClient, RefusedError, UploadedModel
from farm.errors import DiskFullError, FarmError, NoModelError
from farm.models.files import ZIP
from farm.models.incoming import open_models
from farm.spec import RenderSpec


def upload(client: FarmClient, paths: Mapping[Path, Path]) -> tuple[list[UploadedModel], list[str]]:
    """Upload the models of `options.models_at`: those that the farm took, each once, and a line for each that was refused."""
    uploaded: dict[str, UploadedModel] = {}
    refused: list[str] = []
    stems = Counter(path.stem for path in paths)
    for path in tracked(list(paths), "uploading models") if len(paths) > 1 else paths:
        if len(paths) > 1 and not _may_hold_a_model(path):
            note("skipped", "yellow", f"{path} holds no model.")
            continue
        try:
            models, bad = client.upload(path, paths[path])
        except (RefusedError, OSError) as error:
            if isinstance(error, RefusedError) and error.status in (401, 403):
                raise  # it is not the model that is refused
            refused.append(f"{path}: {error}")
            continue
        refused += [f"{path}/{model.name}: {model.message}" for model in bad]
        for model in models:
            if model.id in uploaded:
                note(
                    "twice", "yellow", f"{path} holds the same model as {uploaded[model.id].name}; it is rendered once."
                )
                continue
            # Gene.pmx beside Gene.pmd: the name has to say which.
            clear = len(models) == 1 and stems[path.stem] > 1
            uploaded[model.id] = replace(model, name=f"{model.name}{path.suffix}") if clear else model
            for warning in model.inventory.warnings:
                note("warning", "yellow", f"{path.name}: {warning}")
    return list(uploaded.values()), refused


def _may_hold_a_model(path: Path) -> bool:
    """Whether a file is worth sending: folders have zips of motions and stages, too."""
    if path.suffix.lower() != ZIP:
        return True
    try:
        next(open_models(path))
    except NoModelError:
        return False
    except DiskFullError:
        raise
    except (FarmError, OSError):
        return True  # the farm says what is wrong with it
    return True


def with_backgrounds(client: FarmClient, wanted: Wish) -> RenderSpec:
    """The specification with its backgrounds, which are uploaded; so is its motion."""
    if wanted.motion is not None:
        wanted.motion.check()
        client.upload_motion(wanted.motion.path)
    if not wanted.backgrounds:
        return wanted.spec
    ids = [client.upload_background(path) for path in tracked(wanted.backgrounds, "uploading backgrounds")]
    # The same picture twice in the folder is one background.
    return RenderSpec.model_validate({**wanted.spec.model_dump(), "backgrounds": tuple(dict.fromkeys(ids))})

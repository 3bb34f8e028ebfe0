"""What a confined child does: read one file, and write down what the farm may keep of it."""

from pathlib import Path

from farm import free_space
from farm.backgrounds import normalise
from farm.errors import ArchiveError, DiskFullError, FarmError, ModelError, ModelFormatError
from farm.models.incoming import Refusal, received
from farm.models.package import Package, decided_again, write_package
from farm.motion.reading import read_motion, suffix_of
from farm.reading.messages import (
    ANSWER,
    BACKGROUND,
    HELD,
    MAX_INVENTORY,
    Answer,
    Held,
    MotionAbout,
    ReadBackground,
    ReadModel,
    ReadOrder,
    Refused,
    inventory_file,
    package_file,
)

_MAX_INVENTORIES_BYTES = 64 * 2**20
_MAX_REFUSALS = 100
_MAX_SENTENCE = 2000
"""Characters: what the file says of itself can be in it."""


def carry_out(order: ReadOrder) -> None:
    """Do what is ordered; nothing is raised for a file that cannot be used. Raises DiskFullError for a full folder."""
    with free_space.noticed_temporary():
        answer = _answer(order)
        Path(order.folder, ANSWER).write_text(answer.model_dump_json())


def _answer(order: ReadOrder) -> Answer:
    answer = Answer()
    try:
        match order.what:
            case "models":
                _read_models(order, answer)
            case "background":
                _read_background(order, answer)
            case "motion":
                answer.motion = _read_motion(order)
            case "decision":
                _decide(order)
    except DiskFullError:
        raise  # it says nothing about the file
    except FarmError as error:
        answer.error = _refused(order.name, error)
    except MemoryError:
        answer.error = _refused(order.name, ModelError(too_large(order)))
    return answer


def too_large(order: ReadOrder) -> str:
    """The sentence for a file that takes more memory than it may."""
    return (
        f"'{order.name}' takes more than {order.memory / 2**30:.1f} GiB of memory to read. Make it smaller, or upload its "
        "models one by one."
    )


def _refused(name: str, error: FarmError) -> Refused:
    return Refused(name=name, code=error.code, message=str(error)[:_MAX_SENTENCE])


def _read_models(order: ReadOrder, answer: Answer) -> None:
    left, left_for_inventories = order.packages, _MAX_INVENTORIES_BYTES
    for found in received(order.name, Path(order.file)):
        if isinstance(found, Refusal):
            refused = _refused(found.name, found.error)
        else:
            size = found.size
            inventory = found.inventory.model_dump_json().encode()
            left -= size
            left_for_inventories -= len(inventory)
            if left < 0 or left_for_inventories < 0:
                raise ArchiveError(
                    f"The models of '{order.name}' would take more than {order.packages / 2**30:.1f} GiB, as each keeps "
                    "its own textures. Upload fewer at a time."
                )
            if len(inventory) <= MAX_INVENTORY:
                _keep(order, answer, found, inventory)
                continue
            sentence = f"What '{found.name}' lists takes {len(inventory) // 2**20} MiB, over the limit of 8 MiB."
            refused = _refused(found.name, ModelFormatError(f"{sentence} Remove what is not used."))
        if len(answer.refused) < _MAX_REFUSALS:
            answer.refused.append(refused)


def _keep(order: ReadOrder, answer: Answer, package: Package, inventory: bytes) -> None:
    number, folder = len(answer.models), Path(order.folder)
    write_package(package, folder / package_file(number))
    (folder / inventory_file(number)).write_bytes(inventory)
    answer.models.append(ReadModel(id=package.id, name=package.name[:_MAX_SENTENCE]))


def _decide(order: ReadOrder) -> None:
    folder = Path(order.folder)
    held = Held.model_validate_json((folder / HELD).read_bytes())
    again = decided_again(held.inventory, Path(order.file).read_bytes(), held.pictures)
    (folder / inventory_file(0)).write_text(again.model_dump_json())


def _read_motion(order: ReadOrder) -> MotionAbout:
    data = Path(order.file).read_bytes()
    motion = read_motion(suffix_of(data[:64]), data)
    return MotionAbout(
        format=motion.format,
        seconds=motion.seconds,
        bones=len(motion.bones),
        morphs=len(motion.morphs),
        warnings=[warning[:_MAX_SENTENCE] for warning in motion.warnings[:_MAX_REFUSALS]],
    )


def _read_background(order: ReadOrder, answer: Answer) -> None:
    background = normalise(Path(order.file).read_bytes(), order.name)
    Path(order.folder, BACKGROUND).write_bytes(background.png)
    answer.background = ReadBackground(id=background.id, width=background.width, height=background.height)

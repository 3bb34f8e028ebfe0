"""Checkpoints that are damaged, of another render, or not what their names say."""

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.drawing import checkpoints
from farm.drawing.blender import Blender
from farm.drawing.render import render
from farm.models.package import Package
from farm.spec import RENDERER_VERSION
from farm.storage import LocalStore
from tests.farm.drawing.checkpoints.interrupted import PLAIN, Diary
from tests.support.fixtures import assignment_for
from tests.support.results import results_in

pytestmark = pytest.mark.blender


def _flip(store: LocalStore, key: str) -> None:
    data = bytearray(store.get(key))
    data[len(data) // 2] ^= 1
    store.put(key, bytes(data))


def _cut(store: LocalStore, key: str) -> None:
    store.put(key, store.get(key)[:-3000])


def _claim_more(store: LocalStore, key: str) -> None:
    store.put(key.replace("-00002-", "-00004-"), store.get(key))
    store.delete(key)


def _bring_rubbish(store: LocalStore, key: str) -> None:
    data = os.urandom(5000)
    store.put(re.sub("[0-9a-f]{64}[.]tar", hashlib.sha256(data).hexdigest() + ".tar", key), data)
    store.delete(key)


def _bring_too_much(store: LocalStore, key: str) -> None:
    data = bytes(3 * 48 * 48 * (16 + 32) + 1)
    store.put(re.sub("[0-9a-f]{64}[.]tar", hashlib.sha256(data).hexdigest() + ".tar", key), data)
    store.delete(key)


def _date_back(store: LocalStore, key: str) -> None:
    """As a worker of the renderer before this one would have stored it."""
    now, then = (f'"renderer":{version}'.encode() for version in (RENDERER_VERSION, RENDERER_VERSION - 1))
    data = store.get(key)
    assert data.count(now) == 1
    data = data.replace(now, then)
    store.put(re.sub("[0-9a-f]{64}[.]tar", hashlib.sha256(data).hexdigest() + ".tar", key), data)
    store.delete(key)


def _rename(store: LocalStore, key: str) -> None:
    store.put(str(Path(key).with_name("first.tar")), store.get(key))
    store.delete(key)


@pytest.mark.parametrize("spoil", [_flip, _cut, _claim_more, _bring_rubbish, _bring_too_much, _date_back, _rename])
def test_a_part_that_is_not_what_its_name_says_is_drawn_again(
    spoil: Callable[[LocalStore, str], None],
    broken_off: LocalStore,
    blender: Blender,
    momo: Package,
    tmp_path: Path,
    undisturbed: Callable[[str], dict[str, str]],
) -> None:
    assignment, diary = assignment_for(momo, PLAIN), Diary()
    (key,) = broken_off.list(checkpoints.folder(assignment.render_key))
    spoil(broken_off, key)

    render(assignment, broken_off, blender, diary.reporter)

    assert diary.drawn == assignment.images_total
    assert results_in(tmp_path / "begun") == undisturbed("plain")


def test_a_part_of_another_render_is_left_aside(broken_off: LocalStore, blender: Blender, momo: Package) -> None:
    # GIVEN a whole checkpoint of the same model with another seed
    other = PLAIN.model_copy(update={"seed": 43})
    assignment, diary = assignment_for(momo, other), Diary()
    (key,) = broken_off.list(checkpoints.folder(assignment_for(momo, PLAIN).render_key))
    broken_off.put(checkpoints.folder(assignment.render_key) + Path(key).name, broken_off.get(key))

    render(assignment, broken_off, blender, diary.reporter)

    assert diary.drawn == assignment.images_total

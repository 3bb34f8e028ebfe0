"""The catalog: what it keeps beside a model, and what it does with what earlier versions kept there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from farm.catalog import Catalog
from farm.errors import ArchiveError, ConflictError, NotFoundError, OutdatedModelError
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.notices import Notice
from farm.models.package import Package
from farm.morphs.refs import MorphRef
from farm.reading.readers import Readers
from farm.storage import LocalStore
from tests.farm.models import made_files as made
from tests.support.received import receive


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def package() -> Package:
    (package,), _ = receive("twice.pmx", pmx_bytes(made.names_twice()))
    return package


@pytest.fixture
def catalog(store: LocalStore, package: Package) -> Catalog:
    catalog = Catalog(store)
    catalog.add(package)
    return catalog


def take_the_indices(store: LocalStore, package: Package) -> None:
    """Leave the inventory as an earlier version wrote it."""
    key = f"models/{package.id}/inventory.json"
    kept = json.loads(store.get(key))
    kept["morphs"] = [{name: value for name, value in m.items() if name != "index"} for m in kept["morphs"]]
    kept["annotation"] = {target: morph["name"] for target, morph in kept["annotation"].items()}
    store.put(key, json.dumps(kept).encode())


def test_the_kept_annotation_is_the_one_that_was_worked_out(catalog: Catalog, package: Package) -> None:
    assert catalog.annotation(package.id) == made.NAMES_TWICE
    assert catalog.annotation(package.id) == made.NAMES_TWICE


def test_a_model_that_came_without_its_readme_gets_it_when_it_comes_again(catalog: Catalog, package: Package) -> None:
    first = catalog.inventory(package.id)
    notice = Notice(name="readme.txt", bytes=8, sha256="0" * 64, text="Be kind.")

    catalog.add(replace(package, inventory=package.inventory.model_copy(update={"notices": [notice]})))
    catalog.add(package)

    assert catalog.inventory(package.id) == first.model_copy(update={"notices": [notice]})


def test_an_annotation_that_an_earlier_version_kept_is_worked_out_again(
    catalog: Catalog, store: LocalStore, package: Package
) -> None:
    catalog.annotation(package.id)
    key = f"models/{package.id}/annotation.json"
    kept = json.loads(store.get(key))
    old = {"vocabulary": "0123456789abcdef", "annotation": {"mouth/a": "上"}}
    store.put(key, json.dumps(old).encode())

    assert catalog.annotation(package.id) == made.NAMES_TWICE
    assert json.loads(store.get(key)) == kept


def test_an_inventory_without_indices_is_refused_until_the_model_comes_again(
    catalog: Catalog, store: LocalStore, package: Package
) -> None:
    take_the_indices(store, package)

    for ask in (catalog.inventory, catalog.annotation):
        with pytest.raises(OutdatedModelError, match=f"'{package.id}' and did not measure its morphs. Upload"):
            ask(package.id)

    catalog.add(package)
    assert catalog.inventory(package.id) == package.inventory
    assert catalog.annotation(package.id) == made.NAMES_TWICE


def test_what_another_version_decided_is_measured_again_from_the_package(
    catalog: Catalog, store: LocalStore, package: Package
) -> None:
    # GIVEN an inventory of this form in which names alone have decided, and an annotation kept from then
    catalog.annotation(package.id)
    key = f"models/{package.id}/inventory.json"
    wrong = package.inventory.model_copy(
        update={"decided_by": "names", "annotation": {"mouth/a": MorphRef(index=1, name="上")}}
    )
    store.put(key, wrong.model_dump_json().encode())
    annotation = f"models/{package.id}/annotation.json"
    store.put(annotation, json.dumps(json.loads(store.get(annotation)) | {"decided_by": "names"}).encode())

    # THEN either question is answered by this version, and what it found is kept
    assert catalog.annotation(package.id) == made.NAMES_TWICE
    assert catalog.inventory(package.id) == package.inventory
    assert json.loads(store.get(key)) == json.loads(package.inventory.model_dump_json())


def test_what_is_measured_again_is_not_read_in_the_farms_own_process(
    catalog: Catalog, store: LocalStore, package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    # GIVEN an inventory of another version, and a process in which no model file can be read
    key = f"models/{package.id}/inventory.json"
    store.put(key, package.inventory.model_copy(update={"decided_by": "names"}).model_dump_json().encode())

    def refuse(*_: object) -> None:
        raise AssertionError("The farm's own process reads a stranger's file.")

    monkeypatch.setattr("farm.models.package.read_character", refuse)

    # THEN a reader reads it: the farm's own, which goes on, or one that ends with the deed
    readers = Readers(1)
    try:
        assert Catalog(store, readers).inventory(package.id) == package.inventory
        (reader,) = readers._all
        assert reader._process is not None
        assert reader._process.poll() is None
    finally:
        readers.close()
    store.put(key, package.inventory.model_copy(update={"decided_by": "names"}).model_dump_json().encode())
    assert catalog.inventory(package.id) == package.inventory


def test_a_package_that_has_become_unreadable_is_said_to_be(
    catalog: Catalog, store: LocalStore, package: Package
) -> None:
    key = f"models/{package.id}/inventory.json"
    store.put(key, package.inventory.model_copy(update={"decided_by": "names"}).model_dump_json().encode())
    store.put(f"models/{package.id}/package.zip", b"no zip")

    with pytest.raises(ArchiveError):
        catalog.inventory(package.id)


def test_an_outdated_model_can_be_removed(catalog: Catalog, store: LocalStore, package: Package) -> None:
    take_the_indices(store, package)
    before = store.get(f"models/{package.id}/inventory.json")

    with pytest.raises(ConflictError, match="need model"):
        catalog.remove(package.id, lambda: True)
    assert store.get(f"models/{package.id}/inventory.json") == before

    catalog.remove(package.id, lambda: False)
    with pytest.raises(NotFoundError):
        catalog.inventory(package.id)

"""Which models are for training and which for testing.

A model's own hash decides, so it stays on its side when others come or go; the price is that the paper's share is met on
average only. Source of the share: AnimeCeleb, arXiv 2111.07640: 3,319 models for training and 294 for testing.
"""

import hashlib
from typing import Literal

type Split = Literal["train", "test"]

SPLITS: tuple[Split, ...] = ("train", "test")
MODELS, TEST_MODELS = 3613, 294
"""The paper's models, and how many of them are for testing."""
TEST_SHARE = TEST_MODELS / MODELS


def draw_of(model_hash: str) -> int:
    """A number in [0, 3613) that depends on the model's hash and on nothing else; those below 294 are for testing."""
    return int.from_bytes(hashlib.sha256(model_hash.encode()).digest()[:8], "big") % MODELS


def split_of(model_hash: str) -> Split:
    """The side of a model that is no near-duplicate of another, by its hash (64 hexadecimal digits)."""
    return "test" if draw_of(model_hash) < TEST_MODELS else "train"

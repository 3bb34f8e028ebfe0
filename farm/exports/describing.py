"""The files that describe a whole data set: its models, its card, its metadata, and what its layout adds."""

from farm.exports.card import card
from farm.exports.croissant import metadata
from farm.exports.layout import Described
from farm.exports.receipts import record_of
from farm.exports.roster import MODELS, Roster, roster_files

CARD = "README.md"
CROISSANT = "croissant.json"


def describing_files(roster: Roster, described: Described) -> dict[str, bytes]:
    """By name, in the order in which they are to be written."""
    of_models = roster_files(roster)
    return {
        **of_models,
        CARD: card(roster, described),
        CROISSANT: metadata(roster, described, {MODELS: record_of(of_models[MODELS])}),
        **described.last,
    }

"""The commands for whoever lets people into the farm: make keys, and see which there are."""

import click

from farm.cli.console import note, stdout
from farm.keys import Keys, Role, entry_for, new_key
from farm.settings import Settings


@click.group()
def keys() -> None:
    """Make API keys and see which are configured."""


@keys.command("new")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    default=[Role.READ.value],
    show_default=True,
    help="What the key is for; repeat for several. Every key may read; operate may do everything.",
)
def new(name: str, roles: tuple[str, ...]) -> None:
    """Make a key for NAME. It is printed this once; the farm is given its hash alone."""
    key = new_key()
    entry = entry_for(name, [Role(role) for role in roles], key)
    note("made", "green", f"a key for {name}, shown this once. Give the entry to the API: FARM_API_KEYS or its file.")
    stdout.print(f"key    {key}", markup=False, soft_wrap=True)
    stdout.print(f"entry  {entry}", markup=False, soft_wrap=True)


@keys.command("check")
def check() -> None:
    """Read the configured keys and list their names and roles."""
    configured = Keys.of(Settings())
    for principal in configured.ring().principals:
        roles = ", ".join(role for role in Role if role in principal.roles)
        stdout.print(f"{principal.name}: {roles}", markup=False, soft_wrap=True)
    if not configured.configured:
        note(
            "none",
            "yellow",
            "No API keys are configured: the API starts on a loopback address only, and there anybody may do anything. "
            "`farm keys new` makes one.",
        )

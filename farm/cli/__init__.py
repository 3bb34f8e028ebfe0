"""The `farm` command. Each module holds the commands of one kind of user and imports what it needs when it runs."""

import atexit
import sys
from typing import Any

import click
from pydantic import ValidationError

from farm import __version__, environment, logs
from farm.cli.console import note, stderr
from farm.cli.interrupts import handled, hear_every_interrupt
from farm.errors import FarmError
from farm.starting import importing, leave
from farm.wording import clean_lines, mistake

_GROUPS = {
    "For researchers, on this machine": {
        "render": "farm.cli.render",
        "demo": "farm.cli.render",
        "recipe": "farm.cli.recipe",
        "inspect": "farm.cli.inspect",
        "schema": "farm.cli.schema",
        "export": "farm.cli.export",
        "verify": "farm.cli.verify",
        "stats": "farm.cli.stats",
        "licences": "farm.cli.licences",
        "permit": "farm.cli.licences",
        "forget": "farm.cli.licences",
        "mascots": "farm.cli.mascots",
        "doctor": "farm.cli.doctor",
        "up": "farm.cli.render",
    },
    "For researchers, on a farm that is up": {
        "submit": "farm.cli.batches",
        "preview": "farm.cli.batches",
        "status": "farm.cli.status",
        "watch": "farm.cli.batches",
        "fetch": "farm.cli.batches",
        "logs": "farm.cli.status",
        "retry": "farm.cli.batches",
        "cancel": "farm.cli.batches",
        "pause": "farm.cli.batches",
        "resume": "farm.cli.batches",
        "models": "farm.cli.batches",
    },
    "For annotators": {
        "annotate": "farm.cli.annotate",
        "upload": "farm.cli.upload",
    },
    "For operators": {
        "priority": "farm.cli.batches",
        "workers": "farm.cli.workers",
        "drain": "farm.cli.roles",
        "reconcile": "farm.cli.reconcile",
        "keys": "farm.cli.keys",
        "simulate": "farm.cli.simulate",
        "stress": "farm.cli.stress",
    },
    "For containers": {
        "api": "farm.cli.roles",
        "worker": "farm.cli.roles",
        "flower": "farm.cli.roles",
        "probe": "farm.cli.roles",
    },
}
"""The module of every command, by who uses it."""
_COMMANDS = {name: module for group in _GROUPS.values() for name, module in group.items()}


class _Lazy(click.Group):
    """Loads a command's module when the command is used: `farm --help` should not wait for numpy."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """What the program `farm` calls: the process is this command's alone, and so is its environment."""
        environment.settle()
        hear_every_interrupt()
        atexit.register(leave)
        return super().__call__(*arguments, **options)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        with importing():
            module: Any = __import__(_COMMANDS[cmd_name], fromlist=[cmd_name])
        command = getattr(module, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        room = formatter.width - 6 - max(map(len, _COMMANDS))
        for group, names in _GROUPS.items():
            rows = [
                (name, command.get_short_help_str(room)) for name in names if (command := self.get_command(ctx, name))
            ]
            with formatter.section(group):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        logs.install()
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = clean_lines(error.message)  # a shell may have put names of files there
            raise
        except FarmError as error:
            note(f"farm: {error.code}:", "red", str(error))
            code = 1
        except ValidationError as error:
            lines = "; ".join(f"{'.'.join(map(str, e['loc']))}: {mistake(e)}" for e in error.errors()[:5])
            note("farm:", "red", f"A setting or an option has an unusable value ({lines}).")
            code = 1
        except OSError as error:
            note("farm:", "red", f"{error.filename or 'The operating system'}: {error.strerror or error}.")
            code = 1
        except KeyboardInterrupt:
            handled()
            stderr.print("farm: interrupted; everything that was started is stopped.")
            code = 130
        # Not above: the error would hold what it came through until the interpreter ends, and a bar that is closed then
        # waits for its thread for ever.
        sys.exit(code)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="farm")
def main() -> None:
    """Facefarm: folders of 3D anime characters in, exactly annotated face images out."""

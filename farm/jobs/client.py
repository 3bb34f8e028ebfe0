"""redis-py's client for users who may not `SCRIPT LOAD`: a script that the server does not know is sent as a whole."""

from typing import Any

import redis
from redis.client import Pipeline
from redis.commands.core import Script

_sources: dict[str, Any] = {}
"""The scripts of this process, by the name that the server gives them."""


class Client(redis.Redis):
    """Like `redis.Redis`. A server that has failed over, or started again, is taught its scripts in passing."""

    def register_script(self, script: Any) -> Script:
        """As `redis.Redis` does."""
        made = super().register_script(script)
        _sources[made.sha] = made.script
        return made

    def evalsha(self, sha: str, numkeys: int, *keys_and_args: Any) -> Any:
        """Run the script of this name, by its text where the server does not know it."""
        try:
            return super().evalsha(sha, numkeys, *keys_and_args)
        except redis.exceptions.NoScriptError:
            if sha not in _sources:
                raise
            return self.eval(_sources[sha], numkeys, *keys_and_args)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> Pipeline:
        """As `redis.Redis` does."""
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _Pipeline(Pipeline):
    def load_scripts(self) -> None:
        """Put the text of each queued script in place of its name, where it comes first: it is known from there on."""
        texts = {script.sha: script.script for script in self.scripts}
        for place, (arguments, options) in enumerate(self.command_stack):
            if arguments[0] == "EVALSHA" and arguments[1] in texts:
                self.command_stack[place] = (("EVAL", texts.pop(arguments[1]), *arguments[2:]), options)

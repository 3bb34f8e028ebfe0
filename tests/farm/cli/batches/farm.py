"""A farm for the commands that ask one: a real API, whose workers' part the tests play."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from farm.client import BatchView, FarmClient, UploadedModel
from farm.jobs.states import State, cancel, claim, fail, finish, lose
from farm.jobs.store import JobStore
from farm.spec import RenderSpec
from tests.support import nursery, servers

SMALL = ["--samples", "1", "--size", "48", "--style", "flat"]
_SECONDS = 3 * servers.PATIENCE_SECONDS


@dataclass
class Farm:
    api: servers.Api
    client: FarmClient
    jobs: JobStore
    models: list[UploadedModel]

    def submit(self, name: str = "") -> BatchView:
        return self.client.submit(self.models, RenderSpec(samples=2, size=48), name=name)

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """What the command says, in a fork of the nursery."""
        return nursery.run([*map(str, arguments)], self._variables(environment), _SECONDS)

    def run_from_nothing(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """What the command says when it is a program that begins as a user's does: once for each module of commands."""
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            env=self._variables(environment),
        )

    def _variables(self, more: Mapping[str, str]) -> dict[str, str]:
        return {**os.environ, **self.api.environment, "FARM_API_URL": self.api.url, **more}

    def command(self, *arguments: str | Path) -> list[str]:
        return [sys.executable, "-m", "farm", *map(str, arguments)]

    def end(self, job: str, state: State) -> None:
        """Do the work of a worker, whatever becomes of it."""

        def begin() -> None:
            self.jobs.change(job, lambda j: claim(j, "worker@test"))

        if state is State.CANCELLED:
            self.jobs.change(job, cancel)
        elif state is State.DONE:
            begin()
            self.jobs.change(job, lambda j: finish(j, j.attempt))
        elif state is State.FAILED:
            begin()
            self.jobs.change(job, lambda j: fail(j, j.attempt, "model-unusable", "It shows [no] face."))
        else:
            for _ in range(3):
                begin()
                self.jobs.change(
                    job, lambda j: lose(j, j.attempt, "blender-died", "Blender ended with signal 11.", 1e9)
                )

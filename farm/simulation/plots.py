"""The answers as pictures. The only module here that needs matplotlib, which is in the extra `plots`."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from farm.simulation.fleet import Outcome
from farm.simulation.policies import PolicyName
from farm.simulation.study import Question

type Answers = Sequence[tuple[Question, Outcome]]

_COLOURS = {PolicyName.FARM: "#20bf6b", PolicyName.FIXED: "#6c7a89", PolicyName.LIST_LENGTH: "#fa8231"}
_MEASURES = ("minutes of the slowest batch", "hours of all workers", "renders killed or handed back")
_DPI = 120
_QUIET = {"Date": None}
"""No time of day in the bytes."""


def plot(answers: Answers, folder: Path, suffix: str) -> list[Path]:
    """Write one picture that compares the policies, and one of how a farm goes on for each kind of arrivals.

    `suffix` is "svg" or "png". The same answers give the same bytes by the same version of matplotlib.
    """
    pyplot.rcParams.update({"svg.hashsalt": "facefarm", "svg.fonttype": "none"})
    folder.mkdir(parents=True, exist_ok=True)
    written = [_save(_compared(answers), folder / f"policies.{suffix}")]
    for arrivals in dict.fromkeys(question.arrivals for question, _ in answers):
        some = [(question, outcome) for question, outcome in answers if question.arrivals == arrivals]
        last = some[-1][0]  # the longest cold start, the most losses
        shown = [
            (question, outcome)
            for question, outcome in some
            if (question.cold_start_seconds, question.spot_losses) == (last.cold_start_seconds, last.spot_losses)
            and outcome.course
        ]
        if shown:
            written.append(_save(_courses(shown), folder / f"course-{arrivals}.{suffix}"))
    return written


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=_DPI, metadata=_QUIET if path.suffix == ".svg" else {"Software": None})
    pyplot.close(figure)
    return path


def _compared(answers: Answers) -> Figure:
    kinds = list(dict.fromkeys(question.arrivals for question, _ in answers))
    policies = list(dict.fromkeys(question.policy for question, _ in answers))
    figure, axes = pyplot.subplots(
        len(_MEASURES), len(kinds), figsize=(4.2 * len(kinds), 7.5), layout="constrained", squeeze=False
    )
    for column, kind in enumerate(kinds):
        some = [(question, outcome) for question, outcome in answers if question.arrivals == kind]
        settings = list(dict.fromkeys((question.cold_start_seconds, question.spot_losses) for question, _ in some))
        labels = [f"{cold:.0f} s\n{losses:g}/h" for cold, losses in settings]
        for line, values in enumerate(_values(some)):
            side: Axes = axes[line, column]
            for place, policy in enumerate(policies):
                heights = [
                    value for (question, _), value in zip(some, values, strict=True) if question.policy == policy
                ]
                at = [number + (place - (len(policies) - 1) / 2) * 0.27 for number in range(len(settings))]
                bars = side.bar(at, heights, width=0.25, color=_COLOURS[policy], label=policy)
                side.bar_label(bars, fmt="%.3g", fontsize=6, padding=1)
            side.set_xticks(range(len(settings)), labels, fontsize=7)
            side.spines[["top", "right"]].set_visible(False)
            side.tick_params(labelsize=7)
            side.margins(y=0.15)
            if column == 0:
                side.set_ylabel(_MEASURES[line], fontsize=8)
            if line == 0:
                side.set_title(f"arrivals: {kind}", fontsize=9)
    axes[0, 0].legend(fontsize=7, frameon=False)
    figure.supxlabel("cold start, and losses of a spot machine an hour", fontsize=8)
    return figure


def _values(answers: Answers) -> list[list[float]]:
    return [
        [outcome.slowest_batch_seconds / 60 for _, outcome in answers],
        [outcome.worker_hours for _, outcome in answers],
        [float(outcome.killed + outcome.handed_back) for _, outcome in answers],
    ]


def _courses(answers: Answers) -> Figure:
    figure, axes = pyplot.subplots(
        len(answers), 1, figsize=(9, 2.4 * len(answers)), layout="constrained", sharex=True, squeeze=False
    )
    for side, (question, outcome) in zip(axes[:, 0], answers, strict=True):
        minutes = [moment.at / 60 for moment in outcome.course]
        left = side.twinx()
        left.fill_between(
            minutes, [moment.images / 1e6 for moment in outcome.course], step="post", color="#d1d8e0", zorder=0
        )
        left.set_ylabel("million images left", fontsize=7)
        side.set_zorder(left.get_zorder() + 1)
        side.patch.set_visible(False)
        for name, colour, style in (("wanted", "#eb3b5a", ":"), ("pods", "#4b7bec", "-"), ("busy", "#20bf6b", "-")):
            heights = [
                {"wanted": moment.wanted, "pods": moment.pods, "busy": moment.busy}[name] for moment in outcome.course
            ]
            side.step(minutes, heights, where="post", color=colour, linestyle=style, linewidth=1.2, label=name)
        side.set_ylabel("workers", fontsize=7)
        side.set_title(
            f"{question.policy}; arrivals {question.arrivals}, cold start {question.cold_start_seconds:.0f} s, "
            f"{question.spot_losses:g} losses an hour",
            fontsize=8,
        )
        for each in (side, left):
            each.tick_params(labelsize=7)
            each.spines[["top"]].set_visible(False)
    axes[0, 0].legend(fontsize=7, frameon=False, loc="upper right")
    axes[-1, 0].set_xlabel("minutes", fontsize=8)
    return figure

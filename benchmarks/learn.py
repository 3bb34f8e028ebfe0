"""Whether something can be learned from a rendered folder: parts of a character that the network has never seen.

usage: python -m benchmarks.learn DIR [--steps 400]       DIR: rendered with --labels parts, two models or more

A network of some 70,000 weights learns to find the parts (hair, face, eyes ...) in pictures of the models of the side
`train`, on the CPU. Judged is the mean IoU over the parts in the pictures of the side `test`, beside that of two guesses
that need no network: the commonest part everywhere, and at each pixel the part that is commonest there in training.
Everything is drawn from a seed.
"""

import argparse
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import nn
from torch.utils.data import DataLoader

from farm.dataset.splits import Split
from farm.labels import Part
from farm.torch import Faces, Segmentation

PARTS = [part for part in Part if part != Part.IGNORE]
SIDE = 64
"""Pixels a side that the network sees."""
BATCH = 8
MOST = 1600
"""Pictures that are learned from."""
_MIRRORED = torch.tensor([0, 1, 2, 4, 3, 6, 5, 7, 8, 9, 10, 11])
"""Each part in a mirrored picture: left eye and brow are right ones there."""


class Network(nn.Module):
    """A U-Net of three levels: (n, 3, SIDE, SIDE) pictures to (n, parts, SIDE, SIDE) scores. It is told where pixels are."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.down = nn.ModuleList([_block(5, width), _block(width, 2 * width), _block(2 * width, 4 * width)])
        self.up = nn.ModuleList([_block(6 * width, 2 * width), _block(3 * width, width)])
        self.out = nn.Conv2d(width, len(PARTS), 1)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """The scores."""
        rows, columns = torch.meshgrid(*2 * [torch.linspace(-1, 1, pictures.shape[-1])], indexing="ij")
        where = torch.stack([rows, columns]).expand(len(pictures), -1, -1, -1)
        top = self.down[0](torch.cat([2 * pictures - 1, where], dim=1))
        middle = self.down[1](nn.functional.max_pool2d(top, 2))
        bottom = self.down[2](nn.functional.max_pool2d(middle, 2))
        middle = self.up[0](torch.cat([nn.functional.interpolate(bottom, scale_factor=2.0), middle], dim=1))
        found = self.up[1](torch.cat([nn.functional.interpolate(middle, scale_factor=2.0), top], dim=1))
        scores: torch.Tensor = self.out(found)
        return scores


def _block(taken: int, given: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (taken, given):
        layers += [nn.Conv2d(channels, given, 3, padding=1), nn.GroupNorm(4, given), nn.ReLU()]
    return nn.Sequential(*layers)


def small(pictures: torch.Tensor, parts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch of `Segmentation` at SIDE pixels: colours averaged, parts picked, as those are never mixed."""
    step = pictures.shape[-1] // SIDE
    return nn.functional.avg_pool2d(pictures, step), parts[:, step // 2 :: step, step // 2 :: step]


def varied(pictures: torch.Tensor, parts: torch.Tensor, lots: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """A batch in other colours, places and sizes, half of it mirrored: characters differ, and there are few to learn from."""
    count = len(pictures)
    mixed = torch.stack([one[torch.randperm(3, generator=lots)] for one in pictures])
    mixed = torch.where(torch.rand(count, 1, 1, 1, generator=lots) < 0.5, mixed, pictures)
    strength = 2 ** (2 * torch.rand(count, 3, 1, 1, generator=lots) - 1)
    mixed = mixed**strength
    mirrored = torch.rand(count, generator=lots) < 0.5
    scale = 1 + 0.15 * (2 * torch.rand(count, generator=lots) - 1)
    frames = torch.zeros(count, 2, 3)
    frames[:, 0, 0] = torch.where(mirrored, -scale, scale)
    frames[:, 1, 1] = scale
    frames[:, :, 2] = 0.1 * (2 * torch.rand(count, 2, generator=lots) - 1)
    grid = nn.functional.affine_grid(frames, list(mixed.shape), align_corners=False)
    mixed = 1 - nn.functional.grid_sample(1 - mixed, grid, align_corners=False)  # what comes in from outside is white
    known = torch.cat([_MIRRORED, torch.full((256 - len(PARTS),), int(Part.IGNORE))])
    parts = torch.where(mirrored[:, None, None], known[parts], parts)
    moved = nn.functional.grid_sample(parts[:, None].float(), grid, mode="nearest", align_corners=False)
    return mixed, moved[:, 0].long()


def batches(faces: Faces, split: Split, shuffled: bool, seed: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One pass over a side."""
    lots = torch.Generator().manual_seed(seed)
    loader = DataLoader(Segmentation(faces, split), batch_size=BATCH, shuffle=shuffled, generator=lots)
    for batch in loader:
        yield small(batch["picture"], batch["parts"])


def train(faces: Faces, steps: int, seed: int = 0) -> Network:
    """A network that has seen `steps` batches of the side `train`."""
    torch.manual_seed(seed)
    lots = torch.Generator().manual_seed(seed)
    pictures, parts = _some(faces, seed)
    network = Network()
    areas = torch.bincount(parts[parts != Part.IGNORE], minlength=len(PARTS)) / parts.numel()
    weights = 1 / (areas + 1e-3) ** 0.5  # or the small parts, a few pixels each, are never worth a guess
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for _ in track(range(steps), "learning", transient=True):
        chosen = torch.randint(len(pictures), (BATCH,), generator=lots)
        shown, wanted = varied(pictures[chosen], parts[chosen], lots)
        loss = nn.functional.cross_entropy(network(shown), wanted, weights, ignore_index=Part.IGNORE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()
    network.eval()
    return network


def _some(faces: Faces, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """At most MOST pictures of the side `train` and their parts, in memory: they are seen many times."""
    seen = islice(batches(faces, "train", shuffled=True, seed=seed), MOST // BATCH)
    pictures, parts = zip(*seen, strict=True)
    return torch.cat(pictures), torch.cat(parts)


def commonest(faces: Faces) -> NDArray[np.int64]:
    """(SIDE, SIDE) the part that is commonest at each pixel of the side `train`."""
    counts = np.zeros((len(PARTS), SIDE, SIDE), np.int64)
    for _, parts in batches(faces, "train", shuffled=False, seed=0):
        counts += np.stack([(parts.numpy() == part).sum(axis=0) for part in PARTS])
    return counts.argmax(axis=0)


class Overlap:
    """Counts pixels by true and guessed part; those that cannot be decided do not count."""

    def __init__(self) -> None:
        self._counts = np.zeros((len(PARTS), len(PARTS)), np.int64)

    def add(self, guessed: NDArray[np.int64], parts: NDArray[np.int64]) -> None:
        """Count some pictures, (n, SIDE, SIDE) both."""
        known = parts != Part.IGNORE
        places = parts[known] * len(PARTS) + np.broadcast_to(guessed, parts.shape)[known]
        self._counts += np.bincount(places, minlength=len(PARTS) ** 2).reshape(self._counts.shape)

    def by_part(self) -> NDArray[np.float64]:
        """(parts,) intersection over union; not a number for parts that no picture shows."""
        hit = np.diag(self._counts)
        shown = self._counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return np.where(shown > 0, hit / (shown + self._counts.sum(axis=0) - hit), np.nan)


def compare(faces: Faces, steps: int) -> dict[str, NDArray[np.float64]]:
    """IoU by part on the side `test`, of the guesses and of the network before and after it learned."""
    usual = commonest(faces)
    everywhere = np.full_like(usual, np.bincount(usual.ravel()).argmax())
    torch.manual_seed(0)
    networks = {"untrained network": Network().eval(), "network": train(faces, steps)}
    overlaps = {name: Overlap() for name in ("commonest part everywhere", "commonest part at the pixel", *networks)}
    for pictures, parts in batches(faces, "test", shuffled=False, seed=0):
        overlaps["commonest part everywhere"].add(everywhere, parts.numpy())
        overlaps["commonest part at the pixel"].add(usual, parts.numpy())
        for name, network in networks.items():
            with torch.inference_mode():
                overlaps[name].add(network(pictures).argmax(dim=1).numpy(), parts.numpy())
    return {name: overlap.by_part() for name, overlap in overlaps.items()}


def main() -> None:
    """Learn, judge, print. Exit code 1 when the network is no better than the better guess."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", metavar="DIR")
    parser.add_argument("--steps", type=int, default=400)
    wishes = parser.parse_args()
    faces = Faces(*wishes.folders)
    found = compare(faces, wishes.steps)
    models = [list(faces.sides.of.values()).count(split) for split in ("train", "test")]
    table = Table("part", *found, title=f"IoU on {models[1]} model(s) never seen; trained on {models[0]}")
    for number, part in enumerate(PARTS):
        table.add_row(part.name.lower(), *(f"{column[number]:.2f}" for column in found.values()))
    means = {name: float(np.nanmean(column)) for name, column in found.items()}
    table.add_section()
    table.add_row("mean", *(f"{mean:.3f}" for mean in means.values()))
    Console(width=140).print(table)
    learned = means.pop("network")
    raise SystemExit(learned <= max(means.values()))


if __name__ == "__main__":
    main()

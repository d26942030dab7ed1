"""Snapshots: what a view draws of a run at one step, as named numpy arrays."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from infovae_core.data import Dataset, Split
from infovae_core.distributions import picture
from infovae_core.randomness import seed_of
from infovae_core.sights import Sample, even_noise
from infovae_core.store import Progress, quiet
from infovae_core.training import State

POINTS = 2500  # codes of each split
SEEN = 1500  # training images of which a term sees a code each
PAIRS = 40  # held-out images with their reconstructions
SAMPLES = 100
MARKED = 400  # of points in place of either, which take little room
PICTURE = 32  # pixels of a picture's longer side at most
PICTURES = 8_000_000  # bytes of them
BLOCK = 500  # images that pass through a network at once

Arrays = dict[str, np.ndarray]


@torch.no_grad()
def take(
    state: State,
    data: Dataset,
    before: Mapping[str, np.ndarray] | None = None,
    progress: Progress = quiet,
) -> Arrays:
    """Codes, reconstructions and prior samples of a state's model, and what its divergence sees.

    Arrays: mean and std f32 [n, d] of q(z|x); label i16 [n]; split u8 [n], 0 train and 1 test;
    index i32 [n] within the split; originals and reconstructions u8 [k, h, w(, c)] of the same
    held-out images each time; samples u8 [m, h, w(, c)], decoded from the same prior draws each
    time; of points these three as they are, f32 [k, n]; for d > 2 also center f32 [d] and plane
    f32 [d, 2], the codes' principal plane, turned to agree with the snapshot `before`; and those of
    `overlay`. Decoded images are those of `distributions.picture`; `progress` hears of them where
    they are drawn value by value.
    """
    model = state.model
    splits = seen(data)
    posteriors = [model.posterior(x) for part in splits for x in part.x.split(BLOCK)]
    means = torch.cat([q.mean for q in posteriors])
    stds = torch.cat([q.stddev for q in posteriors])
    mean = means.float().cpu().numpy()
    images = data.kind == "images"
    counts = [len(part) for part in splits]
    chosen = one_of_each_class(data.test, PAIRS if images else MARKED)
    shown = data.test.items(chosen.to(data.test.x.device))
    prior = torch.randn(
        SAMPLES if images else MARKED,
        model.latent_dim,
        generator=torch.Generator().manual_seed(seed_of(0, "samples")),
    )

    def drawn_of(z: Tensor, what: str) -> np.ndarray:
        rows = rows_of(data.shape, progress, what)
        return as_drawn(picture(model.decode(z), progress=rows))

    arrays = {
        "mean": mean,
        "std": stds.float().cpu().numpy(),
        "label": torch.cat([part.y for part in splits]).to(torch.int16).cpu().numpy(),
        **places(counts),
        "shown": chosen.to(torch.int32).cpu().numpy(),
        "originals": as_drawn(shown),
        "reconstructions": drawn_of(model.posterior(shown).mean, "reconstructions"),
        "samples": drawn_of(prior.to(shown), "samples"),
    }
    if model.latent_dim > 2:
        arrays["center"] = mean.mean(0)
        arrays["plane"] = principal_plane(mean, None if before is None else before.get("plane"))
    return arrays | overlay(state, splits[0].x, means, stds)


def rows_of(shape: tuple[int, ...], progress: Progress, what: str) -> Callable[[float], object]:
    """Tells a progress of the rows of images that are drawn, from the share that is done."""
    rows = shape[-2:][0]
    return lambda share: progress(round(share * rows), rows, f"Drawing rows of {what}")


def seen(data: Dataset) -> list[Split]:
    """The images of both splits whose codes are drawn, as they are encoded."""
    first = slice(POINTS)
    splits = [Split(part.items(first), part.y[first]) for part in (data.train, data.test)]
    if data.dynamic:
        splits[0] = replace(splits[0], x=drawn(splits[0].x))
    return splits


def places(counts: Sequence[int]) -> Arrays:
    """split u8 [n] and index i32 [n] of the first so many images of each split."""
    return {
        "split": np.repeat(np.arange(len(counts), dtype=np.uint8), counts),
        "index": np.concatenate([np.arange(n, dtype=np.int32) for n in counts]),
    }


def pictures(data: Dataset) -> Arrays:
    """Small pictures of the images whose codes a snapshot holds, the first of each split.

    pictures u8 [n, h, w(, c)], no side longer than `PICTURE`, with split and index; as many of each
    split as `PICTURES` bytes have room for. Of points they are the points, f32 [n, k].
    """
    splits = [part.x if data.kind == "points" else shrunk(part.x) for part in seen(data)]
    room = PICTURES // (2 * math.prod(splits[0].shape[1:]))
    kept = [as_drawn(x[:room]) for x in splits]
    return {"pictures": np.concatenate(kept), **places([len(x) for x in kept])}


def shrunk(images: Float[Tensor, "n *data"]) -> Float[Tensor, "n *small"]:
    """Images whose longer side is `PICTURE` at most, each pixel the mean of what it stands for."""
    height, width = images.shape[-2:]
    share = min(1.0, PICTURE / max(height, width))
    if share == 1:
        return images
    size = tuple(max(1, round(side * share)) for side in (height, width))
    flat = images if images.ndim == 4 else images[:, None]
    return adaptive_avg_pool2d(flat, size).reshape(*images.shape[:-2], *size)


def overlay(
    state: State,
    x: Float[Tensor, "n *data"],
    means: Float[Tensor, "m d"],
    stds: Float[Tensor, "m d"],
) -> Arrays:
    """What the first of the objective's terms that sees something sees, from `SEEN` images of x.

    Arrays: sees, the term's name, and those of its sight (see `sights`), floats as f32; none where
    no term sees anything. The noise is not the run's, and the same each time. The same draws stand
    for the prior, so that nothing is seen where q(z|x) is the prior, not even chance.

    Args:
        means, stds: of all codes that are drawn, those of x first.
    """
    x = x[:SEEN]
    noise = even_noise(len(x), state.model.latent_dim, seed_of(0, "overlay")).to(means)
    sample = Sample(x, means[: len(x)] + stds[: len(x)] * noise, prior=noise)
    for _, term in state.objective.terms():
        sight = term.sees(sample, state.critics.get(term.name))
        if sight is not None:
            seen = {name: as_array(value) for name, value in sight.arrays(means).items()}
            return {"sees": np.array(term.name), **seen}
    return {}


def as_array(values: Tensor) -> np.ndarray:
    """A tensor off the device, floats in single precision."""
    return (values.float() if values.is_floating_point() else values).cpu().numpy()


def drawn(rates: Float[Tensor, "n *data"]) -> Float[Tensor, "n *data"]:
    """Bernoulli draws of the rates, such as are trained on, but the same each time."""
    generator = torch.Generator(rates.device).manual_seed(seed_of(0, "binarise"))
    return torch.bernoulli(rates, generator=generator)


def one_of_each_class(split: Split, count: int = PAIRS) -> Tensor:
    """Indices of `count` images in which the classes take turns, as far as they go."""
    order = torch.argsort(split.y, stable=True)
    sizes = torch.bincount(split.y)
    turn = torch.cat([torch.arange(size) for size in sizes.tolist()])
    return order[torch.argsort(turn.to(order.device), stable=True)][:count]


def as_drawn(items: Float[Tensor, "k *data"]) -> np.ndarray:
    """Images as bytes, colour last; points as they are."""
    return as_array(items) if items.ndim == 2 else pixels(items)


def pixels(images: Float[Tensor, "k *data"]) -> UInt8[np.ndarray, "k *image"]:
    """Images in [0, 1] as bytes, colour last."""
    levels = images.clamp(0, 1).mul(255).round().to(torch.uint8)
    return (levels.movedim(1, -1) if levels.ndim == 4 else levels).cpu().numpy()


def principal_plane(
    z: Float[np.ndarray, "n d"], before: Float[np.ndarray, "d 2"] | None = None
) -> Float[np.ndarray, "d 2"]:
    """An orthonormal basis of the two principal directions of z.

    Principal directions are known up to sign, and nearly equal ones up to a turn; the basis is
    turned and mirrored to come closest to `before` (orthogonal Procrustes), so that a view of a
    model in training does not jump.
    """
    covariance = torch.from_numpy(z).double().T.cov()  # numpy's threads would fight with torch's
    basis = torch.linalg.eigh(covariance)[1][:, [-1, -2]].numpy()
    if before is None:
        largest = np.abs(basis).argmax(0)
        basis = basis * np.sign(basis[largest, range(2)])
    else:
        left, _, right = np.linalg.svd(basis.T @ before)
        basis = basis @ left @ right
    return basis.astype(np.float32)

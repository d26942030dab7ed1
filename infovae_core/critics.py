"""Lower bounds on I(x; z) by a fresh critic: trained on some images, reported on others; nats.

The bound holds for any critic that has not seen the images it is reported on. One that learned them
by heart would report what it remembers.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import Adam

from infovae_core.bounds import guarded_exp
from infovae_core.distributions import DiagonalNormal
from infovae_core.model import Pass
from infovae_core.terms import MutualInformation

Critic = Callable[[Tensor, Tensor], Tensor]  # t(x, z) of all that x and z broadcast to

CHECK = 100  # steps between two looks at the images that say when to stop
PATIENCE = 6  # looks without a better bound after which training ends
SHIFTS = 64  # codes of other images that each image is paired with in a report
JUDGED, JUDGED_SHIFTS = 2048, 16  # images in such a look, and codes of others for each
BLOCK = 512  # images whose pairs with so many codes are in memory together


class Coded(NamedTuple):
    """Images beside their posteriors."""

    x: Float[Tensor, "n x_dim"]
    mean: Float[Tensor, "n d"]
    std: Float[Tensor, "n d"]

    def at(self, rows: Tensor | slice) -> "Coded":
        """Some of them."""
        return Coded(self.x[rows], self.mean[rows], self.std[rows])

    def draw(self, generator: torch.Generator) -> Pass:
        """A code of each, as far as a critic looks."""
        noise = torch.randn(
            self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device
        )
        q = DiagonalNormal.of(self.mean, self.std)
        z = self.mean + self.std * noise
        return Pass(self.x, q, z, log_px=z.new_zeros(len(z)), prior=noise)


def coded(x: Float[Tensor, "n *data"], q: DiagonalNormal) -> Coded:
    """Images beside their posteriors."""
    return Coded(x.flatten(1), q.mean, q.stddev)


class Fitted(NamedTuple):
    """A critic, and after how many steps it was best."""

    critic: nn.Module
    steps: int


def fit(
    term: MutualInformation,
    images: Coded,
    generator: torch.Generator,
    seed: int,
    steps: int = 3000,
    batch: int = 256,
    learning_rate: float = 3e-4,
    progress: Callable[[float], object] = lambda done: None,
) -> Fitted:
    """Train a critic on four fifths of `images`, until the bound on the last fifth falls.

    Codes are drawn anew for each batch. The critic that was best on the last fifth is given back.

    Args:
        seed: of the critic's first weights.
        steps: at most so many, each on `batch` images.
    """
    order = torch.randperm(len(images.x), generator=generator, device=images.x.device)
    known, kept = order.tensor_split([len(order) * 4 // 5])
    judge = images.at(kept[:JUDGED]).draw(generator)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        critic = term.make_critic(images.x.shape[1], images.mean.shape[1])
    critic.to(images.x.device, images.x.dtype)
    optimizer = Adam(critic.parameters(), learning_rate, fused=True)
    best, weights, since = -math.inf, copy.deepcopy(critic.state_dict()), 0
    for step in range(1, steps + 1):
        rows = torch.randint(len(known), (batch,), generator=generator, device=known.device)
        optimizer.zero_grad()
        term.critic_loss(images.at(known[rows]).draw(generator), critic).backward()
        optimizer.step()
        if step % CHECK == 0 or step == steps:
            progress(step / steps)
            value = report(term, critic, judge, batch, JUDGED_SHIFTS).value
            if best < value <= ceiling(term, len(judge.x), batch, JUDGED_SHIFTS):
                best, weights, since = value, copy.deepcopy(critic.state_dict()), step
            if step - since >= PATIENCE * CHECK:
                break
    critic.load_state_dict(weights)
    return Fitted(critic, since)


class Bounded(NamedTuple):
    """A bound's value over some images, and its standard error over them."""

    value: float
    error: float


@torch.no_grad()
def report(
    term: MutualInformation, critic: Critic, p: Pass, group: int, shifts: int = SHIFTS
) -> Bounded:
    """The bound of a critic on images and a code of each.

    The error is that of the influence function; it cannot know of pairs so rare and so large that
    none was drawn.

    Args:
        group: InfoNCE looks for an image among so many, or a few more.
        shifts: codes of other images that each image is paired with, for the other bounds.
    """
    if term.bound == "nce":
        terms = nce_terms(critic, p, group)
    else:
        terms = dual_terms(term, critic, p, min(shifts, len(p.x) - 1))
    return Bounded(terms.mean().item(), (terms.std() / math.sqrt(len(terms))).item())


def ceiling(term: MutualInformation, n: int, group: int, shifts: int = SHIFTS) -> float:
    """The largest value that a report on n images can bear out.

    InfoNCE cannot exceed it. The others can: of M pairs drawn apart, none may be one of those few
    on which E exp t̃ rests. A value above log M has missed them for certain and is no bound.

    Source: McAllester and Stratos 2020.
    """
    if term.bound == "nce":
        return math.log(-(-n // groups(n, group)))
    return math.log(n * min(shifts, n - 1))


def nce_terms(critic: Critic, p: Pass, group: int) -> Float[Tensor, " n"]:
    """log t_ii − log mean_j exp t_ij of each image, in equal groups of at least `group`."""
    parts = []
    for rows in torch.arange(len(p.x), device=p.x.device).tensor_split(groups(len(p.x), group)):
        few = rows.split(max(1, BLOCK * SHIFTS // len(rows)))
        every = torch.cat([critic(p.x[i][:, None], p.z[rows][None]) for i in few]).double()
        parts.append(every.diagonal() - every.logsumexp(1) + math.log(len(rows)))
    return torch.cat(parts)


def groups(count: int, group: int) -> int:
    """How many groups of at least `group` images there are."""
    return max(1, count // group)


def dual_terms(
    term: MutualInformation, critic: Critic, p: Pass, shifts: int
) -> Float[Tensor, " n"]:
    """What each image adds to the bound: their mean is its value, their spread its error.

    That is t_ii less the influence on E exp t̃ of the image i and of its code, each of which is in
    the pairs drawn apart by itself.
    """
    n, device = len(p.x), p.x.device
    steps = torch.linspace(1, n - 1, shifts, device=device).long()
    images = torch.arange(n, device=device)
    codes = (images - steps[:, None]) % n  # [s, n]: the code that goes with the image
    blocks = zip(images.split(BLOCK), codes.split(BLOCK, 1), strict=True)
    apart = torch.cat([critic(p.x[i], p.z[j]) for i, j in blocks], 1).double()
    top = apart.max() if term.bound == "dv" else apart.new_ones(())
    weights = guarded_exp(apart - top)
    of_image = weights.mean(0)
    of_code = torch.zeros_like(of_image).index_add_(0, codes.flatten(), weights.flatten()) / shifts
    mean, joint = of_image.mean(), critic(p.x, p.z).double()
    if term.bound == "dv":
        return joint - top - mean.log() - (of_image + of_code) / mean + 2
    return joint - of_image - of_code + mean

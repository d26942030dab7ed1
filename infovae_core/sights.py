"""What a term sees of latent space, for a view to draw over the codes.

A term says it as a function of the code or as a critic's scores (`Term.sees`); what kind it is
decides where it is evaluated. All is bounded: a snapshot carries it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

GRID = {1: 129, 2: 33}  # places along each axis, by latent dimension; above, at the codes
REACH = (5.0, 12.0)  # least and most of it, so that the prior is in it and the grid not too coarse
ROOM = 1.6  # of the grid around the codes, for panels that are wider than high
FEW = 60  # arrows

Arrays = dict[str, Tensor]


class Sample(NamedTuple):
    """Training images with one draw of q(z|x) for each, and as many draws from the prior."""

    x: Float[Tensor, "n *data"]
    z: Float[Tensor, "n d"]
    prior: Float[Tensor, "n d"]


@dataclass(frozen=True)
class Field:
    """A function over latent space, positive where q(z) has more mass than p(z)."""

    of: Callable[[Float[Tensor, "m d"]], Float[Tensor, " m"]]

    def arrays(self, codes: Float[Tensor, "n d"]) -> Arrays:
        """field [n] at the codes; where d ≤ 2, on a grid from -reach to reach along each axis."""
        if codes.shape[1] not in GRID:
            return {"field": self.of(codes)}
        least, most = REACH
        reach = (ROOM * codes.abs().nan_to_num().quantile(0.995)).clamp(least, most)
        places = grid(reach.item(), codes)
        return {"field": self.of(places.flatten(0, -2)).view(places.shape[:-1]), "reach": reach}


@dataclass(frozen=True)
class Flow:
    """Where each code is pushed, by a vector for each place in latent space."""

    of: Callable[[Float[Tensor, "m d"]], Float[Tensor, "m d"]]

    def arrays(self, codes: Float[Tensor, "n d"]) -> Arrays:
        """flow [m, d] at the codes numbered by pushed [m], spread over all of them."""
        pushed = spread(codes)
        return {"flow": self.of(codes[pushed]), "pushed": pushed.to(torch.int32)}


@dataclass(frozen=True)
class Scores:
    """A critic's outputs at pairs (x, z) drawn together and apart, and the bound they make."""

    together: Float[Tensor, " n"]
    apart: Float[Tensor, " m"]
    bound: Float[Tensor, ""]

    def arrays(self, codes: Float[Tensor, "n d"]) -> Arrays:
        """together [n], apart [m] and bound, wherever the codes lie."""
        return {"together": self.together, "apart": self.apart, "bound": self.bound}


Sight = Field | Flow | Scores


def grid(reach: float, like: Float[Tensor, "n d"]) -> Float[Tensor, "*places d"]:
    """Places from -reach to reach along each of d ≤ 2 axes; [i, j] is the i-th of the first."""
    d = like.shape[1]
    axis = torch.linspace(-reach, reach, GRID[d], dtype=like.dtype, device=like.device)
    return torch.stack(torch.meshgrid(*[axis] * d, indexing="ij"), -1)


def spread(codes: Float[Tensor, "n d"]) -> Int[Tensor, " m"]:
    """Numbers of `FEW` codes, or of all where there are fewer; the same ones each time."""
    count = min(FEW, len(codes))
    return torch.linspace(0, len(codes) - 1, count, device=codes.device).round().long()


def even_noise(count: int, d: int, seed: int) -> Float[Tensor, "count d"]:
    """Draws from N(0, I) that fill it evenly: averages over them err less than over others.

    A scrambled Sobol sequence through the inverse of the normal's distribution function.

    Source: Owen 1998.
    """
    uniform = torch.quasirandom.SobolEngine(d, scramble=True, seed=seed).draw(count)
    return torch.special.ndtri(uniform.clamp(1e-6, 1 - 1e-6))  # 0 and 1 would be infinite

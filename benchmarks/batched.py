"""Several objectives on the same data and batches: k trainings by turns, or one of stacked weights.

    python -m benchmarks.batched --models tiny mlp --together 2 4 8

turns    k models, each with its own tape, a step of each after the other
stacked  the k models as one whose weights have an axis more (`torch.func`), also from a tape

The objectives are D + w R + v MMD², which differ in w and v alone. Both ways are timed by turns in
this one process. Prints a Markdown table: milliseconds for a step of all k, and the median over the
rounds of how many times faster the stacked one is, with its quartiles.
"""

import argparse
import copy
import itertools
import os
import statistics

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the worker does, before torch is loaded

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.machine import machine
from benchmarks.training import Case, Steps, case, quartiles, timed
from infovae_core import stepper, training
from infovae_core.divergences import mmd2
from infovae_core.tape import Tape


def objectives(case: Case, k: int) -> list[Case]:
    """The case with k objectives."""
    weights = [{"name": "InfoVAE", "alpha": i / k, "lam": 1.0 + i} for i in range(k)]
    kinds = [type(case.config.objective).model_validate(w) for w in weights]
    return [case._replace(config=case.config.model_copy(update={"objective": o})) for o in kinds]


def turns(cases: list[Case]) -> Steps:
    """One after another."""
    states = [training.init(case.config, case.images) for case in cases]
    ways = [stepper.Stepper(state, 10**9, "off") for state in states]
    for x in images(cases[0]):
        for step in ways:
            step(x)
        yield


def images(case: Case) -> Steps:
    """Batches, for ever."""
    for epoch in itertools.count():
        batch = case.config.training.batch_size
        for rows in training.batches(0, epoch, case.images.train, batch):
            yield case.images.train.items(rows)


def stacked(cases: list[Case]) -> Steps:
    """All at once."""
    states = [training.init(case.config, case.images) for case in cases]
    generator = states[0].generator
    stack, _ = stack_module_state([state.model for state in states])
    weights = torch.tensor([case.config.objective.weights for case in cases])
    one = copy.deepcopy(states[0].model).to("meta")
    optimizer = torch.optim.Adam(stack.values(), cases[0].config.training.learning_rate, fused=True)

    def loss(wanted: dict[str, Tensor], weights: Tensor, x: Tensor, noise: Tensor) -> Tensor:
        p = functional_call(one, wanted, (x, noise))
        terms = torch.stack([p.rate.mean(), mmd2(p.z, p.prior)])
        return p.distortion.mean() + (weights * terms).sum()

    def step(x: Tensor, noise: Tensor) -> dict[str, Tensor]:
        losses = vmap(loss, (0, 0, None, None))(stack, weights, x, noise)
        stepper.descend(optimizer, losses.sum())
        return {"total": losses.detach()}

    for taken, x in enumerate(images(cases[0])):
        noise = states[0].model.draw_noise(x, generator)
        if taken == stepper.SETTLED:
            state = [value for each in optimizer.state.values() for value in each.values()]
            step = Tape(step, [*stack.values(), *state], x, noise)
        step(x, noise)
        yield


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["tiny", "mlp"])
    parser.add_argument("--together", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    torch.set_flush_denormal(True)
    print(f"{machine()}\n")
    print("| model | k | turns, ms | stacked, ms | faster × | from | to |")
    print("|---|---|---|---|---|---|---|")
    for model, k in itertools.product(args.models, args.together):
        chosen = case(model, {"name": "InfoVAE"}, None)
        torch.set_num_threads(chosen.threads)
        cases = objectives(chosen, k)
        ways = turns(cases), stacked(cases)
        for way in ways:
            timed(way, stepper.SETTLED + 2)
        count = 40 if model == "tiny" else 4
        times = [[], []]
        for turn in range(args.rounds):
            for i in (0, 1) if turn % 2 else (1, 0):
                times[i].append(timed(ways[i], count))
        low, middle, high = quartiles(*times)
        one, other = (1e3 * statistics.median(taken) for taken in times)
        print(
            f"| {model} | {k} | {one:.3g} | {other:.3g} | {middle:.2f} | {low:.2f} | {high:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

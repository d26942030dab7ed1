"""Wall time and peak memory of what is estimated from all pairs of N codes.

    python -m benchmarks.estimators

Each row is a process of its own, with torch set as a worker sets it, for a process cannot give its
peak back; what torch itself takes is subtracted. Prints a Markdown table.
"""

import argparse
import subprocess
import sys
import time

from infovae_core import startup

STEPS = ("surgery", "mutual_information", "mmd2", "ksd2", "log_det_cov")


def peak() -> float:
    """The most memory that this process has had so far, in MiB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(step: str, n: int, d: int) -> tuple[float, float]:
    """Seconds and MiB of one estimate from n codes of d units in single precision."""
    startup.load_torch()
    import torch

    from infovae_core import estimators
    from infovae_core.distributions import DiagonalNormal

    mean = torch.randn(n, d, generator=torch.Generator().manual_seed(0))
    q = DiagonalNormal.of(mean, torch.full_like(mean, 0.3))
    z = mean + 0.3 * torch.randn(n, d, generator=torch.Generator().manual_seed(1))
    prior = torch.randn(n, d, generator=torch.Generator().manual_seed(2))
    run = {
        "surgery": lambda: estimators.surgery(q, z),
        "mutual_information": lambda: estimators.mutual_information(q, z),
        "mmd2": lambda: estimators.mmd2_errors(z, prior),
        "ksd2": lambda: estimators.ksd2_error(z, d**0.5),
        "log_det_cov": lambda: estimators.log_det_cov(z),
    }[step]
    before, begun = peak(), time.perf_counter()
    run()
    return time.perf_counter() - begun, peak() - before


def main() -> None:
    """Print a Markdown table, or measure one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="+", default=[1000, 3000, 10_000])
    parser.add_argument("--dimensions", type=int, nargs="+", default=[2, 20, 100])
    parser.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.step:
        step, n, d = args.step
        print(*measure(step, int(n), int(d)))
        return
    print("| N | z |", " | ".join(f"{step}: s, MiB" for step in STEPS), "|")
    print("|---" * (2 + len(STEPS)) + "|")
    for n in args.counts:
        for d in args.dimensions:
            cells = []
            for step in STEPS:
                command = [sys.executable, "-m", "benchmarks.estimators", "--step", step, n, d]
                said = subprocess.run(
                    list(map(str, command)), capture_output=True, text=True, check=True
                )
                seconds, mib = map(float, said.stdout.split())
                cells.append(f"{seconds:.3g}, {mib:.0f}")
            print(f"| {n:,} | {d} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()

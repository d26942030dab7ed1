"""A tape as one CUDA graph: all that a step launches on a GPU is launched at once."""

from collections.abc import Iterable

import torch
from torch import Tensor

from infovae_core.tape import Tape, Values, as_now, moved, put_back

WARM = 3  # steps before a capture, in which libraries make what must not be captured
PROVED = 2  # steps that graph and tape take alike; the second would miss what moved in the first


class Captured:
    """Takes the steps of `tape` by a CUDA graph, which reads and writes the same memory each time.

    Inputs are copied to where they were captured, values from there; nothing waits for the GPU.
    Before it is used it takes `PROVED` steps, and the tape the same ones; what these and the
    capture changed is put back.

    Raises: whatever CUDA does where it cannot capture; RuntimeError where the graph does other
        than the tape.
    Source: PyTorch's notes on CUDA semantics, "Whole-network capture".
    """

    def __init__(self, tape: Tape, changed: Iterable[Tensor], *inputs: Tensor) -> None:
        changed = list(changed)
        self.tape = tape  # whose tensors the graph has by their addresses
        self.inputs = [torch.zeros_like(x) for x in inputs]  # so that one not copied is noticed
        with torch.cuda.device(inputs[0].device):
            self._capture(changed)
        self._prove(changed, inputs)

    @torch.no_grad()
    def __call__(self, *inputs: Tensor) -> Values:
        for kept, given in zip(self.inputs, inputs, strict=True):
            kept.copy_(given)
        self.graph.replay()
        return {name: value.clone() for name, value in self.values.items()}

    def _capture(self, changed: list[Tensor]) -> None:
        """Capture on a stream of its own, as CUDA requires, and leave `changed` as they were."""
        self.graph = torch.cuda.CUDAGraph()
        before = as_now(changed)
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        try:
            with torch.cuda.stream(side):
                for _ in range(WARM):
                    self.tape(*self.inputs)
            with torch.cuda.graph(self.graph, stream=side):
                self.values = self.tape(*self.inputs)
        finally:
            current.wait_stream(side)
            put_back(before)

    def _prove(self, changed: list[Tensor], inputs: tuple[Tensor, ...]) -> None:
        """Take the same steps by graph and by tape, which must end alike."""
        ends = []
        for step in (self, self.tape):
            before = as_now(changed)
            try:
                values = [step(*inputs) for _ in range(PROVED)]
                ends.append((moved(before), values, [t.detach().clone() for t in changed]))
            finally:
                put_back(before)
        (mine, *by_graph), (its, *by_tape) = ends
        if mine != its:
            raise RuntimeError(
                f"a CUDA graph must change {len(its)} tensors as its tape does, got "
                f"{len(its - mine)} left as they were and {len(mine - its)} others"
            )
        try:
            torch.testing.assert_close(by_graph, by_tape)
        except AssertionError as error:
            said = " ".join(str(error).split())[:200]
            raise RuntimeError(f"a CUDA graph must give what its tape gives, got {said}") from error

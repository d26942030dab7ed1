"""A step of training as a tape: its operations on tensors, recorded once and replayed.

Autograd builds its graph anew at every step, and modules, distributions and optimisers look
themselves through; where networks are small that takes longer than the arithmetic. A tape holds
what reaches the kernels, in order, the backward pass and the optimiser included: a replay gives the
same bits. With other products, or compiled, where operations are fused as well, results differ by
rounding.
"""

import copy
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, fx
from torch.fx.experimental.proxy_tensor import make_fx

from infovae_core import products

aten = torch.ops.aten
SAME = (aten.alias.default, aten.detach.default)  # as far as values go

Values = dict[str, Tensor]


class Tape:
    """Replays `function`, which may change tensors beside its inputs but no other state.

    Recording carries it out twice; `changed` are put back to what they were. Numbers that are no
    tensors, shapes among them, stay what they were when it was recorded. With `onednn` large
    matrix products are left to that (`products`), and differ by rounding.

    Raises: whatever `function` does, and what the tracer does of operations that it cannot record;
        RuntimeError where the replay leaves as it was what `function` changes.
    """

    def __init__(
        self,
        function: Callable[..., Values],
        changed: Iterable[Tensor],
        *inputs: Tensor,
        onednn: bool = False,
    ) -> None:
        changed = list(changed)
        before = as_now(changed)
        try:
            self.module = make_fx(function)(*inputs)
            self.moved = moved(before)
        finally:
            put_back(before)
        if onednn:
            products.substitute(self.module)
        self.held = tidy(self.module)
        self.replay: Callable[..., Values] = self.module.forward
        self._rehearse(self, changed, *inputs)

    def __call__(self, *inputs: Tensor) -> Values:
        with torch.no_grad():
            return self.replay(*inputs, *self.held)

    def _rehearse(
        self, replay: Callable[..., Values], changed: Iterable[Tensor], *inputs: Tensor
    ) -> None:
        """Carry out a replay and put back what it changed, which must be all that the step does.

        A torch that takes the optimiser for dead code would learn nothing, and not say so.
        """
        before = as_now(changed)
        try:
            replay(*inputs)
            lost = self.moved - moved(before)
        finally:
            put_back(before)
        if lost:
            raise RuntimeError(
                f"a replay must change {len(self.moved)} tensors as the step does, got {len(lost)} "
                "left as they were; another version of torch may do better"
            )

    def compiled(self, changed: Iterable[Tensor], *inputs: Tensor) -> Callable[..., Values]:
        """What the compiler makes of the tape, which is left as it is.

        It is carried out once, and what it changed put back.

        Raises: whatever the compiler does where it fails, or where there is none; RuntimeError
            where the compiled step leaves as it was what the step changes.
        """
        from torch._inductor import compile as fuse  # takes a second to load

        module = copy.deepcopy(self.module)
        fused_adam = aten._fused_adam_.default  # which the compiler cannot take apart
        for node in module.graph.find_nodes(op="call_function", target=fused_adam):
            node.target = adam
        [output] = module.graph.find_nodes(op="output")
        [values] = output.args
        output.args = (tuple(values.values()),)  # a dict would be taken apart at each step
        module.recompile()
        held = [tensor.detach() for tensor in self.held]
        with torch.no_grad():  # not torch.compile, whose guards take longer than a small step
            fused = fuse(module, [*inputs, *held])

        def replay(*inputs: Tensor) -> Values:
            with torch.no_grad():
                return dict(zip(values, fused(*inputs, *held), strict=True))

        self._rehearse(replay, changed, *inputs)
        return replay


def as_now(tensors: Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Tensors, each beside a copy."""
    return [(tensor, tensor.detach().clone()) for tensor in tensors]


def moved(copies: list[tuple[Tensor, Tensor]]) -> set[int]:
    """Which tensors are no longer what their copies are, by their places."""
    return {i for i, (tensor, value) in enumerate(copies) if not torch.equal(tensor, value)}


@torch.no_grad()
def put_back(copies: list[tuple[Tensor, Tensor]]) -> None:
    """Make tensors what their copies are."""
    for tensor, value in copies:
        tensor.copy_(value)


def tidy(module: fx.GraphModule) -> list[Tensor]:
    """Leave only what computes; give the tensors that a recorded function holds.

    They become inputs after its own, which a compiler may see changed, and need not be looked up.
    """
    graph = module.graph
    for node in graph.nodes:
        if node.target in SAME:
            node.replace_all_uses_with(node.args[0])
        elif node.target is aten.t.default and node.args[0].target is aten.t.default:
            node.replace_all_uses_with(node.args[0].args[0])
    for node in reversed(graph.nodes):
        if "profiler" in str(node.target):
            graph.erase_node(node)
    graph.eliminate_dead_code()

    held: dict[int, tuple[fx.Node, Tensor]] = {}
    last = [node for node in graph.nodes if node.op == "placeholder"][-1]

    def hold(node: fx.Node, key: int, tensor: Tensor) -> None:
        nonlocal last
        if key not in held:
            with graph.inserting_after(last):
                last = graph.placeholder(f"held_{len(held)}")
            held[key] = last, tensor
        node.replace_all_uses_with(held[key][0])
        graph.erase_node(node)

    named = {node.target: getattr(module, node.target) for node in graph.find_nodes(op="get_attr")}
    for node in graph.find_nodes(op="get_attr"):
        hold(node, id(named[node.target]), named[node.target])
    for name in named:
        delattr(module, name)
    of = dict(held.values())
    for node in list(graph.nodes):
        if node.target is aten.t.default and node.args[0] in of:  # a view is the same at each step
            hold(node, id(node), of[node.args[0]].detach().t())
    graph.lint()
    module.recompile()
    return [tensor for _, tensor in held.values()]


def adam(
    weights: list[Tensor],
    gradients: list[Tensor],
    means: list[Tensor],
    squares: list[Tensor],
    maxima: list[Tensor],
    steps: list[Tensor],
    *,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    **unused: object,
) -> None:
    """What torch's fused Adam does, without decay of weights, in operations that can be fused.

    Source: Kingma and Ba 2015, Algorithm 1.
    """
    for w, g, m, v, t in zip(weights, gradients, means, squares, steps, strict=True):
        m.lerp_(g, 1 - beta1)
        v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        w.sub_(lr / (1 - beta1**t) * m / ((v / (1 - beta2**t)).sqrt() + eps))

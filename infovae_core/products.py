"""Matrix products of a recorded step by oneDNN, where what torch asks for them is slower.

On x86 torch leaves them to Intel's MKL, which keeps AVX-512 to Intel's processors: on others that
have it oneDNN, which torch brings along for convolutions, takes about half the time. The results
differ by rounding. `python -m benchmarks.products` measures both.
"""

from functools import cache
from pathlib import Path

import torch
from torch import Tensor, fx

aten = torch.ops.aten
LEAST = 2**22  # multiplications of a product, below which calling takes what is saved
PROCESSOR = Path("/proc/cpuinfo")


def product(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """a b + bias by oneDNN, for a [n, k], b [k, m] and bias [m] of float32."""
    return torch.ops.mkldnn._linear_pointwise.default(a, b.t(), bias, "none", [], "")


def like(a: Tensor, b: Tensor, bias: Tensor | None = None) -> Tensor:
    """A tensor of its result's kind."""
    return a.new_empty(a.shape[0], b.shape[1])


# An operation of its own, for torch's compiler takes oneDNN's only where weights never change.
torch.library.define(
    "infovae::product",
    "(Tensor a, Tensor b, Tensor? bias) -> Tensor",
    tags=(torch.Tag.needs_fixed_stride_order,),
)
torch.library.impl("infovae::product", "CPU", product)
torch.library.register_fake("infovae::product", like)


@cache
def pay() -> bool:
    """Whether oneDNN's products are the faster ones on this processor, and this torch has them."""
    has = torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()
    wide = torch.backends.cpu.get_cpu_capability() == "AVX512"
    if not (has and wide and made_by_another(PROCESSOR)):
        return False
    a = torch.ones(3, 3, dtype=torch.float32)
    try:
        return torch.equal(product(a, a), a @ a)
    except (AttributeError, RuntimeError):  # it is torch's own affair what it has there
        return False


def made_by_another(processor: Path) -> bool:
    """Whether the system says whose the processor is, and that it is not Intel's."""
    try:
        said = processor.read_text(errors="replace")
    except OSError:
        return False
    return "vendor_id" in said and "GenuineIntel" not in said


def substitute(module: fx.GraphModule) -> int:
    """Leave the large products of a recorded step to oneDNN; how many there were."""
    found = []
    for node in module.graph.nodes:
        if node.target is aten.addmm.default and not node.kwargs:  # else it is scaled
            bias, *factors = node.args
        elif node.target is aten.mm.default:
            bias, factors = None, node.args
        else:
            continue
        a, b, *added = (known(module, each) for each in (*factors, bias) if each is not None)
        if suits(a, b) and all(vector.shape == b.shape[1:] for vector in added):
            found.append((node, (*factors, bias)))
    for node, args in found:
        with module.graph.inserting_before(node):
            made = module.graph.call_function(torch.ops.infovae.product.default, args)
        made.meta = node.meta
        node.replace_all_uses_with(made)
        module.graph.erase_node(node)
    module.recompile()
    return len(found)


def known(module: fx.GraphModule, node: fx.Node) -> Tensor:
    """A tensor of the kind that a node stands for; older torches say it of operations alone."""
    return getattr(module, node.target) if node.op == "get_attr" else node.meta["val"]


def suits(a: Tensor, b: Tensor) -> bool:
    """Whether a product is large enough, and of matrices without gaps, for which it is slow."""
    floats = a.dtype == torch.float32 and a.device.type == "cpu"
    whole = all(m.is_contiguous() or m.t().is_contiguous() for m in (a, b))
    return floats and whole and a.numel() * b.shape[1] >= LEAST

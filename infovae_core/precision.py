"""How exactly steps are computed: products rounded to TF32, or networks passed in bfloat16."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import torch
from torch import Tensor

Output = TypeVar("Output")

_lowered: ContextVar[bool] = ContextVar("lowered", default=False)


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """Compute what is within as `TrainingConfig.precision` says; all else stays as it was.

    float32: as torch is told otherwise. tf32: matrix products and convolutions on CUDA may round
    their factors to TF32's 10 bits; elsewhere as float32. bfloat16: see `passed`.
    """
    if precision == "tf32" and device.type == "cuda":
        before = [backend.allow_tf32 for backend in tf32_backends()]
        allow_tf32(True, True)
        try:
            yield
        finally:
            allow_tf32(*before)
    else:
        token = _lowered.set(precision == "bfloat16")
        try:
            yield
        finally:
            _lowered.reset(token)


def allow_tf32(products: bool, convolutions: bool) -> None:
    """Whether CUDA may round to TF32; torch lets convolutions, unless it is told.

    By the flags that torch 2.6 knows, too: who sets their successors cannot read these any more.
    """
    for backend, allowed in zip(tf32_backends(), (products, convolutions), strict=True):
        backend.allow_tf32 = allowed


def tf32_backends() -> tuple:
    """Where torch keeps what `allow_tf32` sets."""
    return torch.backends.cuda.matmul, torch.backends.cudnn


def passed(network: Callable[..., Output], *inputs: Tensor) -> Output:
    """What a network makes of its inputs; within bfloat16 by torch's autocast.

    Weights stay as they are, and so does the type of what comes out: likelihoods, divergences and
    bounds see no bfloat16. It is for what passes a whole network, and for nothing else.
    """
    if not _lowered.get():
        return network(*inputs)
    with torch.autocast(inputs[0].device.type, torch.bfloat16):
        output = network(*inputs)
    return output.to(inputs[0].dtype) if isinstance(output, Tensor) else output

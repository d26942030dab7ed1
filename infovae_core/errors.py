"""What went wrong, said to a person: the rule, what was got, the remedy. Loads no torch."""

from __future__ import annotations

import re

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from infovae_core.objectives import OBJECTIVES
from infovae_core.runs.files import hindrance

RESUME = "free some, then resume: what was written before is kept"


def explain(error: Exception) -> str:
    """What went wrong, in one line."""
    if isinstance(error, ValidationError):
        return explain_setting(error.errors()[0])
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and (said := hindrance(error, room=RESUME)):
        return said
    if not out_of_memory(error):
        known = isinstance(error, ValueError | ArithmeticError)
        return text if known and text else f"{type(error).__name__}: {text}"
    if isinstance(error, RuntimeError) and "out of memory" in text:
        first, *_ = str(error).splitlines()  # the rest is advice for programmers
        got = ". ".join(first.split(". ")[:2]).rstrip(".")
        return (
            f"the model must fit the device's memory, got {got}; "
            "lower batch_size or widths, or set training.device to cpu"
        )
    asked = re.search(r"allocate (\d+) bytes", text)
    got = f"{int(asked[1]) / 2**30:.3g} GiB more than there is" if asked else text or "too much"
    return (
        f"the model and its data must fit this machine's memory, got {got}; "
        "lower batch_size, widths or data.limit"
    )


def out_of_memory(error: Exception) -> bool:
    """Whether the device or the machine has too little memory; torch says so in its text alone."""
    said = any(words in str(error) for words in ("out of memory", "DefaultCPUAllocator"))
    return isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and said)


def explain_setting(error: ErrorDetails) -> str:
    """What pydantic finds wrong with a field, beginning with its name."""
    field = ".".join(str(part) for part in error["loc"] if part not in OBJECTIVES)
    what = {
        "extra_forbidden": "there is no such field; correct its name or remove it",
        "value_error": str(error.get("ctx", {}).get("error")),
        "json_invalid": error["msg"],
    }.get(error["type"], f"{error['msg']}, got {error['input']!r}")
    return f"{field}: {what}" if field else what

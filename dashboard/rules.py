"""What pydantic demands of a field, and what it complains of, in plain words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def limits(field: FieldInfo) -> str:
    """The range of a number: 'At least 0 and at most 100.'; empty where there is none."""
    bounds = {name: getattr(m, name) for m in field.metadata for name in BOUNDS if hasattr(m, name)}
    said = " and ".join(f"{BOUNDS[name]} {number(bound)}" for name, bound in bounds.items())
    return said and f"{said[0].upper()}{said[1:]}."


def explain(problem: dict[str, Any], title: str, description: str) -> str:
    """One of pydantic's errors about a field: the rule, then what was got."""
    got, known = problem["input"], problem.get("ctx", {})
    whose = title if len(problem["loc"]) == 1 else f"each of {title}"
    match problem["type"]:
        case "too_short":
            return f"{whose} must list at least {known['min_length']}, got {len(got)}"
        case "too_long":
            return f"{whose} must list at most {known['max_length']}, got {len(got)}"
        case "string_too_long":
            limit = known["max_length"]
            return f"{whose} must be at most {limit} characters long, got {len(got)}"
        case "string_pattern_mismatch":
            return f"{whose} cannot be “{got}”: {description}"
        case "int_parsing" | "int_type" | "int_from_float":
            rule = "must be a whole number"
        case "float_parsing" | "float_type":
            rule = "must be a number"
        case _:
            bounds = [f"must be {BOUNDS[n]} {number(known[n])}" for n in BOUNDS if n in known]
            rule = bounds[0] if bounds else f"is wrong: {sentence(problem)}"
    return f"{whose} {rule}, got {number(got) if isinstance(got, float | int) else f'“{got}”'}"


def subject(message: str, titles: Mapping[str, str]) -> tuple[list[str], str]:
    """Which fields a rule is about, and the message with their titles for their names.

    A rule names them before the word "must": "alpha + lam must be at least 1 …".
    """
    rule = message.partition(" must ")[0]
    about = [name for name in titles if re.search(rf"\b{re.escape(name)}\b", rule)]
    for name in about:
        message = re.sub(rf"\b{re.escape(name)}\b", titles[name], message)
    return about, message


def sentence(problem: dict[str, Any]) -> str:
    """The message of a validator of ours, as it was written."""
    return problem["msg"].removeprefix("Value error, ")


def number(value: float) -> str:
    """A number with all its digits."""
    return (f"{value:,}" if isinstance(value, int) else f"{value:.10g}").replace("-", "−")

"""What the files of a run say, as far as it is what it should be: other readers get no other.

A directory may come from another version, a stranger or a bad disk. What is wrong in a record is
left out, as if it had not been said.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Kinds = Mapping[str, Callable[[Any], bool]]
LARGEST = 1e300  # of a number, so that what is reckoned with it stays finite
WIDEST = 2**53  # of a whole number, which a browser still knows
MOST = 10_000  # entries of a list or a dictionary, and characters of a text


def number(value: Any) -> bool:
    """Whether it is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST and math.isfinite(value)


def whole(value: Any) -> bool:
    """Whether it is a whole number, and none below 0."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < WIDEST


def text(value: Any) -> bool:
    """Whether it is a text of some length."""
    return isinstance(value, str) and len(value) < MOST


def listing(kind: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether something is a list of such values."""
    return lambda value: (
        isinstance(value, list | tuple) and len(value) < MOST and all(map(kind, value))
    )


def mapping(value: Any) -> bool:
    """Whether it is a dictionary."""
    return isinstance(value, dict)


def sound(record: Mapping[str, Any], kinds: Kinds) -> dict[str, Any]:
    """A record without those of the known fields that are not of their kind, or None."""
    return {
        name: value
        for name, value in record.items()
        if name not in kinds or (value is not None and kinds[name](value))
    }


ROW: Kinds = {"epoch": number, "seconds": number}
ABOUT: Kinds = {
    "classes": listing(text),
    "kind": text,
    "noun": text,
    "pictures": text,
    "image_shape": listing(whole),
    "latent_dim": whole,
    "codes": whole,
    "device": text,
    "steps_per_epoch": whole,
}
QUANTITY: Kinds = {"label": text, "unit": text, "weight": number, "sight": text}
EVENT: Kinds = {
    "time": number,
    "text": text,
    "error": text,
    "quantity": text,
    "knobs": mapping,
    "changes": mapping,
    "weights": mapping,
}


def row_of(record: dict[str, Any]) -> dict[str, Any] | None:
    """A metric row, or None for what is none."""
    values = record.get("values")
    if not (whole(record.get("step")) and text(record.get("split")) and mapping(values)):
        return None
    kept = {name: value for name, value in values.items() if value is None or number(value)}
    return sound(record, ROW) | {"values": kept}


def event_of(record: dict[str, Any]) -> dict[str, Any] | None:
    """An event, or None for what is none."""
    if not text(record.get("event")):
        return None
    kept = sound(record, EVENT)
    if "about" in kept:
        kept["about"] = _about(kept["about"])
    return kept


def _about(said: Any) -> dict[str, Any]:
    """What a run says of itself; a quantity without a label has that of its name."""
    if not mapping(said):
        return {}
    kept = sound(said, ABOUT)
    quantities = kept.pop("quantities", None)
    if mapping(quantities):
        kept["quantities"] = {
            name: {"label": name.replace("_", " "), "unit": ""} | sound(each, QUANTITY)
            for name, each in quantities.items()
            if mapping(each)
        }
    return kept

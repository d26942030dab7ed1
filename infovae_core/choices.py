"""What the options of a setting are called. Loads no torch."""

from __future__ import annotations

from typing import Any, Literal, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def called(field: FieldInfo, value: Any) -> str:
    """The words for a value of a field: those that its `json_schema_extra` has, else its own."""
    known = (field.json_schema_extra or {}).get("called", {})
    if isinstance(value, str) and value in known:
        return known[value]
    chosen = get_origin(field.annotation) is Literal
    return str(value).replace("_", " ") if chosen else str(value)


def spelled(field: FieldInfo) -> str:
    """How values are written whose names do not say it: 'Write dv for Donsker–Varadhan.'"""
    known = (field.json_schema_extra or {}).get("called", {})
    odd = [f"{v} for {name}" for v, name in known.items() if name.lower().replace(" ", "_") != v]
    return f"Write {', '.join(odd)}." if odd else ""


def of(record: BaseModel, name: str) -> str:
    """What the value of a record's field is called."""
    return called(type(record).model_fields[name], getattr(record, name))

"""A field of a pydantic model as a slider whose value is part of the address."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dashboard.words import label, plain


def slide(model: type[BaseModel], name: str, key: str) -> Any:
    """Draw the field called `name`, and give what it says; the address calls it `<key>.<name>`.

    A Literal offers its members; a number goes from its `ge` to its `le`, in steps of what its
    `json_schema_extra` calls step, or of 1.
    """
    field = model.model_fields[name]
    common: dict[str, Any] = {
        "label": label(field.title or name),
        "key": f"{key}.{name}",
        "help": plain(field.description or ""),
        "bind": "query-params",
        "value": field.default,
    }
    if get_origin(field.annotation) is Literal:
        return st.select_slider(**common, options=get_args(field.annotation))
    kind = type(field.default)
    step = kind((field.json_schema_extra or {}).get("step", 1))
    low, high = (kind(limit(field, name)) for name in ("ge", "le"))
    value = st.slider(**common, min_value=low, max_value=high, step=step)
    return round(value, 6)  # the browser's 0.8099999 is another viewer's 0.81


def limit(field: FieldInfo, name: str) -> float:
    """The field's `ge` or `le`."""
    return next(getattr(m, name) for m in field.metadata if hasattr(m, name))

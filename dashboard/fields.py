"""A pydantic model taken apart: its fields as leaves, with what the widgets of each say now.

Beyond what pydantic knows, a field may say in its `json_schema_extra`
    shown_if   {field: value or list of values}, or a list of such cases: unless all of one case
               hold, the field is hidden and keeps its default; the other field is a sibling, or a
               path with dots from the root
    folded     True: one of the unusual settings, drawn in a fold only
    widget     False: none is drawn, and the field keeps its default
    empty      what an empty number or text stands for, in a word or two: the placeholder
    called     of a choice: option -> what it is called
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import streamlit as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dashboard import rules
from dashboard.words import plain
from infovae_core.choices import called

KINDS = {bool: "bool", int: "int", float: "float", str: "text", Path: "text"}


@dataclass(frozen=True)
class Leaf:
    """One field that has a widget of its own."""

    path: str  # from the root of the model, with dots
    key: str  # of the widget; tells apart the members of a union, which share paths
    default: Any
    title: str
    help: str = ""
    annotation: Any = None  # without None
    optional: bool = False
    description: str = ""
    extra: Mapping[str, Any] | None = None
    options: Mapping[Any, str] | None = None  # of a choice, and what each is called
    leads: bool = False  # whether it decides which fields follow

    @property
    def kind(self) -> str:
        """Which widget it takes: choice, list, bool, int, float or text."""
        if self.options:
            return "choice"
        if get_origin(self.annotation) is tuple:
            return "list"
        if self.annotation not in KINDS:
            raise TypeError(
                f"a field must be a Literal, a tuple or one of {[t.__name__ for t in KINDS]}, "
                f"got {self.annotation} for {self.path}; teach dashboard/fields.py its widget"
            )
        return KINDS[self.annotation]

    @property
    def initial(self) -> Any:
        """The default, as the widget wants it."""
        return self.written(self.default)

    def written(self, value: Any) -> Any:
        """A value of the field, as the widget wants it."""
        if value is None:
            return "" if self.kind in ("list", "text") else None
        write = {"list": lambda items: ", ".join(map(str, items)), "text": str, "float": float}
        return write.get(self.kind, lambda value: value)(value)

    @property
    def value(self) -> Any:
        """What the widget says now, as the model wants it."""
        said = st.session_state.get(self.key, self.initial)
        if self.optional and said == "":
            return None
        return tuple(re.findall(r"[^\s,;()\[\]]+", said)) if self.kind == "list" else said

    @property
    def folded(self) -> bool:
        """Whether it is one of the unusual settings."""
        return bool((self.extra or {}).get("folded"))

    def is_shown(self, values: Mapping[str, Any]) -> bool:
        """Whether the field applies, given what all fields say."""
        section = self.path.rpartition(".")[0]

        def holds(name: str, wanted: Any) -> bool:
            value = values.get(join(section, name), values.get(name))
            return value in (wanted if isinstance(wanted, list) else [wanted])

        cases = (self.extra or {}).get("shown_if", {})
        cases = cases if isinstance(cases, list) else [cases]
        return any(all(holds(*condition) for condition in case.items()) for case in cases)


@dataclass(frozen=True)
class Node:
    """The model itself or one within it."""

    path: str
    default: BaseModel
    children: Mapping[str, Leaf | Node]
    lead: Leaf | None = None  # what chose it among the members of a union
    tag: str = ""  # the field that tells them apart

    def leaves(self) -> Iterator[Leaf]:
        """All leaves below, in the order of the fields."""
        if self.lead:
            yield self.lead
        for child in self.children.values():
            yield from child.leaves() if isinstance(child, Node) else (child,)


def take_apart(default: BaseModel, path: str, key: str, **within: Any) -> Node:
    """The fields of the model that `default` is an instance of, and of the models within it."""
    children: dict[str, Leaf | Node] = {}
    for name, field in type(default).model_fields.items():
        value, here, there = getattr(default, name), join(path, name), f"{key}.{name}"
        drawn = (field.json_schema_extra or {}).get("widget", True)
        if name == within.get("tag") or not drawn:
            continue
        if field.discriminator:
            children[name] = _union(value, field, here, there)
        elif isinstance(value, BaseModel):
            children[name] = take_apart(value, here, there)
        else:
            children[name] = _leaf(value, field, here, there)
    return Node(path, default, children, **within)


def _union(default: BaseModel, field: FieldInfo, path: str, key: str) -> Node:
    tag = str(field.discriminator)
    members = {cls.model_fields[tag].default: cls for cls in get_args(field.annotation)}
    lead = Leaf(
        path=f"{path}.{tag}",
        key=f"{key}.{tag}",
        default=getattr(default, tag),
        title=_title(field, path),
        help="  \n".join(f"**{_called(cls)}**: {_first_line(cls)}" for cls in members.values()),
        options={member: _called(cls) for member, cls in members.items()},
        leads=True,
    )
    chosen = members[lead.value]
    within = default if type(default) is chosen else chosen()
    return take_apart(within, path, f"{key}.{lead.value}", lead=lead, tag=tag)


def _leaf(default: Any, field: FieldInfo, path: str, key: str) -> Leaf:
    annotation, optional = field.annotation, False
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        annotation, optional = kinds[0], len(kinds) < len(get_args(annotation))
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    description = field.description or ""
    return Leaf(
        path=path,
        key=key,
        default=default,
        title=_title(field, path),
        help=plain(f"{description} {rules.limits(field)}"),
        annotation=annotation,
        optional=optional,
        description=description,
        extra=field.json_schema_extra,
        options={choice: called(field, choice) for choice in choices},
    )


def _title(field: FieldInfo, path: str) -> str:
    return field.title or path.rpartition(".")[2].replace("_", " ").capitalize()


def _called(cls: type[BaseModel]) -> str:
    return getattr(cls, "title", cls.__name__)


def _first_line(cls: type[BaseModel]) -> str:
    return plain((inspect.getdoc(cls) or "").partition("\n")[0])


def join(path: str, name: str) -> str:
    """A path and what comes below it."""
    return f"{path}.{name}" if path else name


def flatten(record: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of nested records, each with its path."""
    for name, value in record.items():
        if isinstance(value, Mapping):
            yield from flatten(value, join(path, name))
        else:
            yield join(path, name), value


def below(path: str, above: str) -> bool:
    """Whether a path is the other one or leads below it."""
    return not above or path == above or path.startswith(f"{above}.")

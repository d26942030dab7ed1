"""A pydantic model as a form: one widget for each field, and a validated instance back.

Name, range, default and help come from the field (see `fields` for what else it may say); nothing
here knows what the model is about. The widgets' values are validated before the first one is
drawn, so that each message stands below its widget and a button may be drawn anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import streamlit as st
from pydantic import BaseModel, ValidationError

from dashboard import rules
from dashboard.fields import Leaf, Node, below, flatten, take_apart
from dashboard.words import label, plain

Model = TypeVar("Model", bound=BaseModel)
Refusals = Callable[[str, Mapping[str, Any]], Mapping[Any, str]]

SHORT = 14  # characters of a title up to which two neighbours share a row
VISIBLE = 24  # characters up to which the two options of a choice are shown side by side


class Form(Generic[Model]):
    """The widgets of a model, read and validated.

    value     the instance, or None while something is wrong
    errors    what is wrong, by the path of its field: one sentence each
    part(p)   the valid instance at a path, or None; the others may be wrong meanwhile
    said(p)   what the widget at a path says, right or wrong
    draw(p)   draws what lies at and below the paths, applies, and is not drawn yet; what a field
              calls `folded` waits for a fold
    fold(p)   the same in an expander, once it is opened; what is wrong in a closed one stands below
    say_replaced(p)   says which choices at and below a path gave way, for those that are folded

    `refusals` tells of a choice's path, and of what all fields say, which options do not fit and
    why. They are not offered, and one that was chosen gives way to the first that fits; both is
    said below the widget.
    """

    def __init__(
        self, model: type[Model], key: str, refusals: Refusals = lambda path, values: {}
    ) -> None:
        fills, default = st.session_state.get(key, (0, model()))
        root = take_apart(default, "", f"{key}.{fills}")
        self.leaves = tuple(root.leaves())
        self.errors: dict[str, str] = {}
        self._key = key
        self._values = {leaf.path: leaf.value for leaf in self.leaves}
        self._refused = dict(self._take_what_fits(refusals))
        self._parts: dict[str, BaseModel | None] = {}
        self._drawn: set[str] = set()
        self.value: Model | None = self._validate(root)

    def part(self, path: str) -> BaseModel | None:
        return self._parts[path]

    def said(self, path: str) -> Any:
        return self._values[path]

    def draw(self, *paths: str) -> None:
        for path in paths:
            self._draw(path, [leaf for leaf in self._due(path) if not leaf.folded])

    def _draw(self, path: str, due: Sequence[Leaf]) -> None:
        self._drawn.update(leaf.path for leaf in due)
        for row in _rows(due):
            for cell, leaf in zip(st.columns(len(row)), row, strict=True):
                with cell:
                    _widget(leaf, self._refused.get(leaf.path, {}))
            self._complain(leaf.path for leaf in row)
            for leaf in row:
                self._say_what_does_not_fit(leaf)
        self._complain(part for part in self._parts if below(part, path))

    def fold(self, title: str, path: str) -> None:
        due = self._due(path)
        if not due:
            return
        self._drawn.update(leaf.path for leaf in due)
        key = f"{self._key}.fold.{title}"
        # Two thirds of a form lie in folds: a page is there the sooner for what it need not draw.
        with st.expander(title, type="compact", key=key, on_change="rerun") as fold:
            if fold.open:
                self._draw(path, due)
        if not fold.open:  # a mark in the title would make it another fold, which is closed
            self._complain(leaf.path for leaf in due)

    def say_replaced(self, path: str) -> None:
        for leaf in self.leaves:
            if below(leaf.path, path) and self._applies(leaf):
                self._say_what_gave_way(leaf, f"{leaf.title}: ")

    def _due(self, path: str) -> list[Leaf]:
        return [
            leaf
            for leaf in self.leaves
            if below(leaf.path, path) and leaf.path not in self._drawn and self._applies(leaf)
        ]

    def _applies(self, leaf: Leaf) -> bool:
        return leaf.is_shown(self._values)

    def _complain(self, paths: Iterator[str]) -> None:
        wrong = [path for path in paths if path in self.errors]
        # What nobody has filled in yet is no mistake.
        missing = all(path in self._values and self._values[path] is None for path in wrong)
        alarm = ":gray[:material/info: " if missing else ":red[:material/error: "
        for message in dict.fromkeys(self.errors[path] for path in wrong):
            st.markdown(f":small[{alarm}{plain(message)}]]")

    def _take_what_fits(self, refusals: Refusals) -> Iterator[tuple[str, Mapping[Any, str]]]:
        """What does not fit, by path; in the order of the fields, for each may narrow the next."""
        for leaf in self.leaves:
            if leaf.kind != "choice":
                continue
            said = {
                other.path: self._values[other.path] if self._applies(other) else other.default
                for other in self.leaves
            }
            reasons = refusals(leaf.path, said)
            if not reasons:
                continue
            yield leaf.path, reasons
            asked = self._values[leaf.path]
            if asked in reasons:
                instead = next(option for option in leaf.options if option not in reasons)
                st.session_state[leaf.key] = self._values[leaf.path] = instead
                st.session_state[self._replaced(leaf)] = asked, instead

    def _replaced(self, leaf: Leaf) -> str:
        """Where it is kept what was taken instead of what."""
        return f"{leaf.key} replaced"

    def _say_what_gave_way(self, leaf: Leaf, begun: str = "") -> None:
        refused = self._refused.get(leaf.path, {})
        asked, instead = st.session_state.get(self._replaced(leaf), (None, None))
        if asked in refused and self._values[leaf.path] == instead:
            called, other = leaf.options[asked], leaf.options[instead]
            text = f"{begun}{other} instead of {called}: {refused[asked]}."
            st.markdown(f":small[:orange[:material/swap_horiz: {plain(text)}]]")

    def _say_what_does_not_fit(self, leaf: Leaf) -> None:
        self._say_what_gave_way(leaf)
        refused = self._refused.get(leaf.path, {})
        alike: dict[str, list[str]] = {}
        for option, reason in refused.items():
            alike.setdefault(reason, []).append(leaf.options[option])
        lines = [f"{', '.join(names)}: {reason}." for reason, names in alike.items()]
        if lines:
            st.caption("  \n".join(["Not offered here:", *map(plain, lines)]))

    def _validate(self, node: Node) -> Any:
        """The instance of a node; where there is none, what is wrong is among the errors."""
        record, sound = {}, True
        if node.lead:
            record[node.tag] = node.lead.value
        for name, child in node.children.items():
            if isinstance(child, Node):
                part = self._validate(child)
                sound = sound and part is not None
                record[name] = child.default if part is None else part
            else:
                record[name] = self._values[child.path] if self._applies(child) else child.default
        try:
            made = type(node.default).model_validate(record)
        except ValidationError as error:
            for problem in error.errors():
                self._blame(node, problem)
            sound = False
        self._parts[node.path] = made if sound else None
        return self._parts[node.path]

    def _blame(self, node: Node, problem: dict[str, Any]) -> None:
        """Keep a message for the field that is wrong, or for all those that the rule is about."""
        leaves = {name: leaf for name, leaf in node.children.items() if isinstance(leaf, Leaf)}
        if problem["loc"] and (leaf := leaves.get(problem["loc"][0])):
            message = rules.explain(problem, leaf.title, leaf.description)
            self.errors.setdefault(leaf.path, message)
            return
        titles = {name: leaf.title for name, leaf in leaves.items()}
        about, message = rules.subject(rules.sentence(problem), titles)
        for path in [leaves[name].path for name in about] or [node.path]:
            self.errors.setdefault(path, message)


def fill(key: str, instance: BaseModel) -> None:
    """Let the form under `key` show this instance; to be called before the form is made."""
    fills, _ = st.session_state.get(key, (0, None))
    st.session_state[key] = (fills + 1, instance)  # new keys: what was typed before is forgotten


def put(key: str, record: Mapping[str, Any]) -> None:
    """Let the widgets of a filled form say what a partial record says, and leave all others alone.

    To be called before the form is made. The same widgets stay, also those of other members of a
    union, with what was typed into them.
    """
    fills, default = st.session_state[key]
    said = dict(flatten(record))
    for leads in (True, False):  # what leads decides which other leaves there are
        for leaf in take_apart(default, "", f"{key}.{fills}").leaves():
            if leaf.leads == leads and leaf.path in said:
                st.session_state[leaf.key] = leaf.written(said[leaf.path])


def _widget(leaf: Leaf, refused: Mapping[Any, str]) -> None:
    common = {
        "label": label(leaf.title),
        "key": leaf.key,
        "help": leaf.help or None,
        "persist_state": "session",
    }
    empty = (leaf.extra or {}).get("empty")
    match leaf.kind:
        case "choice":
            _choice(leaf, common, refused)
        case "bool":
            st.toggle(**common, value=leaf.initial)
        # No limits for the browser: it would keep the last good value in force behind a bad one.
        case "int":
            st.number_input(**common, value=leaf.initial, step=1, placeholder=empty)
        case "float":
            style = {"step": _step(leaf.default), "format": "%.10g"}
            st.number_input(**common, value=leaf.initial, placeholder=empty, **style)
        case _:
            st.text_input(**common, value=leaf.initial, placeholder=empty)


def _choice(leaf: Leaf, common: dict[str, Any], refused: Mapping[Any, str]) -> None:
    options = [option for option in leaf.options if option not in refused]
    common = common | {"options": options, "format_func": leaf.options.__getitem__}
    if _spread(leaf):
        required = not leaf.optional
        st.segmented_control(**common, default=leaf.default, required=required, width="stretch")
    else:
        index = options.index(leaf.default) if leaf.default in options else None
        st.selectbox(**common, index=index)


def _spread(leaf: Leaf) -> bool:
    """Whether both options are shown at once. Only the field may decide: a key has one widget."""
    return len(leaf.options) == 2 and sum(map(len, leaf.options.values())) <= VISIBLE


def _rows(leaves: Sequence[Leaf]) -> Iterator[Sequence[Leaf]]:
    """Short neighbours two by two, the others alone."""
    waiting: list[Leaf] = []
    for leaf in leaves:
        short = len(leaf.title) <= SHORT and leaf.kind != "bool" and not leaf.leads
        short = short and not _spread(leaf)
        if waiting and not short:
            yield waiting
            waiting = []
        waiting.append(leaf)
        if not short or len(waiting) == 2:
            yield waiting
            waiting = []
    if waiting:
        yield waiting


def _step(value: float | None) -> float:
    """A tenth of the value's power of ten: 1 for 10, 0.0001 for 0.001."""
    return 10.0 ** (math.floor(math.log10(abs(value))) - 1) if value else 0.1

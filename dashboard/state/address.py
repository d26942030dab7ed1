"""Which runs are in view: what the address says, and what a session left behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitAPIException

from dashboard import access, words
from dashboard.state.listing import find
from infovae_core import runs

PAGES = Path(__file__).parents[2] / "pages"
TRAIN, RUNS, COMPARE, LATENT, TRAVERSE, INFORMATION = (
    PAGES / f"{name}.py"
    for name in ("train", "runs", "compare", "latent", "traverse", "information")
)


def run_in_view(root: Path) -> tuple[str | None, runs.Run | None]:
    """The id that the address asks for, and its run if there is one.

    Who comes back from another page, whose links name no run, finds the run left behind; who goes
    back to an address without a run finds none.
    """
    asked, before = st.query_params.get("run"), came_from("train")
    if asked is None and before not in (None, "train"):
        left = st.session_state.get("left")
        if left and find(root, left):
            st.query_params["run"] = asked = left
    st.session_state["left"] = asked
    return asked, find(root, asked) if asked else None


def one_in_view(key: str, page: str, ids: Sequence[str]) -> str | None:
    """Let the widget under `key` choose, of `ids`, the run that the address names.

    Gives the id that is asked for and not there. Where none is asked for, it is the run left behind
    on another page, else the first. Call `view` once the widget has been drawn.
    """
    asked, left = st.query_params.get("run"), st.session_state.get("left")
    came_from(page)
    if key not in st.session_state or (asked is not None and asked != left):
        wanted = left if asked is None else asked
        st.session_state[key] = wanted if wanted in ids else ids[0]
    elif st.session_state[key] not in ids:
        st.session_state[key] = ids[0]  # it was deleted
    return asked if asked not in (None, *ids) else None


def say_absent(id: str | None) -> None:
    """Say that the run which the address asks for is not here, if there is one such."""
    if id is not None:
        said = words.plain(words.short(id, 60))
        st.warning(f"There is no run “{said}” here; this is another.", icon=":material/search_off:")


def runs_in_view(root: Path, key: str, most: int, page: str) -> list[str]:
    """Let the widget under `key` say which runs the address lists; the ids of those not here.

    It takes no more than `most`. Who comes back to `page` from another finds the runs left behind.
    Call `view_runs` once the widget has been drawn.
    """
    asked, before = st.query_params.get("runs"), came_from(page)
    left = st.session_state.get(f"listed.{page}")
    if asked is None and before not in (None, page):
        asked = left
    if asked is not None and (asked != left or key not in st.session_state):
        st.session_state[key] = list(dict.fromkeys(filter(None, asked.split(","))))
    ids = st.session_state.get(key, [])
    st.session_state[key] = [id for id in ids if find(root, id)][:most]
    return [id for id in ids if not find(root, id)]


def view_runs(ids: Sequence[str], page: str) -> None:
    """Put these runs into the address of the page."""
    st.session_state[f"listed.{page}"] = listed = ",".join(ids)
    _put("runs", listed)


def came_from(page: str) -> str | None:
    """The page that this session was on before; from now on it is on `page`."""
    before = st.session_state.get("page")
    st.session_state["page"] = page
    return before


def view(run: runs.Run) -> None:
    """Put `run` into the address."""
    st.session_state["left"] = run.id
    _put("run", run.id)


def say_no_runs(then: str, icon: str) -> None:
    """Say that there are no runs, what there will be `then`, and who trains one."""
    if access.viewer():
        st.info(
            f"No runs yet. Once a model is trained, {then}. {access.REASON}: models are trained "
            f"{access.ELSEWHERE}.",
            icon=icon,
        )
        return
    st.info(f"No runs yet. Train a model, and {then}.", icon=icon)
    link("Train a model", TRAIN)


def _put(name: str, text: str) -> None:
    """Put `text` into the address, where it does not stand there: browsers count every change."""
    if text != st.query_params.get(name, ""):
        if text:
            st.query_params[name] = text
        else:
            st.query_params.pop(name, None)


def link(label: str, page: Path, help: str | None = None, **address: str) -> None:
    """A link to another page; only its label where this page stands without the frame."""
    try:
        st.page_link(page, label=f":blue[{label}]", help=help, query_params=address or None)
    except StreamlitAPIException:
        st.markdown(label)

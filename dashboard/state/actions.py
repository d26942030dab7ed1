"""What a button asks for, done where it may be, and why it was refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st
from pydantic import ValidationError

from dashboard import access, words
from infovae_core import runs, worker


def attempt(action: Callable[..., Any], *args: Any) -> Any:
    """Do what a button asks for, where that is not for viewers to do; see `look`.

    All by which a page changes anything passes here.
    """

    def allowed() -> Any:
        access.check()
        return action(*args)

    return look(allowed)


def look(action: Callable[..., Any], *args: Any) -> Any:
    """Do something that changes nothing; why it was refused is said by `say_refusal`."""
    try:
        return action(*args)
    except (ValidationError, runs.RunError, OSError) as error:
        st.session_state["refused"] = worker.explain(error)
    return None


def say_refusal() -> None:
    """Say once why the last button was refused."""
    if "refused" in st.session_state:
        st.error(words.plain(st.session_state.pop("refused")), icon=":material/error:")

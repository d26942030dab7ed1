"""What the server need not look through again and again."""

from __future__ import annotations

import functools
import gc


@functools.cache
def settle(page: str = "") -> None:
    """Once for each page that loads more: exempt what is loaded by now from garbage collection.

    Streamlit collects all generations after each run of a script, and walking through every module
    each time is most of what a refresh would cost.
    """
    gc.collect()
    gc.freeze()

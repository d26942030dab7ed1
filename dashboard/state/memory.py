"""What the server need not look through again and again."""

from __future__ import annotations

import functools
import gc


@functools.cache
def settle(page: str = "") -> None:
    """Once for each page that loads more: exempt what is loaded by now from garbage collection.

    A full collection walks through all that lives, and every module lives for good.
    """
    if page:  # else the server has just started, and there is next to nothing to collect
        gc.collect()
    gc.freeze()

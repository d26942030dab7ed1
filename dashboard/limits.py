"""What keeps the server's memory and processor within bounds, however many ask for however much."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio


class Busy(RuntimeError):
    """Too much is being asked; the same may be asked again soon."""


class Cache:
    """Values kept until they take more than `room` bytes; those asked for longest ago go first.

    The newest stays however large it is.
    """

    def __init__(self, room: int, size: Callable[[Any], int] = len) -> None:
        self.room, self.size = room, size
        self.taken = 0  # bytes
        self._kept: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value, or None where it is not kept."""
        with self._lock:
            if key not in self._kept:
                return None
            value = self._kept[key] = self._kept.pop(key)
            return value

    def put(self, key: Hashable, value: Any) -> Any:
        """Keep a value; gives it back."""
        with self._lock:
            if key in self._kept:
                self.taken -= self.size(self._kept.pop(key))
            self._kept[key] = value
            self.taken += self.size(value)
            while self.taken > self.room and len(self._kept) > 1:
                self.taken -= self.size(self._kept.pop(next(iter(self._kept))))
        return value

    def obtain(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value, made where it is not kept; by every caller who comes before it is."""
        value = self.get(key)
        return self.put(key, make()) if value is None else value

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
            self.taken = 0


class Gate:
    """Lets so many do something at once; whoever comes then is sent away instead of waiting."""

    def __init__(self, most: int, what: str) -> None:
        self.most, self.what = most, what
        self.limiter = anyio.CapacityLimiter(most)  # a thread for each that is inside
        self._free = threading.BoundedSemaphore(most)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be one of them. Raises: Busy where there are as many already."""
        if not self._free.acquire(blocking=False):
            raise Busy(f"the server is busy {self.what}; try again in a moment")
        try:
            yield
        finally:
            self._free.release()


class Room:
    """Bytes that all who do something may hold together; whoever needs more is sent away."""

    def __init__(self, most: int, what: str) -> None:
        self.most, self.what = most, what
        self.taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def share(self) -> Iterator[Callable[[int], None]]:
        """Be one of them: gives what takes so many bytes more, all of which are free in the end.

        What it gives raises: Busy where they are not there.
        """
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            with self._lock:
                if self.taken + size > self.most:
                    raise Busy(f"the server is busy {self.what}; try again in a moment")
                self.taken += size
                mine += size

        try:
            yield take
        finally:
            with self._lock:
                self.taken -= mine

"""One run as all its viewers see it: read once, packed once, however many look.

What many ask for is made once: a log is parsed as it grows, and every answer is kept as the
compressed bytes that travel, as far as there is room.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from dashboard.decoding import SERVICE
from dashboard.limits import Cache
from dashboard.packing import compact, pack, pack_codes, pack_decoder, shorten
from dashboard.waiting import waits_for
from infovae_core import runs
from infovae_core.runs import Run, RunError, Tail
from infovae_core.runs.records import event_of, row_of

FRESH = 0.05  # seconds for which what was read of a run is shown without looking again
FEEDS = 32  # runs whose logs are kept parsed,
LOGS = 128_000_000  # as long as these take no more bytes
NEWS = 2_000_000  # bytes of a run's answers kept
PACKED = Cache(128_000_000)  # what was packed, of all runs
MEASURED = Cache(16_000_000, lambda made: sum(a.nbytes for a in made[1].values()))  # posteriors
SHOWN = (
    *("step", "steps", "epoch", "epochs", "rate", "seconds"),
    *("created", "device", "error", "preparing", "drawing"),
)


class Feed:
    """One run: logs parsed once, answers kept until something changes."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._lock = threading.Lock()
        self._head: dict[str, Any] = {}
        self._version = ""
        self._read_at = -math.inf
        self._answers = Cache(NEWS)
        self._packing = defaultdict(threading.Lock)  # by kind, for news waits for none of it
        self._begin(None)

    def _begin(self, created: float | None) -> None:
        """Read the logs from their start, as of a run created then."""
        self._created = created
        self._metrics = Tail(self.run.path / "metrics.jsonl", row_of)
        self._journal = Tail(self.run.path / "events.jsonl", event_of)
        self._rows: list[str] = []  # each as the JSON that travels
        self._events: list[str] = []
        self._about: Any = None
        self.size = 0  # of the logs, as kept

    def news(self, row: int, event: int) -> tuple[str, bytes]:
        """Version and compressed JSON of the run's state, with rows and events from these on.

        Whoever has had an answer of this version has everything.
        """
        with self._lock:
            self._read()
            asked = self._from(row, event)
            return self._version, self._answers.obtain(asked, lambda: self._answer(*asked))

    def news_at_hand(self, row: int, event: int) -> tuple[str, bytes] | None:
        """The same, or None where one would have to wait: for the disk, or for packing."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            answer = self._answers.get(self._from(row, event)) if self.fresh else None
            return None if answer is None else (self._version, answer)
        finally:
            self._lock.release()

    @property
    def fresh(self) -> bool:
        """Whether the run was looked at just now, and needs no other look."""
        return time.monotonic() - self._read_at < FRESH

    def _from(self, row: int, event: int) -> tuple[int, int]:
        """Where an answer begins; a viewer of an older log starts again."""
        return (
            row if row <= len(self._rows) else 0,
            event if event <= len(self._events) else 0,
        )

    def snapshot(self, step: int, plane: str, originals: bool) -> bytes:
        """A packed snapshot, compressed; see `packing`."""
        return self._once(
            ("snapshot", step, plane, originals),
            lambda: gzip.compress(pack(step, self.run.snapshot(step), plane, originals), 6),
        )

    def snapshot_at_hand(self, step: int, plane: str, originals: bool) -> bytes | None:
        """The same, or None where it is not packed yet."""
        return PACKED.get((self.run.path, "snapshot", step, plane, originals))

    def decoder(self, step: int) -> bytes:
        """A packed decoder, compressed: one that was kept, or made from the last checkpoint."""

        def packed(arrays: dict) -> bytes:
            return gzip.compress(pack_decoder(step, arrays), 1)  # noise, which no effort shrinks

        key = "decoder", step
        try:
            return self._once(key, lambda: packed(self.run.decoder(step)))
        except RunError:
            if step != checkpoint_step(self.run):
                raise
        # None waits for another to have it made, for who comes too many is sent away.
        return PACKED.obtain((self.run.path, *key), lambda: packed(SERVICE.decoder(self.run, step)))

    def codes(self, step: int) -> bytes:
        """The packed codes of the images that a snapshot holds, compressed."""
        return self._once(
            ("codes", step), lambda: gzip.compress(pack_codes(step, self.run.snapshot(step)), 6)
        )

    def posteriors(self, step: int, plane: str, split: str) -> bytes:
        """The packed posteriors of a split beside the prior, compressed."""
        from dashboard import posteriors

        def packed() -> bytes:
            arrays = self.run.snapshot(step)
            # What does not depend on the plane takes most of the time where units are many.
            key = (self.run.path, step, split)
            measured = MEASURED.obtain(key, lambda: posteriors.measure(arrays, split))
            return gzip.compress(posteriors.pack(step, arrays, plane, split, measured), 1)

        return self._once(("posteriors", step, plane, split), packed)

    def pictures(self) -> tuple[str, bytes]:
        """Version and packed pictures of the run's images, compressed; or those of a snapshot."""
        from dashboard import posteriors

        steps, written = self.run.snapshot_steps(), None
        with suppress(OSError):
            written = (self.run.path / "pictures.npz").stat().st_mtime_ns
        # Once they are written a snapshot only says how far the points reach, each the same.
        version = f"{written}-{bool(steps)}" if written else f"of-{steps[-1] if steps else None}"

        def packed() -> bytes:
            last = self.run.snapshot(steps[-1]) if steps else {}
            kept = self.run.pictures if written else None
            return gzip.compress(posteriors.pack_pictures(kept, last), 6)

        return version, self._once(("pictures", version), packed)

    def _once(self, key: tuple, make: Callable[[], bytes]) -> bytes:
        """What is packed under a key, which begins with its kind; one of a kind at a time."""
        with self._packing[key[0]]:
            return PACKED.obtain((self.run.path, *key), make)

    def _read(self) -> None:
        if self.fresh:
            return
        # Before the logs: who hears that a run has ended has all of its rows.
        status, state, steps = self.run.status, self.run.state, self.run.snapshot_steps()
        if status["created"] != self._created:  # a study may be removed and asked for again
            self._begin(status["created"])
        rows = [compact(rounded(row)) for row in self._metrics.read()]
        events = []
        for event in self._journal.read():
            self._about = event.pop("about", self._about)
            events.append(compact(event))
        self._rows += rows
        self._events += events
        self.size += sum(map(len, rows)) + sum(map(len, events))
        self._head = {
            "id": self.run.id,
            "label": self.run.label,
            "state": state,
            "status": {name: status[name] for name in SHOWN},
            "waits": waits_for(self.run, "train") if state == "queued" else None,
            "about": self._about,
            "next": len(self._rows),
            "next_event": len(self._events),
            "snapshot": steps[-1] if steps else None,
        }
        version = hashlib.blake2b(compact(self._head).encode(), digest_size=8).hexdigest()
        if version != self._version:
            self._version = version
            self._answers.clear()
        self._read_at = time.monotonic()

    def _answer(self, row: int, event: int) -> bytes:
        head = self._head | {"first": row, "first_event": event}
        rows, events = ",".join(self._rows[row:]), ",".join(self._events[event:])
        text = f'{compact(head)[:-1]},"rows":[{rows}],"events":[{events}]}}'
        return gzip.compress(text.encode(), 6)


def checkpoint_step(run: Run) -> int | None:
    """The step of the newest checkpoint."""
    names = (path.stem for path in (run.path / "checkpoint").glob("*.safetensors"))
    return max((int(name) for name in names if name.isdigit()), default=None)


def rounded(row: dict[str, Any]) -> dict[str, Any]:
    """A metric row with as many digits as a plot can show."""
    values = row.get("values")
    return {name: shorten(value) for name, value in row.items()} | {
        "values": {k: shorten(v) for k, v in values.items()} if isinstance(values, dict) else {}
    }


_feeds: dict[tuple[Path, str], Feed] = {}  # by folder of runs and run, as they are asked for
_feeding = threading.Lock()


def feed_of(id: str, root: Path | None = None) -> Feed:
    """The one feed of a run, whoever asks. Raises: RunError where there is no such run."""
    root = root or runs.default_root()
    run = runs.find(root.resolve(), id)
    with _feeding:
        feed = _feeds.pop((root, id), None)
        if feed is None or feed.run != run:  # the folder's name may lead elsewhere by now
            feed = Feed(run)
        while _feeds and (len(_feeds) >= FEEDS or sum(f.size for f in _feeds.values()) > LOGS):
            del _feeds[next(iter(_feeds))]
        _feeds[root, id] = feed  # asked for last, forgotten last
    return feed


def feed_at_hand(id: str) -> Feed | None:
    """The feed of a run that somebody has looked at just now, or None; asks no disk."""
    feed = _feeds.get((runs.default_root(), id))
    return feed if feed is not None and feed.fresh else None

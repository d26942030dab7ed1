"""Images of codes that a browser cannot decode itself: asked of a process that has torch.

It starts with the first question, and goes once nobody has asked for a while, or this process has.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any

import numpy as np

from dashboard.limits import Cache, Gate
from infovae_core import startup
from infovae_core.runs import Run, RunError

IDLE = 120.0  # seconds without a question after which the process goes
PATIENCE = 60.0  # seconds that an answer may take, the start of the process included
WAITING = 8  # questions at once; further ones are asked to come again
ROOM = 64_000_000  # bytes of images kept


class Service:
    """The process and its answers."""

    def __init__(self) -> None:
        self.gate = Gate(WAITING, "decoding for others")
        self._asking = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._leaving: threading.Timer | None = None
        self._kept = Cache(ROOM, size=lambda images: images.nbytes)

    def decoder(self, run: Run, step: int) -> dict[str, np.ndarray]:
        """The decoder of the checkpoint at `step`, see `infovae_core.decoders`.

        Raises: RunError where it cannot be had; Busy.
        """
        return self._ask(run, step, None)

    def images(self, run: Run, step: int, z: np.ndarray) -> np.ndarray:
        """The mean images u8 [n, h, w(, c)] of codes [n, d].

        Raises: RunError where they cannot be decoded; Busy.
        """
        key = run.path, step, hashlib.blake2b(z.tobytes(), digest_size=16).digest()
        return self._kept.obtain(key, lambda: self._ask(run, step, z.tolist())["images"])

    def stop(self) -> None:
        """End the process; the next question starts another."""
        with self._asking:
            self._end()

    def _ask(self, run: Run, step: int, z: list | None) -> dict[str, np.ndarray]:
        with self.gate.inside(), self._asking:
            return self._answer({"run": str(run.path), "step": step, "z": z})

    def _answer(self, question: dict[str, Any]) -> dict[str, np.ndarray]:
        if self._leaving is not None:
            self._leaving.cancel()
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "infovae_core.decoding"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=startup.environment(),
            )
        process = self._process
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            said = json.loads(process.stdout.readline())
            body = process.stdout.read(said["bytes"])
            if len(body) < said["bytes"]:
                raise EOFError
        except (OSError, ValueError, EOFError) as error:
            self._end()
            raise RunError(
                f"codes must be decoded within {PATIENCE:g} s, got no answer; try again, or choose "
                "a smaller decoder"
            ) from error
        finally:
            watch.cancel()
        self._leaving = threading.Timer(IDLE, self.stop)
        self._leaving.daemon = True
        self._leaving.start()
        if "error" in said:
            raise RunError(said["error"])
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            return dict(arrays)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        with suppress(BrokenPipeError):  # it was killed before it had read its question
            process.stdin.close()
        process.stdout.close()


SERVICE = Service()

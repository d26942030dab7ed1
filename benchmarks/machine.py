"""What a benchmark ran on, in a line."""

import importlib.metadata
import os
import platform
from contextlib import suppress
from pathlib import Path


def machine() -> str:
    """The processor, its threads, torch's version and how busy the machine is."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    load, torch = os.getloadavg()[0], importlib.metadata.version("torch")
    return f"{name}, {os.cpu_count()} threads, torch {torch}, load {load:.1f}"

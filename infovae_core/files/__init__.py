"""A person's own images, whatever they lie in: found, checked, and decoded block by block.

Nothing is trusted: what is read is what was checked, archives are never unpacked to the disk, no
pickle is opened, and whatever cannot be used is a `DataError` with the rule, what was got, and the
remedy. Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from infovae_core.catalogue import DataError
from infovae_core.files import arrays, pictures
from infovae_core.files.source import Source
from infovae_core.files.trees import Tree, Zip, listed, open_tree
from infovae_core.store import Progress, quiet

ACCEPTED = "images (PNG, JPEG, …), an .npz or .npy array, IDX files, or a .zip of any of these"

KINDS: dict[str, Callable[[str], bool]] = {
    "images": pictures.is_picture,
    "IDX files": arrays.is_idx,
    ".npy arrays": lambda name: name.lower().endswith(".npy"),
    ".npz files": lambda name: name.lower().endswith(".npz"),
}

__all__ = ["ACCEPTED", "Source", "files_of", "find"]


def files_of(path: Path) -> tuple[Path, ...]:
    """The files on the disk that `find` may read, sorted."""
    if not path.is_dir():
        return (path,)
    names = (name for name in listed(path) if any(is_one(name) for is_one in KINDS.values()))
    return tuple(path / name for name in sorted(names))


def find(path: Path, size: int | None, grey: bool, progress: Progress = quiet) -> Source:
    """What lies at `path`, to be decoded as squares of `size` pixels and in grey where asked.

    Raises: DataError.
    """
    tree = open_tree(path)
    kinds = {kind: list(filter(is_one, tree.names)) for kind, is_one in KINDS.items()}
    found = {kind: names for kind, names in kinds.items() if names}
    if not found:
        others = ", ".join(tree.names[:3]) or "nothing"
        raise DataError(f"your own data must be {ACCEPTED}, got {others} in {path.name}; add some")
    if len(found) > 1 or len(found.get(".npz files", ())) > 1:
        told = " and ".join(f"{len(names)} {kind}" for kind, names in found.items())
        raise DataError(
            f"your own data must be of one kind, and one .npz, got {told} in {path.name}; "
            "keep what you want to train on, and put the rest elsewhere"
        )
    [(kind, names)] = found.items()
    if kind == "images":
        return pictures.find(tree, names, size, grey, progress)
    return arrays.find(read_arrays(tree, kind, names, progress), size, grey)


def read_arrays(tree: Tree, kind: str, names: list[str], progress: Progress) -> arrays.Named:
    """The images and labels among named arrays, which are held in memory until they are decoded."""
    left = arrays.HELD
    if kind == ".npz files":  # which is a zip of .npy files
        [name] = names
        packed = tree.read(name, left)
        left -= len(packed)
        tree = Zip(packed, name, within=tree)
        names = list(filter(KINDS[".npy arrays"], tree.names))
    read = arrays.read_idx if kind == "IDX files" else arrays.read_npy
    said = {}
    wanted = arrays.wanted(names)
    for done, name in enumerate(wanted):
        progress(done, len(wanted), f"Reading {name}")
        data = tree.read(name, left)
        if name.lower().endswith(".gz"):
            data = arrays.unpacked(data, name, left)
        said[name] = read(data, name)
        left -= said[name].nbytes
    return said

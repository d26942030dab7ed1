"""What is decoded once is kept: whole, or not at all, and anew once its files change."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from infovae_core import store

ROOT = Path(__file__).parent.parent


class Maker:
    """Counts how often a set is made, and can break down in the middle."""

    def __init__(self, fail=None):
        self.made, self.fail = 0, fail

    def __call__(self, shelf):
        self.made += 1
        for part, value in (("train", 7), ("test", 9)):
            shelf.empty(f"{part}-x", (5, 4, 4))[:] = value
            if self.fail:
                raise self.fail
            shelf.put(f"{part}-y", np.arange(5))
        return {"classes": ("a", "b"), "factors": [("size", 3)], "span": [0, 1]}


def is_whole(kept):
    assert (kept.train.x == 7).all()
    assert (kept.test.x == 9).all()
    assert kept.train.y.tolist() == list(range(5))
    assert (kept.classes, kept.factors) == (("a", "b"), (("size", 3),))
    assert kept.facts == {"span": [0, 1]}


def test_it_is_made_once_and_mapped_afterwards(tmp_path):
    make = Maker()
    for _ in range(3):
        kept = store.obtain(tmp_path, "set", "0" * 16, make)
        is_whole(kept)
        assert isinstance(kept.train.x, np.memmap)
    assert make.made == 1


def test_what_is_written_to_a_mapped_set_stays_in_memory(tmp_path):
    make = Maker()
    store.obtain(tmp_path, "set", "0" * 16, make).train.x[:] = 0
    is_whole(store.obtain(tmp_path, "set", "0" * 16, make))


def test_another_key_is_another_set_and_old_ones_go(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "KEEP", 2)
    make = Maker()
    for key in "abc":
        is_whole(store.obtain(tmp_path, "set", key * 16, make))
        os.utime(tmp_path / "cache" / f"set-{key * 16}", ns=(ord(key), ord(key)))
    is_whole(store.obtain(tmp_path, "set-b", "a" * 16, make))  # another name
    assert make.made == 4
    kept = sorted(path.name for path in (tmp_path / "cache").glob("[!.]*"))
    assert kept == [f"set-b-{'a' * 16}", f"set-{'b' * 16}", f"set-{'c' * 16}"]


@pytest.mark.parametrize("name", ["record.json", "train-x.npy", "test-y.npy"])
@pytest.mark.parametrize("broken", [None, b"", b"{}", b"\x93NUMPY\1\0"])
def test_one_that_is_broken_is_made_again(name, broken, tmp_path):
    make = Maker()
    store.obtain(tmp_path, "set", "0" * 16, make)
    [path] = (tmp_path / "cache").glob(f"set-*/{name}")
    path.unlink()
    if broken is not None:
        path.write_bytes(broken)
    is_whole(store.obtain(tmp_path, "set", "0" * 16, make))
    assert make.made == 2


@pytest.mark.parametrize("error", [ValueError("bad image"), KeyboardInterrupt()])
def test_breaking_off_leaves_nothing(error, tmp_path):
    with pytest.raises(type(error)):
        store.obtain(tmp_path, "set", "0" * 16, Maker(error))
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]
    is_whole(store.obtain(tmp_path, "set", "0" * 16, Maker()))


def test_being_killed_in_the_middle_does_no_harm(tmp_path):
    code = """if True:
        import os, sys
        from pathlib import Path
        from infovae_core import store
        def make(shelf):
            shelf.empty("train-x", (5, 4, 4))[:] = 1
            os._exit(9)
        store.obtain(Path(sys.argv[1]), "set", "0" * 16, make)"""
    died = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    assert died.returncode == 9
    is_whole(store.obtain(tmp_path, "set", "0" * 16, Maker()))
    assert not list((tmp_path / "cache").glob("*.partial"))


def test_where_nothing_can_be_written_it_is_made_for_this_process(tmp_path):
    (tmp_path / "cache").write_text("not a folder")
    is_whole(store.obtain(tmp_path, "set", "0" * 16, Maker()))
    assert [path.name for path in tmp_path.iterdir()] == ["cache"]


def test_the_key_is_that_of_the_files_and_of_how_they_are_read(tmp_path):
    for name in ("a/1", "b/1"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, ns=(5, 5))
    files = [tmp_path / "a/1"]
    key = store.key_of(tmp_path, files, size=8)
    assert key == store.key_of(tmp_path, files, size=8)
    others = {store.key_of(tmp_path, files, size=9), store.key_of(tmp_path, [tmp_path / "b/1"])}
    os.utime(files[0], ns=(5, 6))
    others.add(store.key_of(tmp_path, files, size=8))
    files[0].write_text("xy")
    os.utime(files[0], ns=(5, 5))
    others.add(store.key_of(tmp_path, files, size=8))
    assert len(others | {key}) == 5
    moved = tmp_path.rename(tmp_path.with_name("elsewhere"))
    assert store.key_of(moved, [moved / "a/1"], size=8) in others

"""What is decoded once is kept: whole, or not at all, and anew once its files change."""

import errno
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from infovae_core import store
from infovae_core.catalogue import DataError
from tests.processes import PATIENCE

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


def test_sets_of_one_kind_share_locks_and_those_of_another_do_not_wait(tmp_path):
    def own(name):
        is_whole(store.obtain(tmp_path, f"own-{name}", "0" * 16, Maker()))

    def faces(shelf):
        pool.submit(own, "cats").result(PATIENCE)
        return Maker()(shelf)

    with ThreadPoolExecutor() as pool:
        is_whole(store.obtain(tmp_path, "celeba", "0" * 16, faces))
    own("dogs")
    locks = sorted(path.name for path in (tmp_path / "cache").glob(".*.lock"))
    assert locks == [".celeba-00.lock", ".own-00.lock"]


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


def test_a_full_disk_is_said_before_anything_is_filled(tmp_path, monkeypatch):
    def reserve(file, start, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", reserve)
    make = Maker()
    with pytest.raises(DataError, match=r"must have room for .* got No space left .*; free some"):
        store.obtain(tmp_path, "set", "0" * 16, make)
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_what_is_to_be_filled_has_its_place_on_the_disk(tmp_path):
    store.Shelf(tmp_path).empty("x", (1000, 1000))
    about = (tmp_path / "x.npy").stat()
    assert 512 * about.st_blocks >= about.st_size > 1000**2


# Files and what they contain.


@pytest.fixture
def files(tmp_path):
    """Two files in a folder, and how a set is decoded from them."""
    folder = tmp_path / "files"
    for name in ("a/1", "b/1"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("x")
    return folder


def decode(folder, make, *names, **how):
    originals = store.Originals(folder, tuple(folder / name for name in names or ("a/1", "b/1")))
    return store.decoded(folder.parent, "set", originals, make, **how)


def test_what_was_read_is_not_read_again(files, monkeypatch):
    make = Maker()
    decode(files, make)
    monkeypatch.setattr(store.Originals, "content", lambda *_: pytest.fail("read"))
    is_whole(decode(files, make))
    assert make.made == 1


def test_the_same_bytes_are_the_same_set_wherever_and_whenever_they_were_written(files):
    make = Maker()
    decode(files, make)
    os.utime(files / "a/1", ns=(5, 5))
    decode(files, make)
    moved = files.rename(files.with_name("moved"))
    decode(moved, make)
    shutil.copytree(moved, files)
    is_whole(decode(files, make))
    assert make.made == 1


def test_other_bytes_are_another_set_even_if_size_and_time_are_the_same(files):
    make, path = Maker(), files / "a/1"
    decode(files, make)
    before = path.stat()
    path.write_text("y")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    decode(files, make)
    assert make.made == 2


def test_other_names_and_other_ways_are_other_sets(files):
    make = Maker()
    for how in ({}, {"size": 8}, {"size": 9}):
        decode(files, make, **how)
    for names in (["a/1"], ["b/1"]):
        decode(files, make, *names)
    assert make.made == 5


def test_files_that_change_while_they_are_read_are_not_kept(files):
    class Meddler(Maker):
        def __call__(self, shelf):
            (files / "b/1").write_text(str(self.made))
            return super().__call__(shelf)

    with pytest.raises(DataError, match=r"must stay as they are .*; try again"):
        decode(files, Meddler())
    assert not list((files.parent / "cache").glob("set*"))


def test_what_is_no_file_is_not_opened(files):
    os.mkfifo(files / "pipe")
    with pytest.raises(DataError, match="must be a plain file"):
        decode(files, Maker(), "pipe")


@pytest.mark.parametrize("broken", [b"", b"[]", b"{", b"\xff", b'{"a": 1}'])
def test_a_broken_memory_only_has_files_read_again(broken, files):
    make = Maker()
    decode(files, make)
    (files.parent / "cache" / store.READ).write_bytes(broken)
    for _ in range(2):
        is_whole(decode(files, make))
    assert make.made == 1


def test_a_full_disk_leaves_nothing_behind_and_what_was_remembered(files, monkeypatch):
    cache = files.parent
    store.remember(cache, "a", "content")
    before = sorted(path.name for path in cache.iterdir())

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", full)
    monkeypatch.setattr(os, "replace", full)
    store.remember(cache, "b", "other")
    assert sorted(path.name for path in cache.iterdir()) == before
    assert (store.remembered(cache, "a"), store.remembered(cache, "b")) == ("content", None)


def test_the_memory_is_bounded(files, monkeypatch):
    monkeypatch.setattr(store, "REMEMBERED", 3)
    cache = files.parent
    for i in range(5):
        store.remember(cache, str(i), f"content {i}")
    assert [store.remembered(cache, str(i)) for i in range(5)] == [
        *(None, None, "content 2", "content 3", "content 4")
    ]

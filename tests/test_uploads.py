"""A person's own images in the form: looked at before training, and refused with a reason."""

import io

import numpy as np
import pytest
from PIL import Image

from dashboard import uploads
from infovae_core import dispatch, own, runs, worker
from infovae_core.store import Arrays, Part
from tests import formats
from tests.test_pages import TRAIN, drawn, opened, texts


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of runs, beside one for data; whoever launches a run finds nobody who takes it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INFOVAE_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(worker, "launch", dispatch.enqueue)
    return tmp_path / "runs"


@pytest.fixture
def page(root):
    """The Train page with own files chosen."""
    page = opened(TRAIN)
    return drawn(page.selectbox(key="config.1.data.name").set_value("files").run())


def upload(page, name, content):
    return drawn(page.file_uploader(key="upload").set_value((name, content, "")).run())


def path(page):
    return page.text_input(key="config.1.data.path").value


def zipped(files):
    file = io.BytesIO()
    formats.write_zip(file, files)
    return file.getvalue()


PETS, PIXELS = formats.pictures(classes=("cat", "dog"), each=10)


def test_without_a_file_the_form_says_what_it_needs_and_not_that_something_is_wrong(page):
    [said] = [each.value for each in page.markdown if "Path must name" in each.value]
    assert ":red[" not in said
    assert page.button(key="train").disabled


def test_an_upload_is_shown_and_can_be_trained_on(page, root):
    upload(page, "pets.zip", zipped(PETS))
    assert own.uploads(root.parent / "data")[0].name == "pets.zip"
    assert path(page).endswith("/pets.zip")
    said = texts(page)
    for words in (
        *("20 images", "of 12 × 12, colour", "17 to train on, 3 held out"),
        *("0 to 255", "0 becomes black, 255 white", "2 classes: cat (10), dog (10)"),
    ):
        assert words in said, words
    assert len(page.get("image")) == 1
    drawn(page.button(key="train").click().run())
    [run] = runs.list_runs(root)
    assert run.config["data"]["path"] == path(page)


def test_size_and_grey_change_what_is_shown(page):
    upload(page, "pets.zip", zipped(PETS))
    page.number_input(key="config.1.data.size").set_value(6)
    drawn(page.toggle(key="config.1.data.grey").set_value(True).run())
    assert "of 6 × 6, grey" in texts(page)


def test_files_are_looked_at_once_in_a_rerun(page, monkeypatch):
    upload(page, "pets.zip", zipped(PETS))
    load, calls = own.load, []
    monkeypatch.setattr(own, "load", lambda *args: calls.append(args) or load(*args))
    drawn(page.run())
    assert len(calls) == 1
    assert "20 images" in texts(page)


def test_a_bad_upload_says_why_and_leaves_the_form_as_it_was(page):
    upload(page, "pets.zip", zipped(PETS))
    before = path(page)
    upload(page, "evil.zip", zipped(PETS | {"../x.png": PETS["cat/0.png"]}))
    assert "must stay in its folder" in texts(page)
    assert "Nothing was changed" in texts(page)
    assert path(page) == before
    assert not page.button(key="train").disabled
    drawn(page.run())
    assert "must stay in its folder" in texts(page)  # as long as the file is there
    drawn(page.file_uploader(key="upload").set_value(None).run())
    assert "must stay in its folder" not in texts(page)


def test_images_of_two_sizes_are_taken_once_a_size_is_set(page):
    mixed = PETS | {"dog/wide.png": formats.png(formats.noise(12, 20, 3))}
    upload(page, "mixed.zip", zipped(mixed))
    assert "set a size to scale them to" in texts(page)
    drawn(page.number_input(key="config.1.data.size").set_value(8).run())
    assert "21 images" in texts(page)
    assert "of 8 × 8" in texts(page)
    drawn(page.number_input(key="config.1.data.size").set_value(None).run())
    assert page.button(key="train").disabled  # what is chosen cannot be trained on as it is


def test_what_was_uploaded_before_can_be_chosen_again(page, root):
    for name in ("one.zip", "two.zip"):
        upload(page, name, zipped(PETS | {f"{name}.txt": b""}))
    assert path(page).endswith("/two.zip")
    one = next(p for p in own.uploads(root.parent / "data") if p.name == "one.zip")
    fresh = drawn(opened(TRAIN).selectbox(key="config.1.data.name").set_value("files").run())
    drawn(fresh.selectbox(key="uploaded").set_value(str(one.relative_to(root.parent))).run())
    assert path(fresh) == str(one.relative_to(root.parent))
    assert "20 images" in texts(fresh)


def test_a_path_that_leads_nowhere_is_said(page):
    drawn(page.text_input(key="config.1.data.path").set_value("no/such/place").run())
    assert "must lead to a folder or a file" in texts(page)
    assert page.button(key="train").disabled


def test_samples_are_the_images_with_the_classes_by_turns():
    x = np.stack([np.full((6, 5), i, np.uint8) for i in range(10)])
    y = np.array([0] * 7 + [1] * 3)
    arrays = Arrays(Part(x, y), Part(x, y))
    picture = uploads.samples(arrays)
    zoom = uploads.PIXELS // 6
    tile = picture[: 7 * zoom, : 6 * zoom]
    assert (tile[: 6 * zoom, : 5 * zoom] == 0).all()
    firsts = picture[0, :: 6 * zoom][: uploads.ACROSS]
    assert firsts.tolist() == [0, 7, 1, 8, 2, 9, 3, 4]
    colour = np.repeat(x[:, None], 3, 1)
    picture = uploads.samples(Arrays(Part(colour, y), Part(colour, y)))
    assert Image.fromarray(picture).mode == "RGB"

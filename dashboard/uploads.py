"""A person's own images in the form: uploaded or named, and looked at before anything is trained.

Loads no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import streamlit as st

from dashboard import forms, state, words
from infovae_core import catalogue, own
from infovae_core.catalogue import About, DataError
from infovae_core.config import DataConfig, RunConfig
from infovae_core.files import ACCEPTED
from infovae_core.store import Arrays

CHOSEN = "upload chosen"  # the path that the form is to take up
SEEN = "upload seen"  # which upload was read last, and how
REFUSED = "upload refused"  # why it could not be used
SHOWN, ACROSS = 24, 8  # sample images, and of them in a row
NAMED = 12  # classes that are listed
APART = 128  # grey between the images
PIXELS = 36  # a sample image is enlarged to about so many


class Look:
    """Data sets as a page sees them: a person's files are looked at once, however often it asks.

    As long as they are read, a bar stands where they were asked for.
    """

    def __init__(self) -> None:
        self._found: dict[tuple, Arrays | DataError] = {}

    def about(self, config: DataConfig) -> About:
        """What is known of a data set. Raises: DataError."""
        return catalogue.about(config, self.load)

    def load(self, config: DataConfig) -> Arrays:
        """A person's own files. Raises: DataError."""
        key = config.path, config.size, config.grey, config.root
        if key not in self._found:
            try:
                with progress() as told:
                    self._found[key] = own.load(config, told)
            except DataError as error:
                self._found[key] = error
        if isinstance(found := self._found[key], DataError):
            raise found
        return found


def take_up() -> None:
    """Put what was uploaded into the form; to be called before that is made."""
    if path := st.session_state.pop(CHOSEN, None):
        forms.put(state.FORM, {"data": {"name": "files", "path": path}})


def panel(form: forms.Form[RunConfig], look: Look) -> str:
    """Widgets for a person's own images where the form asks for them; why they cannot be used.

    That is empty where they can be, or where the form itself says what is wrong.
    """
    if form.said("data.name") != "files":
        return ""
    root = Path(form.said("data.root"))
    file = st.file_uploader(
        "Upload images",
        key="upload",
        help=f"{words.plain(ACCEPTED[0].upper() + ACCEPTED[1:])}. Folders in a zip are classes. "
        "Nothing is unpacked, and nothing kept, before it has been checked. What is larger than "
        "this form takes can be put beside the program, and named by its path.",
    )
    how = [form.said("data.size"), form.said("data.grey")]
    sound = not {"data.size", "data.root"} & form.errors.keys()
    if file is None:
        st.session_state.pop(REFUSED, None)
    elif sound and st.session_state.get(SEEN) != (asked := (file.file_id, *how)):
        st.session_state[SEEN] = asked
        st.session_state.pop(REFUSED, None)
        try:
            with progress() as told:
                kept = own.upload(root, file.name, file.getvalue(), *how, told)
        except DataError as error:
            st.session_state[REFUSED] = str(error)
        else:
            st.session_state[CHOSEN] = kept.path
            st.rerun()
    if REFUSED in st.session_state:
        complain(f"{st.session_state[REFUSED]}. Nothing was changed.")
    earlier(root, form.said("data.path"))
    config, unusable = form.part("data"), ""
    if config is not None:
        try:
            show(look.about(config), look.load(config))
        except DataError as error:
            unusable = str(error)
            complain(f"{unusable}.")
    form.draw("data.path", "data.size", "data.grey")
    return unusable


def earlier(root: Path, now: str | None) -> None:
    """A choice among what was uploaded before."""
    found = {str(path): path for path in own.uploads(root)}
    if not found:
        return
    st.session_state["uploaded"] = now if now in found else None
    st.selectbox(
        "Uploaded before",
        list(found),
        key="uploaded",
        placeholder="Choose",
        format_func=lambda path: found[path].name,
        on_change=lambda: st.session_state.update({CHOSEN: st.session_state["uploaded"]}),
    )


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], object]]:
    """A bar as long as something is read; none where that was done before."""
    place = st.empty()

    def tell(done: int, of: int, what: str) -> None:
        place.progress(done / of if of else 0.0, f"{words.plain(what)}: {done:,} of {of:,}")

    try:
        yield tell
    finally:
        place.empty()


def complain(message: str) -> None:
    """What is wrong, as the form says it."""
    if message.partition(" ")[0].isalpha():  # no file's name
        message = message[0].upper() + message[1:]
    st.markdown(f":small[:red[:material/error: {words.plain(message)}]]")


def show(known: About, arrays: Arrays) -> None:
    """What is known of the images, and some of them."""
    *_, height, width = known.shape
    low, high, black, white = map(words.number, (*known.span, *known.ends))
    binary = ", black and white only" if known.values == "binary" else ""
    colours = "colour" if known.values == "colour" else "grey"
    st.markdown(
        f":small[**{known.train + known.test:,} images** of {width} × {height}, {colours}{binary}. "
        f"{known.train:,} to train on, {known.test:,} held out. Values from {low} to {high}; "
        f"{black} becomes black, {white} white.]"
    )
    st.image(samples(arrays), width="stretch", output_format="PNG")
    if known.classes:
        listed = [
            f"{words.plain(words.short(name, 20))} ({count:,})"
            for name, count in zip(known.classes[:NAMED], known.counts, strict=False)
        ]
        more = len(known.classes) - NAMED
        rest = f", and {more:,} more" if more > 0 else ""
        st.markdown(f":small[{len(known.classes):,} classes: {', '.join(listed)}{rest}.]")
    else:
        st.markdown(":small[No classes: put images into a folder for each, or add labels.]")


def samples(arrays: Arrays) -> np.ndarray:
    """Training images side by side, the classes by turns: u8 [h, w], or [h, w, 3] in colour."""
    y = arrays.train.y
    order = np.argsort(y, kind="stable")
    _, counts = np.unique(y, return_counts=True)
    turn = np.concatenate([np.arange(count) for count in counts])
    chosen = order[np.argsort(turn, kind="stable")][:SHOWN]
    images = [np.asarray(arrays.train.x[row]) for row in chosen]
    images = [image.transpose(1, 2, 0) if image.ndim == 3 else image for image in images]
    zoom = max(1, round(PIXELS / max(images[0].shape[:2])))
    images = [image.repeat(zoom, 0).repeat(zoom, 1) for image in images]
    images += [np.full_like(images[0], APART)] * (-len(images) % ACROSS)
    around = ((0, zoom), (0, zoom)) + ((0, 0),) * (images[0].ndim - 2)
    images = [np.pad(image, around, constant_values=APART) for image in images]
    rows = [np.concatenate(images[i : i + ACROSS], 1) for i in range(0, len(images), ACROSS)]
    return np.concatenate(rows)

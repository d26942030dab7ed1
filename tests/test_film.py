"""Films hold the pictures they were made of, at their times."""

import builtins
import io
import struct

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from dashboard import film
from dashboard.film import FilmError

SIZE = (64, 48)


def pictures(count=5):
    """Grey pictures, each brighter than the last, with a colour in a corner."""
    made = []
    for i in range(count):
        array = np.full((*SIZE[::-1], 3), 40 * i, np.uint8)
        array[:16, :16] = (200, 40, 40)
        made.append(Image.fromarray(array))
    return made


def body(made):
    parts = []
    for picture in made:
        file = io.BytesIO()
        picture.save(file, "PNG")
        parts.append(struct.pack("<I", len(file.getvalue())) + file.getvalue())
    return b"".join(parts)


def frames_of_gif(data):
    with Image.open(io.BytesIO(data)) as image:
        pauses = []
        frames = []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")).astype(int))
            pauses.append(frame.info["duration"] / 1000)
    return frames, pauses


def frames_of_mp4(data):
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(video=0))
        times = [frame.time for frame in frames]
        assert container.streams.video[0].codec_context.name == "h264"
    return [frame.to_ndarray(format="rgb24").astype(int) for frame in frames], np.diff(times)


@pytest.mark.parametrize(
    ("kind", "read", "near"), [("gif", frames_of_gif, 0), ("mp4", frames_of_mp4, 12)]
)
@pytest.mark.parametrize("rate", [2.0, 12.5])
def test_a_film_holds_its_pictures_at_their_times(kind, read, near, rate):
    made = pictures()
    media, data = film.film(body(made), kind, rate)
    assert media.endswith(kind)
    frames, pauses = read(data)
    assert len(frames) == len(made)
    inner = np.s_[20:, 20:]  # away from the edges that compression rounds
    for frame, picture in zip(frames, made, strict=True):
        wanted = np.asarray(picture).astype(int)
        assert np.abs(frame[inner] - wanted[inner]).max() <= near
        assert np.abs(frame[4:12, 4:12] - wanted[4:12, 4:12]).max() <= max(near, 1)
    assert pauses == pytest.approx([1 / rate] * len(pauses), abs=1e-3)


def test_sizes_that_h264_does_not_know_are_cut():
    odd = [Image.new("RGB", (31, 17), (i, i, i)) for i in range(3)]
    frames, _ = frames_of_mp4(film.mp4(odd, 5.0))
    assert frames[0].shape == (16, 30, 3)


@pytest.mark.parametrize(
    ("data", "kind", "rate", "said"),
    [
        (b"", "gif", 5, "0 sizes"),
        (b"\x01", "gif", 5, "whole pictures"),
        (struct.pack("<I", 9) + b"GIF89a...", "gif", 5, "must be PNG"),
        (body(pictures(1))[:-5], "gif", 5, "whole pictures"),
        (body([*pictures(1), Image.new("RGB", (8, 8))]), "mp4", 5, "2 sizes"),
        (body([Image.new("RGB", (2100, 8))]), "gif", 5, "at most 2000 px"),
        (body(pictures(1)), "avi", 5, "gif or mp4"),
        (body(pictures(1)), "gif", 0, "a second"),
        (body(pictures(1)), "gif", 1e-3, "0.25 to 30 pictures a second"),
        (body(pictures(1)), "gif", float("nan"), "a second"),
    ],
)
def test_what_makes_no_film_is_said(data, kind, rate, said):
    with pytest.raises(FilmError, match=said):
        film.film(data, kind, rate)


def test_pictures_that_are_small_on_the_wire_only_are_refused(monkeypatch):
    monkeypatch.setattr(film, "PIXELS", 3 * 64 * 48)
    film.film(body(pictures(3)), "gif", 5)
    with pytest.raises(FilmError, match="at most 9,216 pixels in all"):
        film.film(body(pictures(4)), "gif", 5)


def test_without_pyav_the_remedy_is_named(monkeypatch):
    real = builtins.__import__

    def none(name, *args, **more):
        if name == "av":
            raise ImportError(name)
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", none)
    with pytest.raises(FilmError, match="pip install av"):
        film.film(body(pictures(1)), "mp4", 5)

"""Films: pictures that a browser has drawn, put together as GIF or MP4.

Pillow, which torchvision brings, writes GIF; PyAV, one wheel with its own encoder, writes H.264
with exactly the pictures and times that it is given, whatever the browser can record.
"""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction

from PIL import Image

MOST = 400  # pictures
WIDEST = 2000  # px of a picture, each way
PIXELS = 400_000_000  # of all pictures together, which are unpacked at once
SLOWEST, FASTEST = 0.25, 30.0  # pictures a second
CRF = "18"  # H.264: no loss that one sees


class FilmError(ValueError):
    """Pictures that make no film; the message names the remedy."""


def unpack(body: bytes) -> list[Image.Image]:
    """The pictures in a body: each its length as a little-endian u32, then a PNG.

    Raises: FilmError for anything else, and for pictures of different sizes.
    """
    pictures, at, room = [], 0, PIXELS
    while at < len(body):
        (length,) = struct.unpack_from("<I", body, at) if at + 4 <= len(body) else (0,)
        data = body[at + 4 : at + 4 + length]
        if not length or len(data) < length or len(pictures) >= MOST:
            raise FilmError(f"a film must have 1 to {MOST} whole pictures; choose fewer")
        pictures.append(_picture(data, room))
        room -= math.prod(pictures[-1].size)
        at += 4 + length
    sizes = {picture.size for picture in pictures}
    if len(sizes) != 1:
        raise FilmError(f"the pictures of a film must be alike in size, got {len(sizes)} sizes")
    return pictures


def _picture(data: bytes, room: int) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG",))
        if max(picture.size) > WIDEST:
            raise FilmError(f"a picture must be at most {WIDEST} px, got {picture.size}")
        if math.prod(picture.size) > room:
            raise FilmError(
                f"a film must have at most {PIXELS:,} pixels in all; choose fewer or less"
            )
        return picture.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise FilmError("the pictures of a film must be PNG; save them again") from error


def gif(pictures: Sequence[Image.Image], rate: float) -> bytes:
    """An endless GIF of so many pictures a second, each with colours of its own."""
    file = io.BytesIO()
    first, *rest = pictures
    pause = max(20, round(1000 / rate / 10) * 10)  # a GIF counts hundredths of a second
    first.save(file, "GIF", save_all=True, append_images=rest, duration=pause, loop=0, disposal=1)
    return file.getvalue()


def mp4(pictures: Sequence[Image.Image], rate: float) -> bytes:
    """An H.264 film of so many pictures a second.

    Raises: FilmError where PyAV is not there.
    """
    try:
        import av
    except ImportError as error:
        raise FilmError(
            "MP4 needs PyAV, which is not installed; run `pip install av`, or save a GIF"
        ) from error
    file = io.BytesIO()
    width, height = (side - side % 2 for side in pictures[0].size)  # H.264 wants even ones
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=Fraction(rate).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": CRF}
        for picture in pictures:
            frame = av.VideoFrame.from_image(picture.crop((0, 0, width, height)))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file.getvalue()


FORMATS: dict[str, tuple[str, Callable[[Sequence[Image.Image], float], bytes]]] = {
    "gif": ("image/gif", gif),
    "mp4": ("video/mp4", mp4),
}


def film(body: bytes, kind: str, rate: float) -> tuple[str, bytes]:
    """Media type and bytes of the film that the pictures in `body` make.

    Raises: FilmError, naming what is wrong.
    """
    if kind not in FORMATS:
        raise FilmError(f"a film must be {' or '.join(FORMATS)}, got {kind[:20]!r}; choose one")
    if not SLOWEST <= rate <= FASTEST:
        raise FilmError(
            f"a film must have {SLOWEST:g} to {FASTEST:g} pictures a second, got {rate:g}; choose "
            "another speed"
        )
    media, make = FORMATS[kind]
    return media, make(unpack(body), rate)

"""Saving figures in a real browser: a printed page is light, whatever the screen is."""

import csv
import io
import re

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from tests import fakes
from tests.e2e.conftest import PATIENCE

OFFERS = ["PNG", "SVG", "CSV"]


@pytest.fixture
def run(root):
    run = fakes.start(root)
    run.save_snapshot(10, fakes.snapshot(seed=10))
    fakes.progress(run, 10, "finished")
    yield run
    run.delete()


@pytest.fixture
def dark(page):
    page.emulate_media(color_scheme="dark")
    yield page
    page.emulate_media(color_scheme="light")


def save(page, menu, label):
    """The bytes that an entry of a menu gives."""
    menu.get_by_role("button", name=re.compile("^Save")).click()
    with page.expect_download(timeout=PATIENCE) as got:
        menu.get_by_role("button", name=label, exact=True).click()
    with open(got.value.path(), "rb") as file:
        return file.read()


def corner(png):
    """How light a picture's corner is, from 0 to 1."""
    with Image.open(io.BytesIO(png)) as picture:
        return np.mean(picture.convert("RGB").getpixel((0, 0))) / 255


def test_pictures_are_light_unless_they_are_to_be_dark(dark, server, run):
    dark.goto(f"{server}/compare?runs={run.id}")
    planes = dark.locator(".planes")
    expect(planes.locator("figure[data-snapshot]")).to_have_count(1, timeout=3 * PATIENCE)
    menu = planes.locator(".saves")
    assert corner(save(dark, menu, "PNG")) == 1
    assert corner(save(dark, menu, "PNG, dark")) < 0.2
    assert b'fill="#ffffff"' in save(dark, menu, "SVG").split(b"/>")[0]
    lines = list(csv.reader(io.StringIO(save(dark, menu, "CSV").decode())))
    arrays = run.snapshot(10)
    assert [int(line[4]) for line in lines[1:]] == arrays["index"].tolist()
    codes = np.array([line[-2:] for line in lines[1:]], float)
    np.testing.assert_allclose(codes, arrays["mean"], atol=1e-3)


@pytest.mark.parametrize(
    ("path", "figure"),
    [
        ("", ".family"),
        ("latent", ".decoded"),
        ("information?part=Active+units", ".units"),
    ],
)
def test_every_figure_is_saved_as_picture_drawing_and_numbers(page, server, run, path, figure):
    page.goto(f"{server}/{path}{'&' if '?' in path else '?'}run={run.id}")
    menu = page.locator(f"{figure} .saves").first
    menu.locator(".save").click(timeout=3 * PATIENCE)
    shown = [entry for entry in menu.locator(".savelist button").all() if entry.is_visible()]
    assert [entry.inner_text() for entry in shown] == OFFERS
    page.keyboard.press("Escape")
    if figure == ".family":
        assert corner(save(page, menu, "PNG")) > 0.9
        assert "α + λ" in save(page, menu, "SVG").decode()
        rows = save(page, menu, "CSV").decode().splitlines()
        assert rows[0] == "objective,alpha,lambda"
        assert "form" in {row.split(",")[0] for row in rows}

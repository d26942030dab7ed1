"""The page Latent space in a real browser: select, decode, choose dimensions, share the address."""

import re

import numpy as np
import pytest
import torch
from playwright.sync_api import expect

from dashboard import packing
from infovae_core import decoding, runs, snapshots, training
from infovae_core.config import RunConfig
from tests import fakes
from tests.e2e.conftest import PATIENCE

LEFT, RIGHT, TOP, BOTTOM = 30, 6, 6, 18  # px of the plane that its axes take, as in frame.js
HALF = 0.02  # of a mean, by which weights in half precision may miss it
STEP = 3
LEVELS = "root => Array.from(root.view.decoded.levels)"
CODE = "(root, place) => Array.from(root.view.codeAt(place).z)"


def left(root, config, digits, label):
    """A finished run of an untrained model, with all that a worker would have left of it."""
    state = training.init(config, digits)
    arrays = snapshots.take(state, digits)
    run = runs.create(root, config)
    run.rename(label)
    run.event("started", 0, about=training.about(config, digits, state))
    run.log(fakes.row(STEP, "test"))
    values = {"rate": 1.0, "mutual_information": 0.75, "marginal_kl": 0.25}
    run.log(fakes.row(STEP, "codes") | {"values": values})
    run.save_pictures(snapshots.pictures(digits))
    run.save_decoder(STEP, decoding.take(state.model, digits.shape, arrays))
    run.save_snapshot(STEP, arrays)
    fakes.progress(run, STEP, "finished")
    return run, arrays, state.model


@pytest.fixture(scope="module")
def made(root, digits):
    """Models of two and of five units, and of each one that left images decoded ahead."""
    torch.set_default_dtype(torch.float32)
    configs = {
        d: RunConfig(model={"latent_dim": d, "widths": [32]}, objective={"name": "VAE"})
        for d in (2, 5)
    }
    made = {d: left(root, config, digits, f"{d} units") for d, config in configs.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "PORTABLE", 0)
        made["atlas"] = left(root, configs[2], digits, "decoded ahead")
        made["atlas of 5"] = left(root, configs[5], digits, "5, decoded ahead")
    yield made
    for run, *_ in made.values():
        run.delete()


class Page:
    """What a test asks of the page."""

    def __init__(self, page, server, made, **address):
        self.page = page
        self.run, self.arrays, self.model = made
        said = "&".join(f"{name}={value}" for name, value in address.items())
        page.goto(f"{server}/latent?run={self.run.id}&{said}")
        self.root = page.locator(".lab.latent")
        self.shows(run=self.run.id, snapshot=STEP, decoder=STEP)
        self.canvas = page.locator(".plane canvas").first

    def shows(self, **data):
        for name, value in data.items():
            expect(self.root).to_have_attribute(f"data-{name}", str(value), timeout=3 * PATIENCE)

    def data(self, selector, name):
        return self.page.locator(selector).first.get_attribute(f"data-{name}")

    @property
    def at(self):
        return [float(x) for x in self.data(".decoded", "at").split(",")]

    def pixels(self, place):
        """Where on the page a place of the plane lies, if the origin is in the middle."""
        box = self.canvas.bounding_box()
        x = (LEFT + box["width"] - RIGHT) / 2 + box["x"]
        y = (TOP + box["height"] - BOTTOM) / 2 + box["y"]
        unit = (box["height"] - TOP - BOTTOM) / 2 / float(self.data(".plane canvas", "reach"))
        return x + unit * place[0], y - unit * place[1]

    def point(self, *place):
        self.page.mouse.move(*map(float, self.pixels(place)))

    def drag(self, *places):
        self.point(*places[0])
        self.page.mouse.down()
        for place in places[1:]:
            self.point(*place)
        self.page.mouse.up()

    def picture(self, panel):
        canvases = self.page.locator(f".{panel} canvas").all()
        self.page.wait_for_timeout(100)  # a picture is drawn with the next frame
        return [canvas.evaluate("canvas => canvas.toDataURL()") for canvas in canvases]

    def levels(self):
        return np.array(self.root.evaluate(LEVELS)) / 255

    def decoded(self, z):
        """What torch makes of a code."""
        with torch.no_grad():
            code = torch.tensor(z, dtype=torch.float32).view(1, -1)
            return self.model.decode(code).mean.flatten().numpy()

    def held_out(self):
        """Codes of the held-out images."""
        return self.arrays["mean"][self.arrays["split"] == 1]


@pytest.fixture
def plane(page, server, made):
    return Page(page, server, made[2])


def test_the_image_under_the_pointer_is_the_decoder_s_without_asking_the_server(plane):
    asked = []
    plane.page.on("request", lambda request: asked.append(request.url))
    seen = []
    for place in ((0.5, 0.25), (-1, 1), (1.5, -2)):
        plane.point(*place)
        np.testing.assert_allclose(plane.at, place, atol=0.05)
        np.testing.assert_allclose(plane.levels(), plane.decoded(plane.at), atol=HALF)
        seen.append(str(plane.picture("decoded")))
    assert len(set(seen)) == 3
    assert not [url for url in asked if "/api/runs" in url]


def test_where_the_decoder_does_not_run_here_images_decoded_ahead_do(page, server, made):
    plane = Page(page, server, made["atlas"])
    for place in ((0.5, 0.25), (-1, 1)):
        plane.point(*place)
        np.testing.assert_allclose(plane.levels(), plane.decoded(plane.at), atol=HALF)
    expect(plane.root.locator(".decoded .note")).to_have_text("Between images decoded ahead.")


def test_an_image_that_was_not_decoded_ahead_is_marked_until_it_is_there(page, server, made):
    plane = Page(page, server, made["atlas of 5"])
    mark, stage = plane.root.locator(".decoded .mark"), plane.root.locator(".decoded .stage")
    expect(mark).to_be_hidden()
    answers = [{"status": 503}]  # first it is busy

    def answer(route):
        codes = np.frombuffer(route.request.post_data_buffer, "<f4").reshape(-1, 5)
        images = np.round(255 * np.stack([plane.decoded(z) for z in codes]).reshape(-1, 8, 8))
        packed = packing.join({"step": STEP}, {"images": images.astype("u1")})
        pointed = len(codes) == 1
        route.fulfill(**(answers.pop() if answers and pointed else {"body": packed}))

    page.route("**/decode/*", answer)
    plane.point(0.5, 0.25)
    plane.root.locator(".decoded select").select_option("nearest")
    expect(mark).to_have_text("nearest decoded")
    expect(stage).to_have_class(re.compile("near"))
    expect(mark).to_contain_text("the server is busy")
    expect(mark).to_be_hidden()
    expect(stage).not_to_have_class(re.compile("near"))
    np.testing.assert_allclose(
        plane.levels(), plane.decoded(plane.root.evaluate(CODE, plane.at)), atol=HALF
    )


def test_the_step_that_is_shown_follows_the_slider(page, server, made):
    plane = Page(page, server, made[2])
    run, arrays, _ = made[2]
    run.save_snapshot(1, arrays | {"mean": arrays["mean"] + 1})
    page.reload()
    slider = plane.root.get_by_role("slider", name="Step")
    expect(plane.root.locator(".scrubber")).to_have_attribute("data-steps", "2", timeout=PATIENCE)
    newest = plane.picture("plane")
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 8, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    plane.shows(snapshot=1)
    page.wait_for_timeout(500)  # codes move there
    assert plane.picture("plane") != newest
    np.testing.assert_allclose(
        plane.root.evaluate("root => root.view.posteriors.mean(7, 1)"),
        plane.held_out()[7, 1] + 1,
        atol=1e-2,
    )
    slider.press("End")
    plane.shows(snapshot=STEP)
    page.wait_for_timeout(500)
    assert plane.picture("plane") == newest


def test_arrow_keys_move_the_place_and_enter_selects_the_nearest_code(plane):
    plane.point(0, 0)
    plane.canvas.focus()
    before, reach = np.array(plane.at), float(plane.data(".plane canvas", "reach"))
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowDown"):
        plane.page.keyboard.press(key)
    step = 2 * reach / 50
    np.testing.assert_allclose(plane.at, before + step * np.array([2, 0.8]), atol=1e-3)
    np.testing.assert_allclose(plane.levels(), plane.decoded(plane.at), atol=HALF)
    plane.page.keyboard.press("Enter")
    nearest = np.square(plane.held_out() - plane.at).sum(1).argmin()
    plane.shows(selected=1, selection=f"1:{nearest}")
    expect(plane.root.locator(".chosen .said")).to_contain_text(f"test {nearest}:")
    plane.page.keyboard.press("Escape")
    plane.shows(selected=0)


def test_a_lasso_shows_images_and_an_image_is_found_in_every_panel(plane):
    x, y = np.median(plane.held_out(), axis=0)
    plane.drag((x, y), (x + 2, y), (x + 2, y + 2), (x, y + 2))
    inside = ((plane.held_out() > (x, y)) & (plane.held_out() < (x + 2, y + 2))).all(1)
    chosen = [f"1:{i}" for i in np.flatnonzero(inside)]
    selected = int(plane.data(".lab", "selected"))
    assert abs(selected - len(chosen)) <= 3  # those beside the line
    assert len(set(plane.data(".lab", "selection").split(",")) & set(chosen[:50])) >= 45
    shown = plane.data(".chosen", "shown").split(",")
    assert len(shown) == min(60, selected)
    before = {name: plane.picture(name) for name in ("plane", "units", "unit", "rings")}
    plane.root.locator(".pick").nth(2).click()
    expect(plane.root.locator(".chosen")).to_have_attribute("data-focus", shown[2])
    for name, picture in before.items():
        assert plane.picture(name) != picture, name
    rebuilt = plane.root.evaluate(
        "async root => Array.from(await root.view.gallery.reconstruct([root.view.focused]))"
    )
    mean = plane.held_out()[int(shown[2].split(":")[1])]
    np.testing.assert_allclose(np.array(rebuilt) / 255, plane.decoded(mean), atol=HALF)
    plane.root.get_by_role("button", name="Select none").click()
    plane.shows(selected=0)


def test_what_is_shown_changes_the_picture(plane):
    pictures = [plane.picture("plane")]
    for name in ("Draws", "Ellipses", "Pictures", "Difference", "Train"):
        plane.root.get_by_role("button", name=name, exact=True).click()
        plane.page.wait_for_timeout(500)
        pictures.append(plane.picture("plane"))
    assert len({str(picture) for picture in pictures}) == len(pictures)
    for part in ("split=train", "codes=pictures", "field=difference"):
        expect(plane.page).to_have_url(re.compile(part))


def test_the_numbers_are_those_of_the_step(plane):
    mean, std = (plane.arrays[k][plane.arrays["split"] == 1] for k in ("mean", "std"))
    rate = (0.5 * (std**2 + mean**2 - 1) - np.log(std)).sum(1).mean()
    number = plane.root.locator(".number")
    assert float(number.nth(2).locator("b").inner_text()) == pytest.approx(rate, rel=0.01)
    expect(number.nth(0).locator("b")).to_have_text("0.750")
    expect(number.nth(1).locator("b")).to_have_text("0.250")
    number.nth(0).get_by_role("button").click()
    expect(number.nth(0).locator(".helptext")).to_contain_text("at step 3")


def test_of_more_units_any_two_are_shown_and_the_others_can_be_those_of_a_code(page, server, made):
    plane = Page(page, server, made[5])
    axes, mean = plane.root.locator(".axes select"), plane.held_out()
    order = axes.nth(0).evaluate("select => [...select.options].map((o) => Number(o.value))")
    std = plane.arrays["std"][plane.arrays["split"] == 1]
    rates = (0.5 * (std**2 + mean**2 - 1) - np.log(std)).mean(0)
    assert order == np.argsort(-rates).tolist()
    basis = plane.arrays["plane"]
    code = plane.root.evaluate(CODE, [0.5, -0.25])
    np.testing.assert_allclose(code, basis @ [0.5, -0.25], atol=1e-5)

    plane.root.locator(".matrix canvas").first.focus()
    for key in ("ArrowRight", "ArrowRight", "Enter"):  # the first row, second column
        page.keyboard.press(key)
    expect(plane.root.locator(".pca")).to_have_attribute("aria-pressed", "false")
    picked = [int(axes.nth(k).input_value()) for k in (0, 1)]
    assert picked == [order[1], order[0]]
    expect(page).to_have_url(re.compile(f"plane={picked[0]},{picked[1]}"))
    expect(plane.canvas).to_have_attribute("data-axes", ",".join(map(str, picked)))

    plane.root.locator(".decoded select").select_option("nearest")
    i = 17
    code = plane.root.evaluate(CODE, mean[i, picked].tolist())
    np.testing.assert_allclose(code, mean[i], atol=2e-3)
    moved = plane.root.evaluate(CODE, (mean[i, picked] + 1e-4).tolist())
    np.testing.assert_allclose(moved, mean[i] + 1e-4 * np.isin(range(5), picked), atol=2e-3)


def test_the_address_shows_the_same_elsewhere(page, server, made):
    plane = Page(page, server, made[5], plane="3,1", field="difference")
    plane.drag((-1.5, -1.5), (1.5, -1.5), (0, 2))
    plane.point(0.5, 0.5)
    selected = plane.data(".lab", "selected")
    assert int(selected) > 60  # more than are listed one by one
    expect(page).to_have_url(re.compile(r"at=0\.5.*select=~"))
    other = page.context.new_page()
    other.goto(page.url)
    root = other.locator(".lab.latent")
    expect(root).to_have_attribute("data-selected", selected, timeout=3 * PATIENCE)
    assert root.get_attribute("data-selection") == plane.data(".lab", "selection")
    expect(root.get_by_role("button", name="Difference")).to_have_attribute("aria-pressed", "true")
    assert [s.input_value() for s in root.locator(".axes select").all()] == ["3", "1"]
    expect(other.locator(".decoded")).to_have_attribute("data-at", plane.data(".decoded", "at"))
    other.close()


def test_back_and_forward_go_from_choice_to_choice(page, server, made):
    plane = Page(page, server, made[5])
    pressed = {"difference": "Difference", "train": "Train"}
    for part, name in pressed.items():
        page.get_by_role("button", name=name, exact=True).click()
        page.wait_for_url(f"**={part}*")
        plane.point(0.5, 0.5)  # is no choice to return to
        page.wait_for_url("**at=*")

    def shows(*choices):
        for part, name in pressed.items():
            button = page.get_by_role("button", name=name, exact=True)
            expect(button).to_have_attribute("aria-pressed", str(part in choices).lower())

    for step, choices in (
        (page.go_back, ["difference"]),
        (page.go_back, []),
        (page.go_forward, ["difference"]),
    ):
        step()
        shows(*choices)


def test_it_follows_a_run_that_trains_and_says_what_an_older_one_left_out(page, server, root):
    run = fakes.start(root)
    run.save_snapshot(5, fakes.snapshot(seed=5))
    fakes.progress(run, 5)
    page.goto(f"{server}/latent?run={run.id}")
    view = page.locator(".lab.latent")
    expect(view).to_have_attribute("data-snapshot", "5", timeout=3 * PATIENCE)
    expect(view.locator(".decoded .note")).to_have_text("The decoder of this step was not kept.")
    expect(view.locator(".pick")).to_have_count(24)  # of the 40 that any snapshot holds
    view.get_by_role("button", name="Train", exact=True).click()
    expect(view.locator(".chosen .note")).to_have_text(
        "This run kept pictures of 40 held-out images only."
    )
    run.save_snapshot(7, fakes.snapshot(seed=7))
    fakes.progress(run, 7)
    expect(view).to_have_attribute("data-snapshot", "7", timeout=PATIENCE)
    older = fakes.snapshot(seed=9)
    del older["std"]
    run.save_snapshot(9, older)
    fakes.progress(run, 9, "finished")
    expect(view.locator(".hint")).to_contain_text("older version without std", timeout=PATIENCE)
    run.delete()

"""The (α, λ) plane in a real browser: what one points at is what the form then says."""

import re
import shutil

import pytest
from playwright.sync_api import expect

from infovae_core import runs
from infovae_core.config import RunConfig
from infovae_core.objectives import InfoMaxVAE
from tests.e2e.conftest import PATIENCE


class Plane:
    """What a test asks of the plane; places are in the coordinates of the family."""

    def __init__(self, view):
        self.page, self.view = view.page, view
        self.root = self.page.locator(".family")
        self.svg = self.root.locator(".stage svg")
        self.train = self.page.get_by_role("button", name="Train", exact=True)

    def pixels(self, alpha, lam):
        """Where on the page a point is, once what lies above has come to rest."""
        rest = self.page.locator('[data-test-script-state="notRunning"]')
        expect(rest).to_be_visible(timeout=PATIENCE)
        self.svg.scroll_into_view_if_needed()
        before = None
        while (box := self.svg.bounding_box()) != before:
            before = box
            self.page.wait_for_timeout(100)
        return self.svg.evaluate(
            """(svg, point) => {
              const [x, y] = svg.closest(".family").plane.geometry.place(point);
              const at = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM());
              return [at.x, at.y];
            }""",
            [alpha, lam],
        )

    def click(self, alpha, lam):
        self.page.mouse.click(*self.pixels(alpha, lam))

    def field(self, name):
        return self.page.get_by_test_id("stSidebar").get_by_label(name, exact=True)

    def says(self, **fields):
        for name, value in fields.items():
            self.page.wait_for_function(
                """([name, value]) => {
                  const sidebar = document.querySelector("[data-testid=stSidebar]");
                  const found = [...sidebar.querySelectorAll(`[aria-label="${name}"]`)];
                  return found.length === 1 && found[0].value === value;
                }""",  # one, and none that is left of another objective
                arg=[name, str(value)],
                timeout=PATIENCE,
            )

    def choose(self, objective):
        self.page.get_by_role("combobox", name="Objective").click()
        self.page.get_by_role("option", name=objective, exact=True).click()
        expect(self.root.locator(".what")).to_contain_text(f"{objective} at", timeout=PATIENCE)


@pytest.fixture
def plane(view):
    view.open()
    plane = Plane(view)
    expect(plane.svg).to_be_visible(timeout=PATIENCE)
    return plane


def test_a_click_sets_the_knobs_and_nothing_else(plane):
    plane.field("Latent dimension d").fill("-5")  # wrong, and not to be lost
    plane.page.keyboard.press("Tab")
    expect(plane.train).to_be_disabled(timeout=PATIENCE)
    element = plane.svg.element_handle()
    plane.click(1, 1)
    plane.says(α=1, λ=1, Objective="InfoVAE", Divergence="Jensen–Shannon")
    expect(plane.root.locator(".sum")).to_have_text("α 1, λ 1: D + 0·R + Div")
    plane.says(**{"Latent dimension d": -5})
    plane.field("Latent dimension d").fill("2")
    plane.click(-9, 0.5)  # in the forbidden half
    said = "No λ below 1 − α: this is the β-VAE above"
    expect(plane.root.locator(".what")).to_have_text(said)
    expect(plane.root.locator(".nearest")).to_have_text("nearest: β = 10")
    expect(plane.root.locator(".announcer")).to_have_text(f"{said}: α −9, λ 10: D + 10·R + 0·Div")
    plane.says(α=-9, λ=10)
    expect(plane.train).to_be_enabled(timeout=PATIENCE)
    plane.click(0, 1)
    plane.says(Objective="VAE")
    expect(plane.root.locator(".nearest")).to_be_hidden()
    assert element.evaluate("svg => svg.isConnected")


def test_an_objective_stays_what_it_is_where_it_can(plane):
    plane.choose("β-VAE")
    plane.click(-6, 7)
    plane.says(β=7, Objective="β-VAE")
    plane.choose("InfoMax-VAE")
    plane.click(5, 30)
    plane.says(β=30, α=34, Objective="InfoMax-VAE")
    expect(plane.root.locator(".sum")).to_have_text("D − 4·R + 34·Div")
    expect(plane.root).to_contain_text("InfoMax, β = 30")
    plane.click(5, 3000)  # beyond the range of its β
    plane.says(α=5, λ=3000, Objective="InfoVAE")


def test_the_pointer_says_what_a_click_would_choose_and_a_drag_chooses_where_it_ends(plane):
    plane.page.mouse.move(*plane.pixels(1, 784))
    expect(plane.root.locator(".what")).to_have_text("MMD-VAE tutorial, MNIST")
    plane.page.mouse.move(*plane.pixels(0.5, 40))
    said = plane.root.locator(".what").text_content()
    plane.page.mouse.move(*plane.pixels(-2, 300))
    plane.page.mouse.down()
    plane.page.mouse.move(*plane.pixels(0.5, 40), steps=3)
    expect(plane.root.locator(".what")).to_have_text(said)
    plane.page.mouse.up()
    plane.says(α=0.5, λ=40)
    assert said == "α 0.5, λ 40"


def test_the_keyboard_moves_the_point_and_finds_the_members(plane):
    plane.click(-1, 30)
    plane.says(α=-1, λ=30)
    expect(plane.svg).to_have_attribute(
        "aria-label", re.compile("InfoVAE at α −1, λ 30: D \\+ 2·R")
    )
    plane.page.keyboard.press("Shift+ArrowRight")
    plane.says(α=-0.95, λ=30)
    for key in ("ArrowRight", "ArrowUp", "ArrowUp"):
        plane.page.keyboard.press(key)
    expect(plane.root.locator(".announcer")).to_contain_text("Div")
    alpha, lam = (float(plane.svg.get_attribute(f"data-{name}")) for name in ("alpha", "lam"))
    assert (alpha > -0.95, lam > 30) == (True, True)
    plane.says(α=f"{alpha:g}", λ=f"{lam:g}")
    plane.page.keyboard.press("Tab")  # to the first of the members
    focused = plane.root.locator(".keys :focus")
    expect(focused).to_have_attribute(
        "aria-label", re.compile(r"^VAE;.*: α 0, λ 1: D \+ R \+ 0·Div")
    )
    plane.page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-label", re.compile("^AAE"))
    plane.page.keyboard.press("Enter")
    plane.says(α=1, λ=1, Divergence="Jensen–Shannon")


def test_no_place_and_no_key_leads_into_the_forbidden_half(plane):
    """All pixels, and all walks along an axis until they end."""
    outcome = plane.svg.evaluate(
        """svg => {
          const { geometry } = svg.closest(".family").plane;
          const { alpha: [a0, a1], lam: [l0, l1] } = geometry.limits;
          const wrong = ([alpha, lam]) =>
            !(alpha >= a0 && alpha <= a1 && lam >= l0 && lam <= l1 && alpha + lam >= 1 - 1e-9);
          const bad = [];
          for (let x = 0; x < 262; x += 1.5) {
            for (let y = 0; y < 196; y += 1.5) {
              const { point } = geometry.aim([x, y]);
              if (wrong(point)) bad.push(point);
            }
          }
          const ends = [];
          for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
            for (const fine of [true, false]) {
              let [point, steps, stops] = [[-0.5, 30], 0, []];
              for (; steps < 2000; steps++) {
                const next = geometry.step(point, dx, dy, fine);
                if (wrong(next)) bad.push(next);
                if (String(next) === String(point)) break;
                const [across, up] = [next[0] - point[0], next[1] - point[1]];
                if (across * dx < 0 || (dy && up * dy <= 0)) bad.push(next);
                if (next[0] === 0 || next[0] === 1) stops.push(next[0]);
                point = next;
              }
              ends.push({ dx, dy, fine, point, steps, stops });
            }
          }
          return { bad, ends };
        }"""
    )
    assert outcome["bad"] == []
    for walk in outcome["ends"]:
        alpha, lam = walk["point"]
        match walk["dx"], walk["dy"]:
            case 1, 0:
                assert (alpha, lam, walk["stops"]) == (100, 30, [0, 1])
            case -1, 0:
                assert alpha + lam == pytest.approx(1)
            case 0, 1:
                assert (alpha, lam) == (-0.5, 1e5)
            case 0, -1:
                assert (alpha, lam) == (-0.5, 1.5)
        assert walk["steps"] > (40 if walk["fine"] else 3)


def test_the_run_in_view_is_a_ring_where_it_differs(view, root):
    run = runs.create(root, RunConfig(objective=InfoMaxVAE(beta=2, alpha=5)))
    run.set_status(state="finished")
    view.open(run)
    plane = Plane(view)
    ring = plane.root.locator("circle.run")
    expect(plane.root.locator(".what")).to_have_text("InfoMax-VAE at α 4, λ 2", timeout=PATIENCE)
    expect(ring).to_be_hidden()  # the form has its settings
    plane.click(1, 1)
    plane.says(Divergence="Jensen–Shannon")
    expect(ring).to_be_visible()
    expect(plane.root).to_contain_text("InfoMax, β = 2")
    box = ring.bounding_box()
    place = plane.pixels(4, 2)
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert middle == pytest.approx(tuple(place), abs=1)
    shutil.rmtree(run.path)


def test_a_bound_on_another_divergence_has_no_point_and_a_click_leads_back_to_the_family(
    view, root
):
    run = runs.create(root, RunConfig(objective=InfoMaxVAE(bound="pearson")))
    run.set_status(state="finished")
    view.open(run)
    plane = Plane(view)
    what, why = (plane.root.locator(f".{name}") for name in ("what", "sum"))
    expect(what).to_have_text("InfoMax-VAE has no point here", timeout=PATIENCE)
    expect(why).to_have_text("its bound is on another divergence than I")
    expect(plane.root.locator("circle.form")).to_be_hidden()
    plane.click(0.5, 40)
    plane.says(α=0.5, λ=40, Objective="InfoVAE")
    shutil.rmtree(run.path)

"""Opening a page at its own address in a real browser, as one does who was sent it."""

from playwright.sync_api import expect

from dashboard import landing
from tests.e2e.conftest import PATIENCE


def test_pages_find_the_server_at_once_and_log_no_errors(page, server):
    refused, errors = [], []
    page.on("response", lambda answer: answer.status >= 400 and refused.append(answer.url))
    page.on("console", lambda said: said.type == "error" and errors.append(said.text))
    for route in landing.routes:
        page.goto(f"{server}{route.path}")
        expect(page.get_by_role("button", name="Present")).to_be_visible(timeout=PATIENCE)
    assert refused == []
    assert errors == []


def test_the_first_page_needs_no_script_that_its_document_did_not_name(page, server):
    late, connected = [], []
    page.on("websocket", lambda socket: connected.append(socket))
    page.on(
        "request", lambda asked: connected and asked.url.endswith(".js") and late.append(asked.url)
    )
    page.goto(server)
    expect(page.locator(".lab .panels")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_role("button", name="Train", exact=True)).to_be_visible(timeout=PATIENCE)
    assert connected
    assert late == []

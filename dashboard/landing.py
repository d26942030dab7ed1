"""The document behind a page's own address, which says where the server is."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.file_util import get_static_dir

PAGES = Path(__file__).parent.parent / "pages"
FIRST = "train"  # stands at /
# Streamlit's script would ask for the server below the page, /latent/_stcore, and only after a
# refusal beside it: a round trip on opening a shared address, and errors in the console.
WHERE = """<script>
  window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href };
</script>"""
HEAD = "<head>"


async def landing(request: Request) -> HTMLResponse:
    """Streamlit's document, told where the server is."""
    text = (Path(get_static_dir()) / "index.html").read_text(encoding="utf-8")
    told = text.replace(HEAD, HEAD + WHERE, 1)
    return HTMLResponse(told, headers={"Cache-Control": "no-cache"})


routes = [
    Route(f"/{page.stem}", landing) for page in sorted(PAGES.glob("*.py")) if page.stem != FIRST
]

"""The document behind a page's address: it says where the server is, and what will be needed."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route
from streamlit.file_util import get_static_dir

from dashboard import access, assets

PAGES = Path(__file__).parent.parent / "pages"
FIRST = "train"  # stands at /
# Streamlit's script would ask for the server below the page, /latent/_stcore, and only after a
# refusal beside it: a round trip on opening a shared address, and errors in the console.
WHERE = """<script>
  window.__streamlit = { BACKEND_BASE_URL: new URL(".", location.href).href };
</script>"""
HEAD, END = "<head>", "</head>"
# What the first page shows, by the names of Streamlit's scripts and of our components. A browser
# would learn of each when the page's first run is over, of what that one imports after it, and so
# on; so it loads them while Streamlit itself starts.
WATCHED = ("Html", "BidiComponent"), ("live", "present")
CHOSEN = ("Button", "ButtonGroup", "Checkbox", "NumberInput", "Selectbox", "TextInput"), ("family",)
FORMULAS = "rehype-katex"


async def landing(request: Request) -> HTMLResponse:
    """Streamlit's document, told where the server is."""
    first = request.url.path == "/"
    told = document(assets.assets_version(), first, access.viewer())
    return HTMLResponse(told, headers={"Cache-Control": "no-cache"})


@lru_cache(maxsize=4)
def document(version: str, first: bool, viewer: bool) -> str:
    """Streamlit's, with our words in its head; `version` only says how long to keep it."""
    static = Path(get_static_dir())
    text = (static / "index.html").read_text(encoding="utf-8").replace(HEAD, HEAD + WHERE, 1)
    if not first:
        return text
    widgets, components = WATCHED
    if not viewer:
        widgets, components = (*widgets, *CHOSEN[0], FORMULAS), (*components, *CHOSEN[1])
    needed = [f"./{name}" for name in chunks(static / "manifest.json", widgets)]
    needed += [address for name in components for address in assets.modules(name)]
    sheets = [address for name in components for address in assets.sheets(name)]
    links = [link("modulepreload", address) for address in needed if address not in text]
    links += [link("preload", address, ' as="fetch"') for address in sheets]
    return text.replace(END, "\n".join([*dict.fromkeys(links), END]), 1)


def link(kind: str, address: str, more: str = "") -> str:
    """Ask a browser for a file that it will need."""
    return f'<link rel="{kind}"{more} crossorigin fetchpriority="low" href="{address}">'


def chunks(manifest: Path, names: tuple[str, ...]) -> list[str]:
    """The files of Streamlit's scripts of these names, and of all that they import.

    None of a name that there is not, or where Streamlit does not say: they come later then.
    """
    try:
        about = json.loads(manifest.read_text(encoding="utf-8"))
        loaded = [key for key, each in about.items() if each.get("isDynamicEntry")]
        waiting = [key for key in loaded if about[key].get("name") in names]
        found: dict[str, str] = {}
        while waiting:
            key = waiting.pop()
            if key not in found:
                found[key] = about[key]["file"]
                waiting += about[key].get("imports", ())
    except (OSError, ValueError, LookupError, AttributeError, TypeError):
        return []
    return [file for file in found.values() if file.endswith(".js")]


routes = [
    Route("/" if page.stem == FIRST else f"/{page.stem}", landing)
    for page in sorted(PAGES.glob("*.py"))
]

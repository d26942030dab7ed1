"""The document behind a page's address."""

import json
import re
from pathlib import Path

import pytest
from streamlit.file_util import get_static_dir

from dashboard import assets, landing

STATIC = Path(get_static_dir())
ADDED = re.compile(r'<link rel="[^>]+" crossorigin fetchpriority="low" href="([^"]+)">')
MANIFEST = {
    "a.tsx": {"name": "A", "file": "a.js", "isDynamicEntry": True, "imports": ["_b.js", "x.css"]},
    "_b.js": {"name": "b", "file": "b.js", "imports": ["_c.js", "a.tsx"]},
    "_c.js": {"name": "c", "file": "c.js"},
    "x.css": {"file": "x.css"},
    "z/A.js": {"name": "A", "file": "other.js"},
    "d.tsx": {"name": "D", "file": "d.js", "isDynamicEntry": True, "imports": ["_c.js"]},
}


@pytest.fixture
def manifest(tmp_path):
    def written(text):
        (tmp_path / "manifest.json").write_text(text)
        return tmp_path / "manifest.json"

    return written


def test_a_script_comes_with_all_that_it_imports(manifest):
    path = manifest(json.dumps(MANIFEST))
    assert sorted(landing.chunks(path, ("A",))) == ["a.js", "b.js", "c.js"]
    assert sorted(landing.chunks(path, ("D", "unheard"))) == ["c.js", "d.js"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "7", '{"a": []}', '{"a": {"name": "A", "isDynamicEntry": true}}'),
        '{"a": {"name": "A", "isDynamicEntry": true, "file": "a.js", "imports": ["gone"]}}',
    ],
)
def test_where_streamlit_says_nothing_that_is_understood_scripts_come_later(manifest, text):
    assert landing.chunks(manifest(text), ("A",)) == []
    assert landing.chunks(manifest(text).parent / "none.json", ("A",)) == []


@pytest.mark.parametrize("viewer", [False, True])
def test_all_that_the_first_page_names_is_there(viewer):
    version = assets.assets_version()
    addresses = ADDED.findall(landing.document(version, True, viewer))
    assert len(set(addresses)) == len(addresses) > 0
    for address in addresses:
        if address.startswith("./"):
            assert (STATIC / address).is_file()
        else:
            *_, component, name = address.split("/")
            assert assets.packed(version, component, name), address
    assert {Path(address).suffix for address in addresses} == {".js", ".css"}


def test_streamlit_has_a_script_of_each_name():
    for name in (*landing.WATCHED[0], *landing.CHOSEN[0], landing.FORMULAS):
        assert landing.chunks(STATIC / "manifest.json", (name,)), name


def test_other_pages_and_viewers_load_no_more_than_they_show():
    version = assets.assets_version()
    whole = set(ADDED.findall(landing.document(version, True, False)))
    assert set(ADDED.findall(landing.document(version, True, True))) < whole
    assert not ADDED.findall(landing.document(version, False, False))


def test_sheets_are_all_that_a_component_has_and_those_of_the_live_view():
    for component, folder in assets.STATIC.items():
        own = {sheet.name for sheet in folder.glob("*.css")}
        named = {tuple(sheet.split("/")[-2:]) for sheet in assets.sheets(component)}
        assert {name for origin, name in named if origin == component} == own
        assert {origin for origin, _ in named} <= {component, "live"}
        assert all((assets.STATIC[origin] / name).is_file() for origin, name in named)

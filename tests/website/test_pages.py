"""The files of the site: links within it, what is loaded from elsewhere, and the reference."""

import posixpath
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

import mlp_c
import mlp_c.mpi
import mlp_c.plotting

PUBLIC = [f"mlp_c.{name}" for name in mlp_c.__all__]
PUBLIC += [
    f"{module.__name__}.{name}"
    for module in (mlp_c.kernels, mlp_c.mpi, mlp_c.plotting)
    for name in module.__all__
]
# The attributes that make a browser load something with the page.
LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
# Links of these kinds are not loaded.
NOT_LOADED = {"author", "index", "next", "prev", "search"}


class _Page(HTMLParser):
    """What a page links to and loads, and the anchors that it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors = set(), set(), {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id", "")}
        if tag == "a" and attributes.get("href"):
            self.links.add(attributes["href"])
        if attributes.get("rel") in NOT_LOADED:
            return
        for name in ("src", "href"):
            if (tag, name) in LOADED and name in attributes:
                self.loaded.add(attributes[name])


@pytest.fixture(scope="module")
def pages(site):
    """Every page, by its path within the site."""
    paths = [path for path in site.rglob("*.html") if "_static" not in path.parts]
    return {path.relative_to(site).as_posix(): _Page(path) for path in paths}


def _target(name, link):
    """The file, relative to the site, and the anchor that a link of a page leads to."""
    parts = urlsplit(link)
    path = unquote(parts.path)
    file = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
    return file, unquote(parts.fragment)


def test_every_link_within_the_site_leads_somewhere(site, pages):
    astray = []
    for name, page in pages.items():
        for link in page.links | page.loaded:
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            file, anchor = _target(name, link)
            has_anchor = file not in pages or anchor in pages[file].anchors
            if not ((site / file).is_file() and has_anchor):
                astray.append((name, link))
    assert astray == []


def test_no_page_loads_anything_from_elsewhere(pages):
    elsewhere = [
        (name, link)
        for name, page in pages.items()
        for link in page.loaded
        if urlsplit(link).netloc
    ]
    assert elsewhere == []


def test_every_public_name_is_in_the_reference(site):
    inventory = pytest.importorskip("sphinx.util.inventory").InventoryFile
    with (site / "objects.inv").open("rb") as file:
        described = inventory.load(file, "", posixpath.join)
    names = {name for kind in described if kind.startswith("py:") for name in described[kind]}
    assert set(PUBLIC) <= names, set(PUBLIC) - names

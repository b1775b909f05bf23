"""The site, opened in a browser as a phone and as a desk would."""

import pytest

WIDTHS = {"phone": 390, "desk": 1280}
MENU = ["Start", "Guide", "Coming from", "Gallery", "Reference", "Inside"]
# Pages with wide tables, formulas, pictures and long lines of code.
WIDE = [
    "docs/examples/basics/plot_digits.html",
    "docs/guide/options.html",
    "docs/inside/benchmarks.html",
    "docs/reference/generated/mlp_c.MLPClassifier.html",
    "docs/reference/generated/mlp_c.kernels.backward.html",
    "notebooks/tabular.html",
]
# What scrolls sideways: the whole page, or the article within it.
TOO_WIDE = """
[document.documentElement, ...document.querySelectorAll(".bd-article-container")]
    .filter(box => box.scrollWidth > box.clientWidth)
    .map(box => `${box.className || box.tagName}: ${box.scrollWidth} > ${box.clientWidth}`)
"""


@pytest.fixture(params=WIDTHS)
def page(request, browser, address):
    """A page of the browser, which collects what is wrong with what it opens."""
    context = browser.new_context(
        base_url=address, viewport={"width": WIDTHS[request.param], "height": 844}
    )
    page = context.new_page()
    page.faults = []
    page.on("console", lambda message: _note(page, message.type == "error", message.text))
    page.on("pageerror", lambda error: _note(page, True, str(error)))
    page.on("request", lambda asked: _note(page, not _is_here(asked.url, address), asked.url))
    # What is still being loaded when the page is left is aborted.
    page.on(
        "requestfailed", lambda asked: _note(page, asked.failure != "net::ERR_ABORTED", asked.url)
    )
    page.on("response", lambda answer: _note(page, answer.status >= 400, answer.url))
    yield page
    context.close()


def _note(page, is_fault, text):
    if is_fault:
        page.faults.append(text)


def _is_here(url, address):
    return url.startswith((address, "data:"))


def _check(page):
    """Whether the page that is open is whole and fits the width."""
    pictures = page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
    assert pictures == []
    assert page.evaluate(TOO_WIDE) == []
    assert page.faults == []


def test_the_menu_leads_to_every_section(page):
    page.goto("index.html")
    page.wait_for_url("**/docs/index.html")
    _check(page)
    for entry in MENU:
        if page.viewport_size["width"] == WIDTHS["phone"]:
            page.locator(".primary-toggle").click()
        link = page.locator("nav a:visible", has_text=entry).first
        link.click()
        page.wait_for_url(lambda url: not url.endswith("docs/index.html"))
        assert page.locator("h1").is_visible()
        _check(page)
        page.goto("docs/index.html")


@pytest.mark.parametrize("name", WIDE)
def test_a_page_is_whole_and_fits_the_width(page, name):
    page.goto(name)
    _check(page)


def test_the_search_finds_a_page(page):
    page.goto("search.html?q=dropout")
    page.locator("#search-results li a").first.wait_for()
    _check(page)

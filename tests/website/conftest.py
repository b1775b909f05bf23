"""The site, built once for all tests, and a browser that opens it."""

import functools
import os
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("google-chrome", "chromium-browser", "chromium")
GENERATED = ("examples", "generated", "executed")
# Of the gallery one example is run; the others' pages show their code.
EXAMPLE = "plot_digits"


def _build(folder):
    """Build the site from a copy of its pages, and without what another build generated."""
    source = folder / "source"
    for name in ("docs", "notebooks", "csrc"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns(*GENERATED))
    for page in ROOT.glob("*.md"):
        shutil.copy(page, source)
    options = ("-n", "-W", "--keep-going", "-q", "-c", "docs", "-d", folder / "doctrees")
    built = subprocess.run(
        [sys.executable, "-m", "sphinx", *map(str, options), ".", str(folder / "html")],
        cwd=source,
        env={**os.environ, "MLP_C_GALLERY": EXAMPLE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site: that which MLP_C_SITE names, or one built here.

    The processes of pytest-xdist share it: the first that asks builds it.
    """
    if given := os.environ.get("MLP_C_SITE"):
        return Path(given)
    for module in ("sphinx_gallery", "myst_nb", "numpydoc", "pydata_sphinx_theme", "filelock"):
        pytest.importorskip(module)
    from filelock import FileLock

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "site"
    with FileLock(f"{folder}.lock"):
        if not folder.is_dir():
            building = folder.with_name("building")
            _build(building)
            building.rename(folder)
    return folder / "html"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def address(site):
    """Where the site is served."""
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is installed")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable)
        yield chromium
        chromium.close()

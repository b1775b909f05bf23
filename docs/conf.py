"""How Sphinx builds the site: `make docs` writes build/docs/html.

The source directory is the repository's root, so links among docs/, notebooks/ and the files beside
them mean on the site what they mean in the repository. Nothing is fetched, neither by the build nor
by the pages.

MLP_C_GALLERY is a regular expression: only examples whose file names match are run, and the pages
of the others show their code alone.
"""

import inspect
import os
import sys
from pathlib import Path

from sphinx.util.inspect import stringify_signature

import mlp_c

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "mlp_c"
author = "The mlp_c developers"
copyright = author
version = release = mlp_c.__version__

extensions = [
    "inventories",
    "mathml",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
root_doc = "docs/index"
# What is left are the pages under docs/ and notebooks/, and those beside them.
exclude_patterns = [
    ".*",
    "README.md",
    "benchmarks",
    "build",
    "csrc",
    "dist",
    "docs/_templates",
    "docs/examples/**.ipynb",
    "docs/gallery",
    "mlp_c",
    "notebooks/executed",
    "tests",
]
nitpicky = True
toc_object_entries_show_parents = "hide"
templates_path = [str(Path(__file__).parent / "_templates")]

# Docstrings. Their parameters' types are in their text.
autodoc_typehints = "none"
autosummary_generate = True
default_role = "literal"
numpydoc_show_class_members = False

# Pages.
myst_heading_anchors = 6
nb_execution_mode = "off"
copybutton_prompt_text = r">>> |\.\.\. |\$ |In \[\d*\]: "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "docs/gallery",
    "gallery_dirs": "docs/examples",
    "backreferences_dir": "docs/reference/generated/examples",
    "doc_module": ("mlp_c",),
    "reference_url": {"mlp_c": None},
    "filename_pattern": os.environ.get("MLP_C_GALLERY", "."),
    "ignore_pattern": r"/_",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "write_computation_times": False,
    "show_signature": False,
    "matplotlib_animations": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "mlp_c"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_extra_path = ["_root"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"docs/start": []}
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    # Not beside examples, where it would leave too little room for their lines of code.
    "secondary_sidebar_items": {
        "docs/start": ["page-toc"],
        **{
            f"docs/{section}": ["page-toc"]
            for section in ("coming_from/*", "guide/*", "inside/*", "reference/**")
        },
    },
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
}


def _signature(app, what, name, obj, options, signature, return_annotation):
    """A class's own signature: Sphinx would take that of `__new__` alone."""
    if what != "class":
        return None
    own = inspect.signature(obj)
    return stringify_signature(own, show_annotation=False, show_return_annotation=False), None


def setup(app):
    app.connect("autodoc-process-signature", _signature)

"""What a release must say the same of, and that the version stands in one place."""

import re

import pytest

import mlp_c
from runners import release

DAY = "2027-01-31"


@pytest.fixture
def root(tmp_path):
    """A checkout of a version to be released."""
    (tmp_path / "mlp_c").mkdir()
    (tmp_path / "mlp_c" / "_version.py").write_text('__version__ = "1.2.3"\n')
    (tmp_path / "CITATION.cff").write_text("title: it\nversion: 1.2.3\n")
    text = f"# Changelog\n\n## 1.2.3 ({DAY})\n\n- New.\n\n## 1.2.2 (2026-01-01)\n\n- Old.\n"
    (tmp_path / "CHANGELOG.md").write_text(text)
    return tmp_path


def test_a_release_that_fits_is_described_by_its_section(root):
    assert release.find_faults("v1.2.3", root) == []
    assert release.read_newest_section(root) == ("1.2.3", DAY, "- New.")


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("mlp_c/_version.py", "1.2.3", "1.2.4", "the tag must be v1.2.4, got v1.2.3"),
        ("CITATION.cff", "1.2.3", "1.2.2", "CITATION.cff must have the version 1.2.3, has 1.2.2"),
        ("CITATION.cff", "version", "vision", "CITATION.cff must have the version 1.2.3, has None"),
        ("CHANGELOG.md", "1.2.3", "1.3.0", "must begin with 1.2.3, begins with 1.3.0"),
        ("CHANGELOG.md", DAY, "unreleased", "must have the day of 1.2.3, .* has unreleased"),
    ],
)
def test_what_does_not_fit_is_named(root, file, old, new, fault):
    path = root / file
    path.write_text(path.read_text().replace(old, new))
    found = "\n".join(release.find_faults("v1.2.3", root))
    assert re.search(fault, found)


def test_this_checkout_has_one_version():
    root = release.ROOT
    if not (root / "CITATION.cff").exists():
        pytest.skip("not a checkout")
    assert release.read_version(root) == mlp_c.__version__ == release.read_cited_version(root)
    assert release.read_newest_section(root)[0] == mlp_c.__version__

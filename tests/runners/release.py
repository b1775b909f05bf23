"""Whether a tag, the version, the changelog and the citation fit; prints the changelog's section.

release.py v0.1.0
"""

import re
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def read_version(root: Path) -> str:
    return runpy.run_path(str(root / "mlp_c" / "_version.py"))["__version__"]


def read_cited_version(root: Path) -> str | None:
    found = re.search(r"^version: (.+)$", (root / "CITATION.cff").read_text(), re.MULTILINE)
    return found[1] if found else None


def read_newest_section(root: Path) -> tuple[str, str, str]:
    """The version, the day and the text of the topmost section of the changelog."""
    text = (root / "CHANGELOG.md").read_text()
    found = re.search(r"^## (\S+) \(([^)\n]+)\)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return (found[1], found[2], found[3].strip()) if found else ("", "", "")


def find_faults(tag: str, root: Path) -> list[str]:
    """What does not fit a release by this tag."""
    version, faults = read_version(root), []
    if tag != f"v{version}":
        faults.append(f"the tag must be v{version}, got {tag}")
    if (cited := read_cited_version(root)) != version:
        faults.append(f"CITATION.cff must have the version {version}, has {cited}")
    newest, day, _ = read_newest_section(root)
    if newest != version:
        faults.append(f"CHANGELOG.md must begin with {version}, begins with {newest or 'nothing'}")
    elif not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
        faults.append(f"CHANGELOG.md must have the day of {version}, as in 2027-01-31, has {day}")
    return faults


def main() -> int:
    (tag,) = sys.argv[1:]
    if faults := find_faults(tag, ROOT):
        print(*faults, sep="\n", file=sys.stderr)
        return 1
    print(read_newest_section(ROOT)[2])
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The examples of docs/guide/distributed.md, as they stand."""

from pathlib import Path

import pytest

from support.pages import python_blocks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "distributed.md"


def examples():
    """The blocks of Python before the first section that says that it is not run."""
    text = PAGE.read_text(encoding="utf-8")
    with_dask, others = text[: text.index("\n## Ray\n")], text[text.index("\n## Ray\n") :]
    return python_blocks(with_dask), python_blocks(others)


@pytest.mark.filterwarnings("ignore")
def test_the_examples_run_in_turn_and_what_they_say_is_so(monkeypatch, tmp_path, capsys):
    """Each uses what those before it have made, and prints whether it is as the page says."""
    for module in ("dask.array", "dask.dataframe", "dask.distributed"):
        pytest.importorskip(module)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}  # so that functions are sent, and not looked up
    try:
        for example in examples()[0]:
            exec(example, names)
            said = capsys.readouterr().out
            assert set(said.split()) == {"True"}, f"{said}\n{example}"
    finally:
        names["client"].shutdown()


def test_the_page_has_no_other_example_with_dask():
    with_dask, others = examples()
    assert len(with_dask) == 5
    assert len(others) == 2
    assert not any("dask" in example for example in others)

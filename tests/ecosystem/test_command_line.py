"""The commands of ``python -m mlp_c``: what they print, and what they say of what is wrong."""

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix

import mlp_c
from mlp_c import MLPClassifier, MLPRegressor, TabularMLPClassifier, TabularMLPRegressor
from mlp_c._cli import bench, cells, rivals, rows
from mlp_c._cli.main import main, make_parser

pd = pytest.importorskip("pandas")
pytest.importorskip("safetensors")
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.thread_unsafe(reason="captures the output of the process"),
]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "command_line.md"
COMMANDS = ["info", "bench", "predict"]

# ---- tables and models ----

N = 60
_rng = np.random.default_rng(0)
FLOWERS = pd.DataFrame(_rng.normal(size=(N, 3)), columns=["petal", "sepal", "größe"])
NUMBERS = np.digitize(FLOWERS["petal"], [-0.5, 0.5])
WORDS = np.array(["aster", "iris", "rose"])[NUMBERS]
HOUSES = pd.DataFrame(
    {
        "area": np.where(_rng.random(N) < 0.2, np.nan, _rng.normal(size=N)),
        "town": _rng.choice(["Aber", "Bala", None], N),
        "code": _rng.choice(["007", "7"], N),  # words, though they look like numbers
        "sold": _rng.random(N) < 0.5,
    }
)
PRICES = np.nan_to_num(HOUSES["area"].to_numpy()) + HOUSES["sold"]


def make(cls, **parameters):
    """An estimator whose fit takes some milliseconds."""
    quick = {"n_members": 2} if "Tabular" in cls.__name__ else {}
    defaults = {"hidden_layer_sizes": 5, "max_iter": 3, "random_state": 0, **quick}
    return cls(**defaults | parameters)


def fit_models():
    """A fitted model of each kind, by the name of its file, and the table that it predicts."""
    two = np.c_[NUMBERS, 2.0 * NUMBERS]
    several = np.c_[WORDS, np.where(NUMBERS > 1, "big", "small")].astype(object)
    indicator = np.c_[NUMBERS > 0, NUMBERS > 1].astype(int)
    quantiles = make(MLPRegressor, loss="quantile", quantile=[0.1, 0.9])
    of_table = make(TabularMLPRegressor, loss="quantile", quantile=[0.1, 0.9])
    flowers = {
        "words": make(MLPClassifier).fit(FLOWERS, WORDS),
        "numbers": make(MLPClassifier).fit(FLOWERS, NUMBERS),
        "floats": make(MLPClassifier).fit(FLOWERS, NUMBERS.astype(float)),
        "two_classes": make(MLPClassifier).fit(FLOWERS, WORDS == "rose"),
        "several": make(MLPClassifier).fit(FLOWERS, several),
        "indicator": make(MLPClassifier).fit(FLOWERS, csr_matrix(indicator)),
        "float32": make(MLPClassifier, compute_dtype="float32").fit(FLOWERS, WORDS),
        "regressor": make(MLPRegressor).fit(FLOWERS, PRICES),
        "two_targets": make(MLPRegressor).fit(FLOWERS, two),
        "quantiles": quantiles.fit(FLOWERS, PRICES),
        "array": make(MLPClassifier).fit(FLOWERS.to_numpy(), WORDS),
        "table_of_array": make(TabularMLPClassifier).fit(FLOWERS.to_numpy(), WORDS),
        "unfitted": make(MLPClassifier),
    }
    houses = {
        "table": make(TabularMLPRegressor).fit(HOUSES, PRICES),
        "table_two_targets": make(TabularMLPRegressor).fit(HOUSES, np.c_[PRICES, -PRICES]),
        "table_quantiles": of_table.fit(HOUSES, np.c_[PRICES, -PRICES]),
        "table_words": make(TabularMLPClassifier).fit(HOUSES, WORDS),
    }
    return {name: (model, FLOWERS) for name, model in flowers.items()} | {
        name: (model, HOUSES) for name, model in houses.items()
    }


@pytest.fixture(scope="module")
def models():
    return fit_models()


@pytest.fixture(scope="module")
def files(tmp_path_factory, models):
    """A folder of all models, and of both tables with a column more, as a target is."""
    folder = tmp_path_factory.mktemp("command_line")
    for name, (model, _) in models.items():
        model.save(folder / f"{name}.safetensors")
    FLOWERS.assign(target=WORDS).to_csv(folder / "flowers.csv", index=False)
    FLOWERS.to_csv(folder / "bare.csv", index=False)
    FLOWERS.to_csv(folder / "no_header.csv", index=False, header=False)
    HOUSES.assign(target=PRICES)[["target", *HOUSES.columns[::-1]]].to_csv(
        folder / "houses.csv", index=False
    )
    return folder


@pytest.fixture(autouse=True)
def in_the_folder(files, monkeypatch):
    monkeypatch.chdir(files)


@pytest.fixture
def predict(capsys):
    """Calls the command; gives the rows that it has written and its notes."""

    def call(name, table, *options):
        assert main(["predict", f"{name}.safetensors", str(table), *options]) == 0
        printed = capsys.readouterr()
        return read(printed.out), printed.err

    return call


@pytest.fixture
def refuse(capsys):
    """Calls a command that ends with an error; gives its line."""

    def call(*argv):
        assert main(list(map(str, argv))) == 1
        printed = capsys.readouterr()
        assert printed.out == ""
        *_, line = printed.err.splitlines()
        assert "Traceback" not in printed.err
        prefix = f"mlp_c {argv[0]}: "
        assert line.startswith(prefix)
        return line.removeprefix(prefix)

    return call


def read(text):
    """The columns of CSV, as text."""
    header, *lines = csv.reader(io.StringIO(text))
    assert len(set(header)) == len(header)
    return dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))


def as_text(values):
    return [str(value) for value in values]


def run(*argv, **options):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "mlp_c", *argv]
    return subprocess.run(command, capture_output=True, timeout=120, **options)


# ---- predictions ----


def table_for(table):
    return "flowers.csv" if table is FLOWERS else "houses.csv"


SINGLE = ["words", "numbers", "floats", "two_classes", "float32", "regressor", "table"]


@pytest.mark.parametrize("name", [*SINGLE, "table_words"])
def test_predictions_are_those_of_the_model(name, models, predict):
    model, table = models[name]
    columns, notes = predict(name, table_for(table))
    assert columns == {"prediction": as_text(model.predict(table))}
    assert notes == "note: columns that the model was not fitted with are ignored: ['target']\n"


@pytest.mark.parametrize("name", ["several", "indicator", "two_targets", "table_two_targets"])
def test_each_of_several_outputs_has_a_column(name, models, predict):
    model, table = models[name]
    expected = model.predict(table)
    expected = expected.toarray() if name == "indicator" else expected
    columns, _ = predict(name, table_for(table))
    assert columns == {f"prediction_{j}": as_text(expected[:, j]) for j in range(2)}


def test_each_of_several_quantiles_has_a_column(models, predict):
    expected = models["quantiles"][0].predict(FLOWERS)
    columns, _ = predict("quantiles", "flowers.csv")
    assert columns == {
        "prediction_q0.1": as_text(expected[:, 0]),
        "prediction_q0.9": as_text(expected[:, 1]),
    }


def test_each_quantile_of_each_target_has_a_column(models, predict):
    expected = models["table_quantiles"][0].predict(HOUSES)
    columns, _ = predict("table_quantiles", "houses.csv")
    assert columns == {
        f"prediction_q{quantile}_{j}": as_text(expected[:, j, k])
        for k, quantile in enumerate((0.1, 0.9))
        for j in range(2)
    }


@pytest.mark.parametrize("name", [*SINGLE[:5], "table_words", "indicator"])
def test_each_class_has_a_column_of_probabilities(name, models, predict):
    model, table = models[name]
    probabilities = model.predict_proba(table)
    columns, _ = predict(name, table_for(table), "--proba")
    columns = {column: v for column, v in columns.items() if not column.startswith("prediction")}
    assert list(columns) == as_text(model.classes_)
    assert list(columns.values()) == [as_text(of_class) for of_class in probabilities.T]


def test_classes_of_several_columns_have_the_number_of_theirs(models, predict):
    probabilities = models["several"][0].predict_proba(FLOWERS)
    columns, _ = predict("several", "flowers.csv", "--proba")
    assert list(columns)[2:] == ["aster_0", "iris_0", "rose_0", "big_1", "small_1"]
    assert columns["small_1"] == as_text(probabilities[1][:, 1])


def test_intervals_are_those_of_the_model(models, predict):
    expected = models["table"][0].predict_interval(HOUSES, 0.2)
    columns, _ = predict("table", "houses.csv", "--interval", "0.2")
    assert list(columns) == ["prediction", "lower", "upper"]
    assert [columns["lower"], columns["upper"]] == [as_text(ends) for ends in expected.T]


def test_intervals_of_several_targets_have_their_numbers(models, predict):
    expected = models["table_two_targets"][0].predict_interval(HOUSES, 0.2)
    columns, _ = predict("table_two_targets", "houses.csv", "--interval", "0.2")
    assert list(columns)[2:] == ["lower_0", "lower_1", "upper_0", "upper_1"]
    assert columns["upper_0"] == as_text(expected[:, 0, 1])


@pytest.mark.parametrize("name", ["array", "table_of_array"])
@pytest.mark.parametrize("table", ["bare.csv", "no_header.csv"])
def test_a_model_that_knows_no_names_takes_all_columns_in_order(name, table, models, predict):
    options = ["--no-header"] if table == "no_header.csv" else []
    columns, notes = predict(name, table, *options)
    assert columns["prediction"] == as_text(models[name][0].predict(FLOWERS.to_numpy()))
    assert notes == ""


def test_a_model_that_knows_names_takes_the_columns_in_order_if_the_file_has_none(
    models, predict, tmp_path
):
    HOUSES.to_csv(tmp_path / "rows.csv", index=False, header=False)
    columns, notes = predict("table", tmp_path / "rows.csv", "--no-header")
    assert columns["prediction"] == as_text(models["table"][0].predict(HOUSES))
    assert notes == ""


def test_a_first_line_of_numbers_is_remarked_upon(predict):
    columns, notes = predict("array", "no_header.csv")
    assert len(columns["prediction"]) == N - 1
    assert "holds numbers" in notes
    assert "--no-header" in notes


@pytest.mark.parametrize("name", ["words", "array", "table", "table_words"])
@pytest.mark.parametrize("has_header", [True, False])
def test_another_delimiter_and_lower_case_truth_are_read(
    name, has_header, models, predict, tmp_path
):
    model, table = models[name]
    lower_case = table.assign(sold=HOUSES["sold"].map({True: "true", False: "false"}))
    written = lower_case if table is HOUSES else table
    written.to_csv(tmp_path / "rows.csv", index=False, header=has_header, sep=";")
    options = ["--delimiter", ";", *([] if has_header else ["--no-header"])]
    columns, notes = predict(name, tmp_path / "rows.csv", *options)
    given = table.to_numpy() if name == "array" else table
    assert columns["prediction"] == as_text(model.predict(given))
    assert notes == ""


def test_a_tab_is_a_delimiter(models, predict, tmp_path):
    FLOWERS.to_csv(tmp_path / "rows.tsv", index=False, sep="\t")
    columns, _ = predict("words", tmp_path / "rows.tsv", "--delimiter", r"\t")
    assert columns["prediction"] == as_text(models["words"][0].predict(FLOWERS))


def test_a_byte_order_mark_and_other_line_ends_are_read(models, predict, tmp_path):
    FLOWERS.to_csv(tmp_path / "rows.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    columns, _ = predict("words", tmp_path / "rows.csv")
    assert columns["prediction"] == as_text(models["words"][0].predict(FLOWERS))


def test_a_category_without_a_known_value_is_remarked_upon(predict, tmp_path):
    HOUSES.assign(town="Cwm").to_csv(tmp_path / "rows.csv", index=False)
    _, notes = predict("table", tmp_path / "rows.csv")
    assert notes == "note: column 'town': the model knows none of its values, such as 'Cwm'\n"


# ---- what text means ----


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("options", [[], ["--no-header"]])
def test_blank_lines_around_several_columns_are_no_rows(end, options, predict, tmp_path):
    lines = [*([] if options else ["petal,sepal,größe"]), "1,2,3", "4,5,6"]
    path = write(tmp_path / "rows.csv", end.join(["", "", *lines, "", ""]))
    columns, _ = predict("words", path, *options)
    assert len(columns["prediction"]) == 2


@pytest.mark.parametrize(("text", "options"), [("area\n\n1\n\n", []), ("\n1\n\n", ["--no-header"])])
def test_blank_lines_of_a_single_column_are_gaps(text, options, predict, tmp_path):
    areas = HOUSES[["area"]]
    model = make(TabularMLPRegressor).fit(areas, PRICES)
    model.save(tmp_path / "one.safetensors")
    path = write(tmp_path / "rows.csv", text)
    columns, _ = predict(tmp_path / "one", path, *options)
    expected = model.predict(pd.DataFrame({"area": [np.nan, 1, np.nan]}))
    assert columns["prediction"] == as_text(expected)


@pytest.mark.parametrize("text", ["1_0", "\u0663", "0x10", "1,5", "1e999", "-", "\0"])
def test_what_is_no_number_is_refused(text, refuse, tmp_path):
    path = write(tmp_path / "rows.csv", f'petal,sepal,größe\n1,"{text}",3\n')
    error = refuse("predict", "words.safetensors", path)
    assert error.startswith(f"{path}: column 'sepal' holds {text!r} in row 1")


@pytest.mark.parametrize(
    ("text", "number"),
    [("1D3", None), (" 7 ", 7), ("1e3", 1000), ("NA", np.nan), ("null", np.nan), ("true", 1)],
)
def test_numbers_have_one_meaning(text, number):
    if number is None:
        with pytest.raises(ValueError, match="1D3"):
            cells.to_number(text)
    else:
        assert cells.to_number(text) == pytest.approx(number, abs=0, nan_ok=True)


def test_text_stands_for_levels_of_any_type():
    texts = ["", "NA", "null", "7", "007", "7.0", "2.5", "True", "true", "9007199254740993", "x"]
    assert cells.find_levels(texts, ("NA", "007", 7, 2.5, (True,), 2**53 + 1, None)) == {
        "": None,
        "NA": "NA",
        "null": None,
        "7": 7,
        "007": "007",
        "7.0": 7,
        "2.5": 2.5,
        "True": True,
        "true": True,
        "9007199254740993": 2**53 + 1,
    }
    assert cells.find_levels(["1", "True"], ("1", 1)) == {"1": "1"}


def test_a_category_of_several_types_is_read_back(predict, tmp_path):
    kinds = pd.DataFrame({"kind": np.resize(np.array([1, "a", 2.5, True, None], object), N)})
    model = make(TabularMLPRegressor).fit(kinds, np.arange(N) % 5)
    model.save(tmp_path / "kinds.safetensors")
    kinds.to_csv(tmp_path / "rows.csv", index=False)
    columns, notes = predict(tmp_path / "kinds", tmp_path / "rows.csv")
    expected = as_text(model.predict(kinds))
    assert len(set(expected)) == 5
    assert (columns["prediction"], notes) == (expected, "")


def test_labels_of_any_text_read_back(predict, tmp_path):
    labels = np.array(["a\rb", 'q"', "x,y", "l\nm", ""])
    model = make(MLPClassifier, max_iter=300).fit(FLOWERS[:5], labels)
    model.save(tmp_path / "labels.safetensors")
    columns, _ = predict(tmp_path / "labels", "flowers.csv", "--proba")
    assert columns["prediction"] == as_text(model.predict(FLOWERS))
    assert {*columns} == {"prediction", *labels}


def test_the_output_goes_to_a_file(models, predict, tmp_path, capsys):
    argv = ["predict", "words.safetensors", "bare.csv", "--output", str(tmp_path / "out.csv")]
    assert main(argv) == 0
    assert capsys.readouterr().out == ""
    written = (tmp_path / "out.csv").read_text(encoding="utf-8")
    assert read(written)["prediction"] == as_text(models["words"][0].predict(FLOWERS))


# ---- errors of predictions ----


def write(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_missing_file_is_named(refuse):
    assert refuse("predict", "no.safetensors", "bare.csv") == (
        "no.safetensors: No such file or directory"
    )
    assert refuse("predict", "words.safetensors", "no.csv") == "no.csv: No such file or directory"


def test_a_damaged_model_is_named(refuse, files, tmp_path):
    contents = bytearray((files / "words.safetensors").read_bytes())
    contents[-1] ^= 1
    damaged = write(tmp_path / "damaged.safetensors", bytes(contents))
    assert refuse("predict", damaged, "bare.csv") == (
        f"'{damaged}': this file is damaged, or was not made by mlp_c"
    )


def test_an_unfitted_model_is_refused(refuse):
    error = refuse("predict", "unfitted.safetensors", "bare.csv")
    assert error.startswith("unfitted.safetensors: This MLPClassifier instance is not fitted yet")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "{} is empty"),
        ("\n\n", "{} is empty"),
        ("petal,sepal,größe\n", "{} has no rows"),
        (
            "petal,sepal\n1,2\n",
            "{} has no column 'größe', which the model was fitted with; it has ['petal', 'sepal']",
        ),
        (
            "petal;sepal\n1;2\n",
            "{} has no columns ['petal', 'sepal', 'größe'], which the model was fitted with; "
            "it has ['petal;sepal']",
        ),
        (
            "petal,sepal,größe\n1,2,3\n1,x,3\n",
            "{}: column 'sepal' holds 'x' in row 2; MLPClassifier takes finite numbers only",
        ),
        (
            "petal,sepal,größe\n1,2,3\n1,,3\n",
            "{}: column 'sepal' has a gap in row 2; MLPClassifier takes finite numbers only",
        ),
        (
            "petal,sepal,größe\n1,2,3\n1,2\n",
            "{}: line 3: expected 3 cells, as many as the first line has, got 2",
        ),
        (
            'petal,sepal,größe\n"1",2,"3"\n"\n",2,3,4\n',
            "{}: line 4: expected 3 cells, as many as the first line has, got 4",
        ),
        (
            "petal,sepal,größe\n1,2,3\n\n1,2,3\n",
            "{}: line 3: expected 3 cells, as many as the first line has, got 0",
        ),
        (
            'petal,sepal,größe\n1,2,"3\n1,2,3\n',
            "{}: line 3: unexpected end of data",
        ),
        (
            "petal,sepal,größe\n1,inf,3\n",
            "{}: column 'sepal' holds 'inf' in row 1; MLPClassifier takes finite numbers only",
        ),
        (
            "petal,petal,größe\n1,2,3\n",
            "{} has more than one column 'petal'; if its first line is a row, add --no-header",
        ),
        (
            "petal,sepal,größe\n1,2,3\n".encode("latin-1"),
            "{} is not UTF-8 text: byte 0xf6 in line 1",
        ),
    ],
)
def test_what_is_wrong_with_the_rows_is_said(text, complaint, refuse, tmp_path):
    path = write(tmp_path / "rows.csv", text)
    assert refuse("predict", "words.safetensors", path) == complaint.format(path)


def test_another_number_of_columns_is_said_in_words(refuse):
    assert refuse("predict", "array.safetensors", "flowers.csv") == (
        "flowers.csv has 4 columns, but the model was fitted with 3"
    )


def test_a_column_of_words_in_the_place_of_numbers_is_named(refuse, tmp_path):
    path = tmp_path / "rows.csv"
    HOUSES.assign(area="large").to_csv(path, index=False)
    error = refuse("predict", "table.safetensors", path)
    assert error == (
        f"{path}: column 'area' holds 'large' in row 1; TabularMLPRegressor takes finite numbers "
        "and gaps there"
    )


def test_options_for_other_models_are_refused(refuse):
    assert refuse("predict", "regressor.safetensors", "bare.csv", "--proba") == (
        "--proba needs a classifier, got the MLPRegressor of regressor.safetensors"
    )
    assert refuse("predict", "regressor.safetensors", "bare.csv", "--interval", "0.1") == (
        "--interval needs a TabularMLPRegressor, got the MLPRegressor of regressor.safetensors"
    )


def test_intervals_of_several_quantiles_are_refused(refuse):
    error = refuse("predict", "table_quantiles.safetensors", "houses.csv", "--interval", "0.1")
    assert "predict_interval needs a loss of one estimate" in error


@pytest.mark.parametrize(
    ("label", "complaint"),
    [
        ("prediction", "the name 'prediction', which is that of a class: leave out --proba"),
        ("a\ud800", r"stdout: 'utf-8' codec can't encode character '\ud800'"),
    ],
)
def test_labels_that_cannot_be_written_are_named(label, complaint, refuse, tmp_path):
    labels = np.where(NUMBERS > 1, label, "other")
    path = tmp_path / "labels.safetensors"
    make(MLPClassifier).fit(FLOWERS, labels).save(path)
    error = refuse("predict", path, "bare.csv", "--proba")
    assert complaint in error


@pytest.mark.parametrize("place", range(3))
def test_a_path_with_a_null_character_is_refused(place, refuse):
    paths = ["words.safetensors", "bare.csv", "out.csv"]
    paths[place] = "a\0b"
    model, table, output = paths
    assert "null" in refuse("predict", model, table, "--output", output)


def test_an_output_in_a_folder_that_is_not_there_is_refused(refuse, tmp_path):
    path = tmp_path / "missing" / "out.csv"
    assert refuse("predict", "words.safetensors", "bare.csv", "--output", path) == (
        f"{path}: No such file or directory"
    )


def test_too_little_memory_is_an_error_of_one_line(refuse, monkeypatch):
    def no_memory(*_, **__):
        raise MemoryError

    monkeypatch.setattr(rows, "read", no_memory)
    error = refuse("predict", "words.safetensors", "bare.csv")
    assert error == "there is not enough memory"


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["fit"], "invalid choice: 'fit'"),
        (["predict", "a"], "the following arguments are required: ROWS"),
        (["predict", "a", "b", "--interval", "2"], "must be a number between 0 and 1, got '2'"),
        (["predict", "a", "b", "--interval", "x"], "must be a number between 0 and 1, got 'x'"),
        (["predict", "a", "b", "--delimiter", "ab"], "must be one ASCII character, got 'ab'"),
        (["predict", "a", "b", "--output", ""], "must be the name of a file, got ''"),
        (["predict", "a", ""], "must be the name of a file, got ''"),
        (["bench", "--seconds", "0"], "invalid positive number value: '0'"),
        (["bench", "--threads", "1.5"], "invalid positive integer value: '1.5'"),
    ],
)
def test_a_wrong_command_line_is_refused_with_code_2(argv, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


# ---- processes ----


def test_predictions_in_a_process_read_stdin(models, files):
    result = run("predict", "words.safetensors", "-", input=(files / "bare.csv").read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    columns = read(result.stdout.decode())
    assert columns["prediction"] == as_text(models["words"][0].predict(FLOWERS))


def test_an_error_in_a_process_is_one_line_and_code_1():
    result = run("predict", "words.safetensors", "-", input=b"")
    assert (result.returncode, result.stdout) == (1, b"")
    assert result.stderr.decode().splitlines() == ["mlp_c predict: stdin is empty"]


@pytest.mark.skipif(sys.platform == "win32", reason="pipes close in another way")
def test_a_closed_pipe_is_quiet():
    with subprocess.Popen(
        [sys.executable, "-m", "mlp_c", "predict", "words.safetensors", "bare.csv"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.close()  # long before anything is written
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.parametrize(
    ("name", "argv", "code"),
    [
        ("stdin", ["predict", "words.safetensors", "-"], 1),
        ("stdout", ["predict", "words.safetensors", "bare.csv"], 1),
        ("stdout", ["info"], 1),
        ("stdout", ["predict", "words.safetensors", "bare.csv", "--output", "out.csv"], 0),
    ],
)
def test_a_closed_stream_is_named_if_it_is_needed(name, argv, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, name, None)
    assert main(argv) == code
    expected = f"mlp_c {argv[0]}: {name} is closed\n" if code else ""
    assert capsys.readouterr() == ("", expected)


@pytest.mark.parametrize(
    ("argv", "code"),
    [(["predict", "words.safetensors", "flowers.csv"], 0), (["predict", "a", "b"], 1)],
)
def test_without_stderr_notes_and_errors_are_not_on_stdout(argv, code, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(argv) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[:1] == ([] if code else ["prediction"])


def test_without_stderr_a_wrong_command_line_is_not_on_stdout(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stderr", None)
    with pytest.raises(SystemExit) as ended:
        main(["fit"])
    assert ended.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("argv", [["predict", "words.safetensors", "bare.csv"], ["--help"]])
def test_a_full_disk_is_an_error_of_one_line(argv):
    command = [sys.executable, "-m", "mlp_c", *argv]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=buffered, timeout=120
        )
    assert result.returncode == 1
    assert re.fullmatch("mlp_c.*: No space left on device\n", result.stderr)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_full_disk_for_notes_is_no_error(monkeypatch, capsys):
    with open("/dev/full", "wb", buffering=0) as full:
        stderr = io.TextIOWrapper(full, write_through=True)
        monkeypatch.setattr(sys, "stderr", stderr)
        assert main(["predict", "words.safetensors", "flowers.csv"]) == 0
        with pytest.raises(OSError, match="No space"):
            stderr.write("a note")
    assert capsys.readouterr().out.startswith("prediction\n")


INTERRUPTED = """
import sys
from mlp_c._cli import rows
from mlp_c._cli.main import main

read = rows.read
rows.read = lambda *args, **options: (print(flush=True), read(*args, **options))[1]
sys.exit(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way")
def test_ctrl_c_is_quiet():
    with subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, "predict", "words.safetensors", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        process.stdout.readline()  # it begins to wait for rows
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
        assert process.wait() == 130


def test_the_package_is_imported_without_its_commands():
    code = "import sys, mlp_c; print([name for name in sys.modules if 'mlp_c._cli' in name])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "[]\n"


# ---- what there is, and how fast it is ----


def test_info_in_a_process_says_what_show_config_does_and_more():
    result = run("info")
    assert (result.returncode, result.stderr) == (0, b"")
    lines = dict(re.findall(r"^ *([\w-]+): (.+)$", result.stdout.decode(), re.MULTILINE))
    assert lines["version"] == mlp_c.__version__
    assert lines["isa"] == mlp_c.show_config(mode="dicts")["isa"]
    assert lines["numpy"] == np.__version__
    assert lines["pandas"] == pd.__version__
    assert int(lines["cpus"]) >= 1
    assert lines["platform"]
    assert lines["processor"]


def test_info_as_json_has_the_same(capsys):
    assert main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.items() >= mlp_c.show_config(mode="dicts").items()
    assert found["packages"]["numpy"] == np.__version__


def test_info_says_of_a_package_that_it_is_not_installed(capsys, monkeypatch):
    monkeypatch.setattr("mlp_c._cli.info._OPTIONAL", ("no-such-package",))
    assert main(["info"]) == 0
    assert "no-such-package: not installed" in capsys.readouterr().out


def test_bench_in_a_process_compares_in_each_case():
    result = run("bench", "--seconds", "0.1", "--threads", "1", text=True)
    assert result.returncode == 0, result.stderr
    head, *lines = result.stdout.splitlines()
    assert f"mlp_c {mlp_c.__version__}" in head
    assert "scikit-learn" in head
    for case, line in zip(bench.CASES, lines, strict=False):
        assert line.startswith(case.name)
        figures = re.search(r"  ([\d.e-]+) +([\d.e-]+) +([\d.]+) x", line).groups()
        ours, theirs, ratio = map(float, figures)
        assert ratio == pytest.approx(theirs / ours, rel=0.02, abs=0.06)
    assert "threads: 1\n" in result.stdout
    assert "A short measurement" in result.stdout
    progress = [line for line in result.stderr.splitlines() if line.endswith(".")]
    assert len(progress) == len(bench.CASES)


class SlowMachine:
    """A clock by which all takes longer than it should, and what keeps a benchmark busy."""

    def __init__(self, slowness):
        self.now, self.slowness, self.goals = 0.0, slowness, []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def ask(self, name, worker, function, *arguments):
        if function is rivals.measure:
            self.goals += arguments
            self.now += self.slowness * (arguments[0] + 0.05)
            return 1.0
        self.now += self.slowness * 0.3
        return name


@pytest.mark.parametrize("slowness", [1, 4, 8])
def test_bench_holds_its_time_on_a_slow_machine(slowness, monkeypatch, capsys):
    machine = SlowMachine(slowness)
    monkeypatch.setattr(bench, "time", machine)
    monkeypatch.setattr(bench, "_ask", machine.ask)
    results = bench._run_cases(dict.fromkeys(rivals.RIVALS), 2, 60)
    assert [case for case, _ in results] == list(bench.CASES)
    assert 40 < machine.now < 66
    assert len(machine.goals) >= len(rivals.RIVALS) * len(bench.CASES)
    assert max(machine.goals) > 0


@pytest.mark.parametrize("name", rivals.RIVALS)
def test_each_rival_trains_and_predicts_in_each_case(name):
    if name == "PyTorch":
        pytest.importorskip("torch")
    for case in bench.CASES:
        assert name.partition(" ")[0] in rivals.prepare(name, case, 1)
        assert rivals.measure(0.001) > 0
        rival = rivals._measured["rival"]
        rival.fit(5)
        assert np.mean(rival.predict(rival.X) == rival.y) > 1.1 / case.widths[-1], case


def test_all_rivals_have_the_same_data_of_a_fixed_seed():
    for case in bench.CASES:
        (X, y), (again, same) = case.make_data(), case.make_data()
        assert X.tobytes() + y.tobytes() == again.tobytes() + same.tobytes()
        assert X.dtype == case.dtype
        share = np.count_nonzero(X) / X.size
        assert share == pytest.approx(case.share_of_ink, abs=0.01)


def test_a_rival_that_cannot_be_imported_is_left_out(monkeypatch, capsys):
    def fail(name, worker, *_):
        if name == "PyTorch":
            raise ImportError("no torch here")
        return name

    monkeypatch.setattr(bench, "_ask", fail)
    workers = {"mlp_c": None, "PyTorch": None}
    assert bench._prepare(workers, bench.CASES[0], 1) == {"mlp_c": "mlp_c"}
    assert workers == {"mlp_c": None}
    assert capsys.readouterr().err == "note: PyTorch is left out: no torch here\n"


# ---- help ----


def test_the_version_is_shown(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mlp_c {mlp_c.__version__}\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_the_parser_takes(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    _, examples = capsys.readouterr().out.split("examples:\n")
    found = re.findall(r"python -m mlp_c ([^|>\n]+)", examples)
    assert found
    for example in found:
        assert make_parser().parse_args(example.split()).command == command


@pytest.mark.parametrize("command", COMMANDS)
def test_the_guide_tells_of_every_option(command, capsys):
    with pytest.raises(SystemExit):
        main([command, "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    text = PAGE.read_text(encoding="utf-8")
    assert {option for option in options if option not in text} == set()

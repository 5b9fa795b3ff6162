"""Runs side by side: what their files say, refused by name where they are not a run's."""

import json
import os
import re

import pytest

from jaxgen.workbench import cli, run_files
from jaxgen.workbench.compare import compare

EVIL = "<script>alert(1)</script>"


def write(path, config, epochs=(), result=None, part=""):
    (path / part).mkdir(parents=True, exist_ok=True)
    (path / "config.json").write_text(json.dumps(config))
    if result is not None:
        (path / "result.json").write_text(json.dumps(result))
    lines = [json.dumps({"epoch": i, **record}) + "\n" for i, record in enumerate(epochs, 1)]
    if lines:
        (path / part / "metrics.jsonl").write_text("".join(lines))
    return str(path)


@pytest.fixture
def two(tmp_path):
    """Of one recipe; the second has a last record that a kill has torn."""
    common = {"run_dir": "x", "devices": 1, "hidden": [64, 32]}
    a = write(
        tmp_path / "a",
        {**common, "beta": 1.0},
        [{"validation_elbo": y, "seconds": i} for i, y in enumerate((-30, -27.5, -28))],
        {"test_nll": 27.125, "means": {"kl": 3}, "seconds": 8.5, "images": [1, 2]},
    )
    b = write(tmp_path / "b", {**common, "run_dir": "y", "beta": 4.0}, [{"validation_elbo": -29}])
    with open(f"{b}/metrics.jsonl", "a") as file:
        file.write('{"epoch": 2, "validation_e')
    return [a, b]


def said(runs, capsys, *flags):
    compare([*runs, *flags], "compare")
    return capsys.readouterr().out


def rows(text):
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()]


def test_flags_numbers_and_curves_stand_side_by_side(two, capsys):
    text = said(two, capsys)
    for row in (
        ["flag", "a", "b"],
        ["beta", "1", "4"],
        ["test_nll", "27.125"],
        ["means.kl", "3"],
        ["validation_elbo, last", "-28 at 3", "-29 at 1"],
        ["validation_elbo, lowest", "-30 at 1", "-29 at 1"],
        ["validation_elbo, highest", "-27.5 at 2", "-29 at 1"],
    ):
        assert row in rows(text)
    assert not {"hidden", "run_dir"} & {row[0] for row in rows(text)}
    assert "b has no result yet." in text.splitlines()


def test_what_cannot_be_compared_is_said_in_a_line(two, tmp_path, capsys):
    alone = said(two[:1], capsys)
    assert alone.endswith("There is one run alone, and nothing to compare it with.\n")
    other = write(tmp_path / "other", {"unroll": 5}, result={"modes": 8})
    lines = said([two[0], other], capsys).splitlines()
    assert "The runs have different flags: they are of several recipes or versions." in lines
    assert {"other has no records of epochs.", "The runs share no curve."} <= {*lines}
    path = tmp_path / "c.png"
    assert f"nothing is drawn: {path}" in said([two[0], other], capsys, "--output", str(path))
    assert not path.exists()


def test_of_one_name_the_paths_are_shown(tmp_path, capsys):
    both = [write(tmp_path / place / "run", {"seed": i}) for i, place in enumerate("ab")]
    assert ["flag", *both] in rows(said(both, capsys))


def test_curves_are_drawn_of_parts_too(tmp_path, capsys):
    curve = [{"kl": 1.0}, {"kl": 3.0}, {"kl": None}]
    runs = [write(tmp_path / name, {}, curve, part="beta_1") for name in "$_"]
    page, picture = tmp_path / "c.html", tmp_path / "c.png"
    for path in (page, picture):
        assert f"written: {path}" in said(runs, capsys, "--output", str(path))
    assert page.read_text().count('points="5.0,115.0 235.0,5.0"') == 2
    assert "beta_1/kl" in page.read_text()
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_names_in_a_run_are_text(tmp_path, capsys):
    hostile = {EVIL: 1, "[bold]x": "\x1b[2J"}
    curve = [{f"validation_{EVIL}": 1, "validation_$\\frac": i} for i in range(2)]
    runs = [write(tmp_path / name, {**hostile, "of": name}, curve, hostile) for name in "ab"]
    page, picture = tmp_path / "c.html", tmp_path / "c.png"
    for path in (page, picture):
        text = said(runs, capsys, "--output", str(path))
    assert "[bold]x" not in text  # the same in both
    assert f"validation_{EVIL}, last" in text
    assert EVIL not in page.read_text()
    assert "&lt;script&gt;" in page.read_text()
    (tmp_path / "b" / "config.json").write_text('{"[bold]x": "y\\u001b[2J"}')
    text = said(runs, capsys)
    assert "\x1b" not in text
    assert "[bold]x" in text
    assert "y?[2J" in text


MALFORMED = {
    "no object": "[1]",
    "no JSON": "{",
    "a number that JSON has not": '{"a": NaN}',
    "no float": '{"a": 1e999}',
    "an integer beyond": '{"a": 1' + "0" * 400 + "}",
    "within": '{"a": [{"b": -1e999}]}',
    "too deep": '{"a": ' + "[" * 40 + "]" * 40 + "}",
    "far too deep": '{"a": ' + "[" * 100_000,
    "no text": b"\xff",
}


@pytest.mark.parametrize("file", ["config.json", "result.json", "metrics.jsonl"])
@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_refused_by_name(file, content, two):
    path = f"{two[1]}/{file}"
    line = file == "metrics.jsonl"
    with open(path, "wb") as written:
        written.write(b"{}\n" if line else b"")
        written.write((content if isinstance(content, bytes) else content.encode()) + b"\n")
    where = re.escape(path) + (", line 2" if line else "")
    with pytest.raises(ValueError, match=f"^runs: {where}: got .*, expected "):
        compare(two, "compare")


@pytest.mark.parametrize("epoch", ["3", '"1"', "1.0", "true", "null", "[]"])
def test_records_of_other_epochs_are_refused(epoch, two):
    with open(f"{two[1]}/metrics.jsonl", "w") as file:
        file.write(f'{{"epoch": {epoch}}}\n')
    with pytest.raises(ValueError, match=r"line 1: got the epoch .*, expected 1, the number of"):
        compare(two, "compare")


def test_what_is_no_regular_file_of_a_size_is_refused(two, monkeypatch):
    monkeypatch.setattr(run_files, "MAX_BYTES", 20)
    with pytest.raises(ValueError, match=r"config\.json: got \d+ bytes, expected 20 at most"):
        compare(two, "compare")
    monkeypatch.undo()
    os.remove(f"{two[1]}/metrics.jsonl")
    os.mkfifo(f"{two[1]}/metrics.jsonl")
    with pytest.raises(ValueError, match=r"metrics\.jsonl: got no regular file, expected one"):
        compare(two, "compare")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "runs: got none, expected the directories of one run or more"),
        (["nowhere"], "runs: got 'nowhere', expected a run directory, with a config.json"),
        (["a", "--output", "a.pdf"], "output: got 'a.pdf', expected a name in .html or .png"),
        (["a", "--output", "b/a.png"], "output: got 'b/a.png', expected it in a folder"),
    ],
)
def test_the_command_line_refuses_in_a_line(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        cli.choose(["compare", *arguments])
    assert left.value.code == 2
    assert capsys.readouterr().err == f"error: {message}\n"

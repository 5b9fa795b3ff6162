"""A file and a name make an estimator; what makes none is told in a line."""

import pytest

from benchmarks.named_estimator import certify_named, load_estimator
from jaxgen.certify import toy

MINE = """
from jaxgen.estimators import leave_one_out, score_function

NUMBER = 3

def mine(num_samples):
    return score_function(num_samples, baseline=leave_one_out())

def halved(num_samples):
    return num_samples / 2
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_file.py"
    path.write_text(MINE)
    return path


def test_a_name_of_a_file_makes_an_estimator(file):
    assert load_estimator(f"{file}:mine")(2).unbiased


def test_a_name_of_the_table_is_that_of_the_table(file):
    assert load_estimator("rloo")(2) == load_estimator(f"{file}:mine")(2)


@pytest.mark.parametrize(
    ("named", "refusal"),
    [
        ("nowhere.py:mine", "expected FILE.py:NAME of a file that is there"),
        ("my_file", "expected FILE.py:NAME of a file that is there, or a name of .*ESTIMATORS"),
        ("{file}", "expected FILE.py:NAME of a file that is there"),
        ("{file}:yours", "got 'yours', which .* has not, expected one of .*'mine', 'halved'"),
        ("{file}:NUMBER", "got NUMBER of .*, int, expected a function `num_samples -> Estimator`"),
        ("{file}:halved", "got halved of .*, function, expected a function `num_samples -> Est"),
    ],
)
def test_what_makes_no_estimator_is_named(file, named, refusal):
    with pytest.raises(ValueError, match=rf"^estimator: .*{refusal}") as error:
        load_estimator(named.format(file=file))
    assert "\n" not in str(error.value)


def test_the_certificate_is_a_page_with_a_picture(file, tmp_path, capsys):
    result = certify_named(f"{file}:mine", [toy(0.45)._replace(steps=(1,))], 400, str(tmp_path), {})
    assert result == {"holds": True, "refused": {}}
    page = (tmp_path / "certificate.md").read_text()
    assert "No bias seen" in page
    assert "(certificate.png)" in page
    assert (tmp_path / "certificate.png").read_bytes().startswith(b"\x89PNG")
    assert "No bias seen" in capsys.readouterr().out

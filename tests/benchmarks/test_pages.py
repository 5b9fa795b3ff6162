"""Every page of results is what the command writes from the JSON beside it."""

import json
import re
from pathlib import Path

from benchmarks import pages
from benchmarks.markdown import short

RESULTS = Path(pages.RESULTS)


def test_committed_pages_are_those_that_the_command_writes():
    written = pages.pages(RESULTS)
    assert {path.name for path in RESULTS.glob("*.md")} == set(written)
    for name, text in written.items():
        assert (RESULTS / name).read_text("utf-8") == text, "python -m benchmarks.pages"


def test_a_page_holds_the_ratios_and_versions_of_its_record():
    record = json.loads((RESULTS / "training_speed_cpu.json").read_text("utf-8"))
    page = (RESULTS / "training_speed_cpu.md").read_text("utf-8")
    for name, ratio in record["ratios"].items():
        assert f"| {name} | {ratio['median']:.3g} |" in page
    assert f"jax {record['environment']['versions']['jax']}" in page
    assert "python -m benchmarks.training_speed" in page


def test_the_index_links_to_every_page():
    index = (RESULTS / "README.md").read_text("utf-8")
    assert {path.name for path in RESULTS.glob("*.md")} - {"README.md"} == set(
        re.findall(r"\]\(([\w.]+)\)", index)
    )


def test_a_changed_record_changes_its_page(tmp_path):
    record = json.loads((RESULTS / "bigan_step_cpu.json").read_text("utf-8"))
    record["ratios"]["jaxgen / torch"]["median"] = 12.34
    (tmp_path / "bigan_step_cpu.json").write_text(json.dumps(record))
    pages.run(pages.Config(results=str(tmp_path)))
    assert "| jaxgen / torch | 12.3 |" in (tmp_path / "bigan_step_cpu.md").read_text("utf-8")
    assert set(tmp_path.glob("*.md")) == {tmp_path / "bigan_step_cpu.md", tmp_path / "README.md"}


def test_numbers_are_short():
    assert [short(x) for x in (0.12345, 5910000.0, 12.0, 1e-7)] == [
        "0.123",
        "5,910,000",
        "12",
        "1e-07",
    ]

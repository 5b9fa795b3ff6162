"""The page of a run shows what its files hold, and runs nothing that stands in them."""

import json
import re
from html.parser import HTMLParser

from jaxgen.workbench.page import run_page

EVIL = "<script>alert(1)</script>"


class Seen(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self.sources = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data):
        self.text.append(data)


def filled(path):
    (path / "config.json").write_text(json.dumps({"dataset": EVIL, "hidden": ["64, 32", 16]}))
    (path / "result.json").write_text(
        json.dumps({"nll": 22.625, "of": {EVIL: 1, "lost": None}, "kl": list(range(16))})
    )
    lines = [{"epoch": i, "elbo": y, EVIL: y} for i, y in enumerate((-3.0, None, -1.0), 1)]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"epoch": 4, "el'
    for folder in (path, path / "beta_2"):
        folder.mkdir(exist_ok=True)
        (folder / "metrics.jsonl").write_text(text)
    (path / "pictures").mkdir()
    (path / "pictures" / 'a"b&.png').write_bytes(b"")
    return Seen(run_page(path))


def test_the_page_shows_numbers_curves_and_pictures(tmp_path):
    seen = filled(tmp_path)
    for text in ("22.625", "64, 32; 16", "0, 1, 2, 3, 4, 5, 6, 7, ... (16 in all)", "of.lost", "-"):
        assert text in seen.text
    assert "elbo: -1 at 3 (from -3 to -1)" in seen.text
    assert "Epochs of beta_2" in seen.text
    assert seen.sources == ["data:,", *2 * ["pictures/a%22b%26.png"]]


def test_what_has_like_parts_is_a_table(tmp_path):
    scores = {"VAE": {"nll": 90.5, "p": 0.25}, EVIL: {"nll": None, EVIL: [1, 2]}}
    paths = {"noise": [{"x": 1.5}, {"x": 2.5}]}
    (tmp_path / "result.json").write_text(json.dumps({"scores": scores, "of": {"paths": paths}}))
    seen = Seen(run_page(tmp_path))
    cells = [text for text in seen.text if text.strip()]
    rows = ["scores", "nll", "p", EVIL, "VAE", "90.5", "0.25", EVIL, "-", "1, 2"]
    assert cells[-16:] == [*rows, "of.paths.noise", "x", "1", "1.5", "2", "2.5"]
    assert seen.tags.count("th") == 6  # of each table one is empty
    assert "script" not in seen.tags


def test_a_curve_goes_through_what_was_recorded(tmp_path):
    filled(tmp_path)
    points = re.search(r'points="([^"]*)"', run_page(tmp_path))
    assert points is not None
    assert points[1] == "5.0,115.0 235.0,5.0"  # the null between is left out


def test_what_stands_in_the_files_is_text(tmp_path):
    seen = filled(tmp_path)
    assert "script" not in seen.tags
    assert sum(EVIL in text for text in seen.text) >= 3


def test_a_run_that_has_only_begun_has_a_page(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert "table" not in Seen(run_page(tmp_path)).tags

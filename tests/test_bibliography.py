"""Every citation resolves to one entry of the bibliography, and every entry is cited."""

import functools
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jaxgen.bibliography import BIBLIOGRAPHY, Publication, publication

ROOT = Path(__file__).parents[1]
NAME = r"(?:van den |Del? )?\b[A-Z][\w-]+"
SEVERAL = rf"{NAME}(?:(?:, {NAME})* & {NAME}| et al\.)"
YEAR = r"(?:18|19|20)\d\d[a-z]?\b"
CITATION = re.compile(
    rf"(?P<told>{SEVERAL}|{NAME}) \((?P<year>{YEAR})\)"  # Neal (2001)
    rf"|(?P<beside>{SEVERAL}) (?P<its_year>{YEAR})"  # (Li & Turner 2016; Burda et al. 2016)
    rf"|[(;] ?(?P<alone>{NAME}) (?P<own_year>{YEAR})[);,]"  # (Kitagawa 1996)
)
TITLE = re.compile(r', "([^"]+)"')
HOSTS = {
    *("arxiv.org", "doi.org", "openreview.net", "proceedings.mlr.press", "www.jmlr.org"),
    "artowen.su.domains",  # an online book's own page
}


def text_of(path):
    """The text of a file in one line, without the signs of comments."""
    text = path.read_text()
    if path.suffix == ".ipynb":
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return in_one_line(text)


def in_one_line(text):
    return re.sub(r"\s*\n\s*(#\s)?", " ", text)


@functools.cache
def citations(text):
    """The keys that a text cites, with what follows each: (key, text)."""
    keys = []
    for found in CITATION.finditer(text):
        of = found.groupdict()
        names = of["told"] or of["beside"] or of["alone"]
        year = of["year"] or of["its_year"] or of["own_year"]
        keys.append((f"{names} ({year})", text[found.end() : found.end() + 250]))
    return keys


def unresolved(text):
    return [key for key, _ in citations(text) if key not in BIBLIOGRAPHY]


def other_titles(text):
    """The quoted titles beside citations that are no part of their entry's title."""
    for key, after in citations(text):
        title = TITLE.match(after)
        if title and key in BIBLIOGRAPHY and plain(title[1]) not in plain(BIBLIOGRAPHY[key].title):
            yield key, title[1]


def plain(title):
    return re.sub(r"[^\w+]+", " ", title.lower().replace("χ²", "chi-square"))


def without_a_year(text):
    """The short forms, "Metz et al.", whose year the text says nowhere."""
    whole = " ".join(key for key, _ in citations(text))
    short = re.findall(rf"({NAME} et al\.)(?! \(?{YEAR})", text)
    return [names for names in short if f"{names} (" not in whole]


TEXTS = {
    str(path.relative_to(ROOT)): text_of(path)
    for path in (
        ROOT / "README.md",
        *(
            path
            for folder in ("jaxgen", "experiments", "benchmarks", "tests")
            for path in sorted((ROOT / folder).rglob("*"))
            if path.suffix in (".py", ".ipynb") and path != Path(__file__)
        ),
    )
}


def test_every_citation_has_its_entry():
    missing = {path: keys for path, text in TEXTS.items() if (keys := unresolved(text))}
    assert not missing, f"not in jaxgen/bibliography.toml: {missing}"


def test_every_entry_is_cited():
    cited = {key for text in TEXTS.values() for key, _ in citations(text)}
    assert not BIBLIOGRAPHY.keys() - cited


def test_a_title_beside_a_citation_is_that_of_its_entry():
    assert not {path: found for path, text in TEXTS.items() if (found := [*other_titles(text)])}


def test_what_is_cited_without_a_year_is_cited_with_it_in_the_same_text():
    assert not {path: names for path, text in TEXTS.items() if (names := without_a_year(text))}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Source: Neal (2001), section 2.", ["Neal (2001)"]),
        ("van den Oord et\n    al. (2016a)", ["van den Oord et al. (2016a)"]),
        ("IndeCateR: De Smet et al. (2023).", ["De Smet et al. (2023)"]),
        ("# Liese &\n# Vajda (1987)", ["Liese & Vajda (1987)"]),
        ("(Li & Turner 2016; Burda\net al. 2016.)", ["Li & Turner (2016)", "Burda et al. (2016)"]),
        ("strata (Kitagawa 1996).", ["Kitagawa (1996)"]),
        ("measured in November 2026, of 2000 draws (split(key, 2000))", []),
    ],
)
def test_citations_are_found_as_they_stand_in_prose(text, keys):
    assert [key for key, _ in citations(in_one_line(text))] == keys


@pytest.mark.parametrize(
    "key",
    [
        "Kingma & Welling (2015)",  # another year
        "Gulrajani et al. (2017)",  # of two
        "Binkowski et al. (2018)",  # spelled otherwise
        "Theis, van den Oord & Bethge (2016)",  # three names are "et al."
    ],
)
def test_a_citation_without_an_entry_is_found(key):
    assert unresolved(f"Source: {key}, section 3.") == [key]


def test_a_wrong_title_and_a_missing_year_are_found():
    assert [*other_titles('Neal (2001), "Slice sampling".')] == [("Neal (2001)", "Slice sampling")]
    assert not [*other_titles('Neal (2001), "Annealed importance sampling".')]
    assert without_a_year("as Metz et al. have it") == ["Metz et al."]
    assert not without_a_year("Metz et al. (2017). As Metz et al. have it")


def faults(key, entry):
    """What is wrong with an entry: its key follows from the names, its link leads to the source."""
    names = entry.authors.split(", ")
    short = f"{names[0]} et al." if len(names) > 2 else " & ".join(names)
    if not re.fullmatch(rf"{re.escape(short)} \({YEAR}\)", key):
        yield f"{key}: {entry.authors}"
    if not entry.title or not entry.venue:
        yield f"{key}: without title or venue"
    link = urlsplit(entry.link)
    if entry.link and (link.scheme != "https" or link.netloc not in HOSTS):
        yield f"{key}: {entry.link}"
    if link.netloc == "arxiv.org" and not link.path.startswith("/abs/"):
        yield f"{key}: {entry.link}"


def test_every_entry_is_whole():
    assert not [fault for entry in BIBLIOGRAPHY.items() for fault in faults(*entry)]


@pytest.mark.parametrize(
    "changed",
    [
        {"authors": "Burda, Grosse"},
        {"title": ""},
        {"link": "https://arxiv.org/pdf/1509.00519"},
        {"link": "http://arxiv.org/abs/1509.00519"},
        {"link": "https://example.org/iwae.pdf"},
    ],
)
def test_a_faulty_entry_is_found(changed):
    key = "Burda et al. (2016)"
    assert not [*faults(key, BIBLIOGRAPHY[key])]
    assert [*faults(key, BIBLIOGRAPHY[key]._replace(**changed))]


def test_no_two_entries_are_one_and_letters_tell_apart_what_shares_a_key():
    links = [entry.link for entry in BIBLIOGRAPHY.values() if entry.link]
    titles = [entry.title.lower() for entry in BIBLIOGRAPHY.values()]
    assert len({*links}) == len(links)
    assert len({*titles}) == len(titles)
    lettered = [key[:-2] for key in BIBLIOGRAPHY if key[-2].isalpha()]
    assert not {f"{stem})" for stem in lettered} & BIBLIOGRAPHY.keys()
    assert all(lettered.count(stem) > 1 for stem in lettered)


def test_a_publication_is_looked_up_by_its_citation():
    found = publication("Burda et al. (2016)")
    assert found == Publication(
        "Burda, Grosse, Salakhutdinov",
        "Importance weighted autoencoders",
        "ICLR",
        "https://arxiv.org/abs/1509.00519",
    )
    with pytest.raises(ValueError, match=r"citation: got 'Burda \(2016\)', expected 'Burda et al"):
        publication("Burda (2016)")
    with pytest.raises(TypeError):
        BIBLIOGRAPHY["Nobody (2000)"] = found

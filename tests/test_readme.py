"""What the README shows runs as it stands there."""

import ast
import json
import re
import string
import tomllib
from pathlib import Path

import pytest

from benchmarks.mixes import against_best
from benchmarks.variance_record import rows_of
from experiments.vae import Config
from jaxgen.workbench.distributed import Cluster
from jaxgen.workbench.flags import parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / ".github").glob("*.md"))]
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?|\.\d+")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda s: s.splitlines()[-1][:40])
def test_snippet_runs(snippet):
    assert "assert" in snippet, "a snippet ends with the equality that checks it"
    exec(compile(snippet, "README.md", "exec"), {})


def test_a_game_takes_fifteen_lines_and_a_vae_that_resumes_forty():
    """CI runs both from the installed wheel."""
    (game,) = re.findall(r"<!-- game -->\n```python\n(.*?)```", README, re.DOTALL)
    assert len(game.splitlines()) <= 15
    vae = Path(__file__).parent / "wheel" / "vae.py"
    assert len(vae.read_text().splitlines()) <= 40


def test_there_are_snippets_and_two_commands():
    assert len(SNIPPETS) >= 2
    for marker, ending in (("run", "-m experiments vae"), ("test", ".venv/bin/pytest")):
        command = re.search(rf"<!-- {marker} -->\n```sh\n(.*)\n```", README)
        assert command is not None
        assert command[1].endswith(ending)


def test_every_room_is_on_the_map():
    rooms = {path.stem for path in (ROOT / "jaxgen").glob("[a-z]*[!d]")}
    described = set(re.findall(r"`jaxgen\.(\w+)`", README))
    assert rooms == described


def test_the_commands_of_several_processes_say_their_cluster():
    """`tests/workbench/test_processes.py` runs such commands."""
    clusters = []
    for marker in ("slurm", "two processes"):
        (block,) = re.findall(rf"<!-- {marker} -->\n```sh\n(.*?)\n```", README, re.DOTALL)
        values = {"SLURM_JOB_ID": "1"} | dict(re.findall(r'^(\w+)="(.*)"$', block, re.MULTILINE))
        for words in re.findall(r"-m experiments vae (.*?)(?: &)?$", block, re.MULTILINE):
            flags = string.Template(words).substitute(values).split()
            config, cluster = parse(Config, flags, Cluster, command="vae", description="")
            clusters.append((config.devices, config.run_dir, cluster))
    by_hand = {"coordinator": "localhost:12345", "num_processes": 2, "heartbeat": 30}
    assert clusters == [
        (8, "runs/vae-1", Cluster(distributed=True)),
        (2, "runs/two", Cluster(**by_hand, process_id=1)),
        (2, "runs/two", Cluster(**by_hand, process_id=0)),
    ]


def anchors(markdown):
    """What GitHub makes of its headings: `## Which one?` is `which-one`."""
    prose = re.sub(r"```.*?```", "", markdown, flags=re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page, markdown):
    """Links and pictures whose file or heading is not there; other sites are trusted."""
    links = re.findall(r"\]\(([^)\s]+)\)", markdown) + re.findall(r'src="([^"]+)"', markdown)
    for link in links:
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
            yield link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    assert not list(broken_links(page, page.read_text()))


def test_a_broken_link_is_found():
    page = '[a](jaxgen/nowhere.py) [b](#no-such-heading) [c](#install) <img src="x.png">\n# Install'
    found = list(broken_links(ROOT / ".github" / "x.md", page.replace("(#", "(../README.md#")))
    assert found == ["jaxgen/nowhere.py", "../README.md#no-such-heading", "x.png"]


def test_the_package_shows_links_that_lead_to_the_repository():
    hooks = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["metadata"]
    shown = README
    for rule in hooks["hooks"]["fancy-pypi-readme"]["substitutions"]:
        shown = re.sub(rule["pattern"], rule["replacement"], shown)
    links = re.findall(r"\]\(([^)\s]+)\)", shown) + re.findall(r'src="([^"]+)"', shown)
    assert all(link.startswith("https://") for link in links)
    here = r"https://(?:github\.com/jaxgen/jaxgen/blob|raw\.githubusercontent\.com/jaxgen/jaxgen)/main/"
    files = [re.sub(here, "", link) for link in links if re.match(here, link)]
    assert len(files) > 50
    assert all((ROOT / file.partition("#")[0]).exists() for file in files)


def names_not_in_their_files(markdown):
    """Names that are linked to a file of the package that does not have them."""
    for names, path in re.findall(r"\[(`[^\]]+`)\]\((jaxgen/[^)#]+\.py)\)", markdown):
        code = (ROOT / path).read_text()
        for name in re.findall(r"`([\w.]+)", names):
            if name != ".".join(Path(path).parent.parts) and not re.search(rf"\b{name}\b", code):
                yield name


def test_names_stand_in_the_files_that_they_link_to():
    assert not list(names_not_in_their_files(README))
    wrong = "[`elbo`](jaxgen/bounds/base.py), [`rebar`](jaxgen/objectives/elbo.py)"
    assert "rebar" in list(names_not_in_their_files(wrong))


def numbers_without_a_header(rows):
    """Numbers of a recipe's row that its header does not have."""
    for recipe, told in rows:
        header = ast.get_docstring(ast.parse((ROOT / f"experiments/{recipe}.py").read_text()))
        measured = {number.strip(",") for number in NUMBER.findall(header or "")}
        told = {number.strip(",") for number in NUMBER.findall(told)}
        yield from ((recipe, number) for number in sorted(told - measured))


def test_results_are_those_of_the_recipes_headers():
    rows = re.findall(r"^\| \[`\w+`\]\(experiments/(\w+)\.py\) \| (.*)$", README, re.MULTILINE)
    assert len(rows) > 5
    assert not list(numbers_without_a_header(rows))
    assert list(numbers_without_a_header([("vae", "test NLL 90.08")])) == [("vae", "90.08")]


def test_ratios_are_those_of_the_benchmarks():
    row = re.compile(r"\]\((benchmarks/results/\w+\.json)\) \| (.*?) \| ([\d.]+) \|")
    rows = row.findall(README)
    assert len(rows) > 5
    for path, name, told in rows:
        ratio = json.loads((ROOT / path).read_text())["ratios"][name]
        ratio = ratio["median"] if isinstance(ratio, dict) else ratio
        assert f"{ratio:.2f}" == told, (path, name)


def three(number):
    """With three digits that count."""
    return f"{float(number):.3g}"


def test_variances_are_those_of_the_benchmark():
    record = json.loads((ROOT / "benchmarks/results/estimators.json").read_text())
    rows = [row for row in rows_of(record) if (row.step, row.subtree) == (1000, "encoder")]
    rows = [row for row in rows if row.evaluations == 2]
    measured = {(row.problem, row.estimator): f"{float(three(row.variance)):,.0f}" for row in rows}
    told = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \|$", README, re.MULTILINE)
    assert len(told) > 5
    for name, *variances in told:
        networks = ("sbn_linear", "sbn_nonlinear")
        assert [measured[network, name] for network in networks] == variances
    assert f"in {record['cpu_seconds'] / 60:.0f} minutes of CPU" in README


def test_mixes_are_as_the_benchmark_found_them():
    record = json.loads((ROOT / "benchmarks/results/mixes.json").read_text())
    against = [against_best(found) for found in record["problems"].values()]
    better = sum(high < 1 for *_, high in against)
    assert f"on {better} of {len(against)} problems, and more on none" in README
    assert not any(low > 1 for _, low, *_ in against)


def test_the_best_peers_are_those_of_the_benchmark():
    jobs = json.loads((ROOT / "benchmarks/results/peers.json").read_text())["jobs"]
    _, _, table = README.partition("The main jobs beside the best peer of each")
    table = table.split("\n\n")[1]
    told = re.findall(r"^\| (.+) \| (.+) \| ([\d.]+) \|$", table, re.MULTILINE)
    assert [job for job, *_ in told] == list(jobs)
    for name, peer, ratio in told:
        medians = {k: of["median"] for k, of in jobs[name]["ratios"].items()}
        best = max(medians, key=lambda k: medians[k])
        assert (peer, ratio) == (best, f"{medians[best]:.2f}")

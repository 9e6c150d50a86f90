"""The rules that every notebook keeps, read from the files; nbval runs them and compares their outputs.

What a rule is for stands in CONTRIBUTING.md; the parts of a lesson, its claims and its exercises are found by how they
are written (`> **Seen:** …`, `claim(…)`, nbgrader's metadata).
"""

import ast
import copy
import itertools
import json
import os
import re
from pathlib import Path

import nbformat
import pytest
from nbval.plugin import get_sanitize_patterns

from notebooks import execute
from vlprompt import lesson

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(path for path in FOLDER.glob("*.ipynb") if not path.name.startswith("."))
WORDS = (1500, 2500)
CODE_CELLS, LINES, WIDTH = 35, 25, 120
OUTPUT_BYTES = 150_000  # of one output, as it is stored
SEEN = re.compile(r"(?m)^> \*\*Seen:\*\* (.+)$")
# A result in prose: a number that we measured, which belongs into a claim. The papers' stand in cells tagged `paper`.
RESULT = re.compile(r"\b\d+(\.\d+)? ?(%|per cent|points?\b)")


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def prose(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "markdown"]


def tags(cell):
    return cell.metadata.get("tags", [])


def claims(source: str) -> list[str]:
    """The sentences that a cell's `claim(…)` calls assert."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.args[0].value for call in calls if getattr(call.func, "id", "") == "claim"]


def words(text: str) -> int:
    """How many words a reader reads: without code blocks, formulas, tags of HTML and addresses of links."""
    for clutter in (r"(?s)```.*?```", r"(?s)\$\$.*?\$\$", r"\$[^$]*\$", r"<[^>]*>", r"\]\([^)]*\)"):
        text = re.sub(clutter, " ", text)
    return len(re.findall(r"[^\W_][\w’'-]*", text))


# ---- the rules: each gives the faults that it finds ---------------------------------------------


def executed(notebook):
    counts = [cell.execution_count for cell in code(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1 to {len(counts)}: run `python notebooks/execute.py`"
    if notebook.metadata != execute.METADATA:
        yield "metadata are not those that notebooks/execute.py writes"
    if any("execution" in cell.metadata for cell in code(notebook)):
        yield "a cell keeps the times of its run"


def clean_outputs(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            stored = json.dumps(output)
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                yield f"{cell.id} stores an error without the tag raises-exception"
            if output.get("name") == "stderr":
                yield f"{cell.id} writes to standard error"
            if len(stored) > OUTPUT_BYTES:
                yield f"{cell.id} stores an output of {len(stored):,} bytes"
            if "image/svg+xml" in output.get("data", {}) or "application/vnd.jupyter.widget-state+json" in stored:
                yield f"{cell.id} stores an SVG or the state of a widget"
            text = " ".join([output.get("text", ""), *map(str, shown_text(output))])
            if re.search(r" at 0x[0-9a-f]+|(^|[\s'\"(])(/[\w.-]+){2,}|[A-Z]:\\", text):
                yield f"{cell.id} shows an address in memory or an absolute path"
            if output.get("text", "").count("\n") > 40:
                yield f"{cell.id} prints more than a screen"
    if "widgets" in notebook.metadata:
        yield "the state of widgets is saved"


def shown_text(output):
    return [value for kind, value in output.get("data", {}).items() if kind.startswith("text/") and kind != "text/html"]


def headings(notebook):
    text = re.sub(r"(?s)```.*?```", "", "\n".join(cell.source for cell in prose(notebook)))
    levels = [len(marks) for marks in re.findall(r"(?m)^(#+) ", text)]
    if levels.count(1) != 1 or levels[0] != 1:
        yield "there must be one H1, and it comes first"
    for before, after in itertools.pairwise(levels):
        if after > before + 1:
            yield f"a heading jumps from level {before} to {after}"


def sizes(notebook):
    if len(code(notebook)) > CODE_CELLS:
        yield f"{len(code(notebook))} code cells are more than {CODE_CELLS}"
    for cell in code(notebook):
        lines = cell.source.splitlines()
        if len(lines) > LINES:
            yield f"{cell.id} has {len(lines)} lines, more than {LINES}"
        if lines and max(map(len, lines)) > WIDTH:
            yield f"{cell.id} has a line of {max(map(len, lines))} characters"
    count = sum(words(cell.source) for cell in prose(notebook))
    if not WORDS[0] <= count <= WORDS[1]:
        yield f"{count} words are not {WORDS[0]} to {WORDS[1]}"


def exemptions(notebook):
    free = [cell for cell in code(notebook) if {"nbval-ignore-output", "nbval-skip"} & set(tags(cell))]
    if len(free) > len(code(notebook)) / 10:
        yield f"{len(free)} of {len(code(notebook))} cells are exempt from comparison, more than one in ten"
    yield from (
        f"{cell.id} is exempt from comparison without a reason" for cell in free if not cell.metadata.get("reason")
    )


def claims_and_prose(notebook):
    made = [text for cell in code(notebook) for text in claims(cell.source)]
    said = [text for cell in prose(notebook) for text in SEEN.findall(cell.source)]
    if len(made) < 5:
        yield f"only {len(made)} claims are made"
    yield from (
        f"a claim stands nowhere in the prose: {text}" for text in made if made.count(text) != 1 or text not in said
    )
    yield from (f"a sentence of the prose is claimed by no cell: {text}" for text in said if text not in made)
    for cell in code(notebook):
        printed = "".join(output.get("text", "") for output in cell.outputs)
        yield from (f"{cell.id} has not printed: {t}" for t in claims(cell.source) if f"holds: {t}\n" not in printed)
    for cell in prose(notebook):
        if "paper" in tags(cell):
            continue
        for line in cell.source.splitlines():
            if RESULT.search(line) and not SEEN.match(line) and "95 %" not in line and "70 %" not in line:
                yield f"{cell.id} states a result that no cell claims: {line}"


def claimed_beneath(notebook):
    """A claim is made by the first or second code cell after the sentence, or by the one right above it."""
    for i, cell in enumerate(notebook.cells):
        near = [other for other in notebook.cells[i + 1 :] if other.cell_type == "code"][:2]
        near += notebook.cells[max(0, i - 1) : i]
        made = [text for other in near if other.cell_type == "code" for text in claims(other.source)]
        if cell.cell_type == "markdown":
            yield from (f"the cell under it does not claim: {t}" for t in SEEN.findall(cell.source) if t not in made)


def pictures(notebook):
    for cell in code(notebook):
        for output in cell.outputs:
            if (
                "image/png" in output.get("data", {})
                and not output.metadata.get("image/png", {}).get("alt", "").strip()
            ):
                yield f"{cell.id} shows a picture without words for those who cannot see it"
            if "<table" in output.get("data", {}).get("text/html", "") and "<caption>" not in output.data["text/html"]:
                yield f"{cell.id} shows a table without a caption"
    yield from (f"{cell.id}: an image without alt text" for cell in prose(notebook) if "![](" in cell.source)


def exercises(notebook):
    text = "\n".join(cell.source for cell in prose(notebook))
    titles = re.findall(r"(?m)^### Exercise (\d) · .+ \((easy|medium|hard|open), \d+ minutes\)$", text)
    if [int(number) for number, _ in titles] != list(range(1, len(titles) + 1)) or not 3 <= len(titles) <= 5:
        yield f"there are {len(titles)} exercises with a number, difficulty and minutes; 3 to 5 are wanted"
    if not any(kind == "open" for _, kind in titles):
        yield "no exercise is open"
    if text.count("<details>") < 2 * len(titles) or text.count("<details>") != text.count("</details>"):
        yield "an exercise has fewer than two hints that unfold"
    graded = [cell.metadata.nbgrader for cell in code(notebook) if "nbgrader" in cell.metadata]
    names = [info.grade_id for info in graded]
    if len(set(names)) != len(names):
        yield f"grade ids are not unique: {names}"
    for cell in code(notebook):
        info = cell.metadata.get("nbgrader", {})
        solution = "### BEGIN SOLUTION" in cell.source
        if solution != ("### END SOLUTION" in cell.source) or solution != bool(info.get("solution")):
            yield f"{cell.id}: solution marks and nbgrader's metadata disagree"
        if "checks." in cell.source and re.search(r"(?m)^(\w+ = )?checks\.", cell.source) and not info.get("locked"):
            yield f"{cell.id}: a check that is not locked"
        if info.get("grade") and "points" not in info:
            yield f"{cell.id}: a graded cell without points"


def order(notebook):
    titles = re.findall(r"(?m)^## (.+)$", "\n".join(cell.source for cell in prose(notebook)))
    if titles[-4:] != ["Exercises", "Summary", "What breaks", "Links"]:
        yield f"a lesson ends with exercises, summary, what breaks, links; this one with {titles[-4:]}"
    last = notebook.cells[-1].source
    if not 3 <= last.partition("## Links")[2].count("\n- ") <= 6:
        yield "a lesson ends with three to six links"
    if len(re.findall(r"(?m)^\d\. ", last.partition("## Summary")[2].partition("## ")[0])) != 5:
        yield "the summary has five lines"


def names_the_road(notebook):
    printed = [output.get("data", {}).get("text/markdown", "") for cell in code(notebook) for output in cell.outputs]
    if not any("you are here" in text for text in printed):
        yield "the map of the road does not say `you are here`"


RULES = (
    executed, clean_outputs, headings, sizes, exemptions, claims_and_prose, claimed_beneath, pictures, exercises, order,
    names_the_road,
)  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_keeps_the_rule(path, rule):
    assert list(rule(nbformat.read(path, as_version=4))) == []


# ---- the rules find what they are for -----------------------------------------------------------


@pytest.fixture(scope="module")
def good():
    return nbformat.read(FOLDER / "02_clip_zero_shot.ipynb", as_version=4)


def first(notebook, wanted):
    return next(cell for cell in notebook.cells if wanted in cell.source)


def not_run(notebook):
    code(notebook)[3].execution_count = None


def with_a_warning(notebook):
    code(notebook)[0].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="a warning"))


def with_an_address(notebook):
    code(notebook)[0].outputs.append(nbformat.v4.new_output("stream", text="<object at 0x7f00aa>"))


def with_a_path(notebook):
    code(notebook)[0].outputs.append(nbformat.v4.new_output("stream", text="read /home/someone/data"))


def with_a_second_title(notebook):
    prose(notebook)[-1].source += "\n\n# Another title"


def with_a_skipped_level(notebook):
    prose(notebook)[-1].source += "\n\n#### Deep"


def with_a_long_cell(notebook):
    code(notebook)[1].source += "\nx = 1" * 30


def with_a_free_cell(notebook):
    code(notebook)[1].metadata["tags"] = ["nbval-ignore-output"]


def with_a_claim_of_no_cell(notebook):
    first(notebook, "> **Seen:**").source += "\n\n> **Seen:** Everything is always better."


def with_a_claim_of_no_prose(notebook):
    first(notebook, "claim(").source += '\nclaim("All is well.", True)'


def with_a_result_in_prose(notebook):
    prose(notebook)[2].source += "\n\nOur method gains 7 points."


def with_a_claim_far_away(notebook):
    line = "> **Seen:** An offer is the worst of the four.\n"
    first(notebook, line).source = first(notebook, line).source.replace(line, "")
    prose(notebook)[-1].source += "\n\n" + line


def with_a_picture_without_words(notebook):
    cell = next(c for c in code(notebook) if any("image/png" in o.get("data", {}) for o in c.outputs))
    for output in cell.outputs:
        output.metadata = {}


def with_half_a_solution(notebook):
    first(notebook, "### END SOLUTION").source = "def f():\n    ### BEGIN SOLUTION\n    return 1"


def without_a_hint(notebook):
    cell = first(notebook, "<details>")
    cell.source = cell.source.replace("<details>", "", 1).replace("</details>", "", 1)


@pytest.mark.parametrize(
    ("spoil", "rule"),
    [
        (not_run, executed),
        (with_a_warning, clean_outputs),
        (with_an_address, clean_outputs),
        (with_a_path, clean_outputs),
        (with_a_second_title, headings),
        (with_a_skipped_level, headings),
        (with_a_long_cell, sizes),
        (with_a_free_cell, exemptions),
        (with_a_claim_of_no_cell, claims_and_prose),
        (with_a_claim_of_no_prose, claims_and_prose),
        (with_a_result_in_prose, claims_and_prose),
        (with_a_claim_far_away, claimed_beneath),
        (with_a_picture_without_words, pictures),
        (with_half_a_solution, exercises),
        (without_a_hint, exercises),
    ],
    ids=lambda value: value.__name__,
)
def test_the_rule_finds_a_spoilt_notebook(good, spoil, rule):
    spoilt = copy.deepcopy(good)
    spoil(spoilt)
    assert list(rule(spoilt)) != []


# ---- what runs them -----------------------------------------------------------------------------


def test_every_sanitising_rule_is_read():
    text = (FOLDER / "nbval_sanitize.cfg").read_text(encoding="utf-8")
    assert len(get_sanitize_patterns(text)) == len(re.findall(r"(?m)^regex: .", text))


def test_the_environment_of_the_stored_outputs_is_that_of_the_tests():
    ours = {
        name: value for name, value in execute.ENVIRONMENT.items() if name not in ("MPLBACKEND", "CUDA_VISIBLE_DEVICES")
    }
    assert ours.items() <= os.environ.items()


def test_the_road_names_the_notebooks_that_there_are():
    assert [name for name, _ in lesson.ROAD] == [path.stem for path in NOTEBOOKS]


def small_notebook(path, *sources):
    cells = [nbformat.v4.new_code_cell(source, id=f"cell-{i}") for i, source in enumerate(sources)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_execute_keeps_outputs_and_counts(tmp_path):
    path = small_notebook(tmp_path / "a.ipynb", "x = 1", "print('hello')", "x + 1")
    execute.execute(path)
    notebook = nbformat.read(path, as_version=4)
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3]
    assert notebook.cells[1].outputs[0].text == "hello\n"
    assert list(executed(notebook)) == []
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_execute_leaves_a_failing_notebook_as_it_was(tmp_path):
    from nbclient.exceptions import CellExecutionError

    path = small_notebook(tmp_path / "a.ipynb", "print('hello')", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        execute.execute(path)
    assert path.read_bytes() == before


# ---- what lessons use ---------------------------------------------------------------------------


def test_a_claim_prints_one_line_or_raises(capsys):
    lesson.claim("Two is more than one.", 2 > 1)
    assert capsys.readouterr().out == "holds: Two is more than one.\n"
    with pytest.raises(AssertionError, match="does not hold here: One is more than two"):
        lesson.claim("One is more than two.", 1 > 2)


def test_an_interval_holds_its_mean_and_narrows_with_more_values():
    mean, low, high = lesson.interval([1.0, 2.0, 3.0, 6.0])
    assert low < mean == 3 < high
    _, near, far = lesson.interval([1.0, 2.0, 3.0, 6.0] * 10)
    assert far - near < high - low
    with pytest.raises(ValueError, match="at least 2"):
        lesson.interval([1.0])


def test_the_machine_is_checked_in_lines_that_are_the_same_everywhere(capsys, monkeypatch):
    lesson.check_machine()
    assert capsys.readouterr().out.startswith("Python is 3.11 or newer.\ntorch is 2.14 or newer.\n")
    monkeypatch.setattr(lesson, "LEAST", {"numpy": (99, 0)})
    with pytest.raises(RuntimeError, match=r"numpy is .*, but 99\.0 or newer is needed"):
        lesson.check_machine()


def test_a_lesson_that_is_not_on_the_road():
    with pytest.raises(ValueError, match="no lesson is named '10_more'; they are 00_start"):
        lesson.road("10_more")


def test_a_figure_needs_words():
    figure, _ = lesson.plots.figure()
    with pytest.raises(ValueError, match="alt is empty"):
        lesson.show(figure, " ")

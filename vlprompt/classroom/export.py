"""Lessons as pages of HTML that read well without a kernel, and without a network."""

from pathlib import Path

from vlprompt.classroom.lessons import lesson_files
from vlprompt.paths import replace_whole

PAGES = Path(__file__).with_name("pages")


def export(target: Path, notebooks: Path) -> list[Path]:
    """Write each lesson of `notebooks` into `target`, as one file that needs nothing beside it. Solutions unfold in it.

    Raises ValueError where there are no lessons, or where one was not executed.
    """
    import nbformat

    files = lesson_files(notebooks)
    lessons = {file: nbformat.read(file, as_version=4) for file in files}
    for file, lesson in lessons.items():
        if any(cell.cell_type == "code" and cell.execution_count is None for cell in lesson.cells):
            raise ValueError(f"{file.name} holds no outputs: run it first, or export the teacher's notebooks")
    exporter = make_exporter()
    written = []
    for file, lesson in lessons.items():
        lesson.metadata["title"] = lesson.cells[0].source.partition("\n")[0].lstrip("# ")
        page, _ = exporter.from_notebook_node(lesson)
        with replace_whole(Path(target) / f"{file.stem}.html") as temporary:
            temporary.write_text(page, encoding="utf-8")
        written.append(Path(target) / f"{file.stem}.html")
    return written


def make_exporter():
    """nbconvert's HTML exporter with our template, formulas as MathML, and words for pictures."""
    from nbconvert.exporters.html import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def block_math(self, body: str) -> str:
            return mathml(body, "block")

        def inline_math(self, body: str) -> str:
            return mathml(body, "inline")

    def markdown(source: str) -> str:
        return MarkdownWithMath(renderer=Renderer(escape=False, exclude_anchor_links=True)).render(source)

    return HTMLExporter(
        template_name="lesson",
        extra_template_basedirs=[str(PAGES)],
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        filters={"markdown2html": markdown, "words": words},
    )


def mathml(formula: str, display: str) -> str:
    """A formula of TeX as MathML, which every browser shows without a script."""
    from latex2mathml.converter import convert

    return convert(formula.strip(), display=display)


def words(output: dict) -> str:
    """What a picture shows, in words: its alternative text, which `lesson.show` stores beside it."""
    stored = output.get("metadata", {}).get("image/png", {}).get("alt")
    return stored or output.get("data", {}).get("text/plain", "")

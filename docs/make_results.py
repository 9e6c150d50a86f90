"""Write docs/results.md, every table of the results that come with the package: `python docs/make_results.py`."""

from pathlib import Path

from vlprompt.experiments import EXPERIMENTS
from vlprompt.paths import data_file, replace_whole
from vlprompt.results import stored
from vlprompt.tables import markdown

PAGE = Path(__file__).resolve().parent / "results.md"
HEAD = """# Results on the small CLIP

Every table of the rows in `data/results/`, as `vlprompt experiment NAME --from data/results/NAME.csv --markdown` prints
them. Numbers of the papers stand beside ours where there are any; compare the order of methods, not the numbers. This
page is made by `python docs/make_results.py`, and a test holds it to the rows.
"""


def page() -> str:
    """The whole page, in the order in which `vlprompt experiment --list` lists the experiments."""
    parts = [HEAD]
    for name, module in EXPERIMENTS.items():
        if not (data_file("results") / f"{name}.csv").exists():
            continue
        rows = stored(name)
        seeds = rows["seed"].nunique()
        first = module.__doc__.splitlines()[0]
        parts.append(f"## {name}\n\n{first}\n\n    {command(name, seeds, rows['task'].nunique())}\n")
        parts += [markdown(table) for table in module.tables(rows)]
    return "\n".join(parts)


def command(name: str, seeds: int, tasks: int) -> str:
    """The command that makes the rows anew."""
    everything = " --tasks all" if tasks == 11 else ""
    return f"vlprompt experiment {name}{everything} --seeds {seeds} --table {name}.csv"


if __name__ == "__main__":
    with replace_whole(PAGE) as path:
        path.write_text(page(), encoding="utf-8")
    print(f"{PAGE.name}: {len(page().splitlines())} lines")

"""The results that come with the package: tidy rows of the experiments on the small CLIP, in `data/results/`."""

import pandas as pd

from vlprompt.paths import data_file
from vlprompt.store import read_table


def stored(name: str) -> pd.DataFrame:
    """The rows of an experiment, columns as in `vlprompt.points.COLUMNS`; accuracies are in per cent.

    `name` is that of the command line, such as "base-to-new". A ValueError that lists what there is for another one.
    """
    folder = data_file("results")
    names = sorted(path.stem for path in folder.glob("*.csv"))
    if name not in names:
        raise ValueError(f"there are no stored results named {name!r}, but these: {', '.join(names) or 'none'}")
    return read_table(folder / f"{name}.csv")

"""The images of the course, images of one's own and the papers' datasets, and the tasks that are made of them."""

from pathlib import Path

from vlprompt.tasks import emoji
from vlprompt.tasks.datasets import dataset_names, find_dataset
from vlprompt.tasks.datasets import load as load_dataset
from vlprompt.tasks.emoji import task_names
from vlprompt.tasks.files import FileTask
from vlprompt.tasks.folder import from_csv, from_folder
from vlprompt.tasks.task import Task, nearest

__all__ = ["FileTask", "Task", "dataset_names", "from_csv", "from_folder", "load", "task_names"]


def load(name: str | Path, root: str | Path | None = None) -> Task | FileTask:
    """A task by its name (`task_names()`, `dataset_names()`), or by the path of a folder or of a .csv of one's own.

    `root` is the folder below which the papers' datasets lie; without it, the one that VLPROMPT_DATASETS names.
    Raises ValueError with the nearest names for an unknown one.
    """
    text = str(name)
    if text in task_names():
        return emoji.load(text)
    if find_dataset(text):
        return load_dataset(text, root)
    path = Path(text).expanduser()
    if path.suffix.lower() == ".csv":
        return from_csv(path)
    if path.is_dir() or len(path.parts) > 1:
        return from_folder(path)
    known = nearest("task", text, [*task_names(), *dataset_names()])
    raise ValueError(f"{known}; or give the path of a folder of images, or of a .csv")

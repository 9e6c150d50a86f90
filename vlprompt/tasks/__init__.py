"""The images of the course, and the tasks that are made of them."""

from vlprompt.tasks.emoji import load, task_names
from vlprompt.tasks.task import Task

__all__ = ["Task", "load", "task_names"]

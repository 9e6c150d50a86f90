"""Panels for notebooks and for showing in class: a picture that a slider changes.

Their names are verbs or phrases, unlike those of the modules that hold them.
"""

from importlib import import_module

# Where each panel lives; imported when it is first used, so that what needs no panel needs no ipywidgets.
_PUBLIC = {
    "compare_methods": "vlprompt.widgets.comparison",
    "explore": "vlprompt.widgets.explorer",
    "train_few": "vlprompt.widgets.comparison",
    "try_templates": "vlprompt.widgets.workbench",
    "view_pixels": "vlprompt.widgets.frame",
    "where_prompts_go": "vlprompt.widgets.towers",
}

__all__ = [*_PUBLIC]


def __getattr__(name: str):
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'vlprompt.widgets' has no attribute {name!r}")

"""The checks of lesson 09."""

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from vlprompt.checks.common import call, passed
from vlprompt.methods.contract import faults

HEADINGS = ("Question", "Data", "Method", "Result", "What may be said", "What may not be said")
NUMBER = re.compile(r"\d+(?:\.\d+)? ?\[-?\d+(?:\.\d+)?, ?-?\d+(?:\.\d+)?\]")  # 71.2 [70.1, 72.4]


def by_group(function: Callable[[Sequence[str], float, int], Sequence[bool]]) -> None:
    """`by_group(groups, share, seed)`: for each image whether it tests, all images of a group on the same side."""
    groups = [f"group {k}" for k in range(8) for _ in range(1 + k % 3)]
    groups = groups[::2] + groups[1::2]  # images of one group need not stand together
    answer = [bool(side) for side in call(function, list(groups), 0.25, 1)]
    if len(answer) != len(groups):
        raise AssertionError(f"by_group returns {len(answer)} answers for {len(groups)} images: one for each")
    testing, training = ({g for g, side in zip(groups, answer, strict=True) if side is s} for s in (True, False))
    if both := sorted(testing & training):
        raise AssertionError(f"by_group: {both[0]} stands on both sides: draw among groups, not among images")
    if not testing or not training:
        raise AssertionError(f"by_group: nothing is left to {'train' if testing else 'test'} on")
    if len(testing) == 6:
        raise AssertionError("by_group: three quarters of the groups test; True is for a quarter, the test images")
    if not 1 <= len(testing) <= 3:
        raise AssertionError(f"by_group: {len(testing)} of 8 groups test, but the share was 0.25")
    if [bool(side) for side in call(function, list(groups), 0.25, 1)] != answer:
        raise AssertionError("by_group: the same seed gives another split: draw from a generator with that seed")
    others = [[bool(side) for side in call(function, list(groups), 0.25, seed)] for seed in range(2, 8)]
    if all(other == answer for other in others):
        raise AssertionError("by_group: every seed gives the same split: shuffle the groups with the seed")
    half = {g for g, side in zip(groups, call(function, list(groups), 0.5, 1), strict=True) if side}
    if not 3 <= len(half) <= 5:
        raise AssertionError(f"by_group: with a share of 0.5, {len(half)} of 8 groups test; is the share used?")
    passed("by_group")


def what_may_be_said(function: Callable[[], Sequence[str]]) -> None:
    """`what_may_be_said()`: which of the five sentences a to e the numbers of the exercise allow."""
    answer = {str(letter).lower() for letter in call(function)}
    wrong = {
        "b": "the runs are paired, so the difference has an interval of its own, and it lies above zero",
        "c": "one task was measured; the interval is over seeds on it, and says nothing on another",
        "e": "the best of six has been chosen on these numbers; chance had six tries, and the interval counts one",
    }
    missing = {
        "a": "the difference, seed by seed, is 0.3 to 1.3 points; what do overlapping intervals matter?",
        "d": "what was drawn anew for each seed? The test pictures were the same in all of them",
    }
    if unknown := sorted(answer - set(wrong) - set(missing)):
        raise AssertionError(f"what_may_be_said: {unknown[0]!r} is none of the letters 'a', 'b', 'c', 'd', 'e'")
    for letter in sorted(answer & set(wrong)):
        raise AssertionError(f"what_may_be_said: not {letter!r}: {wrong[letter]}")
    for letter in sorted(set(missing) - answer):
        raise AssertionError(f"what_may_be_said: think again about {letter!r}: {missing[letter]}")
    passed("what_may_be_said")


def method_of_mine(function: Callable[[], Callable], backbone) -> int:
    """`method_of_mine()`: a class of one's own that keeps the methods' contract and learns something.

    Returns how many numbers it learns.
    """
    make = call(function)
    if not callable(make):
        raise AssertionError("method_of_mine: return the class itself, without brackets behind it")
    found = faults(make, backbone)
    if found:
        raise AssertionError(f"method_of_mine: {found[0]}")
    learned = sum(p.numel() for p in make(backbone, ["cat", "dog"]).parameters())
    if not learned:
        raise AssertionError("method_of_mine: it learns nothing: give it at least one nn.Parameter")
    print(f"it keeps the contract and learns {learned:,} numbers")
    passed("method_of_mine")
    return learned


def folder_of_mine(function: Callable[[], str | Path]) -> None:
    """`folder_of_mine()`: a folder or table of images of one's own that can be used for base-to-new."""
    from vlprompt import tasks

    path = Path(call(function)).expanduser()
    read = tasks.from_csv if path.suffix.lower() == ".csv" else tasks.from_folder
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # copies are refused below, in a sentence of ours
            task = read(path)
    except ValueError as error:
        raise AssertionError(f"folder_of_mine: {error}") from None
    if len(task.classnames) < 4:
        raise AssertionError(f"folder_of_mine: {len(task.classnames)} classes; base-to-new needs 4 or more")
    if task.duplicates:
        raise AssertionError(
            f"folder_of_mine: {len(task.duplicates)} image(s) stand on two sides or in two classes: keep one copy"
        )
    test = sum(map(len, task.split.test.values()))
    if test < 5 * len(task.classnames):
        raise AssertionError(
            f"folder_of_mine: {test} test images of {len(task.classnames)} classes; with fewer than 5 of each, one "
            "image is worth too many points"
        )
    print(f"{len(task.classnames)} classes, {test} test images")
    passed("folder_of_mine")


def report_of_mine(function: Callable[[], str]) -> None:
    """`report_of_mine()`: a report with all its parts, numbers with intervals, and no open places left."""
    text = call(function)
    if not isinstance(text, str):
        raise AssertionError(f"report_of_mine returns a {type(text).__name__}, but the text is wanted")
    parts = re.split(r"(?m)^## +(.+?) *$", text)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    for heading in HEADINGS:
        if heading not in found:
            raise AssertionError(f"report_of_mine: the part `## {heading}` is missing")
        if "…" in found[heading] or "TODO" in found[heading]:
            raise AssertionError(f"report_of_mine: `## {heading}` has an open place left")
        if len(re.findall(r"\w+", found[heading])) < 8:
            raise AssertionError(f"report_of_mine: `## {heading}` says too little: a sentence at least")
    numbers = NUMBER.findall(found["Result"])
    if len(numbers) < 2:
        raise AssertionError(
            f"report_of_mine: {len(numbers)} numbers with intervals, such as 71.2 [70.1, 72.4]; yours and another's"
        )
    if "zero-shot" not in found["Result"].lower():
        raise AssertionError("report_of_mine: the result does not name zero-shot: what was there before any training?")
    if not re.search(r"\bseeds?\b", text):
        raise AssertionError("report_of_mine: over how many seeds? The report does not say")
    passed("report_of_mine")

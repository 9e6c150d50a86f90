"""Each check takes two right answers written differently, and rejects wrong ones with the hint that fits.

The answers are in `answers_*.py`, by lesson; what has no single right answer is in `test_checks_own.py`.
"""

import answers_contexts
import answers_last
import answers_vision
import answers_words
import pytest
import torch
from clips import clip

from vlprompt import checks
from vlprompt.sentences import fill

LESSONS = (answers_words, answers_vision, answers_contexts, answers_last)
RIGHT = [case for lesson in LESSONS for case in lesson.RIGHT]
WRONG = [case for lesson in LESSONS for case in lesson.WRONG]
ALL = list(dict.fromkeys(check for check, _ in RIGHT))
OPEN = [checks.surface_of_mine, checks.folder_of_mine, checks.report_of_mine, checks.task_of_mine]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_a_right_answer_passes(check, answer, capsys):
    check(answer)
    assert capsys.readouterr().out == f"passed: {check.__name__}\n"


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG)
def test_a_wrong_answer_gets_its_hint(check, answer, hint, capsys):
    with pytest.raises(AssertionError, match=hint):
        check(answer)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("check", ALL)
def test_every_check_has_two_right_and_three_wrong_answers(check):
    assert [known for known, _ in RIGHT].count(check) >= 2
    assert [known for known, _, _ in WRONG].count(check) >= 3


def test_every_exercise_has_its_answers():
    helpers = {"call", "compare", "knows", "numbers", "passed", "same"}
    of_ones_own = {name for name in checks.__all__ if name.endswith("_of_mine")}
    assert {check.__name__ for check in ALL} == set(checks.__all__) - helpers - of_ones_own


@pytest.mark.parametrize("check", [*ALL, *OPEN])
def test_a_stub_is_not_written_yet(check):
    def unwritten(*_):
        raise NotImplementedError

    def forgets_return(*_):
        pass

    with pytest.raises(AssertionError, match="not written yet: unwritten"):
        check(unwritten)
    with pytest.raises(AssertionError, match="forgets_return returns nothing"):
        check(forgets_return)


def test_the_hint_of_a_students_own_error_is_the_error():
    with pytest.raises(ZeroDivisionError):
        checks.ensemble(lambda features: 1 / 0)


def test_the_place_of_the_end_token_is_the_engines():
    """The exercise teaches what the engine does."""
    filled = fill(clip(), "a photo of a {}.", ["cat", "golden retriever"])
    x = torch.randn(*filled.tokens.shape, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(answers_words.pairs(x, filled.tokens), x[torch.arange(2), filled.ends])

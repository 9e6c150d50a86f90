"""The checks of lesson 08."""

import math
from collections.abc import Callable, Mapping, Sequence

from vlprompt.checks.common import call, passed

Place = tuple[int, int]  # depth J, length M
Runs = Mapping[Place, Sequence[float]]  # an accuracy for each seed


def what_grows(function: Callable[[], Mapping[str, str]]) -> None:
    """`what_grows()`: for five counts of MaPLe, which of J and M they grow with."""
    right = {
        "numbers learned": "both",
        "tokens in a layer of the image tower": "M",
        "places of a sentence": "M",
        "layers in which prompts are replaced": "J",
        "numbers in the frozen towers": "neither",
    }
    hints = {
        ("numbers learned", "J"): "each of the J contexts has M vectors; it is only that the maps have many more",
        ("numbers learned", "M"): "each layer has vectors of its own, and a map of its own",
        ("numbers learned", "neither"): "prompts and maps are what is learned",
        ("tokens in a layer of the image tower", "both"): "a deeper layer's prompts take the places of the old ones; "
        "nothing piles up",
        ("tokens in a layer of the image tower", "J"): "the old prompts go when the next come; how many come at once?",
        ("tokens in a layer of the image tower", "neither"): "class token, patches and prompts: all are tokens",
        ("places of a sentence", "both"): "the same M places are filled anew in each of the J layers",
        ("places of a sentence", "J"): "the same places are filled anew in each layer; how many are they?",
        ("places of a sentence", "neither"): "start, context, name, full stop, end: which of them has M places?",
        ("layers in which prompts are replaced", "both"): "J - 1 layers, however many prompts are replaced there",
        ("layers in which prompts are replaced", "M"): "how many prompts are replaced at once does not matter here",
        ("layers in which prompts are replaced", "neither"): "from the second layer to which one are they replaced?",
    }
    answer = dict(call(function))
    if set(answer) != set(right):
        raise AssertionError(f"what_grows: answer for each of {', '.join(map(repr, right))}")
    for count, wanted in right.items():
        if answer[count] not in ("J", "M", "both", "neither"):
            raise AssertionError(f'what_grows, {count}: the answer is "J", "M", "both" or "neither"')
        if answer[count] != wanted:
            hint = hints.get((count, answer[count]), "they are frozen, whatever stands before them")
            raise AssertionError(f"what_grows, {count}: {hint}")
    passed("what_grows")


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def best(scores: Mapping[Place, float]) -> Place:
    return max(scores, key=scores.get)


def choose_fairly(function: Callable[[Runs, Runs], tuple[Place, float]]) -> None:
    """`choose_fairly(validation, test)`: the place with the best mean on validation, and its mean on test."""
    validation = {
        (1, 2): [60, 61, 62], (3, 2): [66, 67, 65], (6, 4): [70, 58, 59], (9, 2): [68, 64, 63], (12, 8): [59, 60, 58],
    }  # fmt: skip
    test = {
        (1, 2): [62, 66, 64], (3, 2): [58, 63, 59], (6, 4): [66, 56, 57], (9, 2): [61, 65, 63], (12, 8): [57, 58, 56],
    }  # fmt: skip
    by_mean, by_test = ({place: mean(runs) for place, runs in of.items()} for of in (validation, test))
    luckiest = best({place: max(runs) for place, runs in validation.items()})
    pooled = best({place: by_mean[place] + by_test[place] for place in test})
    each_seed = mean([test[best({p: runs[s] for p, runs in validation.items()})][s] for s in range(3)])
    right = best(by_mean)
    answer = call(function, {p: list(r) for p, r in validation.items()}, {p: list(r) for p, r in test.items()})
    if not isinstance(answer, tuple) or len(answer) != 2 or tuple(answer[0]) not in test:
        raise AssertionError("choose_fairly: return two things, the place (J, M) and its mean accuracy on test")
    place, accuracy = tuple(answer[0]), float(answer[1])
    if place != right:
        hints = {
            best(by_test): "that place was chosen on the test accuracies; they may only be read once it is chosen",
            pooled: "the test accuracies had a say in that; choose on validation alone",
            luckiest: "that place had one lucky seed; compare the means over seeds",
            min(by_mean, key=by_mean.get): "that is the worst of them",
        }
        raise AssertionError(f"choose_fairly: {hints.get(place, 'another place has the best mean on validation')}")
    hints = {
        by_mean[right]: "that is its accuracy on validation, which chose it, and so flatters; report the one on test",
        max(test[right]): "that is its best seed; report the mean over seeds",
        max(by_test.values()): "that is the best place on test, not the chosen one",
        each_seed: "that lets each seed choose a place of its own; one place is chosen, for all seeds",
        test[right][0]: "that is its first seed; report the mean over seeds",
    }
    if abs(accuracy - by_test[right]) > 1e-6:
        near = next((hint for value, hint in hints.items() if abs(value - accuracy) < 1e-6), "what is its mean on test")
        raise AssertionError(f"choose_fairly: the place is right. The accuracy: {near}")
    passed("choose_fairly")


def largest_of(count: int) -> float:
    """The expectation of the largest of `count` numbers drawn from N(0, 1), by summing over its distribution."""
    step, total = 0.001, 0.0
    for i in range(-8000, 8000):
        x = (i + 0.5) * step
        below = 0.5 * (1 + math.erf(x / math.sqrt(2)))
        total += x * count * math.exp(-x * x / 2) / math.sqrt(2 * math.pi) * below ** (count - 1) * step
    return total


def luck(function: Callable[[int, int, float], float]) -> None:
    """`luck(settings, seeds, noise)`: by how many points the best-looking of equally good settings flatters itself."""
    for settings, seeds, noise in ((60, 3, 1.5), (12, 1, 2.0), (5, 4, 1.0)):
        answer = float(call(function, settings, seeds, noise))
        spread = noise / math.sqrt(seeds)
        right = largest_of(settings) * spread
        wrong = {
            0.0: "each setting alone is measured without bias, but the largest of many is not the average one",
            spread: "that is the spread of one mean; the largest of many lies further out",
            noise: "that is the spread of one run; take the mean over seeds, and then the largest",
            largest_of(settings) * noise: "the noise of a mean over seeds is smaller than that of one run",
            largest_of(settings) * noise / seeds: "the noise of a mean falls with the root of the number of seeds",
            largest_of(settings * seeds) * noise: "take the mean over the seeds of a setting first, then the largest",
            -right: "that is how far the worst-looking one falls short",
            2 * right: "that is the way from the worst-looking to the best-looking; they are all equally good",
            spread * math.sqrt(2 * math.log(settings)): "that holds for very many settings; here draw and count",
        }
        if abs(answer - right) > 0.06 * right:
            near = min(wrong, key=lambda value: abs(value - answer))
            close = abs(near - answer) < 0.06 * max(abs(near), 0.2)
            hint = wrong[near] if close else "draw many times: settings times seeds, mean, largest; and average that"
            raise AssertionError(f"luck({settings}, {seeds}, {noise}): {hint}")
    passed("luck")


def surface_of_mine(function: Callable[[], Mapping]) -> dict:
    """`surface_of_mine()`: {"task": …, "guess": (J, M), "points": {(J, M): (base, new), …}} of at least four points."""
    from vlprompt import tasks

    answer = dict(call(function))
    if set(answer) != {"task", "guess", "points"}:
        raise AssertionError('surface_of_mine: return {"task": …, "guess": (J, M), "points": {(J, M): (base, new)}}')
    if answer["task"] not in tasks.task_names():
        raise AssertionError(f"surface_of_mine: there is no task {answer['task']!r}")
    points = dict(answer["points"])
    if len(points) < 4:
        raise AssertionError(f"surface_of_mine: {len(points)} points are too few for a surface; give at least 4")
    for j, m in (*points, tuple(answer["guess"])):
        if not (1 <= j <= 12 and m >= 1):
            raise AssertionError(f"surface_of_mine: J={j}, M={m} cannot be: J is 1 to 12, and M at least 1")
    if any(len({place[part] for place in points}) < 2 for part in (0, 1)):
        raise AssertionError("surface_of_mine: all points lie on one line; change J in some of them, and M in others")
    for place, accuracies in points.items():
        if len(accuracies) != 2 or not all(0 < a <= 100 for a in accuracies):
            raise AssertionError(f"surface_of_mine: the point {place} needs two per cents, (base, new)")
    if tuple(answer["guess"]) not in points:
        raise AssertionError("surface_of_mine: train the point that you guessed, too")
    passed("surface_of_mine")
    return answer

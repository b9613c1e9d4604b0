"""Whether two models answer alike: rows of the kind that the first one was fitted on, and the same questions to both.

Rows are made up from what the model itself says: how many numbers it takes, the names of its columns, the categories of
its encoders, the words of its vocabulary. The first kind of rows that the first model answers for is the one that
counts. Runs in the child that converts, never elsewhere.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from lockflight.errors import VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Rows that both models answer for.
ROWS: Final = 64
#: Questions that a model may answer, in this order.
METHODS: Final = ("predict", "predict_proba", "decision_function", "transform", "score_samples")
#: Where models keep the models that they consist of.
_INSIDE: Final = (
    "steps",
    "transformers_",
    "transformers",
    "transformer_list",
    "estimators_",
    "best_estimator_",
    "final_estimator_",
    "calibrated_classifiers_",
    "estimator_",
    "estimator",
    "regressor_",
    "transformer_",
)
_MOST_PARTS: Final = 10_000
#: Values of which two models may be made to be compared.
_MOST_VALUES: Final = 2_000_000
#: Words for models that do not keep theirs, such as hashing ones.
_WORDS: Final = ("alpha", "beta", "gamma", "delta", "some", "other", "words", "10")


def compare(one: Any, other: Any) -> list[str]:  # noqa: ANN401 - models
    """Which questions both models answered alike.

    Where none could be asked, `state` if both are made of the same values; otherwise nothing.

    Raises:
        VerificationFailed: LF0224 they differ.
    """
    for make in (_numbers, _frame, _categories, _texts, _mappings):
        try:
            rows = make(one)
        except Exception:  # noqa: BLE001, S112 - a model that says something odd of itself
            continue
        if rows is None:
            continue
        asked = _ask(one, other, rows)
        if asked:
            return asked
    return ["state"] if _same_state(one, other) else []


def _ask(one: Any, other: Any, rows: Any) -> list[str]:  # noqa: ANN401 - models and rows
    asked = []
    for method in METHODS:
        try:
            expected = _answer(one, method, rows)
        except Exception:  # noqa: BLE001, S112 - a model of words does not take numbers, and some have no such method
            continue
        try:
            alike = _alike(expected, _answer(other, method, rows))
        except Exception:  # noqa: BLE001 - whatever it is, the first model did not raise it
            alike = False
        if not alike:
            raise VerificationFailed(
                "LF0224",
                f"The model answers `{method}` otherwise after the conversion, so nothing was written.",
                hint="Please report this, with the versions of scikit-learn and skops.",
            )
        asked.append(method)
    return asked


def _answer(model: Any, method: str, rows: Any) -> Any:  # noqa: ANN401 - as above
    import numpy as np

    # Some models draw their answers.
    np.random.seed(0)  # noqa: NPY002 - scikit-learn's own default
    return getattr(model, method)(rows)


def _alike(one: Any, other: Any) -> bool:  # noqa: ANN401 - answers
    import numpy as np

    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        # Models of several outputs answer with one array for each.
        return len(one) == len(other) and all(map(_alike, one, other))
    if hasattr(one, "toarray") and hasattr(other, "toarray"):
        one, other = one.toarray(), other.toarray()
    left, right = np.asarray(one), np.asarray(other)
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    same = left == right
    # What is missing equals nothing, itself included.
    return bool(np.all(same | ((left != left) & (right != right))))  # noqa: PLR0124 - as it says


def _same_state(one: Any, other: Any) -> bool:  # noqa: ANN401 - models
    """Whether two objects are made of the same values, as pickling would take them apart."""
    rest: list[tuple[Any, Any]] = [(one, other)]
    seen: set[tuple[int, int]] = set()
    kept: list[tuple[list[Any], list[Any]]] = []
    try:
        while rest:
            left, right = rest.pop()
            if left is right or (_empty(left) and _empty(right)) or (id(left), id(right)) in seen:
                continue
            seen.add((id(left), id(right)))
            if type(left) is not type(right) or len(seen) > _MOST_VALUES:
                return False
            inside, across = _taken_apart(left), _taken_apart(right)
            if inside is None or across is None:
                if inside is not across or not _alike(left, right):
                    return False
                continue
            if len(inside) != len(across):
                return False
            rest.extend(zip(inside, across, strict=True))
            # An id stands for an object only as long as it lives.
            kept.append((inside, across))
    except Exception:  # noqa: BLE001 - what cannot be told is not the same
        return False
    return True


def _empty(value: Any) -> bool:  # noqa: ANN401 - anything
    """Attributes that nobody set: some objects say None for that, and an empty dict once they were looked at."""
    return value is None or (type(value) is dict and not value)


def _taken_apart(value: Any) -> list[Any] | None:  # noqa: ANN401 - anything
    """What a value consists of; None for one that is compared as it is."""
    import numpy as np

    if value is None or isinstance(
        value, (bool, int, float, complex, str, bytes, type, np.generic, np.dtype)
    ):
        return None
    if isinstance(value, np.ndarray) and type(value) is np.ndarray and not value.dtype.hasobject:
        return None
    if isinstance(value, dict) and type(value) is dict:
        return [*value, *value.values()]
    if type(value) in {list, tuple}:
        return list(value)
    if type(value) in {set, frozenset}:
        return sorted(value, key=repr)
    if type(value) is np.ndarray:
        return [value.shape, *value.ravel().tolist()]
    reduced = value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return [reduced]
    return [list(part) if hasattr(part, "__next__") else part for part in reduced]


# -- rows --


def _numbers(model: Any) -> Any:  # noqa: ANN401 - as above
    """Random numbers in as many columns as the model takes; None where it names them or does not say."""
    count = _count(model)
    return None if count is None or _names(model) is not None else _random().rand(ROWS, count)


def _frame(model: Any) -> Any:  # noqa: ANN401 - as above
    """A frame with the columns that the model names: categories and words where it knows some, numbers elsewhere."""
    names = _names(model)
    if names is None:
        return None
    pandas = importlib.import_module("pandas")
    random = _random()
    known = _known(model, names)
    return pandas.DataFrame(
        {name: known[name](random) if name in known else random.rand(ROWS) for name in names}
    )


def _categories(model: Any) -> Any:  # noqa: ANN401 - as above
    """An array of objects: categories where the model knows some, numbers elsewhere."""
    import numpy as np

    count = _count(model)
    if count is None:
        return None
    random = _random()
    known = _known(model, list(range(count)))
    rows = np.empty((ROWS, count), dtype=object)
    for column in range(count):
        rows[:, column] = known[column](random) if column in known else random.rand(ROWS)
    return rows


def _texts(model: Any) -> Any:  # noqa: ANN401 - as above
    """Sentences of words that the model knows."""
    words = next((list(part.vocabulary_) for part in _parts(model) if hasattr(part, "vocabulary_")), None)
    return _sentences(words or list(_WORDS))(_random())


def _mappings(model: Any) -> Any:  # noqa: ANN401 - as above
    """Mappings from the names that the model knows to numbers."""
    names = next(
        (list(part.feature_names_) for part in _parts(model) if hasattr(part, "feature_names_")), list(_WORDS)
    )
    random = _random()
    return [{str(name): float(random.rand()) for name in names} for _ in range(ROWS)]


def _random() -> Any:  # noqa: ANN401 - a generator of NumPy
    import numpy as np

    return np.random.RandomState(0)


def _count(model: Any) -> int | None:  # noqa: ANN401 - as above
    import numpy as np

    count = getattr(model, "n_features_in_", None)
    return int(count) if isinstance(count, (int, np.integer)) else None


def _names(model: Any) -> list[Any] | None:  # noqa: ANN401 - as above
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else list(names)


def _parts(model: Any) -> Iterator[Any]:  # noqa: ANN401 - as above
    """A model and the models that it consists of."""
    rest: list[Any] = [model]
    seen: set[int] = set()
    while rest and len(seen) < _MOST_PARTS:
        part = rest.pop()
        if id(part) in seen or isinstance(part, (str, bytes)):
            continue
        seen.add(id(part))
        if isinstance(part, (list, tuple)):
            rest.extend(part)
        elif hasattr(part, "__dict__"):
            yield part
            rest.extend(vars(part)[name] for name in _INSIDE if name in vars(part))


def _known(model: Any, names: list[Any]) -> dict[Any, Callable[[Any], Any]]:  # noqa: ANN401 - as above
    """By column, what makes its values: where encoders list categories, and where texts are counted."""
    found: dict[Any, Callable[[Any], Any]] = {}
    for part in _parts(model):
        for _, step, columns in vars(part).get("transformers_", ()):
            chosen = [columns] if isinstance(columns, (str, int)) else _chosen(columns, names)
            for inner in _parts(step):
                if hasattr(inner, "vocabulary_"):
                    found |= dict.fromkeys(chosen, _sentences(list(inner.vocabulary_)))
                elif _named(inner):
                    found |= _choices(inner, list(inner.feature_names_in_))
                else:
                    found |= _choices(inner, chosen)
    if not found:
        for part in _parts(model):
            found |= _choices(part, names)
    return found


def _named(part: Any) -> bool:  # noqa: ANN401 - as above
    return getattr(part, "feature_names_in_", None) is not None


def _chosen(columns: Any, names: list[Any]) -> list[Any]:  # noqa: ANN401 - names, numbers, a mask or a slice
    import numpy as np

    if isinstance(columns, slice):
        return names[columns]
    listed = np.asarray(columns)
    if listed.dtype == bool:
        return [name for name, taken in zip(names, listed, strict=True) if taken]
    return [names[one] if isinstance(one, (int, np.integer)) else one for one in listed.tolist()]


def _choices(part: Any, columns: list[Any]) -> dict[Any, Callable[[Any], Any]]:  # noqa: ANN401 - as above
    lists = getattr(part, "categories_", None)
    if not isinstance(lists, list) or len(lists) != len(columns):
        return {}
    return {column: _drawn(values) for column, values in zip(columns, lists, strict=True) if len(values)}


def _drawn(values: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - an array
    def draw(random: Any) -> Any:  # noqa: ANN401 - values
        return values[random.randint(len(values), size=ROWS)]

    return draw


def _sentences(words: list[Any]) -> Callable[[Any], list[str]]:
    def draw(random: Any) -> list[str]:  # noqa: ANN401 - a generator of NumPy
        return [" ".join(str(words[i]) for i in random.randint(len(words), size=6)) for _ in range(ROWS)]

    return draw

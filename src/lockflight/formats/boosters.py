"""Trees of LightGBM (text) and XGBoost (JSON): every index has to lead to a node, a leaf, a feature or a category.

Both libraries follow the indices of a file without looking: one that leads elsewhere reads or writes memory of the
author's choice at the first prediction, and one that leads back never ends.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from lockflight.core.findings import Verdict
from lockflight.formats.report import Issue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lockflight.core.canonical import JsonObject, JsonValue
    from lockflight.core.source import ByteSource

#: Text of one model of LightGBM.
MAX_TEXT: Final = 64 * 1024 * 1024
#: Features and classes: the libraries make room for all of them.
MAX_FEATURES: Final = 10_000_000
MAX_CLASSES: Final = 100_000
#: One tree of a large document, and what stands beside all of them, in characters.
MAX_TREE: Final = 8 * 1024 * 1024
#: A category takes a bit of each node that names one.
MAX_CATEGORY: Final = 1 << 20

#: What a model of LightGBM cannot be without.
_MARKS: Final = (b"max_feature_idx=", b"num_tree_per_iteration=")
_INTEGERS: Final = re.compile(r"-?[0-9]{1,12}(?: -?[0-9]{1,12})*\Z")
_NUMBERS: Final = re.compile(r"[-+0-9.eEinfa]+(?: [-+0-9.eEinfa]+)*\Z")
_LINEAR: Final = frozenset({"leaf_const", "num_features", "leaf_features", "leaf_coeff"})
#: Lists of a tree by their length: of its splits, or of its leaves.
_OF_SPLITS: Final = ("split_gain", "threshold", "internal_value", "internal_weight", "internal_count")
_OF_LEAVES: Final = ("leaf_value", "leaf_weight", "leaf_count")
_TREE_KEYS: Final = (
    frozenset(
        [
            "num_leaves",
            "num_cat",
            "split_feature",
            "decision_type",
            "left_child",
            "right_child",
            "cat_boundaries",
        ]
    )
    | frozenset(["cat_threshold", "is_linear", "shrinkage"])
    | frozenset(_OF_SPLITS)
    | frozenset(_OF_LEAVES)
    | _LINEAR
)
_OF_NODES: Final = ("left_children", "right_children", "split_indices", "split_conditions", "default_left")
_BESIDE: Final = ("parents", "base_weights", "loss_changes", "sum_hessian", "split_type")
_TREES: Final = re.compile(r'"trees"[ \t\r\n]*:[ \t\r\n]*\[')
_BRACKETS: Final = re.compile(r'"[^"]*+"|[\[\]{}]')
_DECODER: Final = json.JSONDecoder()


class _Wrong(Exception):
    """An index leads where nothing is. Never leaves this module."""


class _Broken(Exception):
    """It is not written as the library writes it. Never leaves this module."""


def _issue(error: _Wrong | _Broken, library: str) -> tuple[Issue, ...]:
    if isinstance(error, _Wrong):
        message = f"A tree of the {library} model leads where nothing is: {error}."
        return (Issue("trees:index", Verdict.MALICIOUS, message),)
    message = f"The {library} model cannot be judged: {error}."
    return (Issue("trees:broken", Verdict.UNKNOWN, message),)


# -- LightGBM --


def is_lightgbm(data: bytes) -> bool:
    """Whether a text is a model of LightGBM, as far as its loader needs."""
    return all(mark in data for mark in _MARKS)


def check_lightgbm(source: ByteSource) -> tuple[Issue, ...]:
    """Whether the trees of a model of LightGBM are trees; nothing of a text that is no such model."""
    if source.size > MAX_TEXT:
        if not is_lightgbm(source.read_at(0, 1024 * 1024)):
            return ()
        message = f"The model is larger than the {MAX_TEXT >> 20} MiB that are read."
        return (Issue("trees:budget", Verdict.UNKNOWN, message),)
    data = source.read_at(0, source.size)
    if not is_lightgbm(data):
        return ()
    try:
        _lightgbm(data)
    except (_Wrong, _Broken) as error:
        return _issue(error, "LightGBM")
    return ()


def _lightgbm(data: bytes) -> None:
    if b"\r" in data or b"\0" in data:
        raise _Broken("its lines do not end as LightGBM ends them")
    text = data.decode("utf-8", "replace")
    first = text.find("\nTree=") + 1
    if not first:
        raise _Broken("it has no tree")
    features = _header(text[:first])
    end = text.find("\nend of trees\n", first)
    body = text[first : end + 1] if end >= 0 else text[first:]
    header = _pairs(text[:first])
    trees = ["Tree=" + part for part in re.split(r"(?:\A|(?<=\n))Tree=", body)[1:]]
    if "tree_sizes" in header:
        sizes = _integers(header, "tree_sizes")
        if sizes != [len(tree.encode()) for tree in trees]:
            raise _Broken("the sizes of its trees are not those of the text")
    if not trees or len(trees) % int(header["num_tree_per_iteration"]):
        raise _Broken("the number of its trees is wrong")
    for number, tree in enumerate(trees):
        lines = tree.split("\n")
        if lines[0] != f"Tree={number}":
            raise _Broken("its trees are not in order")
        _tree(lines[1:], features)


def _pairs(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in text.split("\n"):
        key, _, value = line.partition("=")
        if line and key in found:
            raise _Broken("a key stands twice")
        found[key] = value
    return found


def _header(text: str) -> int:
    """The number of features."""
    header = _pairs(text)
    try:
        features = int(header["max_feature_idx"]) + 1
        groups = int(header["num_tree_per_iteration"])
        classes = int(header["num_class"])
    except (KeyError, ValueError):
        raise _Broken("its header is not one that LightGBM writes") from None
    if not 0 < features <= MAX_FEATURES or not 0 < groups <= MAX_CLASSES:
        raise _Broken("it has more features or classes than are read")
    said = re.search(r"\bnum_class:([0-9]+)", header.get("objective", ""))
    if classes != groups or (said is not None and int(said.group(1)) != groups):
        raise _Wrong("it has fewer trees than classes")
    if len(header.get("feature_names", "").split(" ")) != features:
        raise _Broken("its features have no names")
    return features


def _integers(values: Mapping[str, str], key: str) -> list[int]:
    text = values.get(key, "")
    if _INTEGERS.match(text) is None:
        raise _Broken(f"{key} is no list of numbers")
    return [int(word) for word in text.split(" ")]


def _tree(lines: Sequence[str], features: int) -> None:
    filled = [line for line in lines if line]
    if any(lines[len(filled) :]) or any("=" not in line for line in filled):
        raise _Broken("a tree has lines that LightGBM does not write")
    values = _pairs("\n".join(filled)) if filled else {}
    if not values.keys() <= _TREE_KEYS:
        raise _Broken("a tree has keys that LightGBM does not write")
    (leaves,), (kinds,) = _integers(values, "num_leaves"), _integers(values, "num_cat")
    splits = leaves - 1
    if leaves < 1 or kinds < 0:
        raise _Broken("a tree has no leaves")
    for keys, count in ((_OF_SPLITS, splits), (_OF_LEAVES, leaves)):
        for key in keys:
            _counted(values, key, count, needed=key in {"leaf_value", "threshold"} and count > 0)
    if values.get("is_linear", "0") != "0":
        _linear(values, leaves, features)
    if splits == 0:
        return
    left, right, asked, decisions = (
        _integers(values, key) for key in ("left_child", "right_child", "split_feature", "decision_type")
    )
    if {len(left), len(right), len(asked), len(decisions)} != {splits}:
        raise _Broken("the lists of a tree are not as long as it has splits")
    if not all(0 <= feature < features for feature in asked):
        raise _Wrong("it asks for a feature that there is not")
    seen = set()
    for parent, children in enumerate(zip(left, right, strict=True)):
        for child in children:
            # A split comes behind the one that it is below.
            if child in seen or not (parent < child < splits if child >= 0 else ~child < leaves):
                raise _Wrong("a split leads to no other split and no leaf")
            seen.add(child)
    _categories(values, kinds, decisions)


def _counted(values: Mapping[str, str], key: str, count: int, *, needed: bool) -> None:
    text = values.get(key, "")
    if not text and not needed:
        return
    if _NUMBERS.match(text) is None or text.count(" ") + 1 != count:
        raise _Broken(f"{key} is no list of {count} numbers")


def _categories(values: Mapping[str, str], kinds: int, decisions: Sequence[int]) -> None:
    asked = [i for i, decision in enumerate(decisions) if decision & 1]
    if not kinds:
        if asked:
            raise _Wrong("it asks for categories that it does not have")
        return
    bounds, words = _integers(values, "cat_boundaries"), _integers(values, "cat_threshold")
    if len(bounds) != kinds + 1 or bounds[0] != 0 or any(a > b for a, b in pairwise(bounds)):
        raise _Wrong("its categories have no bounds")
    if bounds[-1] != len(words):
        raise _Wrong("its categories lie outside of their list")
    places = values["threshold"].split(" ")
    if not all(places[i].isdecimal() and int(places[i]) < kinds for i in asked):
        raise _Wrong("a split asks for categories that there are not")


def _linear(values: Mapping[str, str], leaves: int, features: int) -> None:
    counts = _integers(values, "num_features")
    _counted(values, "leaf_const", leaves, needed=True)
    named = values.get("leaf_features", "").split()
    given = values.get("leaf_coeff", "").split()
    if len(counts) != leaves or min(counts) < 0 or not sum(counts) == len(named) == len(given):
        raise _Broken("the leaves of a linear tree have no lists of their features")
    if not all(name.isdecimal() and int(name) < features for name in named):
        raise _Wrong("a leaf asks for a feature that there is not")


# -- XGBoost --


def is_xgboost(data: bytes) -> bool:
    """Whether a text of JSON may be a model of XGBoost: its keys may be spelled with escapes."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and (b'"learner"' in data or b"\\u" in data)


def check_xgboost(value: JsonValue) -> tuple[Issue, ...]:
    """Whether the trees of a document of XGBoost are trees; nothing of a document that is none."""
    if isinstance(value, dict) and isinstance(value.get("Model"), dict):
        value = value["Model"]
    learner = value.get("learner") if isinstance(value, dict) else None
    booster = learner.get("gradient_booster") if isinstance(learner, dict) else None
    if not isinstance(learner, dict) or not isinstance(booster, dict):
        return ()
    try:
        _xgboost(learner, booster, None)
    except (_Wrong, _Broken) as error:
        return _issue(error, "XGBoost")
    return ()


def check_large_xgboost(data: bytes) -> tuple[Issue, ...]:
    """As `check_xgboost`, for a document that is too large to be held: one tree at a time.

    Args:
        data: JSON that has each key once in its object.
    """
    text = data.decode("utf-8", "replace")
    found = list(_TREES.finditer(text))
    try:
        if len(found) != 1 or "\\" in text:
            raise _Broken("it is large, and where its trees are cannot be told")
        start = found[0].end()
        places, end = _places(text, start)
        rest = text[:start] + text[end:]
        if len(rest) > MAX_TREE:
            raise _Broken("it holds more beside its trees than is read")
        value: JsonValue = json.loads(rest)
        learner = value.get("learner") if isinstance(value, dict) else None
        booster = learner.get("gradient_booster") if isinstance(learner, dict) else None
        if not isinstance(learner, dict) or not isinstance(booster, dict):
            raise _Broken("it is large, and where its trees are cannot be told")
        _xgboost(learner, booster, (_DECODER.raw_decode(text, place)[0] for place in places), len(places))
    except (_Wrong, _Broken) as error:
        return _issue(error, "XGBoost")
    except (ValueError, RecursionError):
        return _issue(_Broken("it is no JSON"), "XGBoost")
    return ()


def _places(text: str, at: int) -> tuple[list[int], int]:
    """Where the trees of a list begin, and where it ends; none of them is larger than is held."""
    places: list[int] = []
    depth = 0
    for found in _BRACKETS.finditer(text, at):
        mark = found.group()
        if mark in "[{":
            if not depth:
                places.append(found.start())
            depth += 1
        elif mark in "]}":
            if not depth:
                return places, found.start()
            depth -= 1
            if not depth and found.end() - places[-1] > MAX_TREE:
                raise _Broken("a tree is larger than is read")
    raise _Broken("its trees have no end")


def _object(owner: JsonObject, key: str) -> JsonObject:
    found = owner.get(key)
    if not isinstance(found, dict):
        raise _Broken(f"{key} is missing")
    return found


def _number(owner: JsonObject, key: str, default: int | None = None) -> int:
    found = owner.get(key, default)
    if isinstance(found, str) and re.fullmatch("-?[0-9]{1,12}", found):
        return int(found)
    if isinstance(found, int):
        return int(found)
    raise _Broken(f"{key} is no number")


def _list(owner: JsonObject, key: str) -> list[int]:
    found = owner.get(key)
    if not isinstance(found, list) or not all(type(item) is int or type(item) is bool for item in found):
        raise _Broken(f"{key} is no list of numbers")
    return [int(item) for item in found if isinstance(item, int)]


def _xgboost(
    learner: JsonObject, booster: JsonObject, large: Iterable[JsonValue] | None, count: int = 0
) -> None:
    weights: JsonValue = None
    if "gbtree" in booster:
        weights, booster = booster.get("weight_drop"), _object(booster, "gbtree")
    if "model" not in booster:
        return  # settings, without a model
    model, param = _object(booster, "model"), _object(learner, "learner_model_param")
    features, classes = _number(param, "num_feature"), max(1, _number(param, "num_class", 0))
    targets = max(1, _number(param, "num_target", 1))
    if not 0 <= features <= MAX_FEATURES or classes * targets > MAX_CLASSES:
        raise _Broken("it has more features or classes than are read")
    objective = learner.get("objective")
    said = objective.get("softmax_multiclass_param") if isinstance(objective, dict) else None
    if isinstance(said, dict) and max(1, _number(said, "num_class", 0)) != classes:
        raise _Wrong("its objective has other classes than the model")
    if "trees" not in model:
        linear = model.get("weights")
        if not isinstance(linear, list) or len(linear) != (features + 1) * classes * targets:
            raise _Wrong("it has fewer weights than features")
        return
    trees = model["trees"]
    if not isinstance(trees, list):
        raise _Broken("its trees are no list")
    count = len(trees) if large is None else count
    _order(model, count, classes * targets)
    if weights is not None and not (isinstance(weights, list) and len(weights) == count):
        raise _Wrong("it has fewer weights than trees")
    for tree in trees if large is None else large:
        if not isinstance(tree, dict):
            raise _Broken("a tree is no object")
        _nodes(tree, features, targets)


def _order(model: JsonObject, trees: int, groups: int) -> None:
    """The books about the trees: how many there are, of which class each is, and where a round begins."""
    if _number(_object(model, "gbtree_model_param"), "num_trees") != trees:
        raise _Broken("the number of its trees is wrong")
    info = _list(model, "tree_info")
    if len(info) != trees or not all(0 <= group < groups for group in info):
        raise _Wrong("a tree belongs to a class that there is not")
    if "iteration_indptr" in model:
        rounds = _list(model, "iteration_indptr")
        if rounds[:1] != [0] or rounds[-1:] != [trees] or any(a > b for a, b in pairwise(rounds)):
            raise _Wrong("a round begins at a tree that there is not")
    cats = model.get("cats")
    if isinstance(cats, dict) and any(cats.values()):
        _names(cats)


def _names(cats: JsonObject) -> None:
    """The names of categories, by feature, and their order."""
    names, bounds, order = cats.get("enc"), _list(cats, "feature_segments"), _list(cats, "sorted_idx")
    if not isinstance(names, list) or len(bounds) != len(names) + 1 or bounds[0] != 0:
        raise _Broken("the names of its categories are not as many as its features")
    if bounds[-1] != len(order):
        raise _Wrong("the order of its categories is not as long as they are")
    for each, (begin, end) in zip(names, pairwise(bounds), strict=True):
        values = each.get("values") if isinstance(each, dict) else None
        if not isinstance(each, dict) or not isinstance(values, list):
            raise _Broken("the names of its categories are not written as XGBoost writes them")
        count = len(values)
        if "offsets" in each:
            offsets = _list(each, "offsets") or [0]
            if offsets[0] != 0 or offsets[-1] != count or any(a > b for a, b in pairwise(offsets)):
                raise _Wrong("the names of its categories lie outside of their list")
            count = len(offsets) - 1
        if end - begin != count or not all(0 <= place < count for place in order[begin:end]):
            raise _Wrong("the order of its categories leads where there is none")


def _nodes(tree: JsonObject, features: int, targets: int) -> None:
    param = _object(tree, "tree_param")
    count = _number(param, "num_nodes")
    vector = max(1, _number(param, "size_leaf_vector", 1))
    if vector not in {1, targets}:
        raise _Broken("its leaves are not as long as it has targets")
    for key in (*_OF_NODES, *_BESIDE):
        values = tree.get(key)
        if values is None and key in _BESIDE:
            continue
        wanted = count * vector if key == "base_weights" else count
        if not isinstance(values, list) or len(values) != wanted:
            raise _Broken(f"{key} is not as long as the tree has nodes")
    left, right, asked = (_list(tree, key) for key in ("left_children", "right_children", "split_indices"))
    if not count:
        raise _Broken("a tree has no nodes")
    leaves = _leaves(tree, vector)
    seen, todo = {0}, [0]
    kinds = _list(tree, "split_type") if "split_type" in tree else [0] * count
    named = _named(tree, count)
    while todo:
        node = todo.pop()
        children = (left[node], right[node])
        if children == (-1, -1) and leaves is None:
            continue
        if children[0] == -1 and leaves is not None:
            if not 0 <= children[1] < leaves:
                raise _Wrong("a leaf has no weights")
            continue
        for child in children:
            if not 0 < child < count or child in seen:
                raise _Wrong("a node leads to no other node")
            seen.add(child)
            todo.append(child)
        if not 0 <= asked[node] < features:
            raise _Wrong("it asks for a feature that there is not")
        if kinds[node] not in {0, 1} or (kinds[node] == 1) is not (node in named):
            raise _Wrong("a node asks for categories that there are not")


def _leaves(tree: JsonObject, vector: int) -> int | None:
    """How many leaves have vectors of their own; None where weights are those of nodes."""
    weights = tree.get("leaf_weights")
    if vector == 1 or weights is None:
        return None
    if not isinstance(weights, list) or len(weights) % vector:
        raise _Broken("the weights of its leaves are no vectors")
    return len(weights) // vector


def _named(tree: JsonObject, count: int) -> frozenset[int]:
    """The nodes that have categories."""
    if not tree.get("categories_nodes"):
        return frozenset()
    nodes, segments, sizes, categories = (
        _list(tree, f"categories{key}") for key in ("_nodes", "_segments", "_sizes", "")
    )
    if not len(nodes) == len(segments) == len(sizes) or any(a >= b for a, b in pairwise(nodes)):
        raise _Broken("its categories are not in order")
    if nodes[0] < 0 or nodes[-1] >= count:
        raise _Wrong("categories belong to a node that there is not")
    for begin, size in zip(segments, sizes, strict=True):
        if begin < 0 or size < 0 or begin + size > len(categories):
            raise _Wrong("its categories lie outside of their list")
    if categories and not 0 <= min(categories) <= max(categories) < MAX_CATEGORY:
        raise _Wrong("a category is larger than any that is counted")
    return frozenset(nodes)

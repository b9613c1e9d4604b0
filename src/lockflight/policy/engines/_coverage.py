"""Which lines of a policy its tests reach, in a child process of its own: regorus counts them."""

from __future__ import annotations

import json
from typing import Any


def lines(request: bytes, _fds: list[int]) -> bytes:
    """`{modules, data, runs: [[document, [rule, …]], …]}` to `{path: {"reached": [line, …], "missed": [line, …]}}`.

    What fails or is undefined is counted as far as it came: whether it should is for the tests to say.
    """
    import regorus

    asked = json.loads(request)
    engine: Any = regorus.Engine()
    engine.set_enable_coverage(True)
    for path, source in sorted(asked["modules"].items()):
        engine.add_policy(path, source)
    engine.add_data_json(json.dumps(asked["data"]))
    reached: dict[str, set[int]] = {path: set() for path in asked["modules"]}
    missed: dict[str, set[int]] = {path: set() for path in asked["modules"]}
    for document, rules in asked["runs"]:
        fresh = engine.clone()
        fresh.set_input_json(document)
        for rule in rules:
            try:
                fresh.eval_rule_as_json(rule)
            except Exception:  # noqa: BLE001, S112 - the library raises what it likes
                continue
        for file in json.loads(fresh.get_coverage_report_as_json())["files"]:
            reached[file["path"]].update(file["covered"])
            missed[file["path"]].update(file["not_covered"])
    found = {
        path: {"reached": sorted(reached[path]), "missed": sorted(missed[path] - reached[path])}
        for path in reached
    }
    return json.dumps(found).encode()

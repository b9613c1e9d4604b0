"""Runs in a child: regorus asked by query, as the conformance cases put it. The gate itself asks for rules only."""

from __future__ import annotations

import json


def answers(request, fds):
    """`[{modules, data, document, query}]` to `[{rows} | {error}]`."""
    return json.dumps([answer(case) for case in json.loads(request)]).encode()


def answer(case):
    import regorus

    engine = regorus.Engine()
    try:
        for path, source in case["modules"].items():
            engine.add_policy(path, source)
        engine.add_data_json(json.dumps(case["data"]))
        if case["document"]:
            engine.set_input_json(case["document"])
        told = json.loads(engine.eval_query_as_json(case["query"]))
        return {"rows": [result.get("bindings", {}) for result in told.get("result", [])]}
    except BaseException as error:  # noqa: BLE001 - a panic of the library is no Exception
        return {"error": str(error)[:500]}

"""Rows of tables: what both digests cost beside the least that any such tree costs, and how much memory they take.

The peer reads the same file with the standard library, spells each row and computes as many SHA-256 as the two
trees need (record, salt, leaf, and a node in each): no way to two salted Merkle roots in Python is shorter.

    python bench/dataset.py            a million rows of each kind, and ten million for memory
    python bench/dataset.py --quick    a hundred thousand, and a million for memory
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench._common import arguments, at_most, child, finish, interleaved

US = """
import json, sys
from pathlib import Path
from lockflight.app.data.dataset import opened_file
from lockflight.app.files.rows import row_index
with opened_file(Path(sys.argv[1])) as source:
    print(row_index(source).head.rows)
"""
PEER = """
import csv, json, sys
from hashlib import sha256
node = bytes(65)
rows = 0
def hashed(row):
    record = sha256(row).digest()
    for part in (record, node, node, node):
        record = sha256(part).digest()
with open(sys.argv[1], newline="", encoding="utf-8") as file:
    if sys.argv[1].endswith(".csv"):
        lines = csv.reader(file)
        next(lines)
        for row in lines:
            hashed(",".join(row).encode())
            rows += 1
    else:
        for line in file:
            value = json.loads(line)
            hashed(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
            rows += 1
print(rows)
"""


def write(path: Path, rows: int) -> Path:
    """A table of four columns; a third of the CSV rows have quotes."""
    choose = random.Random(7)
    with path.open("w", encoding="utf-8") as file:
        if path.suffix == ".csv":
            file.write("id,name,age,score\n")
        for i in range(rows):
            name = f'"Lock, {i % 9973}"' if i % 3 == 0 else f"Lock {i % 9973}"
            score = f"{choose.random():.6f}"
            if path.suffix == ".csv":
                file.write(f"{i},{name},{i % 90},{score}\n")
            else:
                file.write(f'{{"id": {i}, "name": {json.dumps(name)}, "age": {i % 90}, "score": {score}}}\n')
    return path


def main() -> int:
    """Measure and report."""
    quick = arguments(__doc__).quick
    rows, many = (100_000, 1_000_000) if quick else (1_000_000, 10_000_000)
    claims = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, limit in ((".csv", 1.5), (".jsonl", 2.0)):
            path = write(Path(folder) / f"table{suffix}", rows)
            sides = {
                name: lambda code=code, path=path: child([sys.executable, "-c", code, path])
                for name, code in (("us", US), ("peer", PEER))
            }
            seen = interleaved(sides, 3)
            assert seen["us"].output.split() == seen["peer"].output.split() == [str(rows)]
            ratio = seen["us"].cpu / seen["peer"].cpu
            print(f"{suffix}: {rows / seen['us'].cpu:,.0f} rows in a second of processor time")
            claims.append(
                at_most(
                    f"CPU of both digests of {rows} rows, {suffix[1:]}",
                    ratio,
                    limit,
                    "the standard library's reader and as many SHA-256",
                    cause="each row is read in Python, strictly",
                )
            )
            path.unlink()
        path = write(Path(folder) / "many.csv", many)
        cost = child([sys.executable, "-c", US, path])
        assert cost.output.split() == [str(many)]
        claims.append(
            at_most(
                f"peak memory for {many} rows",
                cost.memory,
                40 + 45 * many / 1024 / 1024,
                "32 bytes for each row, and an interpreter",
                unit="MiB",
            )
        )
    return finish(*claims)


if __name__ == "__main__":
    sys.exit(main())

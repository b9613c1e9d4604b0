"""How the modules of a bundle are named."""

from __future__ import annotations

from typing import Final

#: Modules that test, and never judge.
TEST_SUFFIX: Final = "_test.rego"

"""The realm and workspace of the app's tests."""

from __future__ import annotations

from tests.app.conftest import realm, workspace

__all__ = ["realm", "workspace"]

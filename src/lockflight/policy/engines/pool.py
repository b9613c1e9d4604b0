"""Which engines are here, and which of them judge: each is started at most once, when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lockflight.errors import EnvironmentProblem
from lockflight.policy.engines import opa
from lockflight.policy.engines.dual import DualEngine
from lockflight.policy.engines.mode import Mode
from lockflight.policy.engines.regorus import RegorusEngine

if TYPE_CHECKING:
    from lockflight.core.ports import PolicyEngine


class Engines:
    """The engines of one process. No child starts before the first evaluation."""

    def __init__(self) -> None:
        self._regorus: RegorusEngine | None = None
        self._opa: PolicyEngine | None = None
        self._dual: DualEngine | None = None
        self._sought = False

    @property
    def regorus(self) -> PolicyEngine:
        """The engine that is always here."""
        if self._regorus is None:
            self._regorus = RegorusEngine()
        return self._regorus

    @property
    def opa(self) -> PolicyEngine | None:
        """OPA: its library, else its program, else None."""
        if not self._sought:
            self._sought = True
            if opa.installed():
                self._opa = opa.OpaEngine()
            else:
                from lockflight.policy.engines.opaprogram import OpaProgram, find_program

                program = find_program()
                self._opa = OpaProgram(program) if program is not None else None
        return self._opa

    @property
    def installed(self) -> tuple[PolicyEngine, ...]:
        """Every engine that is here, each by itself."""
        return (self.regorus, self.opa) if self.opa is not None else (self.regorus,)

    def for_mode(self, mode: Mode) -> PolicyEngine:
        """What judges under a mode.

        Raises:
            EnvironmentProblem: LF4021 two engines are demanded and there is one.
        """
        if mode is Mode.ANY:
            return self.regorus
        if self.opa is None:
            if mode is Mode.DUAL:
                raise EnvironmentProblem(
                    "LF4021",
                    "The policy demands two engines that agree, and the second one, OPA, is not installed.",
                    hint=opa.INSTALL,
                )
            return self.regorus
        if self._dual is None:
            self._dual = DualEngine(self.regorus, self.opa)
        return self._dual

    def close(self) -> None:
        """End every child."""
        for engine in (self._regorus, self._opa):
            if engine is not None:
                engine.close()

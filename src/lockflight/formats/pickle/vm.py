"""The machine: runs one pickle stream over tags.

The loop keeps the frequent opcodes inside and hands the rest to `effects`; a stream of millions of opcodes spends its
time here, so the loop trades beauty for speed, and only the loop does.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lockflight.core.records import dataclass
from lockflight.core.source import Window
from lockflight.formats.pickle import joblib
from lockflight.formats.pickle.effects import EFFECTS
from lockflight.formats.pickle.state import MAX_MARKS, MAX_MEMO, MAX_STACK, PAD, Broken, Budget, State
from lockflight.formats.pickle.values import (
    BOOL,
    LIST,
    MAX_TEXT,
    MAX_TUPLE,
    NONE,
    NUMBER,
    STRING,
    TUPLE,
    Dict,
    Value,
)
from lockflight.formats.report import shown

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList

__all__ = ["Budget", "Machine", "Outcome"]

CHUNK = 256 * 1024
#: The longest opcode with an argument of fixed length.
_REACH = 9
_EFFECTS = {**EFFECTS, 0x62: joblib.build}
_U32 = struct.Struct("<I").unpack_from
_I32 = struct.Struct("<i").unpack_from
_NUMBERS = tuple(-1 - i for i in range(256))


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        stopped: whether it reached STOP.
        end: offset behind the last opcode that was looked at.
        opcodes: how many were run.
        problem: why it did not reach STOP; empty when it did.
        budget: whether a budget, and not the stream, ended it.
        value: what STOP left.
    """

    stopped: bool
    end: int
    opcodes: int
    problem: str = ""
    budget: bool = False
    value: Value = NONE


class Machine(State):
    """Runs one stream; use a new one for each."""

    def __init__(
        self,
        source: ByteSource,
        allow: AllowList,
        budget: Budget,
        *,
        torch: bool = False,
        joblib: bool = False,
    ) -> None:
        super().__init__(source, allow, budget, torch=torch, joblib=joblib)
        self._value: Value = NONE

    def run(self, start: int) -> Outcome:
        """Run from an offset to STOP, damage, or the end of a budget; never raises for any bytes."""
        problem, over = "", False
        self.base = self.pos = self.at = start
        try:
            self._loop(start)
        except Broken as broken:
            problem, over = str(broken), broken.budget
        except IndexError:
            # Lists that are empty: the stack, the marks, or a memo entry that does not exist.
            problem = "it takes something from an empty stack or an unwritten memo entry"
        self.budget.opcodes -= self.opcodes
        return Outcome(not problem, self.pos, self.opcodes, problem, over, self._value)

    def nested(self, start: int) -> int:
        """Run the pickle that lies inside this one, as part of it; the offset behind it.

        Raises:
            Broken: it does not reach its STOP.
        """
        self.budget.depth -= 1
        if self.budget.depth < 0:
            raise Broken("pickles lie inside each other too deeply", budget=True)
        inner = Machine(self.source, self.allow, self.budget)
        outcome = inner.run(start)
        self.budget.depth += 1
        self.issues.extend(inner.issues.frozen())
        for key, found in inner.globals.items():
            known = self.globals.setdefault(key, found)
            known[1].called = known[1].called or found[1].called
        self.calls |= inner.calls
        self.ext_codes |= inner.ext_codes
        self.persistent_ids += inner.persistent_ids
        if not outcome.stopped:
            raise Broken(f"in an array of objects, {outcome.problem}", budget=outcome.budget)
        return outcome.end

    def literal(self, start: int, length: int) -> None:
        """A whole pickle that lies in the stream as bytes: nobody runs it yet, and no model needs one that imports."""
        if self.source.read_at(start + length - 1, 1) != b".":
            return
        self.budget.depth -= 1
        if self.budget.depth < 0:
            raise Broken("pickles lie inside each other too deeply", budget=True)
        inner = Machine(Window(self.source, start, length, self.source.name), self.allow, self.budget)
        outcome = inner.run(0)
        self.budget.depth += 1
        if outcome.budget:
            raise Broken(f"in bytes that are a pickle, {outcome.problem}", budget=True)
        names = [
            shown(".".join(use.resolved), 200)[1:-1] for _, use in inner.globals.values() if not use.listed
        ]
        names += [issue.subject for issue in inner.issues.frozen() if issue.rule == "pickle:nested"]
        if outcome.stopped and outcome.end == length and names:
            self.block(
                "nested", f"Bytes in it are a pickle of their own, which imports {names[0]}.", names[0]
            )

    def _turn(self, at: int, done: int) -> int:
        """Between two opcodes: frames, budgets and the window; how far the loop may go, relative to `base`."""
        self.pos = self.at = at
        if self.frame_end:
            if at > self.frame_end:
                self.block("frame", "An opcode reaches over the end of its frame, which no pickler writes.")
            if at >= self.frame_end:
                self.frame_end = 0
        size = self.source.size
        if at >= size:
            raise Broken(
                "the file ends in the middle of an opcode" if at > size else "the file ends before STOP"
            )
        left = self.budget.opcodes - done
        if left <= 0:
            raise Broken("it has more opcodes than the budget allows", budget=True)
        if len(self.stack) > MAX_STACK or len(self.marks) > MAX_MARKS or len(self.memo) > MAX_MEMO:
            raise Broken("it needs more stack or memo than the budget allows", budget=True)
        self.forget()
        end = self.base + len(self.buf) - PAD
        if not self.base <= at < end - _REACH and (end < size or at < self.base or at >= end):
            # One opcode takes at least one byte, so a window never holds more of them than are left.
            wanted = min(CHUNK, max(left, _REACH + 1), size - at)
            data = self.source.read_at(at, wanted)
            if len(data) < wanted:
                raise Broken("the source cannot be read any further", budget=True)
            self.base = at
            self.buf = data + bytes(PAD)
            end = at + wanted
        stop = end if end == size else end - _REACH
        if self.frame_end:
            stop = min(stop, self.frame_end)
        return stop - self.base

    def _loop(self, at: int) -> None:  # noqa: C901, PLR0912, PLR0915 - one loop; a call for each opcode would halve its speed
        self.buf = b""
        stack, marks, memo = self.stack, self.marks, self.memo
        buf, base, pos, limit, plain, count = b"", at, 0, 0, True, 0
        effects = _EFFECTS
        try:
            while True:
                if pos >= limit:
                    self.stack = stack
                    at = base + pos
                    limit = self._turn(at, count)
                    buf, base = self.buf, self.base
                    pos = at - base
                count += 1
                op = buf[pos]
                # Three ranges of opcodes, each in the order of how often they occur.
                if op > 0x7F:
                    if op == 0x94 and plain:  # MEMOIZE
                        memo.append(stack[-1])
                        pos += 1
                        continue
                    if op == 0x8C:  # SHORT_BINUNICODE
                        length = buf[pos + 1]
                        pos += 2
                        stack.append((base + pos) << 16 | length)
                        pos += length
                        continue
                    if op == 0x86:  # TUPLE2
                        second = stack.pop()
                        stack[-1] = (stack[-1], second)
                        pos += 1
                        continue
                    if op == 0x85:  # TUPLE1
                        stack[-1] = (stack[-1],)
                        pos += 1
                        continue
                    if op in {0x88, 0x89}:  # NEWTRUE, NEWFALSE
                        stack.append(BOOL)
                        pos += 1
                        continue
                elif op > 0x67:
                    if op == 0x68 and plain:  # BINGET
                        stack.append(memo[buf[pos + 1]])
                        pos += 2
                        continue
                    if op == 0x71 and plain and buf[pos + 1] == len(memo):  # BINPUT of the next index
                        memo.append(stack[-1])
                        pos += 2
                        continue
                    if (
                        op == 0x72 and plain and _U32(buf, pos + 1)[0] == len(memo)
                    ):  # LONG_BINPUT of the next index
                        memo.append(stack[-1])
                        pos += 5
                        continue
                    if op == 0x6A:  # LONG_BINGET
                        stack.append(self.get(_U32(buf, pos + 1)[0]))
                        pos += 5
                        continue
                    if op == 0x75:  # SETITEMS
                        items, stack = stack, marks.pop()
                        self.at = base + pos
                        self.put_items(stack[-1], items)
                        pos += 1
                        continue
                    if op == 0x7D:  # EMPTY_DICT
                        stack.append(Dict())
                        pos += 1
                        continue
                    if op == 0x74:  # TUPLE
                        items, stack = stack, marks.pop()
                        stack.append(tuple(items) if len(items) <= MAX_TUPLE else TUPLE)
                        pos += 1
                        continue
                    if op == 0x73:  # SETITEM
                        value = stack.pop()
                        key = stack.pop()
                        self.at = base + pos
                        self.put_items(stack[-1], [key, value])
                        pos += 1
                        continue
                else:
                    if op == 0x4B:  # BININT1
                        stack.append(_NUMBERS[buf[pos + 1]])
                        pos += 2
                        continue
                    if op == 0x47:  # BINFLOAT
                        stack.append(NUMBER)
                        pos += 9
                        continue
                    if op == 0x58:  # BINUNICODE
                        length = _U32(buf, pos + 1)[0]
                        pos += 5
                        stack.append((base + pos) << 16 | length if length <= MAX_TEXT else STRING)
                        pos += length
                        continue
                    if op == 0x4D:  # BININT2
                        stack.append(-1 - (buf[pos + 1] | buf[pos + 2] << 8))
                        pos += 3
                        continue
                    if op == 0x4A:  # BININT
                        number = _I32(buf, pos + 1)[0]
                        stack.append(-1 - number if number >= 0 else NUMBER)
                        pos += 5
                        continue
                    if op == 0x28:  # MARK
                        marks.append(stack)
                        stack = []
                        pos += 1
                        continue
                    if op == 0x4E:  # NONE
                        stack.append(NONE)
                        pos += 1
                        continue
                    if op == 0x65:  # APPENDS
                        stack = marks.pop()
                        self.at = base + pos
                        if stack[-1] is not LIST:
                            self.extend(stack[-1])
                        pos += 1
                        continue
                    if op == 0x29:  # EMPTY_TUPLE
                        stack.append(())
                        pos += 1
                        continue
                    if op == 0x5D:  # EMPTY_LIST
                        stack.append(LIST)
                        pos += 1
                        continue
                    if op == 0x61:  # APPEND
                        del stack[-1]
                        self.at = base + pos
                        if stack[-1] is not LIST:
                            self.extend(stack[-1])
                        pos += 1
                        continue
                    if op == 0x2E:  # STOP
                        self._value = stack.pop()
                        self.pos = base + pos + 1
                        return
                self.stack = stack
                self.at = base + pos
                self.pos = self.at + 1
                effect = effects.get(op)
                if effect is not None:
                    effect(self)
                else:
                    self._any_memo(op, buf, pos)
                stack, plain = self.stack, self.plain
                pos = self.pos - base
                if self.frame_end:
                    limit = min(limit, self.frame_end - base)
        finally:
            self.opcodes = count

    def _any_memo(self, op: int, buf: bytes, pos: int) -> None:
        """MEMOIZE, BINGET and the PUTs where the memo is not written in order; bytes that are no opcode."""
        if op == 0x94:
            self.memoize()
        elif op in {0x68, 0x71}:
            self.pos += 1
            if op == 0x68:
                self.stack.append(self.get(buf[pos + 1]))
            else:
                self.put(buf[pos + 1], self.stack[-1])
        elif op == 0x72:
            self.pos += 4
            self.put(_U32(buf, pos + 1)[0], self.stack[-1])
        else:
            raise Broken(f"byte 0x{op:02x} is no opcode")

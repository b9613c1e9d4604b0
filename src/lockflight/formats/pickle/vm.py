"""The machine: runs one pickle stream over tags.

The loop keeps the frequent opcodes inside and hands the rest to `effects`; a stream of millions of opcodes spends its
time here, so the loop trades beauty for speed, and only the loop does.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from lockflight.core.source import Window
from lockflight.formats.pickle import joblib
from lockflight.formats.pickle.effects import EFFECTS, SMALLEST_PICKLE
from lockflight.formats.pickle.reading import PAD
from lockflight.formats.pickle.records import MAX_LINE, MAX_NESTING, MAX_PICKLES, Broken, Budget, Outcome
from lockflight.formats.pickle.turns import Turns
from lockflight.formats.pickle.values import (
    BOOL,
    BYTES,
    DICT,
    LIST,
    MAX_TUPLE,
    NONE,
    NUMBER,
    TUPLE,
    Box,
    Dict,
    Made,
    Tag,
    Value,
    depth_of,
    number_of,
)
from lockflight.formats.pickle.written import FEW, INDEXES, INTS, PUTS, SMALL
from lockflight.formats.report import shown

if TYPE_CHECKING:
    from lockflight.core.source import ByteSource
    from lockflight.formats.pickle.allow import AllowList

__all__ = ["Machine", "Outcome"]

_EFFECTS = {**EFFECTS, 0x62: joblib.build}
_U32 = struct.Struct("<I").unpack_from
_U64 = struct.Struct("<Q").unpack_from
_I32 = struct.Struct("<i").unpack_from


class Machine(Turns):
    """Runs one stream; use a new one for each."""

    def __init__(
        self,
        source: ByteSource,
        allow: AllowList,
        budget: Budget,
        *,
        torch: bool = False,
        joblib: bool = False,
        careful: bool = False,
    ) -> None:
        super().__init__(source, allow, budget, torch=torch, joblib=joblib, careful=careful)
        self._value: Value = NONE

    def run(self, start: int) -> Outcome:
        """Run from an offset to STOP, damage, or the end of a budget; never raises for any bytes."""
        problem, over = "", False
        self.base = self.pos = self.at = self.start = start
        try:
            self._loop(start)
        except Broken as broken:
            problem, over = str(broken), broken.budget
        except IndexError:
            # Lists that are empty: the stack, the marks, or a memo entry that does not exist.
            problem = "it takes something from an empty stack or an unwritten memo entry"
        self.budget.opcodes -= self.opcodes
        self.after()
        return Outcome(not problem, self.pos, self.opcodes, problem, over, self._value)

    def nested(self, start: int) -> int:
        """Run the pickle that lies inside this one, as part of it; the offset behind it.

        Raises:
            Broken: it does not reach its STOP.
        """
        self.budget.depth -= 1
        if self.budget.depth < 0:
            raise Broken(f"pickles lie more than {MAX_PICKLES} deep inside each other", budget=True)
        inner = Machine(self.source, self.allow, self.budget, careful=self.careful)
        outcome = inner.run(start)
        self.heard(inner)
        self.budget.depth += 1
        self.issues.extend(inner.issues.frozen())
        for key, first in inner.found.items():
            self.found.setdefault(key, first)
        self.edges |= inner.edges
        self.computed |= inner.computed
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
            raise Broken(f"pickles lie more than {MAX_PICKLES} deep inside each other", budget=True)
        inner = Machine(Window(self.source, start, length, self.source.name), self.allow, self.budget)
        outcome = inner.run(0)
        self.budget.depth += 1
        if outcome.budget:
            raise Broken(f"in bytes that are a pickle, {outcome.problem}", budget=True)
        unlisted = [one for one, _ in inner.found.values() if one.entry is None]
        names = [shown(".".join(one.resolved), 200)[1:-1] for one in unlisted]
        names += [issue.subject for issue in inner.issues.frozen() if issue.rule == "pickle:nested"]
        if outcome.stopped and outcome.end == length and names:
            self.block(
                "nested", f"Bytes in it are a pickle of their own, which imports {names[0]}.", names[0]
            )

    def _loop(self, at: int) -> None:  # noqa: C901, PLR0912, PLR0915 - one loop; a call for each opcode would halve its speed
        self.buf = b""
        stack, marks, deeps, memo = self.stack, self.marks, self.deeps, self.memo
        buf, base, pos, limit, edge, memoize, count = b"", at, 0, 0, 0, 0x94, 0
        deep, track = 0, False
        value: Value
        try:
            while True:
                if pos >= limit:
                    self.stack = stack
                    at = base + pos
                    limit = self.turn(at, count)
                    buf, base, track = self.buf, self.base, self.track
                    edge = len(buf) - PAD
                    pos = at - base
                count += 1
                op = buf[pos]
                # A tree by ranges. What ends in `continue` is done; what falls through has pushed `value`, which
                # the next opcode most often memoises.
                if op > 0x7F:
                    if op == 0x8C:  # SHORT_BINUNICODE
                        value = base + pos
                        stack.append(value)
                        pos += 2 + buf[pos + 1]
                    elif op == memoize:  # MEMOIZE
                        memo.append(stack[-1])
                        pos += 1
                        continue
                    elif op < 0x88:
                        if op == 0x86:  # TUPLE2
                            second = stack.pop()
                            first = stack[-1]
                            value = (first, second)
                            if track and not (
                                (type(second) is int or type(second) is Tag)
                                and (type(first) is int or type(first) is Tag)
                            ):
                                value, deep = self.join(value, deep)
                        elif op == 0x85:  # TUPLE1
                            value = (stack[-1],)
                            if track:
                                value, deep = self.join(value, deep)
                        elif op == 0x87:  # TUPLE3
                            third = stack.pop()
                            second = stack.pop()
                            value = (stack[-1], second, third)
                            if track:
                                value, deep = self.join(value, deep)
                        elif op == 0x81:  # NEWOBJ
                            self.at = base + pos
                            second = stack.pop()
                            value = self.called("NEWOBJ", stack[-1], second)
                            if track and second:
                                value, deep = self.filled(value, second, deep)
                        else:
                            pos, limit, memoize, deep = self._rare(op, stack, deep, buf, pos, limit)
                            stack = self.stack
                            continue
                        stack[-1] = value
                        pos += 1
                    elif op < 0x8A:  # NEWTRUE, NEWFALSE
                        stack.append(BOOL)
                        pos += 1
                        continue
                    elif op == 0x93:  # STACK_GLOBAL
                        self.at = base + pos
                        second = stack.pop()
                        stack[-1] = value = self.spelled(stack[-1], second)
                        pos += 1
                    elif op == 0x96 and pos + 10 <= edge and buf[pos + 9] != 0x80:
                        # BYTEARRAY8 that holds no pickle
                        self.at = base + pos
                        value = BYTES
                        stack.append(value)
                        pos += 9 + _U64(buf, pos + 1)[0]
                    else:
                        pos, limit, memoize, deep = self._rare(op, stack, deep, buf, pos, limit)
                        stack = self.stack
                        continue
                elif op < 0x52:
                    if op == 0x4B:  # BININT1
                        stack.append(SMALL[buf[pos + 1]])
                        pos += 2
                        continue
                    if op > 0x45:
                        if op == 0x47:  # BINFLOAT
                            stack.append(NUMBER)
                            pos += 9
                            continue
                        if op == 0x4E:  # NONE
                            stack.append(NONE)
                            pos += 1
                            continue
                        if op == 0x4D:  # BININT2
                            stack.append(-1 - (buf[pos + 1] | buf[pos + 2] << 8))
                            pos += 3
                            continue
                        if op == 0x4A:  # BININT
                            number = _I32(buf, pos + 1)[0]
                            stack.append(-1 - number if number >= 0 else number_of(number))
                            pos += 5
                            continue
                        if op == 0x49:  # INT
                            end = buf.find(b"\n", pos, edge)
                            said = INTS.get(buf[pos + 1 : end]) if end > 0 else None
                            if said is not None:
                                if type(said) is Tag:
                                    self.at = base + pos
                                stack.append(said)
                                pos = end + 1
                                continue
                    else:
                        if op == 0x28:  # MARK
                            marks.append(stack)
                            stack = []
                            pos += 1
                            if track:
                                deeps.append(deep)
                                deep = 0
                            continue
                        if op == 0x43 and (buf[pos + 1] < SMALLEST_PICKLE or buf[pos + 2] != 0x80):
                            # SHORT_BINBYTES that hold no pickle
                            if buf[pos + 1] >= SMALLEST_PICKLE:
                                self.at = base + pos
                            stack.append(BYTES)
                            pos += 2 + buf[pos + 1]
                            continue
                        if (
                            op == 0x42 and pos + 6 <= edge and buf[pos + 5] != 0x80
                        ):  # BINBYTES that hold no pickle
                            self.at = base + pos
                            stack.append(BYTES)
                            pos += 5 + _U32(buf, pos + 1)[0]
                            continue
                        if op == 0x29:  # EMPTY_TUPLE
                            stack.append(())
                            pos += 1
                            continue
                        if op == 0x2E:  # STOP
                            self._value = stack.pop()
                            self.pos = base + pos + 1
                            if len(marks) > MAX_NESTING:
                                self.many_marks()
                            return
                    pos, limit, memoize, deep = self._rare(op, stack, deep, buf, pos, limit)
                    stack = self.stack
                    continue
                elif op > 0x6F:
                    if op == 0x71 and memoize > 0 and buf[pos + 1] == len(memo):  # BINPUT of the next index
                        memo.append(stack[-1])
                        pos += 2
                        continue
                    if op == 0x74:  # TUPLE
                        items = stack
                        stack = marks.pop()
                        value = tuple(items) if len(items) <= MAX_TUPLE else TUPLE.of(items)
                        if track:
                            inner, deep = deep, deeps.pop()
                            if not inner:
                                deep = deep or 1
                            elif inner == 1 or type(value) is Box:
                                value, deep = self.grown(value, inner, deep)
                            else:
                                value, deep = self.join(tuple(items), deep)
                        stack.append(value)
                        pos += 1
                    elif op == 0x73:  # SETITEM
                        second = stack.pop()
                        first = stack.pop()
                        value = stack[-1]
                        self.at = base + pos
                        if value is not DICT or self.handed:
                            self.put_items(value, [first, second])
                        if track:
                            inner = max(depth_of(first), depth_of(second))
                            if inner:
                                stack[-1], deep = self.grown(value, inner, deep)
                        pos += 1
                        continue
                    elif op == 0x75:  # SETITEMS
                        items = stack
                        stack = marks.pop()
                        value = stack[-1]
                        self.at = base + pos
                        if value is not DICT or self.handed or len(items) & 1:
                            self.put_items(value, items)
                        if track:
                            inner, deep = deep, deeps.pop()
                            if inner:
                                stack[-1], deep = self.grown(value, inner, deep)
                        pos += 1
                        continue
                    elif op == 0x7D:  # EMPTY_DICT
                        value = self.new_dict()
                        stack.append(value)
                        pos += 1
                    elif (
                        op == 0x70
                        and memoize > 0
                        and len(memo) < FEW
                        and buf.startswith(line := PUTS[len(memo)], pos)
                    ):  # PUT of the next index
                        memo.append(stack[-1])
                        pos += len(line)
                        continue
                    elif op == 0x72 and memoize > 0 and _U32(buf, pos + 1)[0] == len(memo):
                        # LONG_BINPUT of the next index
                        memo.append(stack[-1])
                        pos += 5
                        continue
                    else:
                        pos, limit, memoize, deep = self._rare(op, stack, deep, buf, pos, limit)
                        stack = self.stack
                        continue
                elif op > 0x61:
                    if op == 0x68 and memoize > 0:  # BINGET
                        value = memo[buf[pos + 1]]
                        if type(value) is not int:
                            value = self.shared(value)
                        stack.append(value)
                        pos += 2
                        continue
                    if op == 0x62:  # BUILD
                        first = stack[-2]
                        second = stack[-1]
                        if (
                            type(first) is Made
                            and not self.careful
                            and (
                                (type(second) is tuple and (not first.kept or first.callee.name == "dtype"))
                                or (
                                    not first.kept
                                    and (
                                        type(second) is Dict
                                        or (type(second) is Box and second.name == "dict")
                                    )
                                )
                            )
                        ):
                            if type(second) is tuple:
                                self.at = base + pos
                                (joblib.kept if first.kept else joblib.told)(self, first, second)
                            stack.pop()
                            pos += 1
                            if track:
                                stack[-1], deep = self.filled(first, second, deep)
                            if type(second) is Dict:
                                self.release(second)
                            continue
                    elif op == 0x65:  # APPENDS
                        stack = marks.pop()
                        value = stack[-1]
                        self.at = base + pos
                        if value is not LIST:
                            self.append_to(value)
                        if track:
                            inner, deep = deep, deeps.pop()
                            if inner:
                                stack[-1], deep = self.grown(value, inner, deep)
                        pos += 1
                        continue
                    elif op == 0x67 and memoize > 0:  # GET of one of the first entries
                        end = pos + 2
                        while end < pos + 5 and buf[end] != 0x0A:
                            end += 1
                        written = INDEXES.get(buf[pos + 1 : end]) if buf[end] == 0x0A else None
                        if written is not None and written < len(memo):
                            stack.append(self.shared(memo[written]))
                            pos = end + 1
                            continue
                    elif op == 0x63:  # GLOBAL
                        middle = buf.find(b"\n", pos, edge)
                        end = buf.find(b"\n", middle + 1, edge) if middle > 0 else -1
                        if 0 < end < pos + MAX_LINE:
                            self.at = base + pos
                            self.pos = base + end + 1
                            named = self.named(buf[pos + 1 : middle], buf[middle + 1 : end])
                            if named is not None:
                                stack.append(named)
                                pos = end + 1
                                continue
                    elif op == 0x6A:  # LONG_BINGET
                        stack.append(self.get(_U32(buf, pos + 1)[0]))
                        pos += 5
                        continue
                    pos, limit, memoize, deep = self._rare(op, stack, deep, buf, pos, limit)
                    stack = self.stack
                    continue
                elif op == 0x58:  # BINUNICODE
                    value = base + pos
                    stack.append(value)
                    pos += 5 + _U32(buf, pos + 1)[0]
                elif op == 0x52:  # REDUCE
                    self.at = base + pos
                    second = stack.pop()
                    value = self.called("REDUCE", stack[-1], second)
                    if track and second:
                        value, deep = self.filled(value, second, deep)
                    stack[-1] = value
                    pos += 1
                elif op == 0x5D:  # EMPTY_LIST
                    value = LIST
                    stack.append(value)
                    pos += 1
                elif op == 0x61:  # APPEND
                    second = stack.pop()
                    value = stack[-1]
                    self.at = base + pos
                    if value is not LIST:
                        self.append_to(value)
                    if track and type(second) is not int and type(second) is not Tag:
                        inner = depth_of(second)
                        if inner:
                            stack[-1], deep = self.grown(value, inner, deep)
                    pos += 1
                    continue
                elif op == 0x56 and (end := buf.find(b"\n", pos, edge)) > 0 > buf.find(
                    b"\\", pos, end
                ):  # UNICODE
                    value = base + pos
                    stack.append(value)
                    pos = end + 1
                else:
                    pos, limit, memoize, deep = self._rare(op, stack, deep, buf, pos, limit)
                    stack = self.stack
                    continue
                if pos < limit:
                    op = buf[pos]
                    if op == memoize:
                        memo.append(value)
                        pos += 1
                        count += 1
                    elif op == 0x71 and memoize > 0 and buf[pos + 1] == len(memo):
                        memo.append(value)
                        pos += 2
                        count += 1
                    elif op == 0x70 and memoize > 0 and len(memo) < FEW:
                        line = PUTS[len(memo)]
                        if buf.startswith(line, pos):
                            memo.append(value)
                            pos += len(line)
                            count += 1
        finally:
            self.opcodes = count
            self.pos = max(self.pos, base + pos)

    def _rare(
        self, op: int, stack: list[Value], deep: int, buf: bytes, pos: int, limit: int
    ) -> tuple[int, int, int, int]:
        """An opcode that the loop leaves to others.

        Returns:
            Where the loop goes on, how far it may go, how it knows MEMOIZE, and the depth of what lies there.
        """
        self.stack = stack
        self.deep = deep
        self.at = self.base + pos
        self.pos = self.at + 1
        effect = _EFFECTS.get(op)
        if effect is not None:
            effect(self)
        else:
            self.any_memo(op, buf, pos)
        if self.frame_end:
            limit = min(limit, self.frame_end - self.base)
        return self.pos - self.base, limit, 0x94 if self.plain else -1, self.deep

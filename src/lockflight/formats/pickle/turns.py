"""What the machine does between two opcodes: frames, budgets, the window; and the memo where it is not in order."""

from __future__ import annotations

import struct
from typing import NoReturn

from lockflight.formats.pickle.arguments import BARE, is_wrapper
from lockflight.formats.pickle.attributes import CLASS_WORD, STATE_WORD
from lockflight.formats.pickle.calls import Calls
from lockflight.formats.pickle.reading import PAD
from lockflight.formats.pickle.records import (
    MAX_GLOBALS,
    MAX_NESTING,
    MAX_OPCODES,
    MAX_STACK,
    SHALLOW,
    Broken,
)
from lockflight.formats.pickle.values import Value
from lockflight.formats.pickle.words import words_in
from lockflight.formats.report import shown

CHUNK = 256 * 1024
#: The longest opcode with an argument of fixed length.
_REACH = 9
_OVERLAP = 4 * len(STATE_WORD) + 2 * _REACH
_U32 = struct.Struct("<I").unpack_from


class Turns(Calls):
    """The machine without its loop."""

    def turn(self, at: int, done: int) -> int:
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
            raise Broken(f"it has more than the {MAX_OPCODES:,} opcodes that are followed", budget=True)
        if len(self.stack) > MAX_STACK:
            raise Broken(
                f"it needs more than the {MAX_STACK:,} places on the stack that are kept", budget=True
            )
        if len(self.marks) > MAX_NESTING:
            self.many_marks()
        self.forget()
        end = before = self.base + len(self.buf) - PAD
        if not self.base <= at < end - _REACH and (end < size or at < self.base or at >= end):
            wanted = min(CHUNK, size - at)
            data = self.source.read_at(at, wanted)
            if len(data) < wanted and len(data) <= _REACH:
                raise Broken("the source cannot be read any further", budget=True)
            self.base = at
            self.buf = data + bytes(PAD)
            end = at + len(data)
            self.remember_words(before, at)
        # One opcode takes at least one byte, so no more of them than are left.
        stop = min(end if end == size else end - _REACH, at + left)
        if self.frame_end:
            stop = min(stop, self.frame_end)
        if not self.track:
            if at >= self.start + SHALLOW:
                self.track = True
                self.deeps += [0] * len(self.marks)
            else:
                stop = min(stop, self.start + SHALLOW)
        return stop - self.base

    def remember_words(self, before: int, at: int) -> None:
        """Note which of `WORDS` are strings in the new window, or between it and the last one."""
        over = b"" if at <= before else self.source.read_at(max(before - _OVERLAP, 0), 2 * _OVERLAP)
        self.words |= words_in(self.buf, over)

    def named(self, module: bytes, name: bytes) -> Value | None:
        """A global by the bytes of its names; None where they are no plain UTF-8."""
        spelling = (module, name, self.proto < 3)
        known = self.allow.spelled.get(spelling)
        if known is None:
            try:
                key = (str(module, "utf-8"), str(name, "utf-8"), spelling[2])
            except UnicodeDecodeError:
                return None
            one = self.find(*key[:2])
            if one.entry is not None:
                self.allow.spelled[spelling] = (key, one)
            return one
        key, one = known
        found: Value = one
        if not one.inert:
            self.hand(one)
        if key not in self.found:
            if len(self.found) >= MAX_GLOBALS:
                return self.find(*key[:2])  # which ends the run
            self.found[key] = (one, self.at)
            if one.kept and key[1] != "dtype":
                self.keeps = True
        return found

    def spelled(self, module: Value, name: Value) -> Value:
        """STACK_GLOBAL: as `find_computed`, which is asked about what does not lie in the window."""
        buf, base = self.buf, self.base
        if type(module) is int and type(name) is int and module >= base and name >= base:
            start, other = module - base, name - base
            end, last = start + 2 + buf[start + 1], other + 2 + buf[other + 1]
            if buf[start] == 0x8C == buf[other] and end <= len(buf) - PAD >= last:
                found = self.named(buf[start + 2 : end], buf[other + 2 : last])
                if found is not None:
                    return found
        return self.find_computed(module, name)

    def many_marks(self) -> NoReturn:
        """More marks are open than are followed."""
        raise Broken(f"more than {MAX_NESTING:,} marks are open", budget=True)

    def any_memo(self, op: int, buf: bytes, pos: int) -> None:
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

    @property
    def doubtful(self) -> bool:
        """Whether attributes matter: one could be told by its name alone, or something callable lies about."""
        return not self.careful and (bool(self.words) or self.handed > 0)

    def after(self) -> None:
        """What can only be said at the end of a careful run."""
        if CLASS_WORD in self.given and any(is_wrapper(one) for one, _ in self.found.values()):
            self.block("joblib", "The stream could make any object one of joblib's arrays (__class__).")
        for one, count in self.lying.items():
            if count > 0 and one.entry is not None and one.entry.arguments in BARE:
                self.unknown(
                    "use",
                    f"The stream hands on {shown(one.label)}, which it may only call itself.",
                    one.label,
                )

    def heard(self, inner: Turns) -> None:
        """What a pickle inside this one gives objects, or hands on."""
        self.words |= inner.words
        self.given |= inner.given
        self.handed += max(0, inner.handed)

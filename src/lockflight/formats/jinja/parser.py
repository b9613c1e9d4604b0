"""Syntax trees of Jinja templates: the statements and expressions that chat templates are written in.

The grammar is that of `jinja2.parser`; statements that reach other templates, and anything else, are refused.
"""

from __future__ import annotations

from lockflight.formats.jinja.lexer import BadTemplate, Token, tokens
from lockflight.formats.jinja.node import Node

#: Nesting of expressions and statements together; each level costs a dozen Python frames.
MAX_DEPTH = 40

_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
_CONSTANTS = frozenset({"true", "True", "false", "False", "none", "None"})


def parse_template(text: str, *, trim: bool = True) -> Node:
    """The tree of a template; its root is a `body`.

    Args:
        text: the template.
        trim: as for `tokens`.

    Raises:
        BadTemplate: it uses something that is not understood here.
    """
    return _Parser(tokens(text, trim=trim)).template()


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.tokens = found
        self.at = 0
        self.depth = 0

    # -- tokens --

    @property
    def line(self) -> int:
        return self.tokens[min(self.at, len(self.tokens) - 1)].line if self.tokens else 0

    def peek(self, kind: str, *values: str) -> bool:
        if self.at >= len(self.tokens):
            return False
        token = self.tokens[self.at]
        return token.kind == kind and (not values or token.value in values)

    def take(self, kind: str, *values: str) -> Token:
        if not self.peek(kind, *values):
            raise BadTemplate(f"{' or '.join(values) or kind} is expected", self.line)
        self.at += 1
        return self.tokens[self.at - 1]

    def skip(self, kind: str, *values: str) -> bool:
        if self.peek(kind, *values):
            self.at += 1
            return True
        return False

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise BadTemplate("it is nested too deeply", self.line)

    # -- statements --

    def template(self) -> Node:
        body = self.body()
        if self.at < len(self.tokens):
            raise BadTemplate("a statement ends that never began", self.line)
        return body

    def body(self, *ends: str) -> Node:
        """Everything up to one of the closing statements, whose name is left to be taken."""
        self.deeper()
        parts: list[Node] = []
        line = self.line
        while self.at < len(self.tokens):
            if self.peek("data"):
                token = self.take("data")
                parts.append(Node("data", token.value, (), token.line))
            elif self.skip("begin", "{{"):
                parts.append(Node("output", "", (self.tuple_(),), self.line))
                self.take("end")
            else:
                self.take("begin", "{%")
                if ends and self.peek("name", *ends):
                    break
                parts.append(self.statement())
        else:
            if ends:
                raise BadTemplate(f"{ends[-1]} is missing", self.line)
        self.depth -= 1
        return Node("body", "", tuple(parts), line)

    def statement(self) -> Node:
        token = self.take("name")
        method = _STATEMENTS.get(token.value)
        if method is None:
            raise BadTemplate(f"the statement {token.value!a} is not one of a chat template", token.line)
        return method(self, token.line)

    def close(self) -> None:
        self.take("end")

    def if_(self, line: int) -> Node:
        """Children: test, body, else body."""
        test = self.tuple_()
        self.close()
        body = self.body("elif", "else", "endif")
        word = self.take("name").value
        if word == "elif":
            self.deeper()
            other = self.if_(self.line)
            self.depth -= 1
        elif word == "else":
            self.close()
            other = self.body("endif")
            self.take("name")
            self.close()
        else:
            other = Node("body")
            self.close()
        return Node("if", "", (test, body, other), line)

    def for_(self, line: int) -> Node:
        """Children: targets (tuple), iterated, filter, body, else body."""
        targets = self.targets("in")
        self.take("name", "in")
        iterated = self.tuple_(conditional=False)
        condition = self.expression() if self.skip("name", "if") else Node("const", "true")
        self.skip("name", "recursive")
        self.close()
        body = self.body("else", "endfor")
        other = Node("body")
        if self.take("name").value == "else":
            self.close()
            other = self.body("endfor")
            self.take("name")
        self.close()
        return Node("for", "", (targets, iterated, condition, body, other), line)

    def targets(self, *ends: str) -> Node:
        names = list[Node]()
        bracket = self.skip("operator", "(")
        while True:
            token = self.take("name")
            if token.value in ends:
                raise BadTemplate("a name is missing", token.line)
            target = Node("name", token.value, (), token.line)
            if self.skip("operator", "."):
                target = Node("attr", self.take("name").value, (target,), token.line)
            names.append(target)
            if not self.skip("operator", ","):
                break
        if bracket:
            self.take("operator", ")")
        return Node("tuple", "", tuple(names), self.line)

    def set_(self, line: int) -> Node:
        """Children: targets, value; a block's value is its body."""
        targets = self.targets()
        if self.skip("operator", "="):
            value = self.tuple_()
            self.close()
            return Node("set", "", (targets, value), line)
        filters = targets
        while self.skip("operator", "|"):
            filters = self.filter_name(filters)
        self.close()
        body = self.body("endset")
        self.take("name")
        self.close()
        return Node("setblock", "", (targets, body, filters), line)

    def macro(self, line: int) -> Node:
        """Children: parameters (tuple of names), defaults (tuple), body."""
        name = self.take("name").value
        names, defaults = self.parameters()
        self.close()
        body = self.body("endmacro")
        self.take("name")
        self.skip("name", name)
        self.close()
        return Node("macro", name, (names, defaults, body), line)

    def parameters(self) -> tuple[Node, Node]:
        names: list[Node] = []
        defaults: list[Node] = []
        self.take("operator", "(")
        while not self.skip("operator", ")"):
            token = self.take("name")
            names.append(Node("name", token.value, (), token.line))
            if self.skip("operator", "="):
                defaults.append(self.expression())
            if not self.skip("operator", ","):
                self.take("operator", ")")
                break
        return Node("tuple", "", tuple(names)), Node("tuple", "", tuple(defaults))

    def call_(self, line: int) -> Node:
        """Children: call, body."""
        if self.peek("operator", "("):
            raise BadTemplate("a call block with parameters is not one of a chat template", line)
        called = self.expression()
        self.close()
        body = self.body("endcall")
        self.take("name")
        self.close()
        return Node("callblock", "", (called, body), line)

    def filter_block(self, line: int) -> Node:
        """Children: filter, body."""
        applied = self.filter_name(Node("name", "caller"))
        while self.skip("operator", "|"):
            applied = self.filter_name(applied)
        self.close()
        body = self.body("endfilter")
        self.take("name")
        self.close()
        return Node("filterblock", "", (applied, body), line)

    def with_(self, line: int) -> Node:
        """Children: sets, then the body."""
        parts: list[Node] = []
        while not self.peek("end"):
            targets = self.targets()
            self.take("operator", "=")
            parts.append(Node("set", "", (targets, self.expression()), line))
            self.skip("operator", ",")
        self.close()
        parts.append(self.body("endwith"))
        self.take("name")
        self.close()
        return Node("body", "", tuple(parts), line)

    def generation(self, line: int) -> Node:
        """Marks what the assistant says (transformers); children: body."""
        self.close()
        body = self.body("endgeneration")
        self.take("name")
        self.close()
        return Node("body", "", (body,), line)

    def jump(self, line: int) -> Node:
        word = self.tokens[self.at - 1].value
        self.close()
        return Node("jump", word, (), line)

    def do(self, line: int) -> Node:
        value = self.tuple_()
        self.close()
        return Node("do", "", (value,), line)

    # -- expressions --

    def tuple_(self, *, conditional: bool = True) -> Node:
        first = self.expression(conditional=conditional)
        if not self.peek("operator", ","):
            return first
        items = [first]
        while self.skip("operator", ","):
            if self.peek("end") or self.peek("operator", ")"):
                break
            items.append(self.expression(conditional=conditional))
        return Node("tuple", "", tuple(items), first.line)

    def expression(self, *, conditional: bool = True) -> Node:
        self.deeper()
        node = self.or_()
        while conditional and self.skip("name", "if"):
            test = self.or_()
            other = self.expression() if self.skip("name", "else") else Node("const", "none")
            node = Node("cond", "", (test, node, other), node.line)
        self.depth -= 1
        return node

    def or_(self) -> Node:
        node = self.and_()
        while self.skip("name", "or"):
            node = Node("logic", "or", (node, self.and_()), node.line)
        return node

    def and_(self) -> Node:
        node = self.not_()
        while self.skip("name", "and"):
            node = Node("logic", "and", (node, self.not_()), node.line)
        return node

    def not_(self) -> Node:
        if self.skip("name", "not"):
            self.deeper()
            inner = self.not_()
            self.depth -= 1
            return Node("logic", "not", (inner,), inner.line)
        return self.comparison()

    def comparison(self) -> Node:
        node = left = self.sum_()
        chained = False
        while True:
            if self.peek("operator", *_COMPARISONS):
                operator = self.take("operator").value
            elif self.skip("name", "in"):
                operator = "in"
            elif (
                self.peek("name", "not")
                and self.tokens[self.at + 1 : self.at + 2]
                and self.tokens[self.at + 1].value == "in"
            ):
                self.at += 2
                operator = "not in"
            else:
                return node
            right = self.sum_()
            found = Node("compare", operator, (left, right), left.line)
            node = Node("logic", "and", (node, found), node.line) if chained else found
            left, chained = right, True

    def sum_(self) -> Node:
        node = self.concat()
        while self.peek("operator", "+", "-"):
            operator = self.take("operator").value
            node = Node("binary", operator, (node, self.concat()), node.line)
        return node

    def concat(self) -> Node:
        node = self.product()
        while self.skip("operator", "~"):
            node = Node("concat", "~", (node, self.product()), node.line)
        return node

    def product(self) -> Node:
        node = self.power()
        while self.peek("operator", "*", "/", "//", "%"):
            operator = self.take("operator").value
            node = Node("binary", operator, (node, self.power()), node.line)
        return node

    def power(self) -> Node:
        node = self.unary()
        while self.skip("operator", "**"):
            node = Node("binary", "**", (node, self.unary()), node.line)
        return node

    def unary(self) -> Node:
        if self.peek("operator", "-", "+"):
            self.deeper()
            operator = self.take("operator").value
            inner = self.unary()
            self.depth -= 1
            return Node("unary", operator, (inner,), inner.line)
        return self.filters(self.postfix(self.primary()))

    def primary(self) -> Node:
        line = self.line
        if self.peek("name"):
            value = self.take("name").value
            return Node("const" if value in _CONSTANTS else "name", value, (), line)
        if self.peek("string"):
            values = [self.take("string").value]
            while self.peek("string"):
                values.append(self.take("string").value)
            return Node("string", "".join(values), (), line)
        if self.peek("number"):
            return Node("number", self.take("number").value, (), line)
        if self.skip("operator", "("):
            node = Node("tuple", "", (), line) if self.peek("operator", ")") else self.tuple_()
            self.take("operator", ")")
            return node
        if self.skip("operator", "["):
            return Node("list", "", tuple(self.items("]")), line)
        if self.skip("operator", "{"):
            return Node("dict", "", tuple(self.pairs()), line)
        raise BadTemplate("an expression is expected", line)

    def items(self, end: str) -> list[Node]:
        found: list[Node] = []
        while not self.skip("operator", end):
            found.append(self.expression())
            if not self.skip("operator", ","):
                self.take("operator", end)
                break
        return found

    def pairs(self) -> list[Node]:
        found: list[Node] = []
        while not self.skip("operator", "}"):
            key = self.expression()
            self.take("operator", ":")
            found += [key, self.expression()]
            if not self.skip("operator", ","):
                self.take("operator", "}")
                break
        return found

    def postfix(self, node: Node) -> Node:
        while True:
            line = self.line
            if self.skip("operator", "."):
                if self.peek("number"):
                    node = Node("item", "", (node, Node("number", self.take("number").value, (), line)), line)
                else:
                    node = Node("attr", self.take("name").value, (node,), line)
            elif self.skip("operator", "["):
                node = Node("item", "", (node, *self.subscript()), line)
            elif self.skip("operator", "("):
                node = Node("call", "", (node, *self.arguments()), line)
            else:
                return node

    def subscript(self) -> list[Node]:
        """One index, or a slice with children start, stop and step; what is left out is the constant none."""
        parts = list[Node]()
        nothing = Node("const", "none", (), self.line)
        slices, filled = False, False
        while not self.skip("operator", "]"):
            if self.skip("operator", ":"):
                parts += [] if filled else [nothing]
                slices, filled = True, False
            else:
                parts.append(self.expression())
                filled = True
        if not slices:
            return parts
        parts += [nothing] * (3 - len(parts))
        return [Node("slice", "", tuple(parts), self.line)]

    def arguments(self) -> list[Node]:
        found: list[Node] = []
        while not self.skip("operator", ")"):
            line = self.line
            if self.peek("operator", "*", "**"):
                raise BadTemplate("a call with spread arguments is not one of a chat template", line)
            following = self.tokens[self.at + 1 : self.at + 2]
            if self.peek("name") and [(t.kind, t.value) for t in following] == [("operator", "=")]:
                name = self.take("name").value
                self.take("operator", "=")
                found.append(Node("keyword", name, (self.expression(),), line))
            else:
                found.append(self.expression())
            if not self.skip("operator", ","):
                self.take("operator", ")")
                break
        return found

    def filters(self, node: Node) -> Node:
        while True:
            if self.skip("operator", "|"):
                node = self.filter_name(node)
            elif self.skip("name", "is"):
                node = self.test(node)
            elif self.peek("operator", "(", ".", "["):
                node = self.postfix(node)
            else:
                return node

    def filter_name(self, node: Node) -> Node:
        """Children: what is filtered, then the arguments."""
        token = self.take("name")
        names = [token.value]
        while self.skip("operator", "."):
            names.append(self.take("name").value)
        arguments = self.arguments() if self.skip("operator", "(") else []
        return Node("filter", ".".join(names), (node, *arguments), token.line)

    def test(self, node: Node) -> Node:
        """Children: what is tested, then the arguments."""
        negated = self.skip("name", "not")
        token = self.take("name")
        arguments: list[Node] = []
        if self.skip("operator", "("):
            arguments = self.arguments()
        elif self.takes_operand():
            arguments = [self.postfix(self.primary())]
        found = Node("test", token.value, (node, *arguments), token.line)
        return Node("logic", "not", (found,), token.line) if negated else found

    def takes_operand(self) -> bool:
        if self.peek("name"):
            return not self.peek("name", "else", "or", "and", "is", "if", "not", "in")
        return self.peek("string") or self.peek("number") or self.peek("operator", "[", "{")


_STATEMENTS = {
    "if": _Parser.if_,
    "for": _Parser.for_,
    "set": _Parser.set_,
    "macro": _Parser.macro,
    "call": _Parser.call_,
    "filter": _Parser.filter_block,
    "with": _Parser.with_,
    "generation": _Parser.generation,
    "break": _Parser.jump,
    "continue": _Parser.jump,
    "do": _Parser.do,
}

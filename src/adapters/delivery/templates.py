"""The language of templates: placeholders, conditions, formatting, and one loop over the invoices; nothing else.

A text is parsed, and what it was parsed into is held against what is allowed here, node by node. What is not listed is
refused, so nothing is left that computes, calls, walks along attributes or repeats more often than there are invoices:
the work is at most (parts of the text) x (invoices of the account). No text is run to find that out.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import lru_cache, singledispatchmethod
from typing import NamedTuple

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes, pass_context
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from adapters.delivery.languages import written
from adapters.delivery.placeholders import FILTERS, INVOICE, LOOP, Kind, MessageKind, placeholders_of

MOST_CHARACTERS = 20_000
MOST_PARTS = 500
"""Of placeholders, conditions, comparisons and filters in a text."""
DEEPEST = 10
"""Conditions within conditions, and parts of one condition that are joined."""
MOST_FAULTS = 20

LANGUAGE = "-language"
"""Under which the language of a text stands beside its values; no template can name it."""

KEPT = 512
"""Texts: a campaign with ten steps in three languages has sixty."""


class Fault(NamedTuple):
    """What is wrong in a template, and in which line of it."""

    line: int
    expected: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.expected}"


class BadTemplate(Exception):
    """The text is not in the language of templates."""

    def __init__(self, found: Iterable[Fault]) -> None:
        self.faults = tuple(found)
        super().__init__("; ".join(map(str, self.faults)))


@lru_cache(maxsize=KEPT)
def faults(text: str, message: MessageKind = MessageKind.STEP) -> tuple[Fault, ...]:
    """Everything that is wrong with a template, from its first line to its last; nothing of it is run.

    Remembered: doors ask, and the decision asks again, each time it is decided.
    """
    try:
        _allowed(text, message)
    except BadTemplate as error:
        return error.faults
    return ()


@lru_cache(maxsize=KEPT)
def compiled(text: str) -> Template:
    """The template, ready to be filled in. Raises BadTemplate."""
    return _environment().from_string(_allowed(text, MessageKind.STEP))


@lru_cache(maxsize=KEPT)
def placeholders_in(text: str) -> frozenset[str]:
    """Which placeholders a text names. Raises BadTemplate for what cannot be read."""
    return frozenset(find_undeclared_variables(_parsed(text)))


def _allowed(text: str, message: MessageKind) -> nodes.Template:
    parsed = _parsed(text)
    check = _Check({name: each.kind for name, each in placeholders_of(message).items()})
    check.statements(parsed.body, depth=0)
    if check.faults:
        raise BadTemplate(sorted(check.faults[:MOST_FAULTS]))
    return parsed


@lru_cache(maxsize=1)
def _environment() -> ImmutableSandboxedEnvironment:
    """Jinja with nothing of its own to name or to call: what the check would miss is not there either."""
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, finalize=_in_its_language)
    environment.globals.clear()
    environment.tests.clear()
    environment.filters.clear()
    environment.filters.update({name: each.apply for name, each in FILTERS.items()})
    return environment


@pass_context
def _in_its_language(context: Context, value: object) -> object:
    """Whatever is printed passes here: amounts and days that no filter has written yet."""
    return written(value, context[LANGUAGE])


def _parsed(text: str) -> nodes.Template:
    if len(text) > MOST_CHARACTERS:
        raise BadTemplate([Fault(1, f"expected at most {MOST_CHARACTERS:,} characters, not {len(text):,}")])
    try:
        return _environment().parse(text)
    except TemplateSyntaxError as error:
        raise BadTemplate([Fault(error.lineno, _short(error.message or "cannot be read", 300))]) from None
    except RecursionError:
        raise BadTemplate([Fault(1, f"expected conditions within conditions at most {DEEPEST} deep")]) from None
    except Exception as error:  # of the parser: a number of 5,000 digits, say
        raise BadTemplate([Fault(1, f"cannot be read ({type(error).__name__})")]) from None


# --- what is allowed ---------------------------------------------------------------------------------

_WHAT_THERE_IS = "a template has placeholders, conditions (if), filters, and one loop over invoices"

_COMPARABLE: Mapping[str, frozenset[frozenset[Kind]]] = {
    "equal": frozenset(
        frozenset(pair)
        for pair in ({Kind.TEXT}, {Kind.NUMBER}, {Kind.AMOUNT}, {Kind.DAY}, {Kind.NUMBER, Kind.AMOUNT}, {Kind.TRUTH})
    ),
    "ordered": frozenset(
        frozenset(pair) for pair in ({Kind.NUMBER}, {Kind.AMOUNT}, {Kind.DAY}, {Kind.NUMBER, Kind.AMOUNT})
    ),
}
_OPERATORS = {"eq": "equal", "ne": "equal", "lt": "ordered", "lteq": "ordered", "gt": "ordered", "gteq": "ordered"}

_PRINTED = frozenset({Kind.TEXT, Kind.NUMBER, Kind.AMOUNT, Kind.DAY})

Fields = Mapping[str, Kind]
Scope = Mapping[str, Kind | Fields]


class _Check:
    """Walks through a parsed template. Where a kind is None, what it is of was found fault with already."""

    def __init__(self, placeholders: Mapping[str, Kind]) -> None:
        self._scope: Scope = placeholders
        self._loops = 0
        self._parts = 0
        self.faults: list[Fault] = []

    def _fault(self, node: nodes.Node, expected: str) -> None:
        self.faults.append(Fault(node.lineno, expected))

    def _is_too_much(self, node: nodes.Node, depth: int) -> bool:
        """Counts the part; says so once where there are too many or it lies too deep, and it is not looked into."""
        self._parts += 1
        if self._parts == MOST_PARTS + 1:
            self._fault(node, f"expected at most {MOST_PARTS} placeholders, conditions and filters")
        elif self._parts <= MOST_PARTS and depth > DEEPEST:
            self._fault(node, f"expected conditions and what they join at most {DEEPEST} deep")
        return self._parts > MOST_PARTS or depth > DEEPEST

    # --- statements ---

    def statements(self, body: Iterable[nodes.Node], *, depth: int) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    for each in node.nodes:
                        if not isinstance(each, nodes.TemplateData):
                            self._printed(each)
                case nodes.If():
                    self._choice(node, depth + 1)
                case nodes.For():
                    self._loop(node, depth + 1)
                case _:
                    self._fault(node, f"{_named(node)} is not known here: {_WHAT_THERE_IS}")

    def _printed(self, node: nodes.Expr) -> None:
        kind = self._kind(node, 0)
        if kind is Kind.INVOICES:
            self._fault(node, "expected a loop: {% for invoice in invoices %} … {% endfor %}")
        elif kind is not None and kind not in _PRINTED:
            self._fault(node, f"expected something to write, not a {kind}")

    def _choice(self, node: nodes.If, depth: int) -> None:
        for each in (node, *node.elif_):
            if self._is_too_much(each, depth):
                return
            self._kind(each.test, 0)
            self.statements(each.body, depth=depth)
        self.statements(node.else_, depth=depth)

    def _loop(self, node: nodes.For, depth: int) -> None:
        if self._is_too_much(node, depth):
            return
        self._loops += 1
        if self._loops > 1:
            self._fault(node, "expected one loop over invoices in a text, and none within another")
            return
        if not (isinstance(node.iter, nodes.Name) and self._scope.get(node.iter.name) is Kind.INVOICES):
            self._fault(node, "expected {% for invoice in invoices %}: a loop goes over invoices")
        if node.test is not None or node.recursive or node.else_:
            self._fault(node, "expected {% for invoice in invoices %}, without condition, else or recursion")
        if not isinstance(node.target, nodes.Name) or node.target.name in {*self._scope, "loop"}:
            self._fault(node, "expected a new name for each invoice: {% for invoice in invoices %}")
            return
        outside = self._scope
        fields = {name: each.kind for name, each in INVOICE.items()}
        self._scope = {**outside, node.target.name: fields, "loop": LOOP}
        self.statements(node.body, depth=depth)
        self._scope = outside

    # --- expressions ---

    def _kind(self, node: nodes.Node, depth: int) -> Kind | None:
        """What an expression is, or None where it is nothing."""
        if self._is_too_much(node, depth):
            return None
        return self._look(node, depth + 1)

    @singledispatchmethod
    def _look(self, node: nodes.Node, depth: int) -> Kind | None:
        """By the type of the node; one that none of the methods below is for is not allowed."""
        del depth
        self._fault(node, f"{_named(node)} is not known here: {_WHAT_THERE_IS}")
        return None

    @_look.register
    def _constant(self, node: nodes.Const, _: int) -> Kind | None:
        match node.value:
            case bool():
                return Kind.TRUTH
            case int() | float():
                return Kind.NUMBER
            case str():
                return Kind.TEXT
        self._fault(node, "expected a text or a number")
        return None

    @_look.register
    def _name(self, node: nodes.Name, _: int) -> Kind | None:
        found = self._scope.get(node.name)
        if isinstance(found, Kind):
            return found
        if found is not None:
            options = ", ".join(f"{node.name}.{field}" for field in found)
            self._fault(node, f"expected one of {options}, not {node.name!r} alone")
        else:
            names = [name for name, each in self._scope.items() if isinstance(each, Kind)]
            self._fault(node, _unknown("placeholder", node.name, names))
        return None

    @_look.register
    def _field(self, node: nodes.Getattr, _: int) -> Kind | None:
        fields = self._scope.get(node.node.name) if isinstance(node.node, nodes.Name) else None
        if fields is None or isinstance(fields, Kind):
            self._fault(node, f"expected a placeholder, without .{_short(node.attr)}: only an invoice has fields")
            return None
        if node.attr not in fields:
            self._fault(node, _unknown("field", node.attr, fields))
        return fields.get(node.attr)

    @_look.register
    def _filter(self, node: nodes.Filter, depth: int) -> Kind | None:
        known = FILTERS.get(node.name)
        taken = self._kind(node.node, depth) if node.node is not None else None
        if known is None:
            self._fault(node, _unknown("filter", node.name, FILTERS))
            return None
        if node.node is None or (taken is not None and taken is not known.takes):
            self._fault(node, f"expected {_a(known.takes)} before |{known.name}")
        said = [each.value if isinstance(each, nodes.Const) else None for each in node.args]
        more = node.kwargs or node.dyn_args is not None or node.dyn_kwargs is not None
        if more or (said if not known.options else len(said) != 1 or said[0] not in known.options):
            options = " or ".join(f'|{known.name}("{option}")' for option in known.options)
            self._fault(node, f"expected {options or f'|{known.name} with nothing after it'}")
        return known.gives

    @_look.register
    def _not(self, node: nodes.Not, depth: int) -> Kind | None:
        self._kind(node.node, depth)
        return Kind.TRUTH

    @_look.register
    def _joined(self, node: nodes.And | nodes.Or, depth: int) -> Kind | None:
        """`a or b` is one of the two, so it is what both are, or can only be asked."""
        left, right = self._kind(node.left, depth), self._kind(node.right, depth)
        return None if left is None or right is None else left if left is right else Kind.TRUTH

    @_look.register
    def _compared(self, node: nodes.Compare, depth: int) -> Kind | None:
        left = self._kind(node.expr, depth)
        for operand in node.ops:
            right = self._kind(operand.expr, depth)
            pairs = _COMPARABLE.get(_OPERATORS.get(operand.op, ""))
            if pairs is None:
                self._fault(node, "expected ==, !=, <, <=, > or >=")
            elif left is not None and right is not None and frozenset({left, right}) not in pairs:
                self._fault(node, f"{_a(left)} and {_a(right)} cannot be compared so")
            left = right
        return Kind.TRUTH

    @_look.register
    def _either(self, node: nodes.CondExpr, depth: int) -> Kind | None:
        self._kind(node.test, depth)
        first = self._kind(node.expr1, depth)
        if node.expr2 is None:
            self._fault(node, "expected … if … else …")
            return None
        second = self._kind(node.expr2, depth)
        if first is not None and second is not None and first is not second:
            self._fault(node, f"expected the same kind on both sides, not {_a(first)} and {_a(second)}")
        return first


# --- words -------------------------------------------------------------------------------------------

_NAMES: Mapping[type[nodes.Node], str] = {
    nodes.Call: "a call",
    nodes.BinExpr: "a calculation",
    nodes.UnaryExpr: "a calculation",
    nodes.Concat: "~",
    nodes.Getitem: "[…]",
    nodes.Slice: "[…]",
    nodes.Test: "a test (is …)",
    nodes.List: "a list",
    nodes.Tuple: "a list",
    nodes.Dict: "a dictionary",
    nodes.Macro: "macro",
    nodes.CallBlock: "call",
    nodes.FilterBlock: "a block of filter",
    nodes.Include: "include",
    nodes.Import: "import",
    nodes.FromImport: "import",
    nodes.Extends: "extends",
    nodes.Block: "block",
    nodes.With: "with",
    nodes.Assign: "set",
    nodes.AssignBlock: "set",
}


def _named(node: nodes.Node) -> str:
    return next((name for kind, name in _NAMES.items() if isinstance(node, kind)), type(node).__name__.lower())


def _a(kind: Kind) -> str:
    return {Kind.AMOUNT: "an amount", Kind.INVOICES: "invoices"}.get(kind, f"a {kind}")


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = get_close_matches(name, names)
    hint = f"close to it: {', '.join(close)}" if close else f"expected one of {', '.join(names)}"
    return f"there is no {what} {_short(name)!r}; {hint}"


def _short(text: str, most: int = 40) -> str:
    return text if len(text) <= most else f"{text[:most]}…"

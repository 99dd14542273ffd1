"""Small wrong changes to a module: each is one that a test ought to notice.

Two kinds: ``slips``, such as another comparison or constant, and ``guards``, each of which takes
away one protection whole.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KINDS", "Mutant", "mutants"]

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_STATEMENTS = (ast.Expr, ast.AugAssign, ast.Raise, ast.Delete, ast.Break, ast.Continue)
_LEAVES = (ast.Raise, ast.Return, ast.Continue, ast.Break)
_CHECK = re.compile(
    r"_?(check|require|refuse)(_\w+)?$|(ask_person|account|observe|fsync|fchmod|hold|release|forget)$"
)
_LOCK = re.compile(r"(lock|locked|accounting|writing)(\(\))?$")


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes
    ----------
    path : str
        Of the module, from the root of the project.
    line : int
    span : range
        The lines of the statement it is in; of one with a body, those before the body.
    where : str
        The function it is in.
    old, new : str
        What was there and what is there now.
    source : str
        The whole module with the change.
    """

    path: str
    line: int
    span: range
    where: str
    old: str
    new: str
    source: str

    @property
    def key(self) -> str:
        """Names the change, wherever its line moves."""
        return f"{self.path}::{self.where}: {self.old} -> {self.new}"


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= 90 else f"{one[:87]}..."


class _Finder(ast.NodeVisitor):
    """Collects nodes and what may stand in their place."""

    def __init__(self) -> None:
        self.found: list[tuple[ast.expr | ast.stmt, str, str]] = []
        self._names: list[str] = []

    # --- what is left alone --------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node, node.name)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inside(node, node.name)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node, node.name)

    def _inside(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, name: str) -> None:
        # Neither names of types nor texts for people change what is done.
        self._names.append(name)
        if not (name.startswith("__") and name.endswith("repr__")):
            for statement in node.body:
                self.visit(statement)
        self._names.pop()

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        self._offer(node.test, f"not ({ast.unparse(node.test)})")
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """Texts with values in them are for people."""

    # --- what is changed -----------------------------------------------------------------------

    def _offer(self, node: ast.expr | ast.stmt, new: str) -> None:
        if self._names:
            self.found.append((node, new, ".".join(self._names)))

    def visit_Compare(self, node: ast.Compare) -> None:
        for place, operator in enumerate(node.ops):
            other = _COMPARISONS.get(type(operator))
            if other is not None:
                operators = [*node.ops[:place], other(), *node.ops[place + 1 :]]
                changed = ast.Compare(node.left, operators, node.comparators)
                self._offer(node, f"({ast.unparse(changed)})")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        other = _ARITHMETIC.get(type(node.op))
        if other is not None:
            self._offer(node, f"({ast.unparse(ast.BinOp(node.left, other(), node.right))})")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        self._offer(node, f"({ast.unparse(ast.BoolOp(other, node.values))})")
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not | ast.USub):
            self._offer(node, f"({ast.unparse(node.operand)})")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self._offer(node, repr(not node.value))
        elif isinstance(node.value, int):
            self._offer(node, repr(node.value + 1))

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in _NAMES:
            self._offer(node, _NAMES[node.id])

    def generic_visit(self, node: ast.AST) -> None:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        stores = isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Name | ast.Tuple)
        if isinstance(node, ast.stmt) and (stores or (isinstance(node, _STATEMENTS) and not is_text)):
            self._offer(node, "pass")
        super().generic_visit(node)


class _Guards(_Finder):
    """Collects what protects: refusals and early ends, checks, locks, handlers of errors."""

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return
        leaves = isinstance(node.body[-1], _LEAVES)
        if leaves:
            self._offer(node.test, "False")
            self._each(node.test, ast.Or)
        elif not node.orelse:  # what is done only then would be done always
            self._offer(node.test, "True")
            self._each(node.test, ast.And)
        # Taking the only statement of a guard away is the same as taking the guard away.
        self._through([node.test, *(node.body[:-1] if leaves else node.body), *node.orelse])

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None:
            self._each(node.value, ast.And)
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self._offer(node, "pass")

    def visit_Assert(self, node: ast.Assert) -> None:
        """Those are for the type checker."""

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self._offer(node.type, "()")
        self._through(node.body)

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if _LOCK.search(ast.unparse(item.context_expr)):
                self._offer(item.context_expr, "__import__('contextlib').nullcontext()")
        self._through(node.body)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and _CHECK.match(_called(node.value)):
            self._offer(node, "pass")
            self._through([*node.value.args, *(word.value for word in node.value.keywords)])
        else:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if _called(node).startswith("check_") and len(node.args) == 1 and not node.keywords:
            self._offer(node, f"({ast.unparse(node.args[0])})")
        self._through([node.func, *node.args, *node.keywords])

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.BitOr) and "os.O_" in ast.unparse(node):
            for gone, kept in ((node.left, node.right), (node.right, node.left)):
                if not isinstance(gone, ast.BinOp):
                    self._offer(node, f"({ast.unparse(kept)})")
        self._through([node.left, node.right])

    def _each(self, test: ast.expr, kind: type[ast.boolop]) -> None:
        """A condition with one of its parts left out."""
        if not (isinstance(test, ast.BoolOp) and isinstance(test.op, kind)):
            return
        for part in test.values:
            kept = [value for value in test.values if value is not part]
            left = kept[0] if len(kept) == 1 else ast.BoolOp(test.op, kept)
            self._offer(test, f"({ast.unparse(left)})")

    def _through(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _inward(self, node: ast.AST) -> None:
        """What slips are made of protects nothing by itself."""
        ast.NodeVisitor.generic_visit(self, node)

    visit_Compare = visit_BoolOp = visit_UnaryOp = _inward  # noqa: N815 - names of ast
    visit_Constant = visit_Name = generic_visit = _inward  # noqa: N815


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).rpartition(".")[2]


KINDS: dict[str, type[_Finder]] = {"slips": _Finder, "guards": _Guards}


def mutants(root: Path, path: str, kind: str = "slips") -> Iterator[Mutant]:
    """All changes of one module, in the order of its lines.

    Parameters
    ----------
    root : Path
        Of the project.
    path : str
        Of the module, from there.
    kind : {"slips", "guards"}
    """
    source = (root / path).read_text(encoding="utf-8")
    raw = source.encode()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    tree, finder = ast.parse(source), KINDS[kind]()
    finder.visit(tree)
    spans = _spans(tree)
    finder.found.sort(key=lambda item: (item[0].lineno, item[0].col_offset))
    for node, new, where in finder.found:
        if node.end_lineno is None or node.end_col_offset is None:
            continue
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        changed = (raw[:begin] + new.encode() + raw[end:]).decode()
        old = raw[begin:end].decode()
        span = next(span for span in spans if node.lineno in span)
        yield Mutant(path, node.lineno, span, where, _short(old), _short(new), changed)


def _spans(tree: ast.AST) -> list[range]:
    """The lines of all statements, inner ones first."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            last = node.end_lineno or node.lineno
            found.append(range(node.lineno, max(node.lineno, body[0].lineno - 1 if body else last) + 1))
            found.append(range(node.lineno, last + 1))
    return sorted(found, key=len)

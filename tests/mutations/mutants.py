"""Small wrong changes to a module: each is one that a test ought to notice."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutant", "mutants"]

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


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes
    ----------
    path : str
        Of the module, from the root of the project.
    line : int
    where : str
        The function it is in.
    old, new : str
        What was there and what is there now.
    source : str
        The whole module with the change.
    """

    path: str
    line: int
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


def mutants(root: Path, path: str) -> Iterator[Mutant]:
    """All changes of one module, in the order of its lines.

    Parameters
    ----------
    root : Path
        Of the project.
    path : str
        Of the module, from there.
    """
    source = (root / path).read_text(encoding="utf-8")
    raw = source.encode()
    starts = [0]
    for line in raw.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    finder = _Finder()
    finder.visit(ast.parse(source))
    finder.found.sort(key=lambda item: (item[0].lineno, item[0].col_offset))
    for node, new, where in finder.found:
        if node.end_lineno is None or node.end_col_offset is None:
            continue
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + node.end_col_offset
        changed = (raw[:begin] + new.encode() + raw[end:]).decode()
        old = raw[begin:end].decode()
        yield Mutant(path, node.lineno, where, _short(old), _short(new), changed)

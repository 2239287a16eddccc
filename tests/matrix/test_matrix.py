"""The fault matrix: whatever goes wrong, wherever, the answer comes once, whole and truthful."""

import ast
from itertools import product
from pathlib import Path

import pytest

from streamkit.dialects import _DIALECTS

from .answers import SECONDS
from .cases import CELLS, cases, cases_of, pairs
from .consumers import CONSUMERS
from .dialects import dialect_cases
from .faults import FAULTS
from .oracle import CORE, ORACLE
from .points import Point
from .running import run_all
from .wires import SPOTS, WIRES

HERE = Path(__file__).parent
BACKENDS = {
    "asyncio": ("asyncio", {"debug": False}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


def rounds():
    """
    Every case on asyncio; half the cases of a cell a second time, in another way.

    Half of those on asyncio run everywhere, all the rest in CI: it takes long.
    """
    others = [("uvloop", "uvloop", True), ("trio", "trio", True), ("apart", "asyncio", False)]
    for number, (fault, point) in enumerate(CELLS):
        chosen, where = cases_of(fault, point), f"{fault}, {point.value}"
        half, rest = chosen[number % 2 :: 2], chosen[1 - number % 2 :: 2]
        name, backend, fuse = others[number % len(others)]
        yield pytest.param(BACKENDS["asyncio"], half, True, id=f"{where}-asyncio")
        for way, cases_there, how, told in (
            ("asyncio", rest, True, "asyncio, the rest"),
            (backend, half, fuse, name),
        ):
            yield pytest.param(
                BACKENDS[way],
                cases_there,
                how,
                id=f"{where}-{told}",
                marks=pytest.mark.interop,
            )


@pytest.mark.anyio
@pytest.mark.parametrize(("anyio_backend", "chosen", "fuse"), [*rounds()])
async def test_a_fault_at_a_point(anyio_backend, chosen, fuse):
    """What was delivered, the answer, the end, the requests: all as the oracle says."""
    findings = await run_all(chosen, fuse=fuse)

    wrong = {f.case.name: f.problems for f in findings if f.problems}
    assert ({}, len(chosen)) == (wrong, len(findings))


@pytest.mark.anyio
@pytest.mark.parametrize(
    "anyio_backend",
    [
        BACKENDS["asyncio"],
        pytest.param(BACKENDS["uvloop"], marks=pytest.mark.interop),
        BACKENDS["trio"],
    ],
    ids=BACKENDS,
)
@pytest.mark.parametrize("dialect", sorted(_DIALECTS))
async def test_the_core_faults_in_each_dialect(anyio_backend, dialect):
    """The same comes of them, whatever API is spoken."""
    chosen = dialect_cases(dialect)
    findings = await run_all(chosen)

    wrong = {f.case.name: f.problems for f in findings if f.problems}
    assert ({}, len(chosen)) == (wrong, len(findings))


def test_every_dialect_meets_every_core_fault():
    """The oracle knows of no fault that the matrix does not, and of every spot."""
    assert sorted(_DIALECTS) == sorted(WIRES)
    assert CORE.keys() <= FAULTS.keys()
    assert set(SPOTS) == {spot for row in CORE.values() for spot in row}


def test_every_pair_of_factors_is_tried():
    """Each two values of cell, kind, consumer and second answer meet in a case."""
    tried = {pair for case in cases() for pair in pairs(case)}
    free = {"kind": FAULTS["none"].kinds, "consumer": CONSUMERS, "second": SECONDS}
    wanted = {
        ((one, a), (other, b))
        for one, other in (("kind", "consumer"), ("kind", "second"), ("consumer", "second"))
        for a, b in product(free[one], free[other])
    }
    for cell in CELLS:
        named = {**free, "kind": FAULTS[cell[0]].kinds}
        wanted |= {(("cell", cell), (name, v)) for name, values in named.items() for v in values}

    assert wanted == tried


def test_there_are_enough_cases():
    """No two of them are the same."""
    every = cases()

    assert 400 <= len(every) == len(set(every))


def test_every_fault_and_every_point_has_its_place():
    """The oracle knows each fault, and no other; each point is struck by a dozen."""
    struck = {point: sum(point in row for row in ORACLE.values()) for point in Point}

    assert list(FAULTS) == list(ORACLE)
    assert set(Point) == {point for point, count in struck.items() if count >= 8}


@pytest.mark.parametrize("file", ["oracle.py", "points.py"])
def test_the_oracle_knows_nothing_of_streamkit(file):
    """It was written by hand, and shares no mistake with what it judges."""
    names = set()
    for node in ast.walk(ast.parse((HERE / file).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add("." * node.level + (node.module or ""))

    assert names <= {"attrs", "enum", "typing", ".points"}


def test_the_matrix_asks_no_policy():
    """Nothing here is computed by the rules that are tested."""
    told = [path.name for path in HERE.glob("[!t]*.py") if "streamkit.policy" in path.read_text()]

    assert [] == told

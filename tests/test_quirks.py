"""The page of quirks says what is tested, and all of it is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/reference/quirks.md").read_text("utf-8")
NUMBERS = range(1, 117)
WHY_NOT = re.compile(r"no test: \w.{9,}")
NAMED = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)+)`")
MENTION = re.compile(r"\bQuirks? (\d+(?:(?:, | and | to )\d+)*)")


def rows():
    """The rows of all tables: number, quirk, what streamkit does, tests."""
    lines = [line for line in PAGE.splitlines() if re.match(r"\| *\d", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@cache
def named_in(path):
    """The tests of a file, by name (a class's behind its own), with their docstrings."""
    found = {}
    for node in ast.parse((ROOT / path).read_text("utf-8")).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        prefix = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for test in inside:
            name = getattr(test, "name", "")
            if name.startswith("test_"):
                found[prefix + name] = ast.get_docstring(test) or ""
    return found


def quirks_in(docstring):
    """The numbers a docstring names, ranges counted out."""
    numbers = set()
    for mention in MENTION.findall(docstring):
        for part in re.split(r", | and ", mention):
            first, *last = map(int, part.split(" to "))
            numbers |= set(range(first, (last or [first])[0] + 1))
    return numbers


def docstring_of(test):
    """The docstring of a test the page names; None where there is no such test."""
    path, name = test.split("::", 1)
    return named_in(path).get(name) if (ROOT / path).is_file() else None


def mentions():
    """Every test of the suite that names a quirk, and the numbers it names."""
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        name = path.relative_to(ROOT).as_posix()
        for test, docstring in named_in(name).items():
            if numbers := quirks_in(docstring):
                yield f"{name}::{test}", numbers


def test_every_quirk_is_there_once():
    """The numbers go from the first to the last, none left out and none twice."""
    assert list(NUMBERS) == [int(row[0]) for row in rows()]


def test_every_row_is_full():
    """Each has four cells, and something in each."""
    assert [] == [row for row in rows() if len(row) != 4 or not all(row)]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_names_tests_or_says_why_not(row):
    """Every test named exists; one of them says the quirk's number; else the reason stands."""
    number, tests = int(row[0]), row[3]
    named = NAMED.findall(tests)
    if not named:
        assert WHY_NOT.fullmatch(tests)
        return
    assert ", ".join(f"`{test}`" for test in named) == tests
    assert [] == [test for test in named if docstring_of(test) is None]
    assert any(number in quirks_in(docstring_of(test)) for test in named)


def test_every_number_a_test_names_is_a_quirk_that_is_tested():
    """No docstring names a number that is not on the page, or that the page says has no test."""
    tested = {int(row[0]) for row in rows() if NAMED.search(row[3])}
    assert [] == [(test, numbers - tested) for test, numbers in mentions() if numbers - tested]


@pytest.mark.parametrize(
    ("docstring", "numbers"),
    [
        ("It is read. Quirk 5.", {5}),
        ("Quirk 5: it is read.", {5}),
        ("Quirks 2 and 78.", {2, 78}),
        ("Quirks 20, 22 and 23.", {20, 22, 23}),
        ("Quirks 1 to 3; 11 by the header.", {1, 2, 3}),
        ("Quirk 12 and the like.", {12}),
        ("A quirk of 7 servers.", set()),
    ],
)
def test_numbers_are_read(docstring, numbers):
    """However a docstring lists them."""
    assert numbers == quirks_in(docstring)


def test_the_suite_names_quirks():
    """The check above sees the docstrings it is for."""
    assert 60 < len({number for _, numbers in mentions() for number in numbers})


def test_the_page_has_the_command_that_runs_it():
    """Its pattern finds every test the page names, and nothing else."""
    (pattern,) = re.findall(r"grep -oE '([^']+)' docs/reference/quirks\.md", PAGE)
    body = PAGE.split("```")[2]
    assert sorted(NAMED.findall(body)) == sorted(m[0] for m in re.finditer(pattern, body))

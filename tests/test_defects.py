"""The suite's own worth: what breaks streamkit can be planted, and is caught."""

import ast
from pathlib import Path

import pytest

from .defects import PLANTED, Defect, Harness, Misplanted
from .defects.__main__ import main

ROOT = Path(__file__).parent.parent
RULE = "def add(a, b):\n    return a + b\n"
TEST = "from streamkit.rule import add\n\n\ndef test_sum():\n    assert 3 == add(1, 2)\n"
REALLY = ["terminal before on_result", "done alone is evidence", "dead attempt writes"]
"""What is tried in every run of the suite; `python -m tests.defects` tries all."""


@pytest.fixture
def project(tmp_path):
    """A project of one rule and one test."""
    for name, source in {"rule": RULE, "__init__": ""}.items():
        put(tmp_path / "streamkit" / f"{name}.py", source)
    put(tmp_path / "tests" / "test_rule.py", TEST)
    return Harness(root=tmp_path, patience=30)


def put(path, text):
    """Write a file, and the folder it is in."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


def defect(after, before="a + b", tests=("tests/test_rule.py",)):
    """A way to break the rule."""
    return Defect(
        name="d", says="broken", file="streamkit/rule.py", before=before, after=after, tests=tests
    )


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_what_is_to_be_broken_is_there(planted):
    """Once, and what stands there instead is Python, and another program."""
    source = (ROOT / planted.file).read_text("utf-8")
    broken = planted.plant(source)

    assert ast.dump(ast.parse(source)) != ast.dump(ast.parse(broken))


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_who_is_to_catch_it_is_there(planted):
    """A test that was renamed catches nothing."""
    for test in planted.tests:
        file, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / file).read_text("utf-8")


def test_there_are_fifteen_at_least_and_each_has_a_name():
    """Issue 5 asks for fifteen."""
    names = [planted.name for planted in PLANTED]

    assert 15 <= len(set(names)) == len(names)


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize("name", REALLY)
def test_a_planted_defect_is_caught(name):
    """In a copy, in a process of its own, by a test that is named beside it."""
    (planted,) = (planted for planted in PLANTED if planted.name == name)
    finding = Harness().try_out(planted)

    assert finding.problem is None
    assert finding.caught_by.startswith(planted.tests)


@pytest.mark.interop  # it takes long
def test_a_defect_is_caught_by_the_test_that_fails(project):
    """And the project itself stays whole."""
    finding = project.try_out(defect("a - b"))

    assert ("tests/test_rule.py::test_sum", None) == (finding.caught_by, finding.problem)
    assert RULE == (project.root / "streamkit" / "rule.py").read_text("utf-8")


@pytest.mark.interop  # it takes long
def test_a_defect_that_breaks_nothing_survives(project):
    """The harness does not catch what the tests do not."""
    finding = project.try_out(defect("a + b"))

    assert (None, None) == (finding.caught_by, finding.problem)
    assert "SURVIVED: no test failed" == finding.verdict


@pytest.mark.parametrize(("before", "times"), [("c", 0), ("a", 3)])
def test_text_that_is_not_there_once_is_no_place_to_plant(project, before, times):
    """A product that was changed says so, instead of passing for a survivor."""
    with pytest.raises(Misplanted, match=f"it is there {times} times"):
        defect("x", before).plant(RULE)

    assert f"it is there {times} times" in project.try_out(defect("x", before)).problem


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize(
    ("given", "says"),
    [
        (defect("a +"), "could not be run"),
        (defect("a - b", tests=("tests/test_rule.py::test_gone",)), "could not be run"),
        (defect("a - b", tests=("tests/test_gone.py",)), "could not be run"),
    ],
    ids=["no Python", "no such test", "no such file"],
)
def test_what_was_not_tried_was_not_caught(project, given, says):
    """A copy that cannot be imported fails every test, and proves nothing."""
    finding = project.try_out(given)

    assert finding.caught_by is None
    assert says in finding.problem


@pytest.mark.interop  # it takes long
def test_another_streamkit_than_the_copy_proves_nothing(project):
    """One that is installed must not stand in for it."""
    (project.root / "streamkit" / "__init__.py").unlink()

    assert "did not import the copy" in project.try_out(defect("a - b")).problem


def test_a_trial_ends_in_time(tmp_path):
    """Where not even pytest's own clock helps."""
    put(tmp_path / "streamkit" / "__init__.py", "while True:\n    pass\n")
    put(tmp_path / "streamkit" / "rule.py", RULE)
    put(tmp_path / "tests" / "test_rule.py", TEST)
    finding = Harness(root=tmp_path, patience=0.5).try_out(defect("a - b"))

    assert "its tests took longer than 0.5 s" == finding.problem


@pytest.mark.interop  # it takes long
@pytest.mark.parametrize(
    ("after", "test", "expected"),
    [
        ("a - b", TEST, (0, "1 of 1 caught")),
        ("a + b", TEST, (1, "SURVIVED")),
        ("a - b", TEST.replace("3", "4"), (1, "it proves nothing")),
    ],
    ids=["caught", "survived", "fails without"],
)
def test_the_table_says_what_became_of_each(project, capsys, after, test, expected):
    """Its exit code is 0 where all were caught by tests that else pass."""
    put(project.root / "tests" / "test_rule.py", test)
    code, says = expected

    assert code == main(defects=[defect(after)], harness=project)
    assert says in capsys.readouterr().out


def test_a_name_that_is_none_is_misuse(capsys):
    """It says which there are."""
    assert 2 == main(["no such defect"])
    assert "reroute twice" in capsys.readouterr().err

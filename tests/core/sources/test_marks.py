"""Marks: a few keys and how their values begin, in one set or in several."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.marks import ANYTHING, OBJECT_VALUE, TEXT_VALUE, AnyOf, Marks, keys

DOORS = Marks({"door": TEXT_VALUE, "kind": (b'"in', b'"out')}, absent=("window",))
WINDOWS = Marks({"window": OBJECT_VALUE, "at": ANYTHING, "size": OBJECT_VALUE})
EITHER = AnyOf((DOORS, WINDOWS))


@pytest.mark.parametrize(
    ("record", "held"),
    [
        (b'{"door":"north","kind":"inner"}', True),
        (b'{ "kind" : "outer",\n "door" : "north" }', True),
        (b'{"door":5,"kind":"inner"}', False),
        (b'{"door":"north","kind":"third"}', False),
        (b'{"door":"north","kind":"inner","window":null}', False),
        (b'{"in":{"door":"north","kind":"inner"}}', False),
        (b'[{"door":"north","kind":"inner"}]', False),
        (b'{"door":"north","kind":"inner"', False),
        (b"", False),
    ],
)
def test_all_keys_of_a_set_must_be_there_with_their_values(record: bytes, held: bool) -> None:
    assert DOORS.hold(record) is EITHER.hold(record) is held


def test_one_of_several_sets_is_enough() -> None:
    window = b'{"at":null,"window":{},"size":{}}'
    assert EITHER.hold(window)
    assert not DOORS.hold(window)


def test_a_type_is_as_specific_as_its_shortest_set() -> None:
    assert (DOORS.count, WINDOWS.count) == (3, 3)
    assert AnyOf((WINDOWS, Marks({"door": TEXT_VALUE}))).count == 1


def test_marks_are_told_in_words() -> None:
    doors = "door, kind (in… or out…) at the top level, without window"
    assert str(DOORS) == doors
    assert str(EITHER) == f"{doors}, or window, at, size at the top level"


@given(st.binary())
def test_no_record_breaks_them(record: bytes) -> None:
    assert not EITHER.hold(record)
    assert not EITHER.hold(b"{" + record)


CHOSEN = Marks({"door": TEXT_VALUE}, absent=("window",), some=keys("size height width"), least=2)


@pytest.mark.parametrize(
    ("record", "held"),
    [
        (b'{"door":"north","size":1,"width":null}', True),
        (b'{"size":1,"height":2,"width":3,"door":"north"}', True),
        (b'{"door":"north","size":1}', False),
        (b'{"size":1,"width":2}', False),
        (b'{"door":"north","size":1,"width":2,"window":0}', False),
    ],
)
def test_of_keys_that_users_choose_a_few_are_enough(record: bytes, held: bool) -> None:
    assert CHOSEN.hold(record) is held


def test_of_many_keys_the_first_are_told() -> None:
    assert CHOSEN.count == 4
    assert str(CHOSEN) == "door, 2 or more of size, height, width at the top level, without window"
    assert (
        str(Marks({}, some=keys("a b c d e f g h i j")))
        == "1 or more of a, b, c, d, e, f, g, h and 2 more at the top level"
    )

"""A SQLite store and users that may not write it: they are told so, whatever SQLite calls it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import sqlalchemy as sa

from iota_dagster.core.errors import Outage
from iota_dagster.core.store.database import Database


def store_in(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'store.db'}")


@contextmanager
def another_user(folder: Path) -> Iterator[None]:
    """This process as one of a user who owns nothing; who is not root stays, and the folder is his again afterwards."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)
        folder.chmod(0o700)


@pytest.mark.parametrize(("folder", "file"), [(0o555, 0o444), (0o500, 0o444), (0o555, 0o400)])
@pytest.mark.parametrize("transaction", [Database.read, Database.begin])
def test_a_store_that_this_user_may_not_write_says_who_may(
    transaction: Callable[[Database], AbstractContextManager[sa.Connection]], folder: int, file: int
) -> None:
    with TemporaryDirectory() as name:  # pytest's own folders let nobody else in
        place = Path(name)
        store = store_in(place)
        store.migrate()
        store.dispose()
        (place / "store.db").chmod(file)
        place.chmod(folder)
        with another_user(place):
            told = rf"store\.db may not be written by user {os.geteuid()}: run this as the user"
            with pytest.raises(Outage, match=told), transaction(store):
                pass
        store.dispose()


def test_a_folder_that_has_gone_is_not_taken_for_forbidden(tmp_path: Path) -> None:
    database = store_in(tmp_path / "folder")
    with database.begin():
        pass
    database._connected().dispose()
    shutil.rmtree(tmp_path / "folder")
    with pytest.raises(Outage, match="did not answer"), database.read():
        pass

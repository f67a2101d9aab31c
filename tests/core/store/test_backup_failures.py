"""A backup of a SQLite store that is damaged, that cannot be read, or for which there is no room."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from iota_dagster.core.errors import IotaError
from iota_dagster.core.store.backup import backup, restore
from iota_dagster.core.store.database import Database


@pytest.fixture
def url(tmp_path: Path) -> str:
    made = f"sqlite:///{tmp_path}/iota.db"
    database = Database(made)
    database.migrate()
    database.dispose()
    return made


def cut(content: bytearray) -> None:
    del content[len(content) // 2 :]


def without_header(content: bytearray) -> None:
    content[:100] = bytes(100)


def without_pages(content: bytearray) -> None:
    content[4096:40960] = bytes(36864)


@pytest.mark.parametrize("damage", [cut, without_header, without_pages])
def test_a_damaged_store_is_named_and_not_backed_up(
    url: str, tmp_path: Path, damage: Callable[[bytearray], None]
) -> None:
    backup(url, tmp_path / "whole")
    content = bytearray((tmp_path / "whole").read_bytes())
    damage(content)
    (tmp_path / "iota.db").write_bytes(content)
    with pytest.raises(IotaError, match=r"iota\.db is damaged: .*`iota repair`"):
        backup(url, tmp_path / "copy")
    assert not list(tmp_path.glob("*copy*"))
    restore(url, tmp_path / "whole", replace=True)
    backup(url, tmp_path / "copy")


def test_a_store_that_cannot_be_read_is_named(url: str, tmp_path: Path) -> None:
    log = tmp_path / "iota.db-wal"
    log.unlink(missing_ok=True)
    log.mkdir()
    with pytest.raises(IotaError, match=r"iota\.db cannot be read: "):
        backup(url, tmp_path / "copy")
    assert not list(tmp_path.glob("*copy*"))


def test_a_full_disk_is_not_taken_for_a_store_that_cannot_be_read(url: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, hard))
    try:
        with pytest.raises(IotaError, match=rf"iota\.db cannot be copied into {tmp_path}/backups: "):
            backup(url, tmp_path / "backups" / "copy")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list((tmp_path / "backups").iterdir())

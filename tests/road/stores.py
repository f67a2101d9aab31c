"""Stores that are copied: a test starts from a prepared one in milliseconds."""

from __future__ import annotations

import itertools
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import sqlalchemy as sa

from tests.road.world import World

_numbers = itertools.count(1)
_SQLITE = "sqlite:///"


@dataclass
class Stores:
    """Makes worlds on one kind of store and copies them; `server` is the PostgreSQL server's URL, else SQLite."""

    folder: Path
    server: str | None
    _names: list[str] = field(default_factory=list)

    def new(self) -> World:
        """An empty world, its schema in place."""
        here = self._folder()
        world = World.at(here, self._create("template0") if self.server else f"{_SQLITE}{here}/iota.db")
        with world.opened():
            pass
        return world

    def copy(self, world: World) -> World:
        """The same state in another home, over the same log objects; nobody may be using `world` meanwhile."""
        here = self._folder()
        if world.home.exists():
            shutil.copytree(world.home, here / "home")
        if self.server:
            return replace(world, home=here / "home", store_url=self._create(_database(world)))
        for name in ("iota.db", "iota.db-wal"):
            if (source := world.home.parent / name).exists():
                shutil.copyfile(source, here / name)
        return replace(world, home=here / "home", store_url=f"{_SQLITE}{here}/iota.db")

    def forget(self, world: World) -> None:
        """Remove a copy, for the sake of disk and server."""
        shutil.rmtree(world.home.parent)
        if self.server:
            with psycopg.connect(self.server.format(database="postgres"), autocommit=True) as connection:
                connection.execute(f"DROP DATABASE {_database(world)} WITH (FORCE)")

    def _folder(self) -> Path:
        here = self.folder / f"world-{next(_numbers)}"
        here.mkdir(parents=True)
        return here

    def _create(self, template: str) -> str:
        assert self.server
        name = f"road_{os.getpid()}_{next(_numbers)}"
        with psycopg.connect(self.server.format(database="postgres"), autocommit=True) as connection:
            strategy = "STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        return self.server.format(database=name)


def _database(world: World) -> str:
    return str(sa.make_url(world.store_url).database)

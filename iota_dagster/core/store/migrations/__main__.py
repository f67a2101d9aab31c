"""For developers: `python -m iota_dagster.core.store.migrations NNNN "what changed"` writes a revision."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.script import Script

from iota_dagster.core.store import migrations
from iota_dagster.core.store.database import Database

_USAGE = 'usage: python -m iota_dagster.core.store.migrations NNNN "what changed"'


def write_revision(number: str, message: str) -> Path:
    """Write the revision that turns the one before `number` into `schema.py`; a file of that number is replaced."""
    with tempfile.TemporaryDirectory() as folder:
        scripts = Path(folder) / "scripts"
        shutil.copytree(migrations.FOLDER, scripts)
        for newer in (scripts / "versions").glob("[0-9]*.py"):
            if newer.name[:4] >= number:
                newer.unlink()
        made = _generate(Path(folder) / "scratch.db", scripts, number, message)
        for old in (migrations.FOLDER / "versions").glob(f"{number}_*.py"):
            old.unlink()
        target = migrations.FOLDER / "versions" / made.name
        target.write_text(re.sub(r"^ *# ### .*\n", "", made.read_text(), flags=re.MULTILINE))
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", str(target)], check=True)
    return target


def _generate(scratch: Path, scripts: Path, number: str, message: str) -> Path:
    """The new revision's file, from the difference between a migrated scratch database and the schema."""
    database = Database(f"sqlite:///{scratch}")
    with database.begin() as connection:
        config = migrations.config(connection, scripts)
        command.upgrade(config, "head")
        made = command.revision(config, message, autogenerate=True, rev_id=number)
    database.dispose()
    assert isinstance(made, Script)
    return Path(made.path)


if __name__ == "__main__":
    if len(sys.argv) != 3 or not re.fullmatch(r"\d{4}", sys.argv[1]):
        sys.exit(_USAGE)
    print(write_revision(sys.argv[1], sys.argv[2]))

"""Coverage-guided fuzzing of reading: `make fuzz` (Linux), see `main`.

Any bytes are a log object: they are decoded, classified and read, and every record must be accounted for. atheris
starts from the objects in `tests/fixtures/logs`, plain as well as compressed, and keeps what reaches new code. It stops
at the first input that raises, loses a record or takes too long, prints it and leaves it in the folder as `crash-…`,
`timeout-…` or `oom-…`; `--again` reads such a file once more.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

import atheris  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for the tests, which are no package that is installed
with atheris.instrument_imports(include=["iota_dagster.core"]):
    from tests.core.sources.accounting import account_for
    from tests.log_objects import objects, records

LONGEST = 1 << 15
"""Bytes of an input: some times the largest fixture."""
SLOWEST = 10
"""Seconds that one input may take; the usual is some milliseconds."""
_KEY = re.compile(rb'"[^"\\\x00-\x1f\x7f-\xff]{2,60}"(?=\s*:)')


def seeds() -> Iterable[bytes]:
    """Every fixture as delivered, what is inside where it is compressed, and every record by itself."""
    for content in objects().values():
        yield content
        if content.startswith(b"\x1f\x8b"):
            yield gzip.decompress(content)
    for found in records().values():
        for record, header in found:
            yield record if header is None else header + b"\n" + record


def prepare(folder: Path) -> None:
    """Write the seeds into `corpus`, beside what earlier runs have kept there, and the words of their keys."""
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    words: set[bytes] = set()
    for seed in seeds():
        (corpus / sha256(seed).hexdigest()[:40]).write_bytes(seed)
        words.update(_KEY.findall(seed))
    lines = [b'"%s"' % word.replace(b'"', b'\\"') for word in sorted(words)]
    (folder / "words").write_bytes(b"\n".join(lines))


def one_input(data: bytes) -> None:
    """What is done with each input."""
    account_for(data)


def main() -> None:
    """Fuzz for some seconds; the exit status is not 0 when something was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=60, help="how long (default: 60)")
    parser.add_argument("--folder", type=Path, default=ROOT / ".iota" / "fuzz", help="keeps the corpus and findings")
    parser.add_argument("--again", type=Path, help="read this file instead, e.g. what was found")
    options = parser.parse_args()
    if options.again:
        print(dict(account_for(options.again.read_bytes())))
        return
    prepare(options.folder)
    arguments = [
        f"-max_total_time={options.seconds}",
        f"-max_len={LONGEST}",
        f"-timeout={SLOWEST}",
        f"-dict={options.folder / 'words'}",
        f"-artifact_prefix={options.folder}/",
        "-print_final_stats=1",
        str(options.folder / "corpus"),
    ]
    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

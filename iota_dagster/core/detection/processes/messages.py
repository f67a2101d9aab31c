"""What a run and its rule workers say to each other, and how it is put on the wire.

A frame is a length (8 bytes, big-endian) and a message in MessagePack towards the worker, in JSON back: what rules made
of JSON goes back as JSON, whatever the size of its numbers. A worker runs other people's code, so nothing that it sends
is trusted: an answer is decoded into these types, up to a size, or refused.
"""

from __future__ import annotations

import socket

import msgspec

from iota_dagster.core.detection.key_values import Stamp, StoredValue
from iota_dagster.core.detection.rule import Rule, Surroundings
from iota_dagster.core.detection.verdict import RuleFailure, Verdict

LARGEST_ANSWER = 1 << 30


class Setup(msgspec.Struct, tag=True, frozen=True):
    """The first request: what to load, and what one call may take.

    `skip` names the rules that killed a worker, `codes` a file for compiled rules, if there is to be one.
    """

    rules: list[Rule]
    surroundings: Surroundings
    call_seconds: float
    memory_bytes: int
    skip: list[str] = []
    codes: str = ""


class Judge(msgspec.Struct, tag=True, frozen=True):
    """Judge some records of one log type; `off` as in `Engine.evaluate`."""

    log_type: str
    records: list[bytes]
    off: list[tuple[int, int]] = []
    remember: bool = False


class Told(msgspec.Struct, tag=True, frozen=True):
    """The answer to a worker's `Ask`."""

    value: StoredValue | None


class Ready(msgspec.Struct, tag=True, frozen=True):
    """The answer to `Setup`: the rules that cannot be loaded."""

    broken: list[RuleFailure]


class Ask(msgspec.Struct, tag=True, frozen=True):
    """A question of a worker in the midst of `Judge`: what did rules remember under a key before a stamp?"""

    key: str
    before: Stamp


class Judged(msgspec.Struct, tag=True, frozen=True):
    """The answer to `Judge`; `written` is what rules want to be remembered, by key."""

    verdict: Verdict
    written: list[tuple[str, StoredValue]] = []


class Closed(Exception):
    """The other side is gone."""


Request = Setup | Judge | Told
Answer = Ready | Judged | Ask

_to_worker: msgspec.msgpack.Encoder = msgspec.msgpack.Encoder()
_requests = msgspec.msgpack.Decoder(Request)
_from_worker: msgspec.json.Encoder = msgspec.json.Encoder()
_answers = msgspec.json.Decoder(Answer)


def encode_request(message: Request) -> bytes:
    """A request as a frame."""
    return _framed(_to_worker.encode(message))


def encode_answer(message: Answer) -> bytes:
    """An answer as a frame."""
    return _framed(_from_worker.encode(message))


def decode_request(data: bytes) -> Request:
    """The request in a frame's content."""
    request: Request = _requests.decode(data)
    return request


def decode_answer(data: bytes) -> Answer:
    """The answer in a frame's content; `msgspec.MsgspecError`, `ValueError` or `RecursionError` when it is none."""
    answer: Answer = _answers.decode(data)
    return answer


def receive(connection: socket.socket, limit: int | None = None) -> bytes:
    """The content of the next frame; `Closed` when there is none, `ValueError` when it is larger than it may be."""
    size = int.from_bytes(_exactly(connection, 8), "big")
    if limit is not None and size > limit:
        raise ValueError(f"{size:,} bytes are announced, at most {limit:,} are read")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = connection.recv_into(view[got:])
        if count == 0:
            raise Closed("it ended")
        got += count
    return bytes(data)


def _framed(data: bytes) -> bytes:
    return len(data).to_bytes(8, "big") + data

"""How the lines of the three kinds of Elastic Load Balancers split into fields.

An application load balancer (ALB) writes what a client sends in quotes, with `\\x22` for a quote in it; fields have been
appended over the years. A network load balancer (NLB) writes lines of its TLS listeners only. A classic one (ELB)
writes no type; its oldest lines end with the request.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

Value = str | Sequence[str] | None
Row = list[Value]

_NULL = "-"
_TIME = r"(\d{4}-\d\d-\d\dT[0-9:.]+Z?)"
_NUMBER = r"(-|-?[0-9.]+)"
_NUMBERS = " ".join([_NUMBER] * 7)  # three durations, two states, two sizes
_HOST = r"[A-Za-z]+://(\[[^\]\"]*\]|[^:/?\" ]*)"
_REQUEST = rf'"([^ "]*) ((?:{_HOST})?[^"]*) ([^ "]*)"'
_ARN = r'(arn:[^: "]*:[^: "]*:([^: "]*):([^: "]*):[^" ]*|[^" ]*)'

_ALB = re.compile(
    rf'([a-z][a-z0-9]*) {_TIME} (\S+) (\S+) (\S+) {_NUMBERS} {_REQUEST} "([^"]*)" (\S+) (\S+) {_ARN} "([^"]*)"'
    rf'(?: "([^"]*)" "{_ARN}" (\S+)(?: {_TIME} "([^"]*)" "([^"]*)" "([^"]*)")?)?(?: (.*))?'
)
_NLB = re.compile(
    rf"(tls) [0-9.]+ {_TIME} (\S+) (\S+) (\S+) (\S+) {_NUMBER} {_NUMBER} {_NUMBER} {_NUMBER} (\S+) {_ARN} \S+ (\S+) (\S+)"
    r" \S+ (\S+)(?: (\S+) (\S+) (\S+)(?: (\S+))?)?(?: (.*))?"
)
_CLASSIC = re.compile(
    rf'{_TIME} (\S+) (\S+) (\S+) {_NUMBERS} {_REQUEST}(?: "(.*)" (\S+) (\S+))?'
)

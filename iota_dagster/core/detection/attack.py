"""The tactics of MITRE ATT&CK (Enterprise), and how a rule's `Reports` name a tactic and a technique."""

from __future__ import annotations

import re

REPORT = "MITRE ATT&CK"
"""The key of `Reports` under which a rule lists its `TAxxxx:Txxxx[.xxx]`."""

TACTICS = {
    "TA0043": "reconnaissance",
    "TA0042": "resource development",
    "TA0001": "initial access",
    "TA0002": "execution",
    "TA0003": "persistence",
    "TA0004": "privilege escalation",
    "TA0005": "defense evasion",
    "TA0006": "credential access",
    "TA0007": "discovery",
    "TA0008": "lateral movement",
    "TA0009": "collection",
    "TA0011": "command and control",
    "TA0010": "exfiltration",
    "TA0040": "impact",
}
"""What each tactic is called, in the order of an attack."""

_PAIR = re.compile(r"(TA\d{4}):(T\d{4}(?:\.\d{3})?)")


def tactic_and_technique(text: str) -> tuple[str, str] | None:
    """The two ids in `TA0003:T1098.001`; None when the text is of another form or names an unknown tactic."""
    found = _PAIR.fullmatch(text)
    return (found[1], found[2]) if found and found[1] in TACTICS else None

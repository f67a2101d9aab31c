"""`iota doctor`: looks at everything that iota needs and says of each what was found and what to do.

A check is independent of all others and has ten seconds; one that hangs, fails or was written wrong stops no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from iota_dagster.core.errors import SettingsError
from iota_dagster.doctor_checks import accounts, daemon, here, ownership, parts, queue
from iota_dagster.doctor_checks.finding import Check, Finding, Status, failed, ok
from iota_dagster.doctor_checks.site import Site
from iota_dagster.settings import Settings, load_settings

SECONDS = 10.0
"""How long one check may take."""
_AT_ONCE = 16


def diagnose(load: Callable[[], Settings] = load_settings) -> Iterator[Finding]:
    """All findings, in a fixed order, each as soon as those before it are known.

    Settings that cannot be loaded are the only finding then.
    """
    try:
        settings = load()
    except SettingsError as error:
        yield replace(failed(str(error), "correct this setting first: nothing else was looked at"), check="settings")
        return
    integrations, destinations = len(settings.integrations), len(settings.destinations)
    yield replace(ok(f"integrations: {integrations}, destinations: {destinations}"), check="settings")
    yield from examine(all_checks(Site(settings)))


def all_checks(site: Site) -> list[Check]:
    """What is looked at, in the order of its lines."""
    nothing = [] if site.settings.integrations else [Check("integrations", here.no_integrations)]
    modules = (here, parts, ownership, daemon, queue, accounts)
    return [check for module in modules for check in module.checks(site)] + nothing


def examine(checks: Sequence[Check], seconds: float = SECONDS) -> Iterator[Finding]:
    """Run checks in parallel; their findings in the order of the checks."""
    if not checks:
        return
    with ThreadPoolExecutor(min(_AT_ONCE, len(checks))) as pool:
        for findings in pool.map(lambda check: _supervised(check, seconds), checks):
            yield from findings


def _supervised(check: Check, seconds: float) -> list[Finding]:
    """A check in a thread of its own, which is left behind if it does not come back in time."""
    findings: list[Finding] = []
    thread = threading.Thread(target=_run, args=(check, findings), daemon=True)
    thread.start()
    thread.join(seconds)
    known = list(findings)  # a check that goes on all the same adds nothing to it
    if thread.is_alive():
        known.append(failed(f"no answer within {seconds:g} s", "look at the network and at the load of this machine"))
    return [replace(finding, check=check.name) for finding in known]


def _run(check: Check, findings: list[Finding]) -> None:
    try:
        for finding in check.run():
            findings.append(finding)
    except Exception as error:  # a check's own mistake is a finding like any other
        findings.append(Finding(Status.FAILED, " ".join(str(error).split()) or repr(error), check.errors(error)))

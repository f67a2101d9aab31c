"""Whether this installation can work right now: the checks of `iota doctor` that decide it, each within two seconds.

A check that hangs fails, and its thread goes on: as long as it does, the same check is not begun again, so that probes
every few seconds never pile up threads.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice

from iota_dagster.doctor_checks import daemon, here, parts, queue
from iota_dagster.doctor_checks.finding import Check, Finding, Status, failed, ok
from iota_dagster.doctor_checks.site import Site
from iota_dagster.process_workers import rule_pack
from iota_dagster.settings import Settings

SECONDS = 2.0
"""How long one check may take."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """What the checks found, in their order."""

    findings: tuple[Finding, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing has failed; what is skipped or could be better does not count."""
        return all(finding.status is not Status.FAILED for finding in self.findings)


@dataclass(slots=True)
class _Attempt:
    """One run of a check; whoever asks while it goes on waits for the same."""

    check: Check
    began: float = field(default_factory=time.monotonic)
    ended: threading.Event = field(default_factory=threading.Event)
    found: Finding | None = None

    def run(self) -> None:
        try:
            self.found = next(iter(self.check.run()), ok(""))
        except Exception as error:  # a check's own mistake is a finding like any other
            self.found = failed(" ".join(str(error).split()) or repr(error), self.check.errors(error))
        finally:
            self.ended.set()

    def finding(self, seconds: float) -> Finding:
        """What was found; a failure when that takes longer than so many seconds from the attempt's beginning."""
        self.ended.wait(max(self.began + seconds - time.monotonic(), 0))
        found = self.found or failed(f"no answer within {seconds:g} s", "look at the network and at the machine's load")
        return replace(found, check=self.check.name)


class Probes:
    """Some checks to be asked again and again, by any number of threads."""

    def __init__(self, checks: Sequence[Check], seconds: float = SECONDS) -> None:
        """Nothing is looked at yet."""
        self._checks, self._seconds = checks, seconds
        self._lock = threading.Lock()
        self._running: dict[str, _Attempt] = {}

    def ask(self) -> Readiness:
        """Run all checks in parallel; takes as long as the slowest, two seconds at most."""
        attempts = [self._attempt(check) for check in self._checks]
        return Readiness(tuple(attempt.finding(self._seconds) for attempt in attempts))

    def _attempt(self, check: Check) -> _Attempt:
        """The attempt that is under way, or a new one."""
        with self._lock:
            running = self._running.get(check.name)
            if running is not None and not running.ended.is_set():
                return running
            attempt = self._running[check.name] = _Attempt(check)
            threading.Thread(target=attempt.run, name=f"ready {check.name}", daemon=True).start()
            return attempt


def probes(site: Site) -> Probes:
    """The checks that decide: state store, queue, lake, rules, Dagster's daemon."""
    found = {check.name: check for module in (queue, here, daemon) for check in module.checks(site)}
    store, rules = parts.readable_store(site.settings), Check("rules", partial(_rules, site.settings))
    return Probes([store, _first(found["queue"]), _first(found["lake"]), rules, found["daemon"]])


def _first(check: Check) -> Check:
    """A check cut to its first finding: of the queue, that it answers; `iota doctor` has the rest."""
    run: Callable[[], Iterator[Finding]] = check.run
    return replace(check, run=lambda: islice(run(), 1))


def _rules(settings: Settings) -> Iterator[Finding]:
    """Whether there is a rule to run; a bad file does not keep the others from it, so it does not fail here."""
    pack = rule_pack(settings)
    enabled = sum(rule.enabled for rule in pack.rules)
    if enabled:
        yield ok(f"{enabled} rules are enabled")
    else:
        yield failed("no rule is enabled: nothing is judged", "set rules to the folders of your rules")

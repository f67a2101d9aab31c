"""Rules in real processes: whatever one of them does, the others lose nothing and no process is left behind."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.processes.rule_workers import RuleLimits, RuleWorkerError, RuleWorkers, Task
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.detection.verdict import RuleFailure, Verdict

METADATA = """\
AnalysisType: rule
RuleID: {name}
Enabled: true
LogTypes: [T]
Severity: Medium
"""
GOOD = "def rule(event):\n    return True\n"
LIMITS = RuleLimits(call_seconds=0.3, memory_bytes=300 << 20)
PATIENT = RuleLimits(call_seconds=60, memory_bytes=300 << 20)
"""For rules that must be ended by something else than their own alarm."""

HELP = """\
import ctypes, os, re, signal, stat, sys, threading, time

def swallow():
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

def line():
    for fd in range(3, 100):
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            pass

def fail(error):
    raise error
"""
RAISES = {
    "an exception": ("fail(KeyError('x'))", "KeyError"),
    "an exit": ("sys.exit(3)", "SystemExit"),
    "no end in Python": ("while_true()", "took longer than 0.3 s"),
    "sleep": ("time.sleep(1000)", "took longer than 0.3 s"),
    "a regex without end": ("re.match('(a+)+$', 'a' * 64 + 'b')", "took longer than 0.3 s"),
    "memory": ("bytearray(1 << 40)", "MemoryError"),
}
DIES = {
    "no end in C": ("sum(range(10 ** 15))", "did not come back"),
    "no end, swallowing all": ("swallow()", "did not come back"),
    "alarms ignored": ("signal.signal(signal.SIGALRM, signal.SIG_IGN), time.sleep(1000)", "did not come back"),
    "exit of its process": ("os._exit(3)", "exit status 3"),
    "an unknown exception": ("fail(KeyboardInterrupt())", "signal 2"),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", "signal 9"),
    "a segfault": ("ctypes.string_at(0)", "signal 11"),
    "nonsense": ("os.write(line(), b'nonsense')", ""),
    "empty answers": ("os.write(line(), bytes(8))", "nonsense"),
    "an announcement without an answer": ("os.write(line(), (1 << 20).to_bytes(8, 'big'))", ""),
    "an answer out of turn": ('os.write(line(), (28).to_bytes(8, \'big\') + b\'{"type":"Ready","broken":[]}\')', ""),
    "a closed line": ("os.close(line())", ""),
}
WORKS = {
    "print": "print('x' * 1000), print('y', file=sys.stderr)",
    "the standard streams": "sys.stdout.write('z'), os.write(1, b'a' * 100_000), sys.stdout.close()",
    "no standard output": "os.close(1)",
    "a fork": "os.fork()",
    "a subclass of str": "type('Text', (str,), {})('x')",
}


def pack(folder: Path, **codes: str) -> RulePack:
    """Rules of log type T by name, in that order; each sees `HELP`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, code in codes.items():
        (folder / f"{name}.yml").write_text(METADATA.format(name=name))
        (folder / f"{name}.py").write_text(f"{HELP}\ndef while_true():\n    while True:\n        pass\n\n{code}")
    loaded = load_rules([folder])
    assert loaded.errors == ()
    return loaded


def on_bad(function: str, deed: str) -> str:
    """A rule that matches everything; one of its functions does something on bad records."""
    code = f"def {function}(event):\n    if event.get('bad'):\n        {deed}\n"
    return f"{code}    return True\n" if function == "rule" else f"{GOOD}\n{code}    return 'fine'\n"


def task(*bad: int) -> Task:
    """A record for each number: 1 is a bad one."""
    return Task("T", [json.dumps({"bad": flag, "at": at}).encode() for at, flag in enumerate(bad)])


def judge(folder: Path, code: str, *bad: int, limits: RuleLimits = LIMITS) -> Verdict:
    """One task before a rule under test, between two good ones."""
    workers = RuleWorkers(pack(folder, a=GOOD, b=code, c=GOOD), limits=limits)
    try:
        (verdict,) = workers.evaluate([task(*bad)])
        assert workers.broken == []
    finally:
        workers.close()
    return verdict


def matched(verdict: Verdict, rule: str) -> list[int]:
    return [match.index for match in verdict.matches if match.rule_id == rule]


def running() -> set[int]:
    """The rule workers of this process that have not ended."""
    found = set()
    for child in psutil.Process().children():
        try:
            if "iota_dagster.core.detection.processes.worker" in child.cmdline():
                found.add(child.pid)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            pass
    return found


def until(done: Callable[[], bool]) -> None:
    """Come back as soon as something of another process holds."""
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        os.sched_yield()


@pytest.fixture
def opened() -> Iterator[Callable[..., RuleWorkers]]:
    """Makes rule workers that are closed in the end; none may be left then."""
    before, made = running(), list[RuleWorkers]()

    def open_(rules: RulePack, processes: int = 1, limits: RuleLimits = LIMITS) -> RuleWorkers:
        made.append(RuleWorkers(rules, processes, limits))
        return made[-1]

    yield open_
    for workers in made:
        workers.close()
    assert running() <= before


# ── what a rule may do ──


@pytest.mark.parametrize("deed", RAISES)
def test_a_rule_that_ends_in_an_exception_loses_that_record_only(tmp_path: Path, deed: str) -> None:
    code, error = RAISES[deed]
    verdict = judge(tmp_path, on_bad("rule", code), 0, 1, 0)
    assert [matched(verdict, rule) for rule in "abc"] == [[0, 1, 2], [0, 2], [0, 1, 2]]
    (failure,) = verdict.failures
    assert (failure.rule_id, failure.function, failure.index, failure.count) == ("b", "rule", 1, 1)
    assert error in failure.error


@pytest.mark.parametrize("deed", DIES)
def test_a_rule_that_ends_its_process_loses_that_record_only(tmp_path: Path, deed: str) -> None:
    code, error = DIES[deed]
    verdict = judge(tmp_path, on_bad("rule", code), 0, 1, 0)
    assert [matched(verdict, rule) for rule in "abc"] == [[0, 1, 2], [0, 2], [0, 1, 2]]
    (failure,) = verdict.failures
    assert (failure.rule_id, failure.index) == ("b", 1)
    assert error in failure.error


@pytest.mark.parametrize("deed", RAISES)
def test_a_title_that_ends_in_an_exception_does_not_cost_the_match(tmp_path: Path, deed: str) -> None:
    code, error = RAISES[deed]
    verdict = judge(tmp_path, on_bad("title", code), 0, 1, 0)
    assert [matched(verdict, rule) for rule in "abc"] == [[0, 1, 2]] * 3
    (failure,) = verdict.failures
    assert (failure.rule_id, failure.function, failure.index) == ("b", "title", 1)
    assert error in failure.error


@pytest.mark.parametrize("deed", ["no end, swallowing all", "exit of its process", "a segfault", "nonsense"])
def test_a_title_that_ends_its_process_costs_no_other_rule_anything(tmp_path: Path, deed: str) -> None:
    verdict = judge(tmp_path, on_bad("title", DIES[deed][0]), 0, 1, 0)
    assert [matched(verdict, rule) for rule in "abc"] == [[0, 1, 2], [0, 2], [0, 1, 2]]
    assert [(failure.rule_id, failure.index) for failure in verdict.failures] == [("b", 1)]


@pytest.mark.parametrize("function", ["rule", "title"])
@pytest.mark.parametrize("deed", WORKS)
def test_output_and_forks_of_a_rule_break_nothing(tmp_path: Path, deed: str, function: str) -> None:
    verdict = judge(tmp_path, on_bad(function, WORKS[deed]), 0, 1, 0)
    assert [matched(verdict, rule) for rule in "abc"] == [[0, 1, 2]] * 3
    assert verdict.failures == []


def test_a_title_that_is_a_text_of_its_own_type_is_kept(tmp_path: Path) -> None:
    code = GOOD + "class Text(str):\n    pass\n\ndef title(event):\n    return Text('x')\n"
    verdict = judge(tmp_path, code, 0)
    assert [match.title for match in verdict.matches] == ["a", "x", "c"]


def test_imports_that_fail_hang_or_kill_are_named_and_the_other_rules_work(
    tmp_path: Path, opened: Callable[..., RuleWorkers]
) -> None:
    deeds = {
        "raises": "fail(KeyError('x'))",
        "sleeps": "time.sleep(1000)",
        "swallows": "swallow()",
        "hangs": "sum(range(10 ** 15))",
        "exits": "os._exit(3)",
        "faults": "ctypes.string_at(0)",
        "takes": "taken = bytearray(1 << 40)",
        "talks": "os.write(line(), b'nonsense')",
    }
    workers = opened(pack(tmp_path, a=GOOD, **{name: f"{deed}\n{GOOD}" for name, deed in deeds.items()}, z=GOOD))
    (verdict,) = workers.evaluate([task(0, 0)])
    assert [(match.index, match.rule_id) for match in verdict.matches] == [(0, "a"), (0, "z"), (1, "a"), (1, "z")]
    assert {failure.rule_id for failure in workers.broken} == deeds.keys()
    assert {failure.function for failure in workers.broken} == {"import"}


def test_a_rule_that_ends_three_workers_is_left_out_for_the_rest_of_the_batch(
    tmp_path: Path, opened: Callable[..., RuleWorkers]
) -> None:
    workers = opened(pack(tmp_path, a=GOOD, b=on_bad("rule", "os._exit(3)")))
    first, second = workers.evaluate([task(0, 1, 1), task(1, 0, 1)])
    assert matched(first, "a") == matched(second, "a") == [0, 1, 2]
    assert (matched(first, "b"), matched(second, "b")) == ([0], [])
    how = "ended its process (exit status 3)"
    assert first.failures == [RuleFailure("b", "rule", how, 1, 2)]
    assert second.failures == [RuleFailure("b", "rule", how, 0, 1)]
    (fresh,) = workers.evaluate([task(0)])
    assert matched(fresh, "b") == [0]


def test_memory_that_one_rule_keeps_costs_no_other_rule_anything(
    tmp_path: Path, opened: Callable[..., RuleWorkers]
) -> None:
    hog = "KEPT = []\n\ndef rule(event):\n    KEPT.append(bytearray(25 << 20))\n    return False\n"
    eater = "def rule(event):\n    return len(bytearray(80 << 20)) > 0\n"
    workers = opened(pack(tmp_path, a=hog, b=eater, c=GOOD), limits=PATIENT)
    (verdict,) = workers.evaluate([task(*[0] * 14)])
    assert matched(verdict, "b") == matched(verdict, "c") == list(range(14))
    assert {failure.rule_id for failure in verdict.failures} == {"a"}


def test_a_worker_that_a_rule_slowly_fills_is_replaced_in_time(
    tmp_path: Path, opened: Callable[..., RuleWorkers]
) -> None:
    hog = "KEPT = []\n\ndef rule(event):\n    KEPT.append(bytearray(25 << 20))\n    return False\n"
    workers = opened(pack(tmp_path, a=hog, b=GOOD), limits=PATIENT)
    verdicts = list(workers.evaluate([task(0)] * 12))
    assert [(matched(verdict, "b"), verdict.failures) for verdict in verdicts] == [([0], [])] * 12


def test_a_rule_that_matches_too_much_is_left_out_for_the_rest_of_the_batch(
    tmp_path: Path, opened: Callable[..., RuleWorkers]
) -> None:
    workers = opened(pack(tmp_path, a=GOOD, b="def rule(event):\n    return event['bad'] == 1\n"))
    verdicts = list(workers.evaluate([task(1, 0, 1), task(0, 0), task(1)], matches_allowed=3))
    assert [matched(verdict, "a") for verdict in verdicts] == [[0, 1, 2], [], []]
    assert [matched(verdict, "b") for verdict in verdicts] == [[0, 2], [], [0]]
    how = "matches more than 3 events of one batch: it is left out for the rest"
    assert [failure for verdict in verdicts for failure in verdict.failures] == [RuleFailure("a", "rule", how, 0, 1)]
    (fresh,) = workers.evaluate([task(0)])
    assert matched(fresh, "a") == [0]


# ── what a rule may see ──


def test_a_rule_sees_no_credentials_and_no_file_of_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., RuleWorkers]
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("IOTA_STORE_URL", "postgresql://iota:hidden@localhost/iota")
    monkeypatch.setenv("SLACK_TOKEN", "hidden")
    seen = GOOD + (
        "def alert_context(event):\n"
        "    places = [f'/proc/self/fd/{fd}' for fd in os.listdir('/proc/self/fd')]\n"
        "    files = [os.readlink(place) for place in places if os.path.lexists(place)]\n"
        "    return {'environment': dict(os.environ), 'files': files, 'path': sys.path, 'modules': list(sys.modules)}\n"
    )
    with (tmp_path / "secret").open("w") as secret:
        os.set_inheritable(secret.fileno(), True)
        (verdict,) = opened(pack(tmp_path / "rules", a=seen)).evaluate([task(0)])
    context = verdict.matches[0].context
    environment = context["environment"]
    assert "hidden" not in str(environment)
    assert {name for name in environment if name.startswith(("AWS_", "IOTA_"))} == {"AWS_EC2_METADATA_DISABLED"}
    assert environment["HOME"] != os.environ["HOME"]
    assert str(tmp_path / "secret") not in context["files"]
    kinds = Counter(file.partition(":")[0] for file in context["files"])
    assert (kinds["socket"], kinds["/dev/null"]) == (1, 2)
    assert sum(kinds.values()) == 6  # with standard error, the lifeline and the progress
    assert not {"dagster", "pandas", "pyarrow", "boto3", "sqlalchemy"} & set(context["modules"])
    assert os.getcwd() not in context["path"][:1]


READS = """\
def rule(event):
    try:
        return b"hidden" in open(f"/proc/{os.getppid()}/environ", "rb").read()
    except PermissionError:
        return False
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the owner's memory is shut on Linux only")
def test_a_rule_cannot_read_the_environment_of_its_owner(tmp_path: Path) -> None:
    pack(tmp_path, a=READS)
    shown = OWNER.replace("sys.stdin.read()", "import ctypes; print(ctypes.CDLL(None).prctl(3))")
    told = subprocess.run(
        [sys.executable, "-c", shown, str(tmp_path)],
        env={**os.environ, "SLACK_TOKEN": "hidden"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.splitlines()
    assert told[1] == "0"  # not dumpable
    if not may_look_into_others():
        assert told[0] == "[[]]"


def may_look_into_others() -> bool:
    """Whether this process, as root often is, has CAP_SYS_PTRACE, CAP_SYS_ADMIN or CAP_PERFMON."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return any(int(status["CapEff"], 16) >> bit & 1 for bit in (19, 21, 38))


# ── many tasks ──

MANY = {
    "even": "def rule(event):\n    return event['n'] % 2 == 0\n\ndef title(event):\n    return str(event['n'])\n",
    "text": "def rule(event):\n    return event.get('t') in ('x', 'y')\n",
    "wrong": "def rule(event):\n    return event['n'] > 5 or None\n",
    "poor": "def rule(event):\n    return True\n\ndef dedup(event):\n    return event['t'][3]\n",
}
RECORDS = st.one_of(
    st.fixed_dictionaries({}, optional={"n": st.integers(0, 9), "t": st.sampled_from(["x", "y", "zzzz"])}).map(
        lambda record: json.dumps(record).encode()
    ),
    st.sampled_from([b"[]", b"{", b'{"n":1e400}']),
)


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, RuleWorkers, RuleWorkers]]:
    rules = pack(tmp_path_factory.mktemp("many"), **MANY)
    one, two = RuleWorkers(rules), RuleWorkers(rules, 2)
    yield Engine(rules.rules), one, two
    one.close()
    two.close()


@given(tasks=st.lists(st.lists(RECORDS, max_size=5).map(lambda records: Task("T", records)), max_size=7))
def test_one_process_two_and_none_say_the_same_in_the_order_of_the_tasks(
    ways: tuple[Engine, RuleWorkers, RuleWorkers], tasks: list[Task]
) -> None:
    engine, one, two = ways
    expected = [engine.evaluate(task.log_type, task.records) for task in tasks]
    assert list(one.evaluate(tasks)) == expected
    assert list(two.evaluate(iter(tasks))) == expected


def test_rules_that_judge_one_by_one_say_the_same_as_together(
    tmp_path: Path, opened: Callable[..., RuleWorkers]
) -> None:
    records = [b'{"n":2,"t":"x"}', b"{", b'{"n":7,"t":"zzzz"}', b'{"n":8}']
    expected = Engine(pack(tmp_path, **MANY).rules).evaluate("T", records)
    talker = "def rule(event):\n    return bool(os.write(line(), b'nonsense')) and False\n"
    (verdict,) = opened(pack(tmp_path, **MANY, ztalker=talker)).evaluate([Task("T", records)])
    assert verdict.matches == expected.matches
    others = [failure for failure in verdict.failures if failure.rule_id != "ztalker"]
    assert sorted(others, key=str) == sorted(expected.failures, key=str)


# ── how it ends ──

OWNER = """\
import sys
from pathlib import Path
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.processes.rule_workers import RuleLimits, RuleWorkers, Task

workers = RuleWorkers(load_rules([Path(sys.argv[1])]), limits=RuleLimits(call_seconds=60))
print([verdict.matches for verdict in workers.evaluate([Task("T", [b"{}"])])], flush=True)
sys.stdin.read()
"""
NOTE = "open(__file__ + '.pid', 'w').write(str(os.getpid()))"


@pytest.mark.parametrize("deed", ["True", "time.sleep(1000)", "sum(range(10 ** 15))", "swallow()"])
def test_a_worker_ends_with_its_owner_whatever_it_is_doing(tmp_path: Path, deed: str) -> None:
    pack(tmp_path, a=f"def rule(event):\n    {NOTE}\n    {deed}\n    return True\n")
    note = tmp_path / "a.py.pid"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        until(lambda: note.exists() and note.read_text() != "")
        worker = psutil.Process(int(note.read_text()))
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        until(lambda: ended(worker))


def ended(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_what_a_rule_has_started_ends_with_its_worker(tmp_path: Path, opened: Callable[..., RuleWorkers]) -> None:
    starts = (
        "import subprocess\n\n"
        "def rule(event):\n    return True\n\n"
        "def title(event):\n"
        "    return str(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)']).pid)\n"
    )
    workers = opened(pack(tmp_path, a=starts))
    (verdict,) = workers.evaluate([task(0)])
    started = psutil.Process(int(verdict.matches[0].title))
    workers.close()
    until(lambda: ended(started))


def test_what_a_rule_has_started_ends_with_a_worker_that_ends_itself(tmp_path: Path) -> None:
    starts = (
        "import subprocess\n\n"
        "def rule(event):\n"
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1000)'])\n"
        "    open(__file__ + '.pid', 'w').write(str(child.pid))\n"
        "    os._exit(3)\n"
    )
    workers = RuleWorkers(pack(tmp_path, a=starts), limits=LIMITS)
    try:
        list(workers.evaluate([task(0)]))
        started = int((tmp_path / "a.py.pid").read_text())
    finally:
        workers.close()
    until(lambda: not psutil.pid_exists(started) or ended(psutil.Process(started)))


def test_a_worker_killed_between_two_batches_is_replaced(tmp_path: Path, opened: Callable[..., RuleWorkers]) -> None:
    before = running()
    workers = opened(pack(tmp_path, a=GOOD))
    for _ in range(2):
        (verdict,) = workers.evaluate([task(0)])
        assert (matched(verdict, "a"), verdict.failures) == ([0], [])
        (worker,) = running() - before
        os.kill(worker, signal.SIGKILL)


def test_an_evaluation_given_up_half_way_leaves_nothing_behind(
    tmp_path: Path, opened: Callable[..., RuleWorkers]
) -> None:
    before = running()
    workers = opened(pack(tmp_path, a=GOOD, b=on_bad("rule", "swallow()")), processes=2, limits=PATIENT)
    verdicts = workers.evaluate([task(0), *[task(1)] * 9])
    assert matched(next(verdicts), "b") == [0]
    del verdicts
    gc.collect()
    workers.close()
    assert running() <= before


@pytest.mark.parametrize("code", [GOOD, f"swallow()\n{GOOD}", f"sum(range(10 ** 15))\n{GOOD}"])
def test_closing_does_not_wait_for_workers_that_are_being_warmed(tmp_path: Path, code: str) -> None:
    before = running()
    workers = RuleWorkers(pack(tmp_path, a=code), limits=PATIENT)
    workers.warm()
    workers.close()  # waiting would take three minutes, more than a test may
    assert running() <= before
    with pytest.raises(RuntimeError):
        next(workers.evaluate([task(0)]))
    workers.close()


def test_workers_that_nobody_closed_end_with_their_object(tmp_path: Path) -> None:
    before = running()
    workers = RuleWorkers(pack(tmp_path, a=GOOD))
    (verdict,) = workers.evaluate([task(0)])
    assert matched(verdict, "a") == [0]
    assert running() > before
    del workers
    gc.collect()
    assert running() <= before


def test_an_interpreter_that_ends_warns_of_nothing(tmp_path: Path) -> None:
    pack(tmp_path, a=GOOD)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", OWNER, str(tmp_path)],
        input=b"",
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""


def test_a_pack_that_no_worker_can_load_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[..., RuleWorkers]
) -> None:
    (tmp_path / "iota_dagster").mkdir()
    (tmp_path / "iota_dagster" / "__init__.py").write_text("raise SystemExit(7)")
    rules = pack(tmp_path / "rules", a=GOOD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuleWorkerError, match=r"cannot be started: ended its process \(exit status 7\)"):
        list(opened(rules).evaluate([task(0)]))


# ── how it starts ──


def test_compiled_rules_are_kept_used_and_never_mistaken_for_other_code(tmp_path: Path) -> None:
    codes = tmp_path / "scratch" / "codes"

    def titles(code: str) -> list[str]:
        workers = RuleWorkers(pack(tmp_path / "rules", a=GOOD + code), codes=codes)
        try:
            return [match.title for (verdict,) in [workers.evaluate([task(0)])] for match in verdict.matches]
        finally:
            workers.close()

    one = "def title(event):\n    return 'one'\n"
    assert titles(one) == ["one"]
    kept = codes.read_bytes()
    assert titles(one) == ["one"]
    assert codes.read_bytes() == kept
    assert titles(one.replace("one", "two")) == ["two"]
    assert codes.read_bytes() != kept
    codes.write_bytes(kept[:-9] + b"somewhere")
    assert titles(one) == ["one"]
    assert codes.read_bytes() == kept

"""Tests of the Python package: python python/tests/check.py target/debug/tingjian

The examples in docstrings, the bytes of the program, and DataFrames of pandas and polars.
"""

import doctest
import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import pandas
import polars

import tingjian

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(sys.argv[1]).resolve()
RULES = ROOT / "rules"


def recordings():
    return sorted(path for path in (ROOT / "fixtures" / "calls").glob("*.jsonl") if not path.name.endswith(".expected.jsonl"))


def program(*arguments):
    """What `tingjian check` prints."""
    command = [BINARY, "check", "--rules", RULES, "--format", "jsonl", *arguments]
    return subprocess.run(command, capture_output=True, check=False).stdout.decode()


def examples_in_docstrings():
    failed, ran = doctest.testmod(tingjian)
    assert failed == 0 and ran >= 15, (failed, ran)


def alerts_are_those_of_the_program_to_the_byte():
    checker = tingjian.Checker(RULES)
    said = 0
    for path in recordings():
        with path.open(encoding="utf-8") as events:
            lines = list(events)
        for flags, options in (([], {}), (["--held"], {"held": True}), (["--all-states"], {"all_states": True})):
            printed = checker.check_jsonl(lines, **options)
            assert printed == program(*flags, path), (path, flags)
            said += printed.count("\n")
    assert said > 100, said


def packs_built_in_are_those_of_the_source():
    # The program without rules of its own beside it.
    with tempfile.TemporaryDirectory() as elsewhere:
        path = recordings()[0]
        run = subprocess.run([BINARY, "check", "--format", "jsonl", path], capture_output=True, cwd=elsewhere, check=False)
        with path.open(encoding="utf-8") as events:
            assert tingjian.Checker().check_jsonl(events) == run.stdout.decode()


def rows():
    """The finals of a recording."""
    events = [json.loads(line) for line in (ROOT / "fixtures/calls/complaint-mishandled.jsonl").read_text("utf-8").splitlines()]
    start = events[0]
    of_call = {name: start[name] for name in ("call_id", "agent_id", "started_at")}
    return [
        {**of_call, **{name: event[name] for name in ("role", "text", "start_ms", "end_ms")}}
        for event in events if event["type"] == "utterance" and event["final"]
    ]


def frames_in_and_out():
    checker = tingjian.Checker(RULES)
    table = rows()
    expected = checker.check_table(table)
    assert len(expected) > 5, expected
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "calls.parquet"
        polars.DataFrame(table).write_parquet(path)
        of_program = [json.loads(line) for line in program(path).splitlines()]
    key = lambda alert: (alert["rule_id"], alert["at_ms"], alert["alert_id"])  # noqa: E731
    assert [key(alert) for alert in of_program] == [key(alert) for alert in expected]

    frame = pandas.DataFrame(table)
    frame["started_at"] = pandas.to_datetime(frame["started_at"])
    frame["rings"] = [3] + [None] * (len(frame) - 1)
    alerts = checker.check_table(frame)
    assert isinstance(alerts, pandas.DataFrame)
    assert alerts["alert_id"].tolist() == [alert["alert_id"] for alert in expected]

    frame = polars.DataFrame(table).with_columns(polars.col("started_at").str.to_datetime(time_zone="Asia/Shanghai"))
    alerts = checker.check_table(frame)
    assert isinstance(alerts, polars.DataFrame)
    assert alerts["alert_id"].to_list() == [alert["alert_id"] for alert in expected]
    assert checker.check_table(polars.DataFrame(table).clear()).columns == alerts.columns


def whole_calls_in_lists():
    table = rows()
    of_call = {name: table[0][name] for name in ("call_id", "agent_id", "started_at")}
    said = [{name: row[name] for name in ("role", "text", "start_ms", "end_ms")} for row in table]
    checker = tingjian.Checker(RULES)
    by_row = checker.check_table(table)
    for frame in (polars.DataFrame([{**of_call, "utterances": said}]), pandas.DataFrame([{**of_call, "utterances": said}])):
        alerts = checker.check_table(frame)
        # Alerts of one moment stand in the order of their ids, which follow from those of the utterances.
        assert sorted(alerts["rule_id"]) == sorted(alert["rule_id"] for alert in by_row)


def a_live_call_ends_as_its_recording():
    checker = tingjian.Checker(RULES)
    lines = (ROOT / "fixtures/calls/complaint-mishandled.jsonl").read_text("utf-8").splitlines()
    session = checker.session(lines[0])
    told = [alert for line in lines[1:] for alert in session.push(line)] + session.finish()
    assert told == checker.check(lines, all_states=True)
    assert session.next_tick_ms is None


def what_is_learned_is_used_where_it_is_written():
    turns = [
        {"text": "您这事儿归街道管，跟我们不挨着", "prev_turn": "你们到底管不管", "is_violation": "yes", "category": "推诿"},
        {"text": "我这就帮您登记，明天给您回电话", "prev_turn": None, "is_violation": "no", "category": None},
    ] * 10
    with tempfile.TemporaryDirectory() as directory:
        rules = Path(directory) / "rules"
        shutil.copytree(RULES, rules)
        before = tingjian.Checker(rules).version
        lesson = tingjian.learn(polars.DataFrame(turns), rules, force=True)
        assert lesson.written == rules / "confidence.model" and lesson.written.read_text("utf-8") == lesson.model
        assert lesson.figures and sorted(rules.iterdir()) == sorted(rules / path.name for path in RULES.iterdir())
        assert tingjian.Checker(rules).version != before


def the_notebook_runs_from_top_to_bottom():
    notebook = json.loads((ROOT / "python/examples/month.ipynb").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as directory:
        names = {"display": lambda *_: None}
        here = os.getcwd()
        os.chdir(directory)
        try:
            names["FIXTURES"] = ROOT / "fixtures" / "calls"
            for cell in notebook["cells"]:
                assert not cell.get("outputs"), "committed without outputs"
                if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", []):
                    exec("".join(cell["source"]), names)  # noqa: S102
        finally:
            os.chdir(here)
    assert names["alerts"].height > 500, names["alerts"].height
    assert names["calls_checked"] > 200, names["calls_checked"]


def faults_are_told_with_what_could_be_checked():
    checker = tingjian.Checker()
    start = {"type": "call.start", "call_id": "c1", "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"}
    said = {"type": "utterance", "call_id": "c1", "utterance_id": "u", "role": "agent", "text": "这个我不知道", "start_ms": 0, "end_ms": 1, "final": True}
    try:
        checker.check([start, "nonsense", said])
    except tingjian.Faults as faults:
        assert faults.faults[0][0] == 2 and any(alert["kind"] == "forbidden" for alert in faults.alerts), faults
    else:
        raise AssertionError("no fault")
    try:
        checker.check_table([{"call_id": "c", "text": "x"}])
    except tingjian.Faults as faults:
        assert faults.faults[0][:2] == (1, "role"), faults.faults
    else:
        raise AssertionError("no fault")
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "bad.yaml").write_text("pack: x\nrules: 7\n", encoding="utf-8")
        try:
            tingjian.Checker(directory)
        except ValueError as fault:
            assert "bad.yaml" in str(fault), fault
        else:
            raise AssertionError("no fault")


def main():
    tests = [
        examples_in_docstrings, alerts_are_those_of_the_program_to_the_byte, packs_built_in_are_those_of_the_source,
        frames_in_and_out, what_is_learned_is_used_where_it_is_written, the_notebook_runs_from_top_to_bottom, whole_calls_in_lists, a_live_call_ends_as_its_recording, faults_are_told_with_what_could_be_checked,
    ]
    failed = 0
    for test in tests:
        try:
            test()
        except Exception:  # Every test runs, whatever became of the others.
            failed += 1
            print(f"FAILED {test.__name__}")
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok {test.__name__}")
    print(f"{len(tests)} tests, {len(tests) - failed} passed, {failed} failed")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()

"""Holds a real server to what it says of itself: schemathesis asks it all that
its OpenAPI description allows, and more, pyarrow reads its exports, and events
are taken and refused as docs/events.schema.json says.

    python check.py TINGJIAN      (the binary)

Exits with 0 and `N tests, N passed` when all is well.
"""

import csv
import datetime
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
]
# The same cases on every run.
SEED = "2026"
EXAMPLES = "12"


def fetch(url: str, body: bytes | None = None) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, data=body), timeout=30) as answer:
        return answer.read()


def parquet_is_read_back(url: str) -> None:
    """Parquet as Apache Arrow reads it is the same table as CSV and JSON Lines."""
    table = pq.read_table(io.BytesIO(fetch(f"{url}/v1/export?format=parquet")))
    lines = [json.loads(line) for line in fetch(f"{url}/v1/export?format=jsonl").splitlines()]
    text = fetch(f"{url}/v1/export?format=csv").decode("utf-8-sig")
    columns = next(csv.reader(io.StringIO(text, newline="")))
    assert table.column_names == columns, (table.column_names, columns)
    assert table.schema.field("time").type == pa.timestamp("ms", tz="UTC"), table.schema
    assert table.schema.field("deduct").type == pa.int64(), table.schema
    assert table.num_rows == len(lines) > 30, (table.num_rows, len(lines))
    for row, line in zip(table.to_pylist(), lines):
        row["time"] = row["time"].timestamp()
        line["time"] = datetime.datetime.fromisoformat(line["time"]).timestamp()
        assert row == line, (row, line)


def answers_are_as_described(url: str) -> None:
    command = [
        str(pathlib.Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{url}/v1/openapi.json",
        "--checks=" + ",".join(CHECKS),
        f"--max-examples={EXAMPLES}",
        f"--seed={SEED}",
        "--generation-database=none",
        "--phases=examples,coverage,fuzzing",
        "--no-color",
    ]
    subprocess.run(command, check=True, cwd=tempfile.gettempdir())


# An event of each type, and a list of values that each of its fields is given in turn.
EVENTS = [
    {"type": "call.start", "call_id": "schema", "seq": 1, "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00",
     "direction": "inbound", "channel": "voice", "queue": "q", "rings": 2, "customer_name": "王芳",
     "packs": ["tone"], "attributes": {"level": "gold"}},
    {"type": "utterance", "call_id": "schema", "seq": 2, "utterance_id": "u1", "role": "agent", "text": "您好",
     "start_ms": 0, "end_ms": 900, "final": True, "confidence": 0.9, "volume_db": -20.5, "pitch_hz": 180},
    {"type": "call.hold", "call_id": "schema", "seq": 3, "at_ms": 1000},
    {"type": "call.resume", "call_id": "schema", "seq": 4, "at_ms": 2000},
    {"type": "call.transfer", "call_id": "schema", "seq": 5, "at_ms": 3000, "to": "二线"},
    {"type": "call.transfer_answered", "call_id": "schema", "seq": 6, "at_ms": 4000, "agent_id": "a8"},
    {"type": "call.end", "call_id": "schema", "seq": 7, "at_ms": 5000, "by": "customer"},
]
VALUES = [None, True, -1, 0, 1, 1.5, 100, 2**32 - 1, 2**32, 31 * 86_400_000, 31 * 86_400_000 + 1, "", " ", "x", "x" * 256,
          "x" * 257, "x" * 10_000, "x" * 10_001, "2026-11-21T10:00:00Z", "2026-11-21T10:00:00", [], ["a"], [1], {}, {"a": 1}]
# Lines of one post: each of its refusals is listed.
LINES = 100
UNREADABLE = {"invalid_json", "unknown_type", "missing_field", "invalid_field"}


def changed_events(values: list):
    for event in EVENTS:
        yield event
        for field in event:
            yield {name: value for name, value in event.items() if name != field}
            for value in values:
                yield event | {field: value}
        # A field of another type of event is an unknown field.
        yield event | {"mood": "calm", "text" if "text" not in event else "to": 1}


def unreadable_lines(url: str, events: list) -> set:
    """The lines of one post that the server does not read, from 1 on."""
    try:
        answer = fetch(f"{url}/v1/events", "\n".join(json.dumps(event) for event in events).encode())
    except urllib.error.HTTPError as refused:
        answer = refused.read()
    answer = json.loads(answer)
    assert "errors_more" not in answer, answer["errors_more"]
    return {error["line"] for error in answer["errors"] if error["code"] in UNREADABLE}


def events_are_as_the_schema_says(url: str) -> None:
    """The server reads exactly the events that the schema allows, and its alerts keep to it."""
    schema = json.loads((ROOT / "docs" / "events.schema.json").read_text())

    def of(name: str) -> jsonschema.Draft202012Validator:
        return jsonschema.Draft202012Validator(schema | {"anyOf": [{"$ref": f"#/$defs/{name}"}]})

    fields = [field for definition in schema["$defs"].values() for field in definition.get("properties", {}).values()]
    names = {name for field in fields for name in field.get("enum", []) if name is not None}
    events = list(changed_events(VALUES + sorted(names)))
    unreadable = set()
    # Of a longer post, some refusals would be counted only.
    for first in range(0, len(events), LINES):
        unreadable |= {first + line for line in unreadable_lines(url, events[first:first + LINES])}
    valid = of("Event")
    for line, event in enumerate(events, 1):
        # The schema cannot compare two fields.
        ends_early = event.get("type") == "utterance" and valid.is_valid(event) and event["end_ms"] < event["start_ms"]
        assert (valid.is_valid(event) and not ends_early) == (line not in unreadable), event
    alerts = json.loads(fetch(f"{url}/v1/alerts?limit=1000"))["alerts"]
    assert len(alerts) > 30, len(alerts)
    for alert in alerts:
        of("Alert").validate(alert)
    described = json.loads(fetch(f"{url}/v1/openapi.json"))["components"]["schemas"]
    for name, component in [("Alert", "AlertJson"), ("Evidence", "Evidence")]:
        assert described[component]["properties"].keys() <= schema["$defs"][name]["properties"].keys(), name


def main(binary: str) -> int:
    with tempfile.TemporaryDirectory() as directory:
        server = subprocess.Popen(
            [binary, "serve", "--listen", "127.0.0.1:0", "--data", directory],
            stdout=subprocess.PIPE,
            text=True,
            env={"TINGJIAN_LOG": "warn"},
        )
        try:
            url = server.stdout.readline().strip().removeprefix("listening on ")
            for path in sorted((ROOT / "fixtures" / "calls").glob("*.jsonl")):
                if not path.name.endswith(".expected.jsonl"):
                    fetch(f"{url}/v1/events", path.read_bytes())
            checks = [parquet_is_read_back, answers_are_as_described, events_are_as_the_schema_says]
            for check in checks:
                check(url)
            assert server.poll() is None, "the server is gone"
            print(f"{len(checks)} tests, {len(checks)} passed, 0 failed")
            return 0
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

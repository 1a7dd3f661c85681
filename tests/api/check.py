"""Holds a real server to what it says of itself: schemathesis asks it all that
its OpenAPI description allows, and more, and pyarrow reads its exports.

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
import urllib.request

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
            checks = [parquet_is_read_back, answers_are_as_described]
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

"""一个月的录音 · A month of recordings: which rules are broken most, by whom, and by which words.

python examples/month.py 'recordings/2026-11-*.parquet' alerts.parquet
"""

import glob
import sys

import polars

import tingjian


def main(pattern: str, output: str) -> None:
    checker = tingjian.Checker()
    found = []
    for path in sorted(glob.glob(pattern)):
        calls = polars.read_parquet(path)
        # Columns that are called otherwise are named here.
        found.append(checker.check_table(calls, skip_faults=True))
        print(f"{path}: {calls['call_id'].n_unique()} calls, {found[-1].height} alerts")
    if not found:
        sys.exit(f"no files are called {pattern}")
    alerts = polars.concat(found)
    alerts.write_parquet(output)
    for by in ("rule_id", "agent_id"):
        print(alerts.group_by(by).agg(polars.len().alias("alerts"), polars.sum("deduct")).sort("alerts", descending=True).head(10))


if __name__ == "__main__":
    main(*sys.argv[1:3])

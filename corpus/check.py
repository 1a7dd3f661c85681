#!/usr/bin/env python3
"""Check the corpus: columns, ids, acts, verdicts and repeated turns; count acts and verdicts.

Usage: python3 corpus/check.py
Exit status 1 when a file has a fault.
"""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent
COLUMNS = "id channel role prev own_prev text acts verdict category".split()
LABELS = "id acts verdict category".split()
CATEGORIES = set("dont-know refusal deflect rhetorical impatient rude blame vague other".split())
VERDICTS = {"yes", "borderline", "no"}


def read_acts():
    """The acts by id, each with the scalar fields that the checks need.

    acts.yaml keeps one scalar field a line, so no YAML library is needed here.
    """
    acts, act = {}, None
    for line in (ROOT / "acts.yaml").read_text(encoding="utf-8").splitlines():
        if found := re.fullmatch(r"  - id: (\S+)", line):
            act = acts.setdefault(found[1], {})
        elif found := re.fullmatch(r"    (role|kind|category): (\S+)", line):
            act[found[1]] = found[2]
    return acts


def read_rows(path, columns, faults):
    """The rows of one file as (line number, fields), faults of form reported."""
    lines = path.read_text(encoding="utf-8").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    if not lines or lines[0].split("\t") != columns:
        faults.append(f"{path}:1: the first line must be: {' '.join(columns)} (tabs between)")
        return
    for number, line in enumerate(lines[1:], 2):
        fields = line.split("\t")
        if len(fields) != len(columns):
            faults.append(f"{path}:{number}: {len(fields)} columns, {len(columns)} expected")
        else:
            yield number, dict(zip(columns, fields))


def check_labels(row, role, acts, where, faults):
    """Acts, verdict and category of one row; returns its acts."""
    names = row["acts"].split(",") if row["acts"] else []
    for name in names:
        if name not in acts:
            faults.append(f"{where}: no act {name!r} in acts.yaml")
        elif acts[name]["role"] != role:
            faults.append(f"{where}: {name} is no act of the {role}")
    if len(set(names)) != len(names):
        faults.append(f"{where}: an act is named twice")
    verdict, category = row["verdict"], row["category"]
    if role == "customer":
        if verdict or category:
            faults.append(f"{where}: a customer's turn has no verdict and no category")
        return names
    if verdict not in VERDICTS:
        faults.append(f"{where}: verdict {verdict!r}, expected yes, borderline or no")
    if (category != "") != (verdict in ("yes", "borderline")):
        faults.append(f"{where}: yes and borderline have a category, no has none")
    if category and category not in CATEGORIES:
        faults.append(f"{where}: category {category!r}, expected one of {' '.join(sorted(CATEGORIES))}")
    wording = [n for n in names if acts.get(n, {}).get("category", "null") != "null"]
    if verdict == "yes" and not wording:
        faults.append(f"{where}: yes without a forbidden act")
    if verdict == "no" and wording:
        faults.append(f"{where}: no, yet with the forbidden act {', '.join(wording)}")
    return names


def main():
    acts, faults = read_acts(), []
    paths = sorted(ROOT.glob("*/*.tsv"))
    turns = [p for p in paths if p.parent.name != "labels"]
    labels = [p for p in paths if p.parent.name == "labels"]
    roles, seen = {}, {}
    by_act, by_verdict = collections.Counter(), collections.Counter()
    for path in turns:
        for number, row in read_rows(path, COLUMNS, faults):
            where = f"{path}:{number}"
            prefix = f"{path.parent.name}-{path.stem}-"
            if not re.fullmatch(re.escape(prefix) + r"\d+", row["id"]):
                faults.append(f"{where}: id {row['id']!r}, expected {prefix}<number>")
            if row["id"] in roles:
                faults.append(f"{where}: id {row['id']} is taken")
            roles[row["id"]] = row["role"]
            if row["channel"] not in ("voice", "chat"):
                faults.append(f"{where}: channel {row['channel']!r}, expected voice or chat")
            if row["role"] not in ("agent", "customer"):
                faults.append(f"{where}: role {row['role']!r}, expected agent or customer")
                continue
            if not row["text"].strip():
                faults.append(f"{where}: empty text")
            # People of two trades may well say the same; within a trade it is a copy.
            key = (path.parent.name, row["role"], row["prev"], row["own_prev"], row["text"])
            if key in seen:
                faults.append(f"{where}: the same turn stands at {seen[key]}")
            seen[key] = where
            by_act.update(check_labels(row, row["role"], acts, where, faults))
            by_verdict[row["verdict"] or "customer"] += 1
    for path in labels:
        for number, row in read_rows(path, LABELS, faults):
            where = f"{path}:{number}"
            if role := roles.get(row["id"]):
                check_labels(row, role, acts, where, faults)
            else:
                faults.append(f"{where}: no row {row['id']!r}")
    for fault in faults:
        print(fault, file=sys.stderr)
    total = sum(by_verdict.values())
    print(f"{total} rows, {len(faults)} faults")
    for verdict, count in by_verdict.most_common():
        print(f"  {verdict:12} {count:6} {count / total:6.1%}")
    for name in acts:
        print(f"  {name:26} {by_act[name]:6}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

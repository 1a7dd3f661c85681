"""听检: checks recorded and live calls, with the same alerts as the program ``tingjian``.

>>> import tingjian
>>> checker = tingjian.Checker()
>>> events = [
...     {"type": "call.start", "call_id": "c1", "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"},
...     {"type": "utterance", "call_id": "c1", "utterance_id": "u1", "role": "agent", "text": "这个我不知道",
...      "start_ms": 3000, "end_ms": 4600, "final": True},
... ]
>>> [(alert["rule_id"], alert["evidence"][0]["phrase"]) for alert in checker.check(events) if alert["kind"] == "forbidden"]
[('forbidden.dont-know', '不知道')]
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from . import _native

__all__ = ["Checker", "Faults", "Lesson", "Session", "__version__", "learn"]
__version__: str = _native.__version__

Event = Mapping[str, Any]


class Faults(ValueError):
    """Events or rows that cannot be used: ``faults`` has the number of each, from 1, the field where it is one, and why.

    ``alerts`` has the alerts of all others.

    >>> Checker().check([{"type": "call.hold", "call_id": "c9"}])
    Traceback (most recent call last):
    tingjian.Faults: 1: call.hold 缺少字段 at_ms / call.hold needs the field at_ms
    """

    def __init__(self, faults: list[tuple[int, str | None, str]], alerts: list[dict[str, Any]]) -> None:
        self.faults = faults
        self.alerts = alerts
        shown = [f"{number}{f' {field}' if field else ''}: {why}" for number, field, why in faults[:20]]
        if len(faults) > 20:
            shown.append(f"… {len(faults) - 20} more")
        super().__init__("\n".join(shown))


Faults.__module__ = "tingjian"


class Checker:
    """Rules that calls are checked with: those of a directory, or the packs built in.

    Faults of rule files are a ``ValueError`` that tells all of them, with file, line and column.
    """

    def __init__(self, rules: str | os.PathLike[str] | None = None, *, parameters: str | os.PathLike[str] | None = None) -> None:
        self._rules = _native.Rules(_path(rules), _path(parameters))

    @property
    def version(self) -> str:
        """The version of the rules, which every alert bears (``rules_version``)."""
        return self._rules.version

    def check(self, events: Iterable[Event | str], *, all_states: bool = False, held: bool = False) -> list[dict[str, Any]]:
        """The alerts of recorded events: dictionaries, or lines of a ``.jsonl`` file. As ``tingjian check --format jsonl``.

        ``all_states`` gives every transition instead of what stands in the end, ``held`` also what is too unsure to be
        shown. What cannot be used raises `Faults`.

        >>> Checker().check(['{"type":"call.start","call_id":"c1","agent_id":"a7","started_at":"2026-11-21T10:00:00+08:00"}'])
        []
        """
        told, faults = self._rules.check(_lines(events), all_states, held)
        alerts = [json.loads(alert) for alert in told]
        if faults:
            raise Faults([(number, None, why) for number, why in faults], alerts)
        return alerts

    def check_jsonl(self, events: Iterable[Event | str], *, all_states: bool = False, held: bool = False) -> str:
        """As `check`, as text: what ``tingjian check --format jsonl`` prints, to the byte."""
        told, faults = self._rules.check(_lines(events), all_states, held)
        if faults:
            raise Faults([(number, None, why) for number, why in faults], [json.loads(alert) for alert in told])
        return "".join(f"{alert}\n" for alert in told)

    def check_table(
        self,
        table: Any,
        *,
        columns: Mapping[str, str] | None = None,
        words: Mapping[str, Mapping[Any, str]] | None = None,
        defaults: Mapping[str, Any] | None = None,
        utc_offset: str = "+08:00",
        held: bool = False,
        skip_faults: bool = False,
    ) -> Any:
        """The alerts of a table of calls: a pandas or polars ``DataFrame``, or a list of dictionaries; the result is of the
        same kind, a row an alert.

        A row is an utterance, or a call with its ``utterances`` in a list (``docs/check.md``). ``columns`` names the column
        of a field, ``words`` says what is meant by a word in it, ``defaults`` what a missing field is.

        >>> rows = [{"id": 7, "who": 0, "t0": 3.0, "t1": 4.6, "asr": "这个我不知道"}]
        >>> alerts = Checker().check_table(
        ...     rows, columns={"call_id": "id", "role": "who", "start_s": "t0", "end_s": "t1", "text": "asr"},
        ...     words={"role": {0: "agent", 1: "customer"}},
        ...     defaults={"agent_id": "a7", "started_at": "2026-11-21 10:00:00"})
        >>> [(alert["call_id"], alert["phrase"]) for alert in alerts if alert["kind"] == "forbidden"]
        [('7', '不知道')]
        """
        kind, rows = _rows(table)
        told, faults = self._rules.check_rows(
            [json.dumps(_plain(row), ensure_ascii=False) for row in rows],
            list((columns or {}).items()),
            [(field, str(written), meant) for field, meanings in (words or {}).items() for written, meant in meanings.items()],
            [(field, str(value)) for field, value in (defaults or {}).items()],
            utc_offset,
            held,
        )
        alerts = [json.loads(alert) for alert in told]
        if faults and not skip_faults:
            raise Faults(faults, alerts)
        return _table(kind, [_row(alert) for alert in alerts])

    def session(self, start: Event | str, *, held: bool = False) -> Session:
        """A call in progress, which began with the event ``start`` (``call.start``)."""
        return Session(self._rules.begin(_line(start)), held)


class Session:
    """A call in progress: events in as they come, transitions of alerts out.

    >>> session = Checker().session(
    ...     {"type": "call.start", "call_id": "c1", "agent_id": "a7", "started_at": "2026-11-21T10:00:00+08:00"})
    >>> said = {"type": "utterance", "call_id": "c1", "utterance_id": "u1", "role": "agent", "text": "这个我不知道",
    ...         "start_ms": 3000, "end_ms": 4600, "final": False}
    >>> [(alert["state"], alert["rule_id"]) for alert in session.push(said)]
    [('provisional', 'forbidden.dont-know')]
    >>> [(alert["state"], alert["rule_id"]) for alert in session.push({**said, "final": True})]
    [('confirmed', 'forbidden.dont-know')]
    >>> isinstance(session.finish(), list)
    True
    """

    def __init__(self, live: _native.Live, held: bool) -> None:
        self._live = live
        self._held = held

    def push(self, event: Event | str, *, now_ms: int | None = None) -> list[dict[str, Any]]:
        """Takes an event. ``now_ms`` is the time of the call's clock, where that is later than what the event tells."""
        return [json.loads(alert) for alert in self._live.push(_line(event), now_ms, self._held)]

    def tick(self, now_ms: int) -> list[dict[str, Any]]:
        """What is due by ``now_ms``, in milliseconds since the call was answered: deadlines that pass in silence."""
        return [json.loads(alert) for alert in self._live.tick(now_ms, self._held)]

    @property
    def next_tick_ms(self) -> int | None:
        """When the call next wants `tick`."""
        return self._live.next_tick_ms()

    def finish(self) -> list[dict[str, Any]]:
        """Decides all that is still open: nothing more will come."""
        return [json.loads(alert) for alert in self._live.finish(self._held)]


@dataclass(frozen=True)
class Lesson:
    """What was learned."""

    model: str
    """The model, as it stands in ``confidence.model``."""
    figures: str
    """Precision and recall by act, and what changes for the turns, each judged by what the other turns teach."""
    is_worse: bool
    """Whether it judges the turns worse than the model in use; then it is not written."""
    written: Path | None
    """Where it was written."""


def learn(
    turns: Any,
    rules: str | os.PathLike[str] | None = None,
    *,
    parameters: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] | None = None,
    dry_run: bool = False,
    force: bool = False,
) -> Lesson:
    """The model of acts and of the second look, learned from the built-in corpus and from labelled turns, as ``tingjian learn``.

    ``turns`` is a pandas or polars ``DataFrame``, or a list of dictionaries, with the columns ``text`` and ``is_violation``
    (``yes``, ``no``, ``borderline``), and where known ``prev_turn`` (the customer's), ``agent_prev``, ``category``, ``channel``
    and ``role``. The model goes to ``output``, or among the ``rules``, where every `Checker` of them uses it; one that is worse
    only with ``force``. It takes about a minute on two cores.

    >>> learn([{"text": "这个我不知道"}])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tingjian.Faults: 1: 要有 text 和 is_violation（yes、no、borderline） / ...missing field `is_violation`...
    """
    _, rows = _rows(turns)
    lines = [json.dumps(_plain(row), ensure_ascii=False) for row in rows]
    learned, faults = _native.learn(lines, _path(rules), _path(parameters))
    if faults or learned is None:
        raise Faults([(number, None, why) for number, why in faults], [])
    model, figures, is_worse = learned
    written = _path(output) or (None if rules is None else Path(rules) / "confidence.model")
    if written is None or dry_run or (is_worse and not force):
        return Lesson(model, figures, is_worse, None)
    # Whole, or as it was before.
    beside = written.with_name(f".{written.name}.{os.getpid()}")
    beside.write_text(model, encoding="utf-8")
    beside.replace(written)
    return Lesson(model, figures, is_worse, written)


def _path(name: str | os.PathLike[str] | None) -> Path | None:
    return None if name is None else Path(name)


def _line(event: Event | str) -> str:
    return event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)


def _lines(events: Iterable[Event | str]) -> list[str]:
    if isinstance(events, (str, bytes)):
        raise TypeError("events are a sequence: pass text.splitlines(), or an open file")
    return [line for line in map(_line, events) if line.strip()]


def _rows(table: Any) -> tuple[str, list[Mapping[str, Any]]]:
    """What sort of table it is, and its rows."""
    kind = type(table).__module__.split(".")[0]
    if kind == "pandas":
        return kind, table.to_dict("records")
    if kind == "polars":
        return kind, table.to_dicts()
    return "list", list(table)


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, str) or value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) or math.isinf(value) else value
    if isinstance(value, (datetime, date)):
        # Not a time: pandas calls it so.
        return None if str(value) == "NaT" else value.isoformat()
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, Iterable):
        return [_plain(item) for item in value]
    text = str(value)
    return None if text in ("<NA>", "NaT") else text


_COLUMNS = (
    "call_id", "agent_id", "rule_id", "rule_name", "pack", "severity", "kind", "deduct", "at_ms", "message", "suggestion",
    "confidence", "display", "alert_id", "rules_version",
)


def _row(alert: Mapping[str, Any]) -> dict[str, Any]:
    """An alert as a row: the words of its evidence, one line each."""
    row = {name: alert.get(name) for name in _COLUMNS}
    for name in ("text", "phrase"):
        row[name] = "\n".join(evidence[name] for evidence in alert["evidence"] if evidence.get(name))
    row["clauses"] = " ".join(alert["clauses"])
    return row


def _table(kind: str, rows: list[dict[str, Any]]) -> Any:
    columns = [*_COLUMNS, "text", "phrase", "clauses"]
    if kind == "pandas":
        import pandas

        return pandas.DataFrame(rows, columns=columns)
    if kind == "polars":
        import polars

        numbers = {"deduct": polars.Int64, "at_ms": polars.Int64, "confidence": polars.Float64}
        return polars.DataFrame(rows, schema={name: numbers.get(name, polars.String) for name in columns})
    return rows

// What plans drew and gave to the reader: alerts, alerts to be judged a second
// time without the first verdict, whole calls. And how far the plans have come.

import { useEffect, useState } from "../vendor/hooks.js";
import { ApiError, get, post } from "../shared/api.js";
import { callAddress, count, lastDays, moment } from "../shared/format.js";
import { Agent, SortedTable } from "../shared/parts.js";
import { StepButtons, keepReviewer, needsQuestion, possibleSteps, reviewer, takeStep, usualReasons } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Fault, Severity, html, useAnswer, useKeys } from "../shared/ui.js";
import { readAhead } from "./cases.js";
import { Flagged } from "./flagged.js";
import { usePages } from "./lists.js";
import { Context, Detail, Facts } from "./queue.js";

/** @typedef {import("../shared/review.js").Action} Action */

/** Weeks whose progress is shown. */
const WEEKS_DAYS = 42;

/** @param {any} one an assignment */
function sortName(one) {
  return one.second ? t("盲评", "second look") : { alert: t("预警", "alert"), held: t("存疑", "in doubt"), call: t("整通", "whole call") }[/** @type {"alert"} */ (one.kind)] ?? one.kind;
}

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>, replace?: boolean) => void, me: import("../shared/ui.js").Me | undefined}} properties */
export function Mine({ filters, change, me }) {
  const [name, setName] = useState(reviewer());
  const who = me?.open ? name : me?.name;
  if (me === undefined || !who) {
    return html`<section class="panel stack"><h2>${t("我的任务", "My samples")}</h2>
      ${me?.open ? html`<label class="inline"><span>${t("您的姓名", "Your name")}</span><input class="name-field" maxlength="64"
        onChange=${(/** @type {any} */ event) => { keepReviewer(event.target.value.trim()); setName(event.target.value.trim()); }} /></label>` : html`<p class="empty">${t("正在读取…", "Loading…")}</p>`}
    </section>`;
  }
  return html`<${Given} key=${who} who=${who} filters=${filters} change=${change} me=${me} />`;
}

/** @param {{who: string, filters: Record<string, string>, change: (changes: Record<string, string>, replace?: boolean) => void, me: import("../shared/ui.js").Me}} properties */
function Given({ who, filters, change, me }) {
  const list = usePages("/v1/assignments", "assignments", { done: "false", ...(me.open ? { reviewer: who } : {}) });
  const sampling = useAnswer((signal) => get("/v1/sampling", { from: lastDays(WEEKS_DAYS).from }, signal), [token()]);
  const [done, setDone] = useState(/** @type {Set<number>} */ (new Set()));
  const [asking, setAsking] = useState(/** @type {Action | null} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);
  const rows = list.rows.filter((one) => !done.has(one.sample_no));
  const found = rows.findIndex((one) => String(one.sample_no) === filters.item);
  const at = Math.max(0, found);
  const one = rows[at];
  const alert = one?.alert;
  useEffect(() => readAhead(rows.slice(at, at + 3).filter((next) => next.alert !== null).map((next) => next.alert)), [one?.sample_no, rows.length]);
  useEffect(() => {
    if (rows.length < 10 && list.hasMore) {
      list.loadMore();
    }
  }, [rows.length, list.hasMore]);
  const go = (/** @type {number} */ to) => {
    const next = rows[Math.min(Math.max(0, to), rows.length - 1)];
    if (next !== undefined) {
      change({ item: String(next.sample_no) }, true);
    }
  };
  const step = async (/** @type {Action} */ action, /** @type {string | null} */ reason, /** @type {string | null} */ by) => {
    setBusy(true);
    setError(null);
    setAsking(null);
    const person = by ?? (me.open ? who : null);
    try {
      await (one.second ? post(`/v1/assignments/${one.sample_no}`, { verdict: action, ...(reason ? { reason } : {}), ...(person ? { by: person } : {}) }) : takeStep(alert, action, reason, person));
      setDone((known) => new Set([...known, one.sample_no]));
      change({ item: String((rows[at + 1] ?? rows[0]).sample_no) }, true);
      sampling.reload();
    } catch (fault) {
      setError(fault);
      // Somebody else was there first: the list as it is now.
      if (fault instanceof ApiError && fault.status === 409) {
        list.reload();
      }
    }
    setBusy(false);
  };
  const ask = (/** @type {Action} */ action) => {
    if (alert && !busy && possibleSteps(alert).includes(action)) {
      needsQuestion(action, me) ? setAsking(action) : step(action, null, null);
    }
  };
  const quick = alert && possibleSteps(alert).includes("dismiss") ? usualReasons("dismiss") : [];
  useKeys({
    ...Object.fromEntries(quick.map((reason, index) => [String(index + 1), () => busy || step("dismiss", reason, null)])),
    j: () => go(at + 1), k: () => go(at - 1), ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1), c: () => ask("confirm"), d: () => ask("dismiss"),
  });
  const own = (sampling.value?.progress ?? []).filter((/** @type {any} */ row) => row.reviewer === who);
  const sum = (/** @type {"given" | "done" | "overdue"} */ of) => own.reduce((/** @type {number} */ all, /** @type {any} */ row) => all + row[of], 0);
  return html`
    <section class="stack">
      <div class="row spread">
        <div class="row"><h2 class="flat">${t("我的任务", "My samples")}</h2>
          <span class="quiet progress">${sampling.value ? t(`近六周分给我 ${count(sum("given"))}，完成 ${count(sum("done"))}${sum("overdue") > 0 ? `，逾期 ${count(sum("overdue"))}` : ""}`,
            `${count(sum("given"))} given in six weeks, ${count(sum("done"))} done${sum("overdue") > 0 ? `, ${count(sum("overdue"))} overdue` : ""}`) : ""}</span></div>
        <button class="plain small" onClick=${() => { setDone(new Set()); list.reload(); sampling.reload(); }}>${t("刷新", "Refresh")}</button>
      </div>
      <${Flagged} me=${me} />
      ${list.error ? html`<${Fault} error=${list.error} retry=${list.reload} />` : null}
      ${error === null ? null : html`<${Fault} error=${error} />`}
      ${list.loading && rows.length === 0 ? html`<p class="panel empty">${t("正在读取…", "Loading…")}</p>` : null}
      ${!list.loading && !list.error && rows.length === 0 ? html`<p class="panel empty">${t("没有要做的任务。", "Nothing is to be done.")}</p>` : null}
      ${one === undefined ? html`<${Weeks} progress=${sampling.value?.progress ?? []} />` : html`<div class="queue">
        <ul class="panel items" aria-label=${t("任务", "Samples")}>${rows.map((row) => html`<li key=${row.sample_no}>
          <button class="item" aria-current=${row === one ? "true" : undefined} onClick=${() => { setAsking(null); change({ item: String(row.sample_no) }, true); }}>
            <span class="row spread"><strong>${row.alert?.rule_name ?? t("整通通话", "Whole call")}</strong>${row.alert ? html`<${Severity} severity=${row.alert.severity} />` : null}</span>
            <span class="snippet"><bdi>${row.alert ? row.alert.evidence[0]?.text ?? row.alert.message : row.call_id}</bdi></span>
            <span class="row spread small quiet"><span><${Agent} row=${row} /> · ${t("截止", "due")} ${moment(row.due_at).slice(5, 10)}</span>
              <span class=${row.overdue ? "tag critical" : "tag neutral"}>${row.overdue ? t("逾期", "overdue") : sortName(row)}</span></span>
          </button></li>`)}</ul>
        <article class="panel stack detail" aria-label=${alert?.rule_name ?? t("整通通话", "Whole call")}>
          ${alert ? html`
            <div class="case stack" tabindex="0" role="group" aria-label=${t("选中的预警", "the chosen alert")}>
              ${one.second ? html`<p class="notice flat">${t("盲评：请独立判定，这里不显示别人的结论。", "Second look: judge for yourself; the first verdict is not shown.")}</p>` : null}
              <${Detail} alert=${alert} by=${undefined} /></div>
            <div class="decide"><${StepButtons} alert=${alert} me=${me} asked=${asking} onAsk=${setAsking} onStep=${step} busy=${busy} />
              <div class="row quick" role="group" aria-label=${t("判误报并写明理由", "False alarm, with its reason")}>
                ${quick.map((reason, index) => html`<button key=${reason} class="small" disabled=${busy} aria-keyshortcuts=${String(index + 1)} onClick=${() => step("dismiss", reason, null)}><kbd aria-hidden="true">${index + 1}</kbd>${reason}</button>`)}</div></div>
            <div class="reading stack" tabindex="0" role="region" aria-label=${t("上下文和其他", "Context and more")}><${Context} alert=${alert} /><${Facts} alert=${alert} /></div>`
          : html`<h3 class="flat">${t("整通通话", "Whole call")} <bdi>${one.call_id}</bdi></h3>
            <p>${t("从头读（听）到尾：判定每条预警，选中规则漏掉的话标出来，然后点“读完了”。", "Read or hear all of it: judge each alert, mark what the rules missed, then say that it is read.")}</p>
            <dl class="facts"><div><dt>${t("坐席", "Agent")}</dt><dd><${Agent} row=${one} /></dd></div><div><dt>${t("队列", "Queue")}</dt><dd><bdi>${one.queue ?? "—"}</bdi></dd></div>
              <div><dt>${t("接通", "Answered")}</dt><dd>${moment(one.started_at)}</dd></div><div><dt>${t("计划", "Plan")}</dt><dd>${one.plan} · ${one.week}</dd></div></dl>
            <div><a class="button" href=${`${callAddress(one.call_id, one.started_at)}&sample=${one.sample_no}`}>${t("打开通话", "Open the call")} →</a></div>`}
        </article>
      </div>`}
    </section>
  `;
}

/** @param {{progress: any[]}} properties */
function Weeks({ progress }) {
  const number = (/** @type {string} */ id, /** @type {string} */ name) => ({ id, name, number: true, value: (/** @type {any} */ row) => row[id], cell: (/** @type {any} */ row) => count(row[id]) });
  const text = (/** @type {string} */ id, /** @type {string} */ name) => ({ id, name, value: (/** @type {any} */ row) => row[id], cell: (/** @type {any} */ row) => row[id] });
  return progress.length === 0 ? null : html`<section class="panel"><h2>${t("抽检进度", "Progress of the plans")}</h2>
    <${SortedTable} label=${t("抽检进度", "Progress of the plans")} rows=${progress} sort="week" rowKey=${(/** @type {any} */ row) => `${row.plan} ${row.week} ${row.reviewer}`}
      columns=${[text("week", t("周", "Week")), text("plan", t("计划", "Plan")), text("reviewer", t("复核人", "Reviewer")), number("given", t("分到", "Given")), number("done", t("完成", "Done")), number("overdue", t("逾期", "Overdue"))]} /></section>`;
}

// What is looked at: a span of days and what alerts and calls have in common.
// All of it stands in the page's address.

import { useState } from "../vendor/hooks.js";
import { download, queryOf } from "../shared/api.js";
import { severityName, stateName } from "../shared/format.js";
import { Choices } from "../shared/parts.js";
import { appealName, verdictName } from "../shared/review.js";
import { t } from "../shared/settings.js";
import { Fault, html } from "../shared/ui.js";

/** @typedef {Record<string, string>} Filters */

/** What the address need not say. `days` counts back from today; without it, `from` and `to` stand. */
export const DEFAULTS = {
  view: "overview", days: "7", from: "", to: "", agent_id: "", queue: "", rule_id: "", severity: "", state: "confirmed", review: "", appeal: "", group: "agent",
};
const STATES = ["confirmed", "resolved", "retracted", "reminder", "provisional"];
const NARROWING = ["agent_id", "queue", "rule_id", "severity", "state", "review", "appeal"];

/** `2026-11-21`. @param {Date} date */
export function dayOf(date) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** The days that are looked at. @param {Filters} filters */
export function spanOf({ days, from, to }) {
  const back = Number(days);
  if (!(back > 0)) {
    return { from, to };
  }
  const today = new Date();
  const first = new Date(today.getFullYear(), today.getMonth(), today.getDate() - back + 1);
  return { from: dayOf(first), to: dayOf(today) };
}

/** As `/v1/alerts`, `/v1/statistics` and `/v1/export` take them. @param {Filters} filters */
export function ofAlerts(filters) {
  const { agent_id, queue, rule_id, severity, state, review, appeal } = filters;
  return { ...spanOf(filters), agent_id, queue, rule_id, severity, state: state === "all" ? STATES.join(",") : state, review, appeal };
}

/** As `/v1/calls` and `/v1/scores` take them. @param {Filters} filters */
export function ofCalls(filters) {
  const { agent_id, queue } = filters;
  return { ...spanOf(filters), agent_id, queue };
}

/**
 * @param {{filters: Filters, change: (changes: Filters) => void, rules: {id: string, name: string}[], agents: string[], queues: string[]}} properties
 *   names to choose from
 */
export function FilterBar({ filters, change, rules, agents, queues }) {
  const [short, setShort] = useState(true);
  const quick = [["1", t("今天", "Today")], ["7", t("近7天", "7 days")], ["30", t("近30天", "30 days")], ["all", t("全部", "All")]];
  const span = spanOf(filters);
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => change({ [name]: event.target.value.trim() });
  const day = (/** @type {"from" | "to"} */ name) => (/** @type {any} */ event) => change({ ...span, days: "", [name]: event.target.value });
  const narrowed = NARROWING.some((name) => filters[name] !== DEFAULTS[/** @type {keyof typeof DEFAULTS} */ (name)]);
  // What the open view does not heed is not offered.
  const inQueue = ["review", "appeal"].includes(filters.view);
  const ofCallsOnly = ["calls", "scores"].includes(filters.view);
  const unheeded = filters.view === "quality" || inQueue || ofCallsOnly;
  const ruleKnown = filters.rule_id === "" || rules.some(({ id }) => id === filters.rule_id);
  return html`
    <section class=${short ? "panel filters short" : "panel filters"} aria-label=${t("筛选", "Filters")}>
      <${Choices} label=${t("时间范围", "Span")} choices=${quick} current=${filters.days}
        onChoose=${(/** @type {string} */ days) => change({ days, from: "", to: "" })} />
      <button class="unfold small" aria-expanded=${short ? "false" : "true"} onClick=${() => setShort(!short)}>
        ${short ? t("更多筛选", "More filters") : t("收起", "Fewer")}${narrowed ? html`<span class="badge">●</span>` : null}</button>
      <label><span>${t("从", "From")}</span><input type="date" value=${span.from.slice(0, 10)} onChange=${day("from")} /></label>
      <label><span>${t("到", "To")}</span><input type="date" value=${span.to.slice(0, 10)} onChange=${day("to")} /></label>
      <label><span>${t("坐席", "Agent")}</span>
        <input list="known-agents" value=${filters.agent_id} placeholder=${t("全部", "all")} onChange=${set("agent_id")} maxlength="128" /></label>
      <label><span>${t("队列", "Queue")}</span>
        <input list="known-queues" value=${filters.queue} placeholder=${t("全部", "all")} onChange=${set("queue")} maxlength="128" /></label>
      <datalist id="known-agents">${agents.map((agent) => html`<option key=${agent} value=${agent} />`)}</datalist>
      <datalist id="known-queues">${queues.map((queue) => html`<option key=${queue} value=${queue} />`)}</datalist>
      ${ofCallsOnly ? null : html`<label class="wide"><span>${t("规则", "Rule")}</span>
        <select value=${filters.rule_id} onChange=${set("rule_id")}>
          <option value="">${t("全部", "all")}</option>
          ${ruleKnown ? null : html`<option value=${filters.rule_id}>${filters.rule_id}</option>`}
          ${rules.map(({ id, name }) => html`<option key=${id} value=${id}>${name}（${id}）</option>`)}
        </select></label>
      <${Select} name=${t("级别", "Severity")} value=${filters.severity} onChange=${set("severity")}
        options=${["critical", "warning", "info"].map((one) => [one, severityName(one)])} />`}
      ${unheeded ? null : html`<${Select} name=${t("状态", "State")} value=${filters.state} onChange=${set("state")}
        all="all" options=${STATES.map((one) => [one, stateName(one)])} />
      <${Select} name=${t("复核", "Review")} value=${filters.review} onChange=${set("review")}
        options=${["unreviewed", "confirmed", "dismissed"].map((one) => [one, verdictName(one)])} />
      <${Select} name=${t("申诉", "Appeal")} value=${filters.appeal} onChange=${set("appeal")}
        options=${["pending", "granted", "rejected"].map((one) => [one, appealName(one)])} />`}
      <button class="plain clear" disabled=${!narrowed} onClick=${() => change(Object.fromEntries(NARROWING.map((name) => [name, DEFAULTS[/** @type {keyof typeof DEFAULTS} */ (name)]])))}>${t("清除筛选", "Clear")}</button>
      <${Export} filters=${filters} />
    </section>
  `;
}

/** @param {{name: string, value: string, options: string[][], onChange: (event: Event) => void, all?: string}} properties */
function Select({ name, value, options, onChange, all = "" }) {
  return html`<label><span>${name}</span>
    <select value=${value} onChange=${onChange}>
      <option value=${all}>${t("全部", "all")}</option>
      ${options.map(([id, text]) => html`<option key=${id} value=${id}>${text}</option>`)}
    </select></label>`;
}

/** What is looked at, as a file. @param {{filters: Filters}} properties */
function Export({ filters }) {
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [writing, setWriting] = useState("");
  const save = (/** @type {string} */ format) => {
    setError(null);
    setWriting(format);
    const { from, to } = spanOf(filters);
    const span = [from, to].filter(Boolean).join("_");
    download(`/v1/export${queryOf({ format, ...ofAlerts(filters) })}`, `tingjian-alerts${span ? `-${span}` : ""}.${format}`)
      .catch(setError)
      .finally(() => setWriting(""));
  };
  const formats = [["csv", "CSV"], ["xlsx", "Excel"], ["jsonl", "JSON Lines"], ["parquet", "Parquet"]];
  return html`
    <div class="export" role="group" aria-label=${t("按当前筛选导出", "Export what is shown")}>
      <span class="small quiet">${t("导出", "Export")}</span>
      ${formats.map(([format, name]) => html`<button key=${format} class="small" disabled=${writing !== ""} onClick=${() => save(format)}>${writing === format ? "…" : name}</button>`)}
    </div>
    ${error === null ? null : html`<${Fault} error=${error} />`}
  `;
}

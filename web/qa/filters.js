// What is looked at: a span of days and what alerts and calls have in common.
// All of it stands in the page's address.

import { useState } from "../vendor/hooks.js";
import { download, queryOf } from "../shared/api.js";
import { lastDays, severityName, stateName } from "../shared/format.js";
import { Choices } from "../shared/parts.js";
import { appealName, verdictName } from "../shared/review.js";
import { t } from "../shared/settings.js";
import { Fault, html } from "../shared/ui.js";

/** @typedef {Record<string, string>} Filters */

/** What the address need not say. `days` counts back from today; without it, `from` and `to` stand. */
export const DEFAULTS = {
  view: "overview", days: "7", from: "", to: "", hour: "", agent_id: "", team: "", queue: "", rule_id: "", severity: "", state: "counted", review: "", appeal: "",
  display: "told", with: "", live: "", group: "agent", by: "agent", calls_min: "10", hide: "", item: "", phrase: "", role: "", homophone: "toneless",
};
const STATES = ["confirmed", "resolved", "retracted", "reminder", "provisional"];
const NARROWING = ["hour", "agent_id", "team", "queue", "rule_id", "severity", "state", "review", "appeal", "display", "with", "live"];
/** As the API has them: what agents were told and what reviewers marked, with what is on trial, what was held back as too unsure. */
const DISPLAYS = /** @type {Record<string, string>} */ ({ told: "card,folded,late,marked", all: "card,folded,late,marked,shadow", shadow: "shadow", held: "held", marked: "marked" });

/** With fewer calls a rate or a mean says little, and comes last. @param {Filters} filters */
export function callsMin({ calls_min }) {
  const least = Number(calls_min);
  return Number.isInteger(least) && least >= 1 && least <= 100_000 ? least : Number(DEFAULTS.calls_min);
}

/** The days that are looked at, of the centre. @param {Filters} filters */
export function spanOf({ days, from, to }) {
  const back = Number(days);
  return back > 0 ? lastDays(back) : { from, to };
}

/** The state that is asked for: nothing that was dismissed, is on trial or held back counts. @param {Filters} filters */
function stateOf({ state, review, appeal, display }) {
  const mayCount = review !== "dismissed" && appeal !== "granted" && ["told", "all", "marked"].includes(display);
  return state === "counted" && !mayCount ? "confirmed" : state;
}

/** As `/v1/alerts`, `/v1/statistics` and `/v1/export` take them. @param {Filters} filters */
export function ofAlerts(filters) {
  const { hour, agent_id, team, queue, rule_id, severity, review, appeal, display } = filters;
  const state = stateOf(filters);
  return {
    ...spanOf(filters), hour, agent_id, team, queue, rule_id, severity, review, appeal, display: DISPLAYS[display] ?? DISPLAYS.told,
    state: state === "counted" ? "" : state === "all" ? STATES.join(",") : state, counts: state === "counted" ? "true" : "",
  };
}

/** What waits in a queue: whatever was confirmed, or what was held back. @param {Filters} filters @param {"review" | "appeal"} kind */
export function ofQueue(filters, kind) {
  const isHeld = filters.display === "held" && kind === "review";
  const asked = ofAlerts({ ...filters, state: "confirmed", display: isHeld ? "held" : "all", review: "", appeal: "" });
  return kind === "review" ? { ...asked, review: "unreviewed" } : { ...asked, appeal: "pending" };
}

/** As `/v1/calls` and `/v1/scores` take them. @param {Filters} filters */
export function ofCalls(filters) {
  const { hour, agent_id, team, queue } = filters;
  return { ...spanOf(filters), hour, agent_id, team, queue };
}

/** As `/v1/forms/filled`, `/v1/forms/export` and `/v1/forms/trend` take them. @param {Filters} filters */
export function ofForms(filters) {
  const { from, to, agent_id, team } = ofCalls(filters);
  return { from, to, agent_id, team };
}

/** The calls of the list: all, those that are over or in progress, or those with the alerts that are looked at. @param {Filters} filters */
export function ofCallList(filters) {
  const { live } = filters;
  return filters.with === "alerts" ? { ...ofAlerts(filters), alerts: "true", live } : { ...ofCalls(filters), live };
}

/** As `/v1/quality` takes them: what is on trial is judged, too. @param {Filters} filters */
export function ofQuality(filters) {
  const { hour, agent_id, team, queue, rule_id, severity } = filters;
  return { ...spanOf(filters), hour, agent_id, team, queue, rule_id, severity, display: DISPLAYS.all };
}

/**
 * @param {{filters: Filters, change: (changes: Filters) => void, rules: {id: string, name: string}[], agents: string[], queues: string[],
 *   roster: import("../shapes.js").RosterView | undefined}} properties
 *   names to choose from
 */
export function FilterBar({ filters, change, rules, agents, queues, roster }) {
  const [short, setShort] = useState(true);
  const quick = [["1", t("今天", "Today")], ["7", t("近7天", "7 days")], ["30", t("近30天", "30 days")], ["all", t("全部", "All")]];
  const span = spanOf(filters);
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => change({ [name]: event.target.value.trim() });
  const day = (/** @type {"from" | "to"} */ name) => (/** @type {any} */ event) => change({ ...span, days: "", [name]: event.target.value });
  const narrowed = NARROWING.some((name) => filters[name] !== DEFAULTS[/** @type {keyof typeof DEFAULTS} */ (name)]);
  // What the open view does not heed is not offered.
  if (["mine", "report", "clips", "calibration"].includes(filters.view)) {
    return null;
  }
  const inQueue = ["review", "appeal"].includes(filters.view);
  const inSearch = filters.view === "search";
  const inForms = filters.view === "forms";
  const ofCallsOnly = inSearch || inForms || filters.view === "scores" || (filters.view === "calls" && filters.with !== "alerts");
  const unheeded = filters.view === "quality" || inQueue || ofCallsOnly;
  const teams = (roster?.teams ?? []).map(({ team }) => team);
  const names = new Map((roster?.agents ?? []).map(({ agent_id, name }) => [agent_id, name]));
  const ruleKnown = filters.rule_id === "" || rules.some(({ id }) => id === filters.rule_id);
  return html`
    <section class=${`panel filters ${short ? "short" : ""} ${inQueue ? "compact" : ""}`} aria-label=${t("筛选", "Filters")}>
      <${Choices} label=${t("时间范围", "Span")} choices=${quick} current=${filters.days}
        onChoose=${(/** @type {string} */ days) => change({ days, from: "", to: "" })} />
      <button class="unfold small" aria-expanded=${short ? "false" : "true"} onClick=${() => setShort(!short)}>
        ${short ? t("更多筛选", "More filters") : t("收起", "Fewer")}${narrowed ? html`<span class="badge">●</span>` : null}</button>
      <label><span>${t("从", "From")}</span><input type="date" value=${span.from.slice(0, 10)} onChange=${day("from")} /></label>
      <label><span>${t("到", "To")}</span><input type="date" value=${span.to.slice(0, 10)} onChange=${day("to")} /></label>
      <label><span>${t("坐席", "Agent")}</span>
        <input list="known-agents" value=${filters.agent_id} placeholder=${t("全部", "all")} onChange=${set("agent_id")} maxlength="128" /></label>
      ${inForms ? null : html`<label><span>${t("队列", "Queue")}</span>
        <input list="known-queues" value=${filters.queue} placeholder=${t("全部", "all")} onChange=${set("queue")} maxlength="128" /></label>`}
      ${teams.length === 0 && filters.team === "" ? null : html`<${Select} name=${t("班组", "Team")} value=${filters.team} onChange=${set("team")}
        options=${[...new Set([...teams, filters.team].filter(Boolean))].map((team) => [team, team])} />`}
      <datalist id="known-agents">${agents.map((agent) => html`<option key=${agent} value=${agent}>${names.get(agent) ?? ""}</option>`)}</datalist>
      <datalist id="known-queues">${queues.map((queue) => html`<option key=${queue} value=${queue} />`)}</datalist>
      ${inSearch || inForms ? null : html`<${Select} name=${t("时段", "Hour")} value=${filters.hour} onChange=${set("hour")}
        options=${Array.from({ length: 24 }, (_, hour) => [String(hour), hourName(hour)])} />`}
      ${ofCallsOnly ? null : html`<label class="wide"><span>${t("规则", "Rule")}</span>
        <select value=${filters.rule_id} onChange=${set("rule_id")}>
          <option value="">${t("全部", "all")}</option>
          ${ruleKnown ? null : html`<option value=${filters.rule_id}>${filters.rule_id}</option>`}
          ${rules.map(({ id, name }) => html`<option key=${id} value=${id}>${t(`${name}（${id}）`, `${name} (${id})`)}</option>`)}
        </select></label>
      <${Select} name=${t("级别", "Severity")} value=${filters.severity} onChange=${set("severity")}
        options=${["critical", "warning", "info"].map((one) => [one, severityName(one)])} />`}
      ${unheeded ? null : html`<${Select} name=${t("状态", "State")} value=${stateOf(filters)} onChange=${set("state")}
        all="all" options=${[["counted", t("计入得分", "counts")], ...STATES.map((one) => [one, stateName(one)])]} />
      <${Select} name=${t("显示", "Display")} value=${filters.display} onChange=${set("display")}
        all="all" options=${[["told", t("提示过或标出的", "told or marked")], ["shadow", t("试运行", "on trial")], ["held", t("存疑", "in doubt")], ["marked", t("人工标出", "marked")]]} />
      <${Select} name=${t("复核", "Review")} value=${filters.review} onChange=${set("review")}
        options=${["unreviewed", "confirmed", "dismissed"].map((one) => [one, verdictName(one)])} />
      <${Select} name=${t("申诉", "Appeal")} value=${filters.appeal} onChange=${set("appeal")}
        options=${["pending", "granted", "rejected"].map((one) => [one, appealName(one)])} />`}
      <button class="plain clear" disabled=${!narrowed} onClick=${() => change(Object.fromEntries(NARROWING.map((name) => [name, DEFAULTS[/** @type {keyof typeof DEFAULTS} */ (name)]])))}>${t("清除筛选", "Clear")}</button>
      ${inSearch ? null : html`<${Export} filters=${filters} />`}
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

/** What the open view asks for. @param {Filters} filters @returns {Record<string, string>} */
function askedBy(filters) {
  switch (filters.view) {
    case "review":
    case "appeal":
      return ofQueue(filters, filters.view);
    case "calls":
      return ofCallList(filters);
    case "scores":
      return { group: filters.group, ...ofCalls(filters) };
    case "forms":
      return ofForms(filters);
    case "quality":
      return ofQuality(filters);
    default:
      return ofAlerts(filters);
  }
}

/** @param {number} hour */
export function hourName(hour) {
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return `${two(hour)}:00–${two(hour + 1)}:00`;
}

/** What may be exported of a view: the table, its name, and what it asks for. @param {Filters} filters @returns {[string, string, Record<string, string>][]} */
function tablesOf(filters) {
  const asked = askedBy(filters);
  const { from, to } = spanOf(filters);
  switch (filters.view) {
    case "calls":
      return [["calls", t("通话", "calls"), asked]];
    case "scores":
      return [["scores", t("评分", "scores"), asked]];
    case "forms":
      return [["forms", t("评分表", "forms"), asked]];
    case "quality":
      return [["rules", t("规则质量", "quality of rules"), asked], ["samples", t("抽检", "samples"), { from, to }]];
    default:
      return [["alerts", t("预警", "alerts"), asked], ["reviews", t("复核记录", "reviews"), asked]];
  }
}

/** What the open view shows, as a file. @param {{filters: Filters}} properties */
function Export({ filters }) {
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [writing, setWriting] = useState("");
  const [chosen, setChosen] = useState("");
  const { from, to } = spanOf(filters);
  const span = [from, to].filter(Boolean).join("_");
  const tables = tablesOf(filters);
  const [table, , asked] = tables.find(([id]) => id === chosen) ?? tables[0];
  const save = (/** @type {string} */ format) => {
    setError(null);
    setWriting(format);
    const path = table === "forms" ? "/v1/forms/export" : table === "alerts" ? "/v1/export" : `/v1/export/${table}`;
    download(path + queryOf({ format, ...asked }), `tingjian-${table}${span ? `-${span}` : ""}.${format}`).catch(setError).finally(() => setWriting(""));
  };
  const formats = [["csv", "CSV"], ["xlsx", "Excel"], ["jsonl", "JSON Lines"], ["parquet", "Parquet"]];
  return html`
    <div class="export" role="group" aria-label=${t("导出本页所列", "Export what is shown")}>
      <span class="small quiet">${t("导出", "Export")}</span>
      ${tables.length > 1 ? html`<select aria-label=${t("导出什么", "What to export")} value=${table} onChange=${(/** @type {any} */ event) => setChosen(event.target.value)}>${tables.map(([id, name]) => html`<option key=${id} value=${id}>${name}</option>`)}</select>` : null}
      ${formats.map(([format, text]) => html`<button key=${format} class="small" disabled=${writing !== ""} onClick=${() => save(format)}>${writing === format ? "…" : text}</button>`)}
    </div>
    ${error === null ? null : html`<${Fault} error=${error} />`}
  `;
}

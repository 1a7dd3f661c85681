// Where the alerts are: by day, hour, rule, agent and queue. Every figure leads
// on: it narrows the filters, or opens the alerts that it counts.

import { get } from "../shared/api.js";
import { BarChart } from "../shared/charts.js";
import { count, percent } from "../shared/format.js";
import { Bar, SortedTable } from "../shared/parts.js";
import { currentLanguage, t, token } from "../shared/settings.js";
import { Fault, html, useAnswer } from "../shared/ui.js";
import { callsMin, hourName, ofAlerts, spanOf } from "./filters.js";
import { Matrix, Shift, Worst, useOverview } from "./matrix.js";

const DAY_MS = 86_400_000;
/** A chart of more days has no room for their bars. */
const DAYS_MAX = 400;
const HEAT_ROWS = 20;
const TOP_ROWS = 8;

/** @typedef {import("../shapes.js").RowView} Row */
/** @typedef {import("../shapes.js").StatisticsView} Statistics */

/** @param {string} group @param {Record<string, string>} filters @returns {{value: Statistics | undefined, error: any, loading: boolean, reload: () => void}} */
export function useStatistics(group, filters) {
  const asked = ofAlerts(filters);
  return useAnswer((signal) => get("/v1/statistics", { group, ...asked }, signal), [group, JSON.stringify(asked), token()]);
}

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties */
export function Overview({ filters, change }) {
  const days = useStatistics("day", filters);
  const hours = useStatistics("hour", filters);
  const rules = useStatistics("rule", filters);
  const agents = useStatistics("agent", filters);
  const queues = useStatistics("queue", filters);
  const heat = useStatistics("rule,hour", filters);
  const compared = useOverview(filters);
  const answers = [days, hours, rules, agents, queues, heat, compared];
  const error = answers.find((answer) => answer.error);
  if (error) {
    return html`<${Fault} error=${error.error} retry=${error.reload} />`;
  }
  // All of it at once: parts that come one by one push each other about.
  if (!days.value || !hours.value || !rules.value || !agents.value || !queues.value || !heat.value || !compared.value) {
    return html`<p class="empty">${t("正在统计…", "Counting…")}</p>`;
  }
  const names = rules.value.rule_names;
  return html`
    <div class="stack wide-gap" aria-busy=${answers.some((answer) => answer.loading) ? "true" : "false"}>
      <${Totals} answer=${compared.value} change=${change} />
      <${Worst} answer=${compared.value} filters=${filters} change=${change} />
      <${Matrix} answer=${compared.value} change=${change} />
      <div class="grid charts">
        <section class="panel">
          <h2>${t("每日趋势", "By day")}</h2>
          <${ByDay} answer=${days.value} filters=${filters} change=${change} />
        </section>
        <section class="panel">
          <h2>${t("按小时", "By hour")}</h2>
          <${ByHour} answer=${hours.value} change=${change} />
        </section>
      </div>
      <div class="grid tops">
        <${Top} title=${t("预警最多的规则", "Rules with most alerts")} answer=${rules.value} column=${t("规则", "Rule")}
          name=${(/** @type {string} */ id) => names[id] ?? id} by="rule_id" filters=${filters} change=${change} />
        <${Top} title=${t("预警最多的坐席", "Agents with most alerts")} answer=${agents.value} column=${t("坐席", "Agent")}
          name=${(/** @type {string} */ id) => agents.value?.agents[id]?.agent_name ?? id} by="agent_id" filters=${filters} change=${change} />
        <${Top} title=${t("预警最多的队列", "Queues with most alerts")} answer=${queues.value} column=${t("队列", "Queue")}
          by="queue" filters=${filters} change=${change} />
      </div>
      <section class="panel">
        <h2>${t("热力图：规则 × 小时", "Heat map: rule × hour")}</h2>
        <${Heat} answer=${heat.value} change=${change} />
      </section>
    </div>
  `;
}

/** A hundred calls have so many. @param {number} alerts @param {number} calls */
function rate(alerts, calls) {
  return calls > 0 ? (alerts * 100) / calls : null;
}

/** @param {number | null} value */
function rateText(value) {
  return value === null ? "—" : value.toFixed(1);
}

/** @param {{answer: import("../shapes.js").OverviewView, change: (changes: Record<string, string>) => void}} properties */
function Totals({ answer, change }) {
  const { now, before, change: shift, critical_change: criticalShift } = answer.total;
  const earlier = (/** @type {number | undefined} */ value) => (value === undefined ? "" : t(`之前 ${count(value)}`, `before ${count(value)}`));
  return html`
    <div class="totals">
      <${Total} name=${t("预警", "Alerts")} value=${count(now.alerts)} more=${earlier(before?.alerts)} onChoose=${() => change({ view: "alerts" })} />
      <${Total} name=${t("严重预警", "Critical alerts")} value=${count(now.critical)} more=${html`<${Shift} change=${criticalShift} />`} onChoose=${() => change({ view: "alerts", severity: "critical" })} />
      <${Total} name=${t("通话", "Calls")} value=${count(now.calls)} more=${[earlier(before?.calls), answer.live > 0 ? t(`${count(answer.live)} 通还没结束，也算在内`, `${count(answer.live)} in progress, counted too`) : ""].filter(Boolean).join(t("；", "; "))}
        onChoose=${() => change({ view: "calls", with: "" })} />
      <${Total} name=${t("每百通预警", "Alerts per 100 calls")} value=${rateText(now.rate?.per_100 ?? null)} more=${html`<${Shift} change=${shift} />`} />
      <${Total} name=${t("有预警的通话", "Calls with alerts")} value=${count(now.with_alerts)}
        more=${percent(now.calls > 0 ? now.with_alerts / now.calls : null)} onChoose=${() => change({ view: "calls", with: "alerts" })} />
      <${Total} name=${t("扣分合计", "Deducted")} value=${count(now.deduct)} more=${earlier(before?.deduct)} onChoose=${() => change({ view: "alerts", state: "counted" })} />
    </div>
  `;
}

/** @param {{name: string, value: string, more?: any, onChoose?: () => void}} properties */
function Total({ name, value, more, onChoose }) {
  const inside = html`<span class="small quiet">${name}</span><strong>${value}</strong>${more ? html`<span class="small quiet">${more}</span>` : null}`;
  return onChoose
    ? html`<button class="panel total" onClick=${onChoose}>${inside}<span class="go" aria-hidden="true">›</span></button>`
    : html`<div class="panel total">${inside}</div>`;
}

/** @param {{answer: Statistics, filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties */
function ByDay({ answer, filters, change }) {
  const alerts = new Map(answer.rows.map((row) => [row.key[0], row.alerts]));
  const calls = new Map(answer.answered.rows.map((row) => [row.key[0], row.calls]));
  const days = daysBetween(spanOf(filters), [...alerts.keys(), ...calls.keys()].map(String));
  if (days.length === 0) {
    return html`<p class="empty">${t("这段时间没有通话。", "No calls in this span.")}</p>`;
  }
  const bars = days.map((day) => {
    const found = alerts.get(day) ?? 0;
    return { label: `${day} ${weekday(day)}`, short: day.slice(5), count: found, rate: rate(found, calls.get(day) ?? 0) };
  });
  return html`<${BarChart} title=${t("每日预警数和每百通预警", "Alerts by day and per 100 calls")} bars=${bars} placeName=${t("日期", "Day")}
    countName=${t("预警", "Alerts")} rateName=${t("每百通", "per 100 calls")}
    onChoose=${(/** @type {number} */ at) => change({ view: "alerts", days: "", from: days[at], to: days[at] })} />`;
}

/** @param {string} day */
function weekday(day) {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString(currentLanguage() === "zh" ? "zh-CN" : "en", { weekday: "short", timeZone: "UTC" });
}

/** All days of the span; without one, from the first to the last that has something. @param {{from: string, to: string}} span @param {string[]} found */
function daysBetween({ from, to }, found) {
  const known = [...found].sort();
  const first = from.slice(0, 10) || known[0];
  const last = to.slice(0, 10) || known[known.length - 1];
  if (first === undefined || last === undefined) {
    return [];
  }
  const days = [];
  const end = Date.parse(`${last}T00:00:00Z`);
  for (let at = Date.parse(`${first}T00:00:00Z`); at <= end && days.length <= DAYS_MAX; at += DAY_MS) {
    days.push(new Date(at).toISOString().slice(0, 10));
  }
  return days.length > DAYS_MAX ? known : days;
}

/** @param {{answer: Statistics, change: (changes: Record<string, string>) => void}} properties */
function ByHour({ answer, change }) {
  const alerts = new Map(answer.rows.map((row) => [row.key[0], row.alerts]));
  const calls = new Map(answer.answered.rows.map((row) => [row.key[0], row.calls]));
  const bars = HOURS.map((hour) => {
    const found = alerts.get(hour) ?? 0;
    return { label: hourName(Number(hour)), short: hour, count: found, rate: rate(found, calls.get(hour) ?? 0) };
  });
  return html`<${BarChart} title=${t("各小时预警数和每百通预警", "Alerts by hour of the day and per 100 calls")} bars=${bars} placeName=${t("时段", "Hour")}
    countName=${t("预警", "Alerts")} rateName=${t("每百通", "per 100 calls")}
    onChoose=${(/** @type {number} */ at) => change({ view: "alerts", hour: HOURS[at] })} />`;
}

const HOURS = Array.from({ length: 24 }, (_, hour) => String(hour));

/** Between what the rate lies in 95 of 100 cases, after Byar. @param {number} alerts @param {number} calls */
function interval(alerts, calls) {
  const bound = (/** @type {number} */ n, /** @type {number} */ side) => (n === 0 ? 0 : n * (1 - 1 / (9 * n) + (side * 1.96) / (3 * Math.sqrt(n))) ** 3);
  return [bound(alerts, -1), bound(alerts + 1, 1)].map((n) => ((n * 100) / calls).toFixed(0)).join("–");
}

/** @param {{title: string, answer: Statistics, column: string, name?: (id: string) => string, by: string, filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties */
function Top({ title, answer, column, name = (id) => id, by, filters, change }) {
  const least = callsMin(filters);
  const calls = new Map(answer.answered.rows.map((row) => [row.key[0] ?? null, row.calls]));
  const most = Math.max(0, ...answer.rows.map((row) => row.alerts));
  const answered = (/** @type {Row} */ row) => (answer.answered.groups.length === 0 ? answer.answered.total : (calls.get(row.key[0]) ?? 0));
  const ratio = (/** @type {Row} */ row) => rate(row.alerts, answered(row));
  const figure = (/** @type {Row} */ row, /** @type {number} */ value, /** @type {Record<string, string>} */ more = {}) =>
    row.key[0] === null ? count(value) : html`<button class="link" onClick=${() => change({ view: "alerts", [by]: String(row.key[0]), ...more })}>${count(value)}</button>`;
  const columns = [
    {
      id: "name", name: column, value: (/** @type {Row} */ row) => name(row.key[0] ?? ""),
      cell: (/** @type {Row} */ row) =>
        row.key[0] === null
          ? html`<span class="quiet">${t("未指定", "none")}</span>`
          : html`<button class="link" title=${row.key[0]} onClick=${() => change({ [by]: String(row.key[0]) })}><bdi>${name(row.key[0])}</bdi></button>`,
    },
    { id: "share", name: html`<span class="visually-hidden">${t("占比", "Share")}</span>`, cell: (/** @type {Row} */ row) => html`<${Bar} part=${row.alerts} whole=${most} />` },
    { id: "alerts", name: t("预警", "Alerts"), number: true, value: (/** @type {Row} */ row) => row.alerts, cell: (/** @type {Row} */ row) => figure(row, row.alerts) },
    {
      id: "rate", name: t("每百通", "/100"), number: true, value: (/** @type {Row} */ row) => (answered(row) < least ? null : ratio(row)),
      title: t(`每百通电话的预警数和 95% 区间；不足 ${least} 通的排在最后`, `alerts per 100 calls, and between what they lie in 95 of 100 cases; fewer than ${least} calls come last`),
      cell: (/** @type {Row} */ row) => html`<span class=${answered(row) < least ? "quiet" : ""} title=${t(`${answered(row)} 通`, `${answered(row)} calls`)}>${rateText(ratio(row))}
        ${answered(row) > 0 ? html`<span class="small quiet interval">${interval(row.alerts, answered(row))}</span>` : null}</span>`,
    },
    { id: "deduct", name: t("扣分", "Deducted"), number: true, value: (/** @type {Row} */ row) => row.deduct, cell: (/** @type {Row} */ row) => figure(row, row.deduct, { state: "counted" }) },
  ];
  return html`
    <section class="panel top">
      <h2>${title}</h2>
      ${answer.rows.length === 0
        ? html`<p class="empty">${t("没有预警。", "No alerts.")}</p>`
        : html`<${SortedTable} label=${title} columns=${columns} rows=${answer.rows} sort="alerts" shown=${TOP_ROWS} rowKey=${(/** @type {Row} */ row) => String(row.key[0])} />`}
      ${answer.truncated ? html`<p class="small quiet">${t("只统计到最多的 10 000 行。", "Only the 10 000 rows with most alerts are here.")}</p>` : null}
    </section>
  `;
}

/** @param {{answer: Statistics, change: (changes: Record<string, string>) => void}} properties */
function Heat({ answer, change }) {
  /** @type {Map<string, {total: number, hours: Map<string, number>}>} */
  const rules = new Map();
  let most = 0;
  for (const { key, alerts } of answer.rows) {
    const [rule, hour] = [String(key[0]), String(key[1])];
    const known = rules.get(rule) ?? { total: 0, hours: new Map() };
    known.total += alerts;
    known.hours.set(hour, alerts);
    most = Math.max(most, alerts);
    rules.set(rule, known);
  }
  const shown = [...rules].sort(([, a], [, b]) => b.total - a.total).slice(0, HEAT_ROWS);
  if (shown.length === 0) {
    return html`<p class="empty">${t("没有预警。", "No alerts.")}</p>`;
  }
  const open = (/** @type {string} */ rule_id, hour = "") => change({ rule_id, view: "alerts", ...(hour === "" ? {} : { hour }) });
  return html`
    <div class="table" tabindex="0" role="region" aria-label=${t("规则和小时的预警数", "Alerts by rule and hour")}>
      <table class="heat">
        <thead><tr><th scope="col">${t("规则", "Rule")}</th>${HOURS.map((hour) => html`<th key=${hour} scope="col">${hour}</th>`)}<th scope="col" class="number">${t("合计", "Total")}</th></tr></thead>
        <tbody>${shown.map(([rule, { total, hours }]) => html`
          <tr key=${rule}>
            <th scope="row"><button class="link" title=${rule} onClick=${() => open(rule)}>${answer.rule_names[rule] ?? rule}</button></th>
            ${HOURS.map((hour) => {
              const alerts = hours.get(hour) ?? 0;
              return html`<td key=${hour} class=${alerts > 0 ? "hot" : undefined} style=${{ "--heat": alerts / most }}>${alerts > 0
                ? html`<button class="cell" aria-label=${t(`${hourName(Number(hour))}，${alerts} 条`, `${hourName(Number(hour))}, ${alerts} alerts`)} onClick=${() => open(rule, hour)}>${alerts}</button>`
                : html`<span aria-hidden="true">·</span>`}</td>`;
            })}
            <td class="number"><button class="link" onClick=${() => open(rule)}>${count(total)}</button></td>
          </tr>`)}</tbody>
      </table>
    </div>
    ${rules.size > shown.length ? html`<p class="small quiet">${t(`预警最多的 ${shown.length} 条规则，共 ${rules.size} 条。`, `The ${shown.length} rules with most alerts, of ${rules.size}.`)}</p>` : null}
  `;
}

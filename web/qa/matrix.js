// Agents or queues beside each other: who is worst and why, by rule, and against the span before. Every count opens exactly
// the alerts that it counts.

import { get } from "../shared/api.js";
import { count, severityName } from "../shared/format.js";
import { Agent, Choices } from "../shared/parts.js";
import { t, token } from "../shared/settings.js";
import { html, useAnswer } from "../shared/ui.js";
import { useState } from "../vendor/hooks.js";
import { callsMin, ofAlerts } from "./filters.js";

/** @typedef {import("../shapes.js").OverviewView} Answer */
/** @typedef {import("../shapes.js").Line} Line */
/** @typedef {import("../shapes.js").Compared} Compared */
/** @typedef {(changes: Record<string, string>) => void} Change */

const WORST = 10;
const ROWS = 20;
const RULES = 12;

/** @param {Record<string, string>} filters @returns {{value: Answer | undefined, error: any, loading: boolean, reload: () => void}} */
export function useOverview(filters) {
  const asked = { ...ofAlerts(filters), by: filters.by, calls_min: callsMin(filters) };
  return useAnswer((signal) => get("/v1/overview", asked, signal), [JSON.stringify(asked), token()]);
}

/** @param {{low: number, high: number} | null | undefined} of */
const between = (of) => (of ? `${of.low.toFixed(0)}–${of.high.toFixed(0)}` : "");

/** A rate with its interval. @param {{rate: {per_100: number, low: number, high: number} | null | undefined, quiet?: boolean}} properties */
function Rate({ rate, quiet = false }) {
  return rate ? html`<span class=${quiet ? "quiet" : ""}>${rate.per_100.toFixed(1)}<span class="small quiet interval">${between(rate)}</span></span>` : "—";
}

/** How a rate changed, with its interval; more than chance only where that has no 0. @param {{change: {difference: number, low: number, high: number} | null | undefined}} properties */
export function Shift({ change }) {
  if (!change) {
    return html`<span class="quiet">—</span>`;
  }
  const sign = (/** @type {number} */ value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(1)}`;
  const way = change.low > 0 ? "worse" : change.high < 0 ? "better" : "";
  const meaning = { worse: t("变差，超出偶然", "worse, beyond chance"), better: t("变好，超出偶然", "better, beyond chance"), "": t("可能是偶然", "may be chance") }[way];
  return html`<span class=${`shift ${way}`} title=${meaning}>${way === "worse" ? "▲ " : way === "better" ? "▼ " : ""}${sign(change.difference)}
    <span class="small quiet interval">${sign(change.low)} – ${sign(change.high)}</span><span class="visually-hidden">${meaning}</span></span>`;
}

/** The words for what is compared. @param {string} by */
function wordsOf(by) {
  const words = /** @type {Record<string, {one: string, title: string, crossed: string}>} */ ({
    agent: { one: t("坐席", "Agent"), title: t("最差的坐席", "Worst agents"), crossed: t("坐席 × 规则", "Agents × rules") },
    team: { one: t("班组", "Team"), title: t("最差的班组", "Worst teams"), crossed: t("班组 × 规则", "Teams × rules") },
    queue: { one: t("队列", "Queue"), title: t("最差的队列", "Worst queues"), crossed: t("队列 × 规则", "Queues × rules") },
  });
  return words[by] ?? words.agent;
}

/** An agent by name, a team or queue by its own. @param {{answer: Answer, line: Line}} properties */
function Who({ answer, line }) {
  return answer.by === "agent" ? html`<${Agent} row=${{ agent_id: line.key, ...answer.agents[line.key ?? ""] }} />` : html`<bdi>${line.key}</bdi>`;
}

/** The worst, and why. @param {{answer: Answer, filters: Record<string, string>, change: Change}} properties */
export function Worst({ answer, filters, change }) {
  const [shown, setShown] = useState(WORST);
  const by = answer.by === "agent" ? "agent_id" : answer.by;
  const names = new Map(answer.rules.map((rule) => [rule.rule_id, rule.rule_name]));
  const open = (/** @type {Line} */ line, /** @type {Record<string, string>} */ more) => change({ view: "alerts", [by]: String(line.key), ...more });
  const figure = (/** @type {Line} */ line, /** @type {number} */ value, /** @type {Record<string, string>} */ more, name = "") =>
    line.key === null || value === 0 ? count(value) : html`<button class="link" aria-label=${name || undefined} onClick=${() => open(line, more)}>${count(value)}</button>`;
  const { one, title } = wordsOf(answer.by);
  const unranked = answer.lines.filter((line) => !line.ranked).length;
  return html`
    <section class="panel worst">
      <div class="row spread">
        <h2>${title}</h2>
        <div class="row">
          <${Choices} label=${t("比较什么", "Compare")} choices=${[["agent", t("坐席", "Agents")], ["team", t("班组", "Teams")], ["queue", t("队列", "Queues")]]} current=${answer.by} onChoose=${(/** @type {string} */ by) => change({ by })} />
          <label class="inline small"><span>${t("至少", "at least")}</span><input class="least" type="number" min="1" max="100000" value=${callsMin(filters)} onChange=${(/** @type {any} */ event) => change({ calls_min: event.target.value })} />
            <span>${t("通才排名", "calls to be ranked")}</span></label>
        </div>
      </div>
      <p class="small quiet">${t(
        `按每百通预警数排，后面是 95% 区间${answer.before_from ? `；变化是和之前同样长的一段时间（${answer.before_from.slice(0, 10)} 起）相比` : ""}。不足 ${answer.calls_min} 通的排在最后${unranked > 0 ? `（${unranked} 个）` : ""}。`,
        `By alerts per 100 calls, with the 95 % interval${answer.before_from ? `; the change is against the span before, of the same length (from ${answer.before_from.slice(0, 10)})` : ""}. Fewer than ${answer.calls_min} calls come last${unranked > 0 ? ` (${unranked})` : ""}.`,
      )}</p>
      ${answer.lines.length === 0 ? html`<p class="empty">${t("这段时间没有通话。", "No calls in this span.")}</p>` : html`
        <div class="table" tabindex="0" role="region" aria-label=${title}>
          <table>
            <thead><tr>
              <th scope="col">${one}</th><th scope="col" class="number">${t("每百通", "/100")}</th><th scope="col" class="number">${t("变化", "Change")}</th>
              <th scope="col" class="number">${severityName("critical")}</th><th scope="col" class="number">${t("预警", "Alerts")}</th><th scope="col" class="number">${t("通话", "Calls")}</th>
              <th scope="col">${t("主要原因", "Mostly because of")}</th>
            </tr></thead>
            <tbody>${answer.lines.slice(0, shown).map((line) => html`<tr key=${String(line.key)} class=${line.ranked ? undefined : "unranked"}>
              <td>${line.key === null ? html`<span class="quiet">${t("未指定", "none")}</span>` : html`<button class="link" onClick=${() => change({ [by]: String(line.key) })}><${Who} answer=${answer} line=${line} /></button>`}
                ${line.ranked ? null : html` <span class="tag neutral">${t("通话太少", "few calls")}</span>`}</td>
              <td class="number"><${Rate} rate=${line.now.rate} quiet=${!line.ranked} /></td>
              <td class="number"><${Shift} change=${line.change} /></td>
              <td class="number">${line.now.critical > 0 ? html`<strong class="bad">${figure(line, line.now.critical, { severity: "critical" }, t(`${line.now.critical} 条严重`, `${line.now.critical} critical`))}</strong>` : "0"}</td>
              <td class="number">${figure(line, line.now.alerts, {})}</td><td class="number">${count(line.now.calls)}</td>
              <td class="reasons">${line.reasons.map((rule) => html`<button key=${rule} class="link" title=${rule} disabled=${line.key === null} onClick=${() => open(line, { rule_id: rule })}>${names.get(rule) ?? rule} <span class="quiet">${line.cells[rule]}</span></button>`)}</td>
            </tr>`)}</tbody>
          </table>
        </div>
        ${answer.lines.length > shown ? html`<button class="plain small" onClick=${() => setShown(shown * 4)}>${t(`再看 ${answer.lines.length - shown} 行`, `${answer.lines.length - shown} more`)}</button>` : null}`}
    </section>`;
}

/** The alerts by agent or queue and rule, coloured by their rate. @param {{answer: Answer, change: Change}} properties */
export function Matrix({ answer, change }) {
  const [rows, setRows] = useState(ROWS);
  const [width, setWidth] = useState(RULES);
  const by = answer.by === "agent" ? "agent_id" : answer.by;
  const found = answer.rules.filter((rule) => rule.now.alerts > 0);
  const rules = found.slice(0, width);
  const lines = answer.lines.filter((line) => line.now.alerts > 0 || line.now.calls > 0);
  const shown = lines.slice(0, rows);
  const rate = (/** @type {Line} */ line, /** @type {string} */ rule) => (line.now.calls > 0 ? ((line.cells[rule] ?? 0) * 100) / line.now.calls : 0);
  // A rate of few calls must not make all others pale.
  const most = Math.max(1, ...lines.filter((line) => line.ranked).flatMap((line) => rules.map((rule) => rate(line, rule.rule_id))));
  const { one, crossed: title } = wordsOf(answer.by);
  if (rules.length === 0) {
    return html`<section class="panel"><h2>${title}</h2><p class="empty">${t("没有预警。", "No alerts.")}</p></section>`;
  }
  const name = (/** @type {Line} */ line) => answer.agents[line.key ?? ""]?.agent_name ?? line.key ?? t("未指定", "none");
  return html`
    <section class="panel">
      <h2>${title}</h2>
      <p class="small quiet">${t("大字是预警数，小字是每百通；颜色按每百通。点一格看这些预警。", "Alerts, below them their number per 100 calls, which the colour shows. A cell leads to its alerts.")}</p>
      <div class="table" tabindex="0" role="region" aria-label=${title}>
        <table class="heat matrix" style=${{ "--rules": rules.length }}>
          <thead><tr><th scope="col">${one}</th>
            ${rules.map((rule) => html`<th key=${rule.rule_id} scope="col" title=${`${rule.rule_id} · ${severityName(rule.severity)}`} class=${`rule ${rule.severity}`}>
              <button class="link" onClick=${() => change({ view: "alerts", rule_id: rule.rule_id })}>${rule.rule_name}</button></th>`)}
            <th scope="col" class="number">${t("合计", "Total")}</th></tr></thead>
          <tbody>${shown.map((line) => html`<tr key=${String(line.key)} class=${line.ranked ? undefined : "unranked"}>
            <th scope="row">${line.key === null ? html`<span class="quiet">${name(line)}</span>` : html`<button class="link" onClick=${() => change({ [by]: String(line.key) })}><${Who} answer=${answer} line=${line} /></button>`}
              <span class="small quiet interval">${t(`${line.now.calls} 通`, `${line.now.calls} calls`)}</span></th>
            ${rules.map((rule) => {
              const alerts = line.cells[rule.rule_id] ?? 0;
              const per = rate(line, rule.rule_id);
              const cell = html`${alerts} <span class="per">${line.now.calls > 0 ? per.toFixed(1) : "—"}</span>`;
              return html`<td key=${rule.rule_id} class=${alerts > 0 ? "hot" : undefined} style=${{ "--heat": Math.min(1, per / most) }}>${alerts === 0
                ? html`<span aria-hidden="true">·</span>`
                : line.key === null
                  ? cell
                  : html`<button class="cell" aria-label=${t(`${name(line)}，${rule.rule_name}，条数和每百通：${alerts} ${line.now.calls > 0 ? per.toFixed(1) : "—"}`, `${name(line)}, ${rule.rule_name}, alerts and per 100 calls: ${alerts} ${line.now.calls > 0 ? per.toFixed(1) : "—"}`)}
                      onClick=${() => change({ view: "alerts", [by]: String(line.key), rule_id: rule.rule_id })}>${cell}</button>`}</td>`;
            })}
            <td class="number">${line.key === null ? count(line.now.alerts) : html`<button class="link" onClick=${() => change({ view: "alerts", [by]: String(line.key) })}>${count(line.now.alerts)}</button>`}</td>
          </tr>`)}</tbody>
          <tfoot>
            <tr><th scope="row">${t("合计", "Total")}</th>${rules.map((rule) => html`<td key=${rule.rule_id}><button class="link" onClick=${() => change({ view: "alerts", rule_id: rule.rule_id })}>${count(rule.now.alerts)}</button></td>`)}
              <td class="number"><button class="link" onClick=${() => change({ view: "alerts" })}>${count(answer.total.now.alerts)}</button></td></tr>
            ${answer.before_from ? html`<tr><th scope="row">${t("每百通的变化", "Change per 100")}</th>${rules.map((rule) => html`<td key=${rule.rule_id} class="small"><${Shift} change=${rule.change} /></td>`)}<td class="small"><${Shift} change=${answer.total.change} /></td></tr>` : null}
          </tfoot>
        </table>
      </div>
      <div class="row">
        ${lines.length > rows ? html`<button class="plain small" onClick=${() => setRows(rows * 4)}>${t(`再看 ${lines.length - rows} 行`, `${lines.length - rows} more rows`)}</button>` : null}
        ${found.length > width ? html`<button class="plain small" onClick=${() => setWidth(found.length)}>${t(`再看 ${found.length - width} 条规则`, `${found.length - width} more rules`)}</button>` : null}
        ${answer.truncated ? html`<span class="small quiet">${t("数据太多，只有预警最多的部分。", "There is too much; only what has most alerts is here.")}</span>` : null}
      </div>
    </section>`;
}

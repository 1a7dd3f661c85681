// How precise a rule is and how much it tells, day by day. What other rules are
// edited to does not begin it anew; an edit of what decides when it fires does.

import { get } from "../shared/api.js";
import { BarChart } from "../shared/charts.js";
import { count, moment, percent } from "../shared/format.js";
import { t, token } from "../shared/settings.js";
import { Fault, html, useAnswer } from "../shared/ui.js";

/** @typedef {import("../shapes.js").QualityHistory} History */

/** Days from the first with alerts to the last, each with the precision of its wording so far. @param {History} history */
export function points(history) {
  const rows = [...history.days].reverse();
  /** @type {Map<string, {reviewed: number, confirmed: number}>} */
  const sums = new Map();
  /** @type {{day: string, alerts: number, precision: number | null, begins: boolean}[]} */
  const days = [];
  let last = "";
  for (const row of rows) {
    const sum = sums.get(row.rule_digest) ?? { reviewed: 0, confirmed: 0 };
    sum.reviewed += row.reviewed;
    sum.confirmed += row.confirmed;
    sums.set(row.rule_digest, sum);
    const begins = last !== "" && last !== row.rule_digest;
    last = row.rule_digest;
    const precision = sum.reviewed > 0 ? sum.confirmed / sum.reviewed : null;
    const before = days.at(-1);
    if (before !== undefined && before.day === row.day) {
      Object.assign(before, { alerts: before.alerts + row.alerts, precision, begins: before.begins || begins });
    } else {
      days.push({ day: row.day, alerts: row.alerts, precision, begins });
    }
  }
  return days;
}

/** @param {{ruleId: string}} properties */
export function Curve({ ruleId }) {
  const { value, error, reload } = useAnswer((signal) => get("/v1/quality/history", { rule_id: ruleId, held: "true" }, signal), [ruleId, token()]);
  const history = /** @type {History | undefined} */ (value);
  const days = history === undefined ? [] : points(history);
  return html`
    <section class="panel stack" aria-labelledby="curve">
      <h2 class="flat" id="curve">${t("准确率和数量", "Precision and volume")}</h2>
      ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
      ${days.length === 0 ? html`<p class="quiet flat">${history === undefined ? t("正在读取…", "Reading…") : t("还没有预警。", "No alerts yet.")}</p>` : html`
        <${BarChart} title=${t("每天的预警和准确率", "Alerts and precision by day")} placeName=${t("日期", "Day")} countName=${t("预警", "Alerts")} rateName=${t("准确率 %（这种判法至今）", "Precision % (of this wording so far)")}
          bars=${days.map((day) => ({ label: day.begins ? t(`${day.day}，改过`, `${day.day}, edited`) : day.day, short: day.begins ? `▲${day.day.slice(5)}` : day.day.slice(5), count: day.alerts, rate: day.precision === null ? null : day.precision * 100 }))} />`}
      ${history === undefined || history.versions.length === 0 ? null : html`<div class="table" tabindex="0" role="region" aria-label=${t("各种判法", "Wordings")}><table>
        <thead><tr><th scope="col">${t("判法", "Wording")}</th><th scope="col">${t("启用", "In use since")}</th><th scope="col" class="number">${t("预警", "Alerts")}</th><th scope="col" class="number">${t("复核", "Reviewed")}</th><th scope="col" class="number">${t("准确率", "Precision")}</th></tr></thead>
        <tbody>${history.versions.map((version) => html`<tr key=${version.rule_digest}>
          <td><code>${version.rule_digest.slice(0, 8)}</code>${version.current ? html` <span class="tag good">${t("正在用", "in use")}</span>` : null}</td>
          <td>${version.since ? moment(version.since).slice(0, 16) : "—"}${version.by ? html` · <bdi>${version.by}</bdi>` : null}</td>
          <td class="number">${count(version.alerts)}</td><td class="number">${count(version.reviewed)}</td>
          <td class="number">${version.precision === null ? "—" : percent(version.precision)}</td></tr>`)}</tbody>
      </table></div>`}
    </section>
  `;
}

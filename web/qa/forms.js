// Scoring forms: how the scores of agents and teams go week by week, and the forms behind them.

import { get } from "../shared/api.js";
import { FormScore, SignatureTag, signatureName } from "../shared/form.js";
import { callAddress, count, moment } from "../shared/format.js";
import { Agent, Choices } from "../shared/parts.js";
import { t, token } from "../shared/settings.js";
import { Fault, html, useAnswer } from "../shared/ui.js";
import { useState } from "../vendor/hooks.js";
import { ofForms } from "./filters.js";
import { Listed, usePages } from "./lists.js";

/** Weeks in the table; the latest ones. */
const WEEKS = 12;

/** @typedef {import("../shapes.js").TrendRow} Row */

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties */
export function Forms({ filters, change }) {
  const asked = ofForms(filters);
  const [signature, setSignature] = useState("");
  const list = usePages("/v1/forms/filled", "forms", { ...asked, signature });
  return html`
    <${Trend} filters=${filters} change=${change} />
    <section class="panel stack">
      <div class="row spread"><h2 class="flat">${t("评过的通话", "Scored calls")}</h2>
        <${Choices} label=${t("签收", "Signature")} current=${signature} onChoose=${setSignature}
          choices=${[["", t("全部", "All")], ...["open", "signed", "objected"].map((one) => [one, signatureName(one)])]} /></div>
      <${Listed} list=${list} empty=${t("这段时间没有评过的通话。在通话页按 f 评分。", "No calls were scored in this span. Score one on its page, with the key f.")}>
        <div class="table" tabindex="0" role="region" aria-label=${t("评过的通话", "Scored calls")}><table class="listed">
          <thead><tr><th scope="col">${t("接通", "Answered")}</th><th scope="col">${t("通话", "Call")}</th><th scope="col">${t("坐席", "Agent")}</th><th scope="col">${t("班组", "Team")}</th>
            <th scope="col">${t("评分表", "Form")}</th><th scope="col">${t("得分", "Score")}</th><th scope="col">${t("复核人", "Reviewer")}</th><th scope="col">${t("签收", "Signature")}</th></tr></thead>
          <tbody>${list.rows.map((one) => html`<tr key=${one.form_no}>
            <td class="time">${moment(one.started_at)}</td>
            <td><a href=${`${callAddress(one.call_id, one.started_at)}#form-${one.form_no}`}><bdi>${one.call_id}</bdi></a></td>
            <td><button class="link" onClick=${() => change({ agent_id: one.agent_id })}><${Agent} row=${one} /></button></td>
            <td>${one.team ? html`<button class="link" onClick=${() => change({ team: one.team })}><bdi>${one.team}</bdi></button>` : html`<span class="quiet">—</span>`}</td>
            <td>${one.title}</td><td><${FormScore} filled=${one} /></td><td><bdi>${one.reviewer}</bdi></td>
            <td><${SignatureTag} signature=${one.signature} />${one.objection ? html`<br /><span class="small quiet"><bdi>${one.objection}</bdi></span>` : null}</td>
          </tr>`)}</tbody></table></div>
      </${Listed}>
    </section>
  `;
}

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties */
function Trend({ filters, change }) {
  const groups = /** @type {[string, string][]} */ ([["team", t("班组", "Team")], ["agent", t("坐席", "Agent")], ["form", t("评分表", "Form")]]);
  const group = groups.some(([id]) => id === filters.group) ? filters.group : "team";
  const asked = { group, ...ofForms(filters) };
  const { value, error, reload } = useAnswer((signal) => get("/v1/forms/trend", asked, signal), [JSON.stringify(asked), token()]);
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (!value || value.totals.length === 0) {
    return null;
  }
  const rows = /** @type {Row[]} */ (value.rows);
  const weeks = [...new Set(rows.map(({ week }) => week ?? ""))].sort().slice(-WEEKS);
  const of = new Map(rows.map((row) => [`${row.key} ${row.week}`, row]));
  const name = (/** @type {Row} */ row) => row.agent_name ?? row.key ?? t("没有班组", "no team");
  const narrowed = (/** @type {Row} */ row) => (group === "form" || row.key === null || row.key === undefined ? html`<bdi>${name(row)}</bdi>`
    : html`<button class="link" onClick=${() => change({ [group === "team" ? "team" : "agent_id"]: String(row.key) })}><bdi>${name(row)}</bdi></button>`);
  const cell = (/** @type {Row | undefined} */ row) => (row === undefined ? html`<span class="quiet">—</span>`
    : html`<strong>${row.mean.toFixed(1)}</strong>${row.margin === null || row.margin === undefined ? null : html` <span class="small quiet">±${row.margin.toFixed(1)}</span>`}
      <span class="small quiet interval">${t(`${count(row.forms)} 份`, `${count(row.forms)}`)}</span>`);
  return html`<section class="panel stack">
    <div class="row spread"><h2 class="flat">${t("评分走势", "Scores by week")}</h2>
      <${Choices} label=${t("按什么看", "By what")} choices=${groups} current=${group} onChoose=${(/** @type {string} */ chosen) => change({ group: chosen })} /></div>
    <p class="small quiet flat">${t("每周（周一起，按通话接通的时间）的平均分、95% 区间的一半和份数；只有一份的没有区间。", "Means by week (from Monday, by when calls were answered), half of the 95 % interval, and how many forms; a single form has no interval.")}</p>
    <div class="table" tabindex="0" role="region" aria-label=${t("评分走势", "Scores by week")}><table>
      <thead><tr><th scope="col">${groups.find(([id]) => id === group)?.[1]}</th>${weeks.map((week) => html`<th key=${week} scope="col" class="number">${week.slice(5)}</th>`)}
        <th scope="col" class="number">${t("合计", "All")}</th><th scope="col" class="number">${t("合格", "Passed")}</th></tr></thead>
      <tbody>${/** @type {Row[]} */ (value.totals).map((row) => html`<tr key=${row.key}><th scope="row">${narrowed(row)}</th>
        ${weeks.map((week) => html`<td key=${week} class="number">${cell(of.get(`${row.key} ${week}`))}</td>`)}
        <td class="number">${cell(row)}</td><td class="number">${row.judged > 0 ? `${count(row.passed)} / ${count(row.judged)}` : "—"}</td></tr>`)}</tbody>
    </table></div>
  </section>`;
}

// Which clause is held by which rules, and which rules were in use when.

import { useState } from "../vendor/hooks.js";
import { get } from "../shared/api.js";
import { baseName, moment } from "../shared/format.js";
import { Bar, Choices } from "../shared/parts.js";
import { t, token } from "../shared/settings.js";
import { Fault, html, useAnswer } from "../shared/ui.js";

/** @param {{openRule: (rule: string) => void}} properties */
export function Coverage({ openRule }) {
  const { value, error, reload } = useAnswer((signal) => get("/v1/rules/coverage", {}, signal), [token()]);
  const [shown, setShown] = useState("all");
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (value === undefined) {
    return html`<p class="panel empty">${t("正在读取…", "Loading…")}</p>`;
  }
  const names = /** @type {Record<string, string>} */ ({ covered: t("已覆盖", "covered"), excused: t("有说明", "excused"), open: t("未覆盖", "open") });
  const tones = /** @type {Record<string, string>} */ ({ covered: "good", excused: "neutral", open: "critical" });
  const choices = /** @type {[string, string][]} */ ([["all", t("全部", "All")], ...["covered", "excused", "open"].map((one) => [one, `${names[one]} ${value[one]}`])]);
  const rows = value.clauses.filter((/** @type {any} */ clause) => shown === "all" || clause.status === shown);
  return html`
    <section class="panel stack">
      <div class="row spread"><h2 class="flat">${t("条款覆盖", "Clause coverage")}</h2>
        <${Choices} label=${t("看哪些", "Which")} choices=${choices} current=${shown} onChoose=${setShown} /></div>
      <div class="row"><span class="half"><${Bar} part=${value.covered} whole=${value.clauses.length} /></span>
        <span class="small quiet">${t(`${value.clauses.length} 条中 ${value.covered} 条有规则和测试`, `${value.covered} of ${value.clauses.length} have a rule with a test`)}</span></div>
      ${value.faults.length > 0 ? html`<div class="notice warning">${value.faults.map((/** @type {string} */ fault) => html`<p key=${fault}>${fault}</p>`)}</div>` : null}
      ${value.clauses.length === 0 ? html`<p class="empty">${t("规则目录里没有条款表（clauses）。", "There is no table of clauses beside the rules.")}</p>` : null}
      ${rows.length === 0 ? null : html`<div class="table" tabindex="0" role="region" aria-label=${t("条款覆盖", "Clause coverage")}><table class="clauses">
        <thead><tr><th scope="col">${t("条款", "Clause")}</th><th scope="col">${t("要求", "Requirement")}</th><th scope="col">${t("状态", "Status")}</th><th scope="col">${t("规则 / 说明", "Rules / reason")}</th></tr></thead>
        <tbody>${rows.map((/** @type {any} */ clause) => html`<tr key=${clause.clause}>
          <td><code>${clause.clause}</code></td>
          <td>${clause.text}<br /><span class="small quiet">${clause.source}</span></td>
          <td><span class=${`tag ${tones[clause.status]}`}>${names[clause.status]}</span></td>
          <td><span class="row tight">${clause.rules.map((/** @type {string} */ rule) => html`<button key=${rule} class="link mono" onClick=${() => openRule(rule)}>${rule}</button>`)}</span>
            ${clause.reason ? html`<span class="quiet">${clause.reason}</span>` : null}</td>
        </tr>`)}</tbody>
      </table></div>`}
    </section>
  `;
}

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties */
export function Versions({ filters, change }) {
  const { value, error, reload } = useAnswer((signal) => get("/v1/rules/versions", { limit: 200 }, signal), [token()]);
  const version = filters.version || value?.versions[0]?.version || "";
  const detail = useAnswer((signal) => (version === "" ? Promise.resolve(null) : get(`/v1/rules/versions/${encodeURIComponent(version)}`, {}, signal)), [version, token()]);
  const triggers = /** @type {Record<string, string>} */ ({ start: t("启动", "start"), request: t("手动", "request"), change: t("文件变化", "file change"), learn: t("学习", "learned"), draft: t("草稿", "draft") });
  return html`
    <div class="versions">
      <section class="panel stack">
        <h2 class="flat">${t("版本", "Versions")}</h2>
        ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
        <ul class="contents">${(value?.versions ?? []).map((/** @type {any} */ one) => html`
          <li key=${one.version}><button class="rule" aria-current=${one.version === version ? "true" : undefined} onClick=${() => change({ version: one.version })}>
            <span class="row spread"><code>${one.version}</code>${one.current ? html`<span class="tag good">${t("使用中", "in use")}</span>` : null}</span>
            <span class="small quiet">${moment(one.loaded_at)} · ${triggers[one.trigger] ?? one.trigger} · ${one.by}</span>
          </button></li>`)}</ul>
      </section>
      <section class="panel stack">
        <h2 class="flat">${t("和上一版的差异", "What it changed")}</h2>
        ${detail.error ? html`<${Fault} error=${detail.error} retry=${detail.reload} />` : null}
        ${detail.value ? html`
          <p class="small quiet flat">${detail.value.previous ? html`<code>${detail.value.previous}</code> → ` : null}<code>${detail.value.version}</code> · ${detail.value.files.map(baseName).join("、")}</p>
          ${detail.value.diff ? html`<${Diff} text=${detail.value.diff} />` : html`<p class="empty">${detail.value.previous ? t("上一版已不再保存，或没有差异。", "The version before is no longer kept, or the same.") : t("这是第一版。", "This is the first version.")}</p>`}
          ${detail.value.truncated ? html`<p class="small quiet">${t("差异太长，只显示开头。", "Too long: only the beginning is shown.")}</p>` : null}` : null}
      </section>
    </div>
  `;
}

/** A unified diff. @param {{text: string}} properties */
export function Diff({ text }) {
  const kind = (/** @type {string} */ line) =>
    /^(\+\+\+|---|@@|diff )/.test(line) ? "head" : line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "";
  return html`<div class="source diff" tabindex="0" role="region" aria-label=${t("差异", "Difference")}>
    ${text.replace(/\n$/, "").split("\n").map((line, at) => html`<div key=${at} class=${`line ${kind(line)}`}><code>${line}</code></div>`)}
  </div>`;
}

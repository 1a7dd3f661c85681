// What edited rules would have said of past calls: gained, lost and changed
// alerts against the rules in use, with examples.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { post } from "../shared/api.js";
import { baseName, callAddress, clock, count, lastDays, moment } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { t } from "../shared/settings.js";
import { Fault, Severity, html } from "../shared/ui.js";

const DAYS = 30;

/** @param {{files: {name: string, text: string}[]}} properties */
export function Backtest({ files }) {
  const [span, setSpan] = useState({ ...lastDays(DAYS), agent_id: "" });
  const [state, setState] = useState(/** @type {{report?: any, error?: unknown, busy: boolean}} */ ({ busy: false }));
  const running = useRef(/** @type {AbortController | null} */ (null));
  useEffect(() => () => running.current?.abort(), []);
  const run = (/** @type {Event} */ event) => {
    event.preventDefault();
    const abort = new AbortController();
    running.current = abort;
    setState({ busy: true });
    const asked = Object.fromEntries(Object.entries(span).filter(([, value]) => value !== ""));
    post("/v1/backtest", { files, ...asked }, abort.signal).then(
      (report) => setState({ report, busy: false }),
      (error) => setState(abort.signal.aborted ? { busy: false } : { error, busy: false }),
    );
  };
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => setSpan((before) => ({ ...before, [name]: event.target.value.trim() }));
  return html`
    <section class="panel stack" aria-labelledby="backtest">
      <h2 class="flat" id="backtest">${t("回测：用历史通话对比改过的规则", "Backtest: the edited rules against past calls")}</h2>
      <form class="row end" onSubmit=${run}>
        <label><span>${t("从", "From")}</span><input type="date" value=${span.from} onChange=${set("from")} /></label>
        <label><span>${t("到", "To")}</span><input type="date" value=${span.to} onChange=${set("to")} /></label>
        <label><span>${t("坐席（可不填）", "Agent (optional)")}</span><input value=${span.agent_id} maxlength="128" onChange=${set("agent_id")} /></label>
        <button class="primary" disabled=${state.busy}>${state.busy ? t("正在回测…", "Running…") : t("开始回测", "Run")}</button>
        ${state.busy ? html`<button type="button" onClick=${() => running.current?.abort()}>${t("取消", "Cancel")}</button>` : null}
        <span class="small quiet">${t("改过的文件：", "Files: ")}${files.map(({ name }) => baseName(name)).join("、")}</span>
      </form>
      <div aria-live="polite">
        ${state.error ? html`<${Fault} error=${state.error} />` : null}
        ${state.report ? html`<${Report} report=${state.report} />` : null}
      </div>
    </section>
  `;
}

/** @param {{report: any}} properties */
function Report({ report }) {
  const { alerts, shadow } = report;
  const changedRules = report.rules.filter((/** @type {any} */ rule) => rule.gained + rule.lost + rule.changed > 0);
  return html`
    <div class="stack">
      <p class="small quiet flat"><code>${report.before.version}</code>（${report.before.rules}）→ <code>${report.after.version}</code>（${report.after.rules}） ·
        ${t(` ${count(report.calls)} 通通话，${report.hours} 小时`, ` ${count(report.calls)} calls, ${report.hours} hours`)}${report.skipped > 0 ? t(`，${report.skipped} 通的转写已过期`, `, ${report.skipped} without words`) : ""}${report.failed > 0 ? t(`，${report.failed} 通出错`, `, ${report.failed} failed`) : ""}${report.partial ? t("，未跑完", ", not all of them") : ""}</p>
      <div class="totals">
        <${Figure} name=${t("现在 → 改后", "Now → then")} value=${`${count(alerts.before)} → ${count(alerts.after)}`} />
        <${Figure} name=${t("每千通", "Per 1 000 calls")} value=${`${alerts.before_per_1000_calls} → ${alerts.after_per_1000_calls}`} />
        <${Figure} name=${t("新增", "Gained")} value=${`+${count(alerts.gained)}`} />
        <${Figure} name=${t("消失", "Lost")} value=${`−${count(alerts.lost)}`} />
        <${Figure} name=${t("变化", "Changed")} value=${count(alerts.changed)} />
        ${shadow.before + shadow.after > 0 ? html`<${Figure} name=${t("试运行包", "On trial")} value=${`${count(shadow.before)} → ${count(shadow.after)}`} />` : null}
      </div>
      ${changedRules.length === 0 ? html`<p class="empty">${t("没有差异：改过的规则对这些通话给出一样的预警。", "No difference: the edited rules say the same of these calls.")}</p>` : null}
      ${changedRules.map((/** @type {any} */ rule) => html`<${RuleDifference} key=${rule.rule_id} rule=${rule} open=${changedRules.length <= 3} />`)}
    </div>
  `;
}

/** @param {{name: string, value: string}} properties */
function Figure({ name, value }) {
  return html`<div class="figure"><span class="small quiet">${name}</span><strong>${value}</strong></div>`;
}

/** @param {{rule: any, open: boolean}} properties */
function RuleDifference({ rule, open }) {
  const sorts = [["gained", t("新增", "gained"), "warning"], ["lost", t("消失", "lost"), "good"], ["changed", t("变化", "changed"), "neutral"]];
  return html`
    <details class="difference" open=${open}>
      <summary><strong>${rule.rule_name}</strong> <code class="quiet">${rule.rule_id}</code>
        ${sorts.map(([sort, name, tone]) => rule[sort] > 0 ? html` <span key=${sort} class=${`tag ${tone}`}>${name} ${count(rule[sort])}</span>` : null)}
        <span class="small quiet"> ${count(rule.before)} → ${count(rule.after)} · ${t("每千通", "per 1 000")} ${rule.before_per_1000_calls} → ${rule.after_per_1000_calls}</span></summary>
      <ul class="examples">
        ${sorts.flatMap(([sort, name, tone]) => rule.examples[sort].map((/** @type {any} */ example, /** @type {number} */ at) => {
          const alert = example.after ?? example.before;
          const first = alert.evidence[0];
          return html`<li key=${`${sort}${at}`}>
            <span class=${`tag ${tone}`}>${name}</span> <${Severity} severity=${alert.severity} />
            <span class="grow">${first ? html`<${Marked} text=${first.text} ranges=${alert.evidence.filter((/** @type {any} */ one) => one.utterance_id === first.utterance_id && one.offset === first.offset)} />` : alert.message}
              ${example.changed.length > 0 ? html`<br /><span class="small quiet">${example.changed.map((/** @type {string} */ field) => `${field}: ${example.before?.[field]} → ${example.after?.[field]}`).join("；")}</span>` : null}</span>
            <a class="small" href=${callAddress(alert.call_id, example.started_at)}>${alert.agent_id} · ${moment(example.started_at).slice(0, 16)} · ${clock(alert.at_ms)}</a>
          </li>`;
        }))}
      </ul>
    </details>
  `;
}

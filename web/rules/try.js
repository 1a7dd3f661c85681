// The try-it box: a dialogue, what the engine reads in it, what it finds, why
// that counts or not, and the alerts. Nothing of it is kept.

import { useState } from "../vendor/hooks.js";
import { post } from "../shared/api.js";
import { baseName, clock, kindName, roleName } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { Evidence } from "../shared/review.js";
import { t } from "../shared/settings.js";
import { Fault, Severity, html } from "../shared/ui.js";
import { Remarks } from "./remarks.js";

const EXAMPLES = () => /** @type {[string, string][]} */ ([
  [t("说“不知道”", "“I don't know”"), "坐席：您好，工号1024为您服务，请问有什么可以帮您？\n客户：我的宽带怎么又断了？\n坐席：嗯，这个我不，知道，您问别人吧。\n客户：你说不知道是什么意思？\n坐席：您说的不知道是指哪一项呢？\n挂机：客户"],
  [t("等待和转接", "Hold and transfer"), "坐席：您好，很高兴为您服务。\n客户：帮我查一下账单。\n[00:12] 保持\n[01:30] 恢复\n坐席：查到了，上月是五十八元。\n转接\n挂机：客户"],
  [t("投诉", "Complaint"), "坐席：您好，请问有什么可以帮您？\n客户：我要投诉你们，退款拖了半个月！\n坐席：这个不归我管。\n客户：那谁管？\n坐席：退款马上到账，保证今天到账。\n挂机：客户"],
]);

/** @param {{edited: {name: string, text: string}[]}} properties files that were edited in this tab */
export function Try({ edited }) {
  const [dialogue, setDialogue] = useState(EXAMPLES()[0][1]);
  const [withEdited, setWithEdited] = useState(true);
  const [state, setState] = useState(/** @type {{value?: any, error?: unknown, busy: boolean}} */ ({ busy: false }));
  const run = (/** @type {Event | undefined} */ event) => {
    event?.preventDefault();
    setState((before) => ({ ...before, busy: true }));
    const files = withEdited && edited.length > 0 ? { files: edited } : {};
    post("/v1/rules/try", { dialogue, ...files }).then(
      (value) => setState({ value, busy: false }),
      (error) => setState({ error, busy: false }),
    );
  };
  return html`
    <div class="try">
      <form class="panel stack side" onSubmit=${run}>
        <h2 class="flat">${t("对话", "Dialogue")}</h2>
        <div class="row tight" role="group" aria-label=${t("例子", "Examples")}>
          ${EXAMPLES().map(([name, text]) => html`<button type="button" class="small" key=${name} onClick=${() => setDialogue(text)}>${name}</button>`)}
        </div>
        <label class="full"><span>${t("一行一句：坐席：… / 客户：…；可写 [00:12]、保持、恢复、转接、挂机：客户", "a line an utterance: 坐席：… / 客户：… (agent: / customer:); [00:12], hold, resume, transfer, end: customer")}</span>
          <textarea class="dialogue" rows="13" value=${dialogue} spellcheck=${false} required
            onInput=${(/** @type {any} */ event) => setDialogue(event.target.value)}
            onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && run(event)}></textarea></label>
        ${edited.length > 0 ? html`<label class="check"><input type="checkbox" checked=${withEdited} onChange=${(/** @type {any} */ event) => setWithEdited(event.target.checked)} />
          ${t(`用本页改过的规则（${edited.map(({ name }) => baseName(name)).join("、")}）`, `With the files edited here (${edited.map(({ name }) => baseName(name)).join(", ")})`)}</label>` : null}
        <div class="row"><button class="primary" disabled=${state.busy}>${state.busy ? t("正在检查…", "Checking…") : t("试一试", "Try it")}</button><kbd>Ctrl ⏎</kbd></div>
        <p class="small quiet flat">${t("只在内存里算一遍，不保存，不影响线上。", "Computed in memory; nothing is kept, nothing live is touched.")}</p>
      </form>
      <div class="stack" aria-live="polite" aria-busy=${state.busy ? "true" : "false"}>
        ${state.error ? html`<${Fault} error=${state.error} />` : null}
        ${state.value ? html`<${Tried} tried=${state.value} />` : state.error ? null : html`<p class="panel empty">${t("左边写一段对话，看看规则怎么听。", "Write a dialogue and see what the rules hear.")}</p>`}
      </div>
    </div>
  `;
}

/** @param {{tried: any}} properties */
function Tried({ tried }) {
  return html`
    ${tried.diagnostics.length > 0 ? html`<section class="panel"><h2>${t("改过的规则", "Edited rules")}</h2><${Remarks} remarks=${tried.diagnostics} /></section>` : null}
    ${tried.ok ? html`
      <section class="panel stack">
        <h2 class="flat">${t("预警", "Alerts")} <span class="badge">${tried.alerts.length}</span></h2>
        ${tried.alerts.length === 0 ? html`<p class="quiet flat">${t("没有预警。", "None.")}</p>` : null}
        <div class="cards-grid">${tried.alerts.map((/** @type {any} */ alert) => html`
          <article key=${alert.alert_id} class=${`card ${alert.severity}`}>
            <div class="row spread"><strong>${alert.rule_name}</strong><span><${Severity} severity=${alert.severity} /></span></div>
            <p class="small quiet flat">${clock(alert.at_ms)} · ${kindName(alert.kind)} · ${t("扣", "−")}${alert.deduct} · <code>${alert.rule_id}</code></p>
            <p class="flat">${alert.message}</p>
            <${Evidence} alert=${{ ...alert, evidence: alert.evidence }} />
          </article>`)}</div>
      </section>
      ${tried.windows.length > 0 ? html`<section class="panel stack"><h2 class="flat">${t("必说清单", "What had to be said")}</h2><${Windows} windows=${tried.windows} /></section>` : null}
      <section class="panel stack">
        <h2 class="flat">${t("逐句分析", "Utterance by utterance")}</h2>
        ${tried.utterances.map((/** @type {any} */ utterance) => html`<${Utterance} key=${utterance.utterance_id} utterance=${utterance} />`)}
      </section>` : null}
  `;
}

/** @param {{windows: any[]}} properties */
function Windows({ windows }) {
  return html`
    <ul class="windows">${windows.map((window, at) => {
      const missing = window.parts.some((/** @type {any} */ part) => part.said_ms === null);
      return html`<li key=${at}>
        <span class="row spread"><span title=${window.rule_id}><strong>${window.rule_name}</strong>
          <span class="small quiet"> ${clock(window.from_ms ?? 0)} – ${window.until_ms === null ? "…" : clock(window.until_ms)}</span></span>
          <span class=${`tag ${!missing ? "good" : window.cut_short ? "neutral" : "warning"}`}>${!missing ? t("已说", "said") : window.cut_short ? t("不适用", "n/a") : t("未说", "not said")}</span></span>
        <ul>${window.parts.map((/** @type {any} */ part, /** @type {number} */ place) => html`<li key=${place} class="small">
          <span aria-hidden="true">${part.said_ms === null ? "○" : "✓"}</span> <span class="phrase">${part.name}</span>
          <span class="quiet"> ${part.said_ms === null ? t("没有说到", "not said") : clock(part.said_ms)}</span></li>`)}</ul>
      </li>`;
    })}</ul>
  `;
}

/** What counts against the agent; the other candidates are words that are required, and conditions. */
const FORBIDDEN = "禁说";

/** What a phrase is for, in the reader's language; parts and steps have names of their own. @param {string} purpose */
function purposeName(purpose) {
  return { 事先说明: t("事先说明", "said before"), 问候: t("问候", "greeting"), 起点或前提: t("起点或前提", "start or condition") }[purpose] ?? purpose;
}

/** The conditions of the rule files' syntax. */
const CONDITIONS = /** @type {Record<string, string>} */ ({
  before: "前文", after: "后文", around: "前后文", clause: "同一分句", sentence: "同一句", turn: "同一轮", reply: "对方的上一轮", then: "随后补救了", negated: "否定", question: "疑问",
  quoted: "引述", conditional: "假设", subject: "主语", alone: "单独成句", begins: "句首", ends: "句末", volume_above: "音量", pitch_above: "音高",
});

/** Why a hit does not count, in the reader's language and without the words of the syntax. @param {{veto: string, veto_en: string}} candidate */
export function vetoOf({ veto, veto_en }) {
  return t(veto.replace(/（(?:unless|only): (\w+)）/, (_, name) => `：${CONDITIONS[name] ?? name}`).replace("（yields_to）", ""), veto_en);
}

/** A sum with its sign. @param {number} adds */
const signed = (adds) => `${Math.round(adds * 10) < 0 ? "−" : "+"}${(Math.abs(Math.round(adds * 10)) / 10).toFixed(1)}`;

/** How sure the model is, and what speaks for it and against it. @param {{reasons: any}} properties */
function Reasons({ reasons }) {
  const parts = [...reasons.parts.map((/** @type {any} */ part) => [`‘${part.text}’`, part.adds]), [t("前文", "before"), reasons.before], [t("其余", "rest"), reasons.rest]];
  return html`<span class="reasons">${reasons.confidence.toFixed(2)}${t("：", ": ")}${parts
    .filter(([, adds], at) => at < reasons.parts.length || signed(adds) !== signed(0))
    .map(([text, adds]) => `${text} ${signed(adds)}`)
    .join(t("，", ", "))}</span>`;
}

/** @param {{utterance: any}} properties */
function Utterance({ utterance }) {
  const against = utterance.candidates.filter((/** @type {any} */ one) => one.purpose === FORBIDDEN);
  const others = utterance.candidates.filter((/** @type {any} */ one) => one.purpose !== FORBIDDEN);
  const counting = against.filter((/** @type {any} */ one) => one.veto === null);
  const marks = counting.map((/** @type {any} */ one) => ({ start: one.start, end: one.end, title: `${one.rule_name}：${one.phrase}` }));
  return html`
    <article class=${`utterance ${utterance.role}`}>
      <p class="words-said flat"><span class="small quiet">${clock(utterance.start_ms)} ${roleName(utterance.role)}</span> <${Marked} text=${utterance.text} ranges=${marks} /></p>
      <dl class="reading">
        <div><dt>${t("折叠", "Folded")}</dt><dd><${Folding} utterance=${utterance} /></dd></div>
        <div><dt>${t("分词", "Words")}</dt><dd class="cut">${utterance.words.map((/** @type {string} */ word, /** @type {number} */ at) => html`<span key=${at}>${word}</span>`)}</dd></div>
        ${!utterance.second_look || against.length === 0 ? null : html`<div><dt>${t("复看的把握", "Second look")}</dt><dd><${Reasons} reasons=${utterance.second_look} /></dd></div>`}
      </dl>
      ${against.length === 0 ? null : html`<${Candidates} candidates=${against} text=${utterance.text} />`}
      ${others.length === 0 ? null : html`<details class="others"><summary class="small quiet">${t(`另有 ${others.length} 处必说和条件用语`, `${others.length} places of required words and conditions`)}</summary>
        <${Candidates} candidates=${others} text=${utterance.text} /></details>`}
    </article>
  `;
}

/** @param {{candidates: any[], text: string}} properties */
function Candidates({ candidates, text }) {
  const characters = Array.from(text);
  return html`<div class="table" tabindex="0" role="region" aria-label=${t("候选", "Candidates")}><table class="candidates">
    <thead><tr><th scope="col">${t("原话", "Words")}</th><th scope="col">${t("结论", "Verdict")}</th><th scope="col">${t("规则", "Rule")}</th><th scope="col">${t("话术", "Phrase")}</th></tr></thead>
    <tbody>${candidates.map((one, at) => html`<tr key=${at}>
      <td>${characters.slice(one.start, one.end).join("")}${one.homophone ? html` <span class="tag neutral">${t("同音", "homophone")}</span>` : null}</td>
      <td>${one.veto !== null ? html`<span class="tag neutral">${t("不计", "does not")}</span> ${vetoOf(one)}`
        : one.purpose === FORBIDDEN ? html`<span class="tag warning">${t("计入", "counts")}</span>` : html`<span class="tag good">${t("听到", "heard")}</span>`}</td>
      <td title=${one.rule_id}>${one.rule_name}</td>
      <td class="quiet phrase">${one.phrase}${one.purpose === FORBIDDEN || one.purpose === one.phrase ? null : html` → ${purposeName(one.purpose)}`}
        ${!one.act ? null : html`<br /><span class="small">${t("把握", "Sure")} <${Reasons} reasons=${one.act} /></span>`}</td>
    </tr>`)}</tbody>
  </table></div>`;
}

/** What is matched, and what of the text fell away for it. @param {{utterance: any}} properties */
function Folding({ utterance }) {
  const characters = Array.from(utterance.text);
  const kept = new Array(characters.length).fill(false);
  for (const [start, end] of utterance.offsets) {
    kept.fill(true, start, end);
  }
  const dropped = characters.filter((_, at) => !kept[at] && characters[at].trim() !== "");
  return html`<span class="folded">${utterance.folded}</span>${dropped.length === 0 ? null : html` <span class="quiet left-out">${t("略去", "left out")} ${dropped.map((one, at) => html`<span key=${at}>${one}</span>`)}</span>`}`;
}

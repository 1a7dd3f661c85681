// Scoring forms (评分表): one to be filled, with what the alerts say filled in, and one that is filled, with all that became
// of it. The score is the server's word.

import { useState } from "../vendor/hooks.js";
import { clock, moment } from "./format.js";
import { keepReviewer, reviewer } from "./review.js";
import { t } from "./settings.js";
import { Fault, html } from "./ui.js";

/** @typedef {import("../shapes.js").FormView} Definition */
/** @typedef {import("../shapes.js").ItemView} Item */
/** @typedef {import("../shapes.js").FilledDetail} Filled */
/** @typedef {import("../shapes.js").Prefilled} Prefilled */
/** An answer: `yes`, `no`, `na` or a mark. @typedef {string | number} Answer */

const COMMENT_CHARS_MAX = 500;
const NAME_CHARS_MAX = 64;

/** @param {string} signature */
export function signatureName(signature) {
  return { open: t("待签收", "not signed"), signed: t("已签收", "signed"), objected: t("签收，有异议", "signed with an objection") }[signature] ?? signature;
}

/** @param {{signature: string}} properties */
export function SignatureTag({ signature }) {
  const tone = { open: "neutral", signed: "good", objected: "warning" }[signature] ?? "neutral";
  return html`<span class=${`tag ${tone}`}>${signatureName(signature)}</span>`;
}

/** @param {string} step */
function stepName(step) {
  return { fill: t("评分", "scored it"), change: t("改分", "changed it"), sign: t("签收", "signed it"), object: t("签收并提出异议", "signed it with an objection") }[step] ?? step;
}

/** @param {Answer} answer @param {Item} item */
export function answerName(answer, item) {
  if (typeof answer === "number" || item.scale > 1 && answer !== "na") {
    const mark = answer === "yes" ? item.scale : answer === "no" ? 0 : answer;
    return t(`${mark} / ${item.scale} 分`, `${mark} of ${item.scale}`);
  }
  return { yes: t("是", "yes"), no: t("否", "no"), na: t("不适用", "does not apply") }[answer] ?? answer;
}

/** Whether nothing is missing there. @param {Answer | undefined} answer @param {Item} item */
function isFull(answer, item) {
  return answer === "na" || answer === "yes" || answer === item.scale;
}

/** What was entered and not sent, by the name of the draft: closing a sheet loses nothing. @type {Map<string, {answers: Record<string, Answer>, texts: Record<string, string>}>} */
const drafts = new Map();

/**
 * A form to be filled or changed.
 * @param {{definition: Definition, prefilled?: Prefilled[], filled?: Filled, alerts: Map<string, any>, me: {open: boolean} | undefined, draft?: string,
 *   onSend: (body: Record<string, unknown>) => Promise<unknown>, onClose: () => void, onShow?: (alertId: string) => void, isPlain?: boolean, notice?: any}} properties
 *   `filled`: it is changed; `alerts` by their ids; `draft` names what is kept while it is not sent; `onShow` leads to one; `isPlain`: nobody but the reader answered before; `notice` stands by the buttons
 */
export function FormSheet({ definition, prefilled = [], filled, alerts, me, draft, onSend, onClose, onShow, isPlain = false, notice }) {
  const kept = draft === undefined ? undefined : drafts.get(draft);
  const known = new Map(prefilled.map((one) => [one.item, one]));
  const before = new Map((filled?.answers ?? []).map((one) => [one.item, one]));
  const [answers, setAnswers] = useState(() => /** @type {Record<string, Answer>} */ (Object.fromEntries(
    definition.groups.flatMap(({ items }) => items).map(({ item }) => [item, kept?.answers[item] ?? before.get(item)?.answer ?? known.get(item)?.answer]).filter(([, answer]) => answer !== undefined))));
  const [error, setError] = useState(/** @type {any} */ (null));
  const [busy, setBusy] = useState(false);
  const items = definition.groups.flatMap((group) => group.items);
  const open = items.filter(({ item }) => answers[item] === undefined).length;
  const keep = (/** @type {Event} */ event) => {
    if (draft !== undefined) {
      const sheet = /** @type {HTMLFormElement} */ (event.currentTarget);
      const entered = [...new FormData(sheet)].map(([name, value]) => [name, String(value)]);
      drafts.set(draft, { answers: { ...drafts.get(draft)?.answers }, texts: Object.fromEntries(entered) });
    }
  };
  const answer = (/** @type {string} */ item, /** @type {Answer} */ given) => {
    if (draft !== undefined) {
      drafts.set(draft, { texts: { ...drafts.get(draft)?.texts }, answers: { ...drafts.get(draft)?.answers, [item]: given } });
    }
    setAnswers((answers) => ({ ...answers, [item]: given }));
  };
  const forget = () => {
    if (draft !== undefined) {
      drafts.delete(draft);
    }
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const entered = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const text = (/** @type {string} */ name) => String(entered.get(name) ?? "").trim();
    const by = text("by");
    if (me?.open) {
      keepReviewer(by);
    }
    setBusy(true);
    setError(null);
    onSend({
      answers: items.map(({ item }) => ({ item, answer: answers[item], ...(text(`comment ${item}`) ? { comment: text(`comment ${item}`) } : {}) })),
      ...(text("comment") ? { comment: text("comment") } : {}), ...(filled ? { reason: text("reason") } : {}), ...(me?.open ? { by } : {}),
    }).then(forget, (fault) => {
      setError(fault);
      setBusy(false);
      const item = /^answers\.(.*)$/.exec(fault.field ?? "")?.[1];
      document.querySelector(`fieldset[data-item="${CSS.escape(item ?? "")}"]`)?.scrollIntoView({ block: "center" });
    });
  };
  return html`
    <form class="stack sheet" onSubmit=${submit} onInput=${keep}>
      ${definition.help ? html`<p class="small quiet flat">${definition.help}</p>` : null}
      ${definition.groups.map((group) => html`
        <section key=${group.title} class="stack"><h3 class="flat">${group.title}</h3>
          ${group.items.map((item) => html`<${Question} key=${item.item} item=${item} answer=${answers[item.item]} prefilled=${isPlain ? undefined : known.get(item.item)}
            comment=${kept?.texts[`comment ${item.item}`] ?? before.get(item.item)?.comment ?? ""} alerts=${alerts} onShow=${onShow} isWrong=${error?.field === `answers.${item.item}`}
            onAnswer=${(/** @type {Answer} */ given) => answer(item.item, given)} />`)}
        </section>`)}
      <label><span>${t("总评（可不写）", "Overall (optional)")}</span><textarea name="comment" rows="2" maxlength=${COMMENT_CHARS_MAX} defaultValue=${kept?.texts.comment ?? filled?.comment ?? ""}></textarea></label>
      ${filled ? html`<label><span>${t("为什么改（坐席看得到）", "Why it is changed (the agent sees it)")}</span><input name="reason" required maxlength=${COMMENT_CHARS_MAX} /></label>` : null}
      ${me?.open ? html`<label><span>${t("您的姓名（记入审计）", "Your name (kept in the audit)")}</span>
        <input name="by" required maxlength=${NAME_CHARS_MAX} autocomplete="name" defaultValue=${reviewer()} /></label>` : null}
      <div class="stack sheet-foot">
        ${error === null ? null : html`<${Fault} error=${error} />`}
        ${notice}
        <div class="row"><button class="primary" disabled=${busy || open > 0}>${filled ? t("改分", "Change") : t("提交评分", "Send")}</button>
        <button type="button" onClick=${() => { forget(); onClose(); }}>${draft === undefined ? t("取消", "Cancel") : t("放弃", "Discard")}</button>
        <span class="small quiet" role="status">${open > 0 ? t(`还有 ${open} 项没答`, `${open} left`) : t("都答了", "all are answered")}</span></div></div>
    </form>
  `;
}

/** @param {{item: Item, answer: Answer | undefined, prefilled: Prefilled | undefined, comment: string, alerts: Map<string, any>, isWrong: boolean,
 *   onAnswer: (answer: Answer) => void, onShow?: (alertId: string) => void}} properties */
function Question({ item, answer, prefilled, comment, alerts, isWrong, onAnswer, onShow }) {
  const marks = /** @type {[Answer, string][]} */ (item.scale === 1
    ? [["yes", t("是", "yes")], ["no", t("否", "no")]]
    : Array.from({ length: item.scale + 1 }, (_, mark) => [mark, String(mark)]));
  const choices = item.not_applicable ? [...marks, /** @type {[Answer, string]} */ (["na", t("不适用", "n/a")])] : marks;
  const needsComment = item.comment && answer !== undefined && !isFull(answer, item);
  return html`
    <fieldset class=${`question ${isWrong ? "wrong" : ""}`} data-item=${item.item}>
      <legend>${item.title} <span class="small quiet">${item.points > 0 ? t(`${item.points} 分`, `${item.points} points`) : ""}</span>
        ${item.veto ? html` <span class="tag critical">${t("一票否决", "veto")}</span>` : null}</legend>
      ${item.help ? html`<p class="small quiet flat">${item.help}</p>` : null}
      <div class="row answers">${choices.map(([value, name]) => html`
        <label key=${value} class="choice"><input type="radio" name=${`answer ${item.item}`} value=${value} checked=${answer === value} required
          onChange=${() => onAnswer(value)} />${name}</label>`)}</div>
      ${prefilled === undefined ? null : prefilled.alerts.length === 0
        ? html`<p class="small quiet flat">${t("没有找到禁语", "no forbidden words were found")}${answer !== prefilled.answer ? t("；您改了", "; you changed it") : ""}</p>`
        : html`<ul class="evidence">${prefilled.alerts.map((id) => alerts.get(id)).filter(Boolean).map((alert) => html`
          <li key=${alert.alert_id}>${onShow ? html`<button type="button" class="link" onClick=${() => onShow(alert.alert_id)}>${clock(alert.at_ms)} ${alert.rule_name}</button>` : html`${clock(alert.at_ms)} ${alert.rule_name}`}${t("：", ": ")}<bdi>${alert.evidence[0]?.text ?? alert.message}</bdi></li>`)}</ul>`}
      ${needsComment || comment !== "" || (answer !== undefined && !isFull(answer, item))
        ? html`<input name=${`comment ${item.item}`} aria-label=${t(`${item.title}：评语`, `${item.title}: comment`)} placeholder=${needsComment ? t("评语（要写）", "comment (needed)") : t("评语（可不写）", "comment (optional)")}
            required=${needsComment} maxlength=${COMMENT_CHARS_MAX} defaultValue=${comment} />`
        : null}
    </fieldset>
  `;
}

/** The score of a filled form. @param {{filled: {score: number, passed?: boolean | null, vetoed_by: string[]}}} properties */
export function FormScore({ filled }) {
  return html`<strong class="form-score">${filled.score.toFixed(2).replace(/\.?0+$/, "")}</strong>
    ${filled.vetoed_by.length > 0 ? html` <span class="tag critical">${t("一票否决", "vetoed")}</span>`
      : filled.passed === null || filled.passed === undefined ? null : html` <span class=${`tag ${filled.passed ? "good" : "critical"}`}>${filled.passed ? t("合格", "passed") : t("不合格", "failed")}</span>`}`;
}

/** A filled form as it stands, and all that became of it. @param {{filled: Filled}} properties */
export function FilledForm({ filled }) {
  const { definition, steps } = filled;
  const given = new Map(filled.answers.map((one) => [one.item, one]));
  return html`
    <div class="stack filled-form">
      <div class="row spread"><span><${FormScore} filled=${filled} /> <span class="small quiet">/ 100</span></span><${SignatureTag} signature=${filled.signature} /></div>
      ${filled.objection ? html`<p class="notice warning flat">${t("坐席的异议：", "The agent objects: ")}<bdi>${filled.objection}</bdi></p>` : null}
      ${filled.comment ? html`<p class="flat"><span class="quiet">${t("总评：", "Overall: ")}</span><bdi>${filled.comment}</bdi></p>` : null}
      <div class="table" tabindex="0" role="region" aria-label=${definition.title}><table>
        <thead><tr><th scope="col">${t("项目", "Item")}</th><th scope="col">${t("结果", "Answer")}</th><th scope="col" class="number">${t("分值", "Points")}</th></tr></thead>
        <tbody>${definition.groups.map((group) => html`
          <tr key=${group.title}><th scope="rowgroup" colspan="3">${group.title}</th></tr>
          ${group.items.map((item) => {
            const one = given.get(item.item);
            const lost = one !== undefined && !isFull(one.answer, item);
            return html`<tr key=${item.item} class=${lost ? "lost" : ""}><td>${item.title}${item.veto ? html` <span class="tag neutral">${t("一票否决", "veto")}</span>` : null}
                ${one?.comment ? html`<br /><span class="small quiet"><bdi>${one.comment}</bdi></span>` : null}</td>
              <td>${one === undefined ? "—" : html`<span class=${`tag ${lost ? "critical" : one.answer === "na" ? "neutral" : "good"}`}>${answerName(one.answer, item)}</span>`}</td>
              <td class="number">${item.points}</td></tr>`;
          })}`)}</tbody></table></div>
      <details><summary>${t(`经过（${steps.length}）`, `History (${steps.length})`)}</summary><ol class="steps">${steps.map((step) => html`<li key=${step.revision}>
        <strong>${step.by}</strong> ${stepName(step.step)}${step.score === null || step.score === undefined ? "" : t(`：${step.score} 分`, `: ${step.score}`)} <span class="small quiet">${moment(step.at)}</span>
        ${step.reason ? html`<br /><span class="quiet">${t("理由：", "Reason: ")}</span><bdi>${step.reason}</bdi>` : null}</li>`)}</ol></details>
    </div>
  `;
}

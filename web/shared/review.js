// Review (复核) of an alert and decision of its appeal (申诉): where it stands,
// what it rests on, and the steps that can be taken. The queues of `/qa` and the
// page of a call are made of it. What a step leads to is the server's word.

import { useRef, useState } from "../vendor/hooks.js";
import { post, queryOf } from "./api.js";
import { moment, roleName } from "./format.js";
import { Marked } from "./marked.js";
import { t } from "./settings.js";
import { Dialog, Fault, html } from "./ui.js";

const REASON_CHARS_MAX = 500;
const NAME_CHARS_MAX = 64;

/** The steps that a reviewer takes. @typedef {Exclude<import("../shapes.js").Action, "appeal" | "undo" | "mark">} Action */
/** @typedef {Action | "undo"} Step */
/** @typedef {import("../shapes.js").ReviewView} Review */

/** @param {string} verdict */
export function verdictName(verdict) {
  return { unreviewed: t("未复核", "unreviewed"), confirmed: t("属实", "upheld"), dismissed: t("误报", "false alarm") }[verdict] ?? verdict;
}

/** @param {string} appeal */
export function appealName(appeal) {
  return { pending: t("申诉中", "appeal pending"), granted: t("申诉成立", "appeal granted"), rejected: t("申诉驳回", "appeal rejected") }[appeal] ?? appeal;
}

/** @param {string} action of a step */
export function actionName(action) {
  return (
    {
      confirm: t("判定属实", "upheld it"),
      dismiss: t("判定误报", "called it a false alarm"),
      appeal: t("提出申诉", "appealed"),
      grant: t("申诉成立", "granted the appeal"),
      reject: t("驳回申诉", "rejected the appeal"),
      undo: t("撤销了上一步", "took the last step back"),
      mark: t("标出漏报", "marked it as missed"),
    }[action] ?? action
  );
}

/** Where an alert stands. @param {{review: Review}} properties */
export function ReviewTags({ review }) {
  const tone = { unreviewed: "neutral", confirmed: "warning", dismissed: "good" }[review.verdict] ?? "neutral";
  const tones = /** @type {Record<string, string>} */ ({ pending: "warning", granted: "good", rejected: "neutral" });
  return html`
    <span class=${`tag ${tone}`}>${verdictName(review.verdict)}</span>
    ${review.appeal ? html` <span class=${`tag ${tones[review.appeal] ?? "neutral"}`}>${appealName(review.appeal)}</span>` : null}
  `;
}

/** Who did what, and why. @param {{review: Review}} properties */
export function ReviewSteps({ review }) {
  if (review.steps.length === 0) {
    return null;
  }
  return html`
    <ol class="steps">
      ${review.steps.map(
        (step, at) => html`<li key=${at}>
          <strong>${step.by}</strong> ${actionName(step.action)} <span class="small quiet">${moment(step.at)}</span>
          ${step.reason ? html`<br /><span class="quiet">${t("理由：", "Reason: ")}</span><bdi>${step.reason}</bdi>` : null}
        </li>`,
      )}
    </ol>
  `;
}

/** The words that an alert rests on, marked, and what should be said instead. @param {{alert: any}} properties */
export function Evidence({ alert }) {
  const utterances = group(alert.evidence ?? []);
  return html`
    ${utterances.length === 0 ? html`<p class="said quiet">${wordless(alert.kind)}</p>` : null}
    ${utterances.map(
      ({ first, ranges }) => html`<p key=${`${first.offset ?? 0} ${first.utterance_id}`} class="said">
        <span class="who">${roleName(first.role)}</span><bdi><${Marked} text=${first.text} ranges=${ranges} /></bdi>
      </p>`,
    )}
    ${alert.suggestion
      ? html`<p class="better"><span class="label">${t("可以这样说", "Better words")}</span>${alert.suggestion}</p>`
      : null}
  `;
}

/** Why an alert rests on no words. @param {string} kind */
function wordless(kind) {
  switch (kind) {
    case "missing":
    case "order":
      return t("没有说出要求的话，所以没有原话。", "What is required was not said, so there are no words.");
    case "timing":
      return t("是时间的问题，不是哪句话，所以没有原话。", "It is about time, not about words.");
    default:
      return t("是通话中的动作，不是哪句话，所以没有原话。", "It is about what was done, not about words.");
  }
}

/** Evidence by utterance, in its order. @param {any[]} evidence */
function group(evidence) {
  const found = new Map();
  for (const one of evidence) {
    // Of a long utterance each piece shows the part around its phrase.
    const part = `${one.offset ?? 0} ${one.utterance_id}`;
    const known = found.get(part) ?? { first: one, ranges: [] };
    known.ranges.push({ start: one.start, end: one.end, title: one.phrase });
    found.set(part, known);
  }
  return [...found.values()];
}

/** Takes a step, unless somebody else has taken one since the alert was read. @param {any} alert @param {Step} action @param {string | null} reason @param {string | null} by @returns {Promise<Review>} */
export function takeStep(alert, action, reason, by) {
  const which = queryOf({ call_id: alert.call_id, started_at: alert.started_at });
  return post(`/v1/alerts/${encodeURIComponent(alert.alert_id)}/reviews${which}`, { action, steps_seen: alert.review.steps.length, ...(reason ? { reason } : {}), ...(by ? { by } : {}) });
}

/** Takes the same step on several alerts at once. @param {any[]} alerts @param {Step} action @param {string | null} reason @param {string | null} by */
export function takeSteps(alerts, action, reason, by) {
  const named = alerts.map(({ alert_id, call_id, started_at, review }) => ({ alert_id, call_id, started_at, steps_seen: review.steps.length }));
  return post("/v1/reviews", { action, alerts: named, ...(reason ? { reason } : {}), ...(by ? { by } : {}) });
}

const REVIEWER = "tingjian.reviewer";

/** Who reviews where nobody has a token: as long as the tab is open. */
export function reviewer() {
  try {
    return sessionStorage.getItem(REVIEWER) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} name */
export function keepReviewer(name) {
  try {
    sessionStorage.setItem(REVIEWER, name);
  } catch {
    // Then it is asked for again.
  }
}

/** The steps to offer where an alert stands: while an appeal waits, its decision first of all. @param {any} alert @returns {Action[]} */
export function possibleSteps(alert) {
  const possible = /** @type {Action[]} */ (/** @type {Review} */ (alert.review).possible.filter((action) => action in STEP_KEYS));
  const decisions = possible.filter((action) => action === "grant" || action === "reject");
  return decisions.length > 0 ? decisions : possible;
}

/** The key of each step, as the queues have them. */
export const STEP_KEYS = /** @type {Record<Action, string>} */ ({ confirm: "c", dismiss: "d", grant: "g", reject: "r" });

/**
 * Buttons for the steps that can be taken, and the question for a reason. With
 * `asked`, a step that was begun elsewhere, by a key.
 * @param {{alert: any, me: {open: boolean} | undefined, asked?: Action | null, onAsk: (action: Action | null) => void,
 *   onStep: (action: Action, reason: string | null, by: string | null) => void, busy?: boolean}} properties
 */
export function StepButtons({ alert, me, asked = null, onAsk, onStep, busy = false }) {
  const names = /** @type {Record<Action, string>} */ ({
    confirm: t("属实", "Uphold"),
    dismiss: t("误报…", "False alarm…"),
    grant: t("申诉成立…", "Grant…"),
    reject: t("驳回…", "Reject…"),
  });
  const begin = (/** @type {Action} */ action) => {
    if (!needsQuestion(action, me)) {
      onStep(action, null, null);
    } else {
      onAsk(action);
    }
  };
  const steps = possibleSteps(alert);
  return html`
    ${alert.review.appeal === "pending" && !steps.includes("grant")
      ? html`<p class="quiet">${t("申诉要由另一个人裁定。", "Somebody else decides the appeal.")}</p>`
      : null}
    ${steps.length === 0 ? html`<p class="quiet">${t("已有结论，没有可做的步骤。", "Settled: there is no step to take.")}</p>` : null}
    <div class="row">
      ${steps.map(
        (action) => html`<button key=${action} class=${action === "confirm" || action === "grant" ? "primary" : ""} disabled=${busy}
          aria-keyshortcuts=${STEP_KEYS[action]} onClick=${() => begin(action)}>${names[action]}<kbd aria-hidden="true">${STEP_KEYS[action]}</kbd></button>`,
      )}
    </div>
    ${asked !== null && steps.includes(asked)
      ? html`<${ReasonDialog} action=${asked} me=${me} onClose=${() => onAsk(null)}
          onSubmit=${(/** @type {string | null} */ reason, /** @type {string | null} */ by) => {
            onAsk(null);
            onStep(asked, reason, by);
          }} />`
      : null}
  `;
}

/** Whether a step needs words, or a name that is not known yet. @param {Action} action @param {{open: boolean} | undefined} me */
export function needsQuestion(action, me) {
  return action !== "confirm" || (me?.open === true && reviewer() === "");
}

/** What is said again and again; a digit each. @param {Action} action */
export function usualReasons(action) {
  return {
    confirm: [],
    dismiss: [t("识别有误", "misheard"), t("引用客户的话", "quoting the customer"), t("语境不构成违规", "harmless in context"), t("规则太宽", "the rule is too wide")],
    grant: [t("坐席所述属实", "the agent is right"), t("录音与转写不符", "the recording says otherwise"), t("规则不适用", "the rule does not apply")],
    reject: [t("录音证实违规", "the recording confirms it"), t("理由不成立", "the reason does not hold")],
  }[action];
}

/** @param {{action: Action, me: {open: boolean} | undefined, onClose: () => void, onSubmit: (reason: string | null, by: string | null) => void}} properties */
function ReasonDialog({ action, me, onClose, onSubmit }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [reason, setReason] = useState("");
  const common = usualReasons(action);
  const titles = { confirm: t("判定属实", "Uphold"), dismiss: t("判定误报", "False alarm"), grant: t("申诉成立", "Grant the appeal"), reject: t("驳回申诉", "Reject the appeal") };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const entered = new FormData(/** @type {HTMLFormElement} */ (form.current));
    const name = me?.open ? String(entered.get("by") ?? "").trim() : "";
    if (me?.open) {
      keepReviewer(name);
    }
    onSubmit(reason.trim() === "" ? null : reason.trim(), name === "" ? null : name);
  };
  // A digit is a usual reason, and sends it, unless words are being written or a name is missing.
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const usual = common[Number(event.key) - 1];
    const isNamed = event.target instanceof HTMLInputElement;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      form.current?.requestSubmit();
    } else if (usual !== undefined && reason === "" && !isNamed && !event.ctrlKey && !event.altKey && !event.metaKey && !event.isComposing) {
      event.preventDefault();
      const name = me?.open ? reviewer() : "";
      if (me?.open && name === "") {
        setReason(usual);
      } else {
        onSubmit(usual, name === "" ? null : name);
      }
    }
  };
  return html`
    <${Dialog} title=${titles[action]} onClose=${onClose}>
      <form class="stack" ref=${form} onSubmit=${submit} onKeyDown=${onKeyDown}>
        ${common.length === 0 ? null : html`<div class="row reasons" role="group" aria-label=${t("常用理由", "Usual reasons")}>
          ${common.map((text, at) => html`<button type="button" key=${text} class="small" onClick=${() => setReason(text)}><kbd aria-hidden="true">${at + 1}</kbd>${text}</button>`)}
        </div>`}
        <label><span>${action === "confirm" ? t("说明（可不写）", "Note (optional)") : t("理由", "Reason")}</span>
          <textarea name="reason" rows="3" maxlength=${REASON_CHARS_MAX} required=${action !== "confirm"} autofocus=${action !== "confirm"} value=${reason}
            onInput=${(/** @type {any} */ event) => setReason(event.target.value)}></textarea>
        </label>
        ${me?.open ? html`<label><span>${t("您的姓名（记入审计）", "Your name (kept in the audit)")}</span>
          <input name="by" required maxlength=${NAME_CHARS_MAX} autocomplete="name" autofocus=${action === "confirm"} defaultValue=${reviewer()} /></label>` : null}
        <div class="row">
          <button class="primary">${t("提交", "Submit")} <kbd aria-hidden="true">Ctrl ⏎</kbd></button>
          <button type="button" onClick=${onClose}>${t("取消", "Cancel")} <kbd aria-hidden="true">Esc</kbd></button>
        </div>
      </form>
    </${Dialog}>
  `;
}

/**
 * All of it for one alert, as another page shows it: where it stands, its steps,
 * the next ones. `onReview` is told where the alert stands after a step.
 * @param {{alert: any, me: {open: boolean, roles: string[]} | undefined, onReview: (review: Review) => void}} properties
 */
export function ReviewPanel({ alert, me, onReview }) {
  const [asked, setAsked] = useState(/** @type {Action | null} */ (null));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const step = (/** @type {Action} */ action, /** @type {string | null} */ reason, /** @type {string | null} */ by) => {
    setBusy(true);
    setError(null);
    takeStep(alert, action, reason, by ?? (me?.open ? reviewer() : null))
      .then(onReview, setError)
      .finally(() => setBusy(false));
  };
  const may = me !== undefined && (me.roles.includes("qa") || me.roles.includes("admin"));
  return html`
    <div class="stack">
      <div class="row"><${ReviewTags} review=${alert.review} /></div>
      <${ReviewSteps} review=${alert.review} />
      ${error === null ? null : html`<${Fault} error=${error} />`}
      ${may ? html`<${StepButtons} alert=${alert} me=${me} asked=${asked} onAsk=${setAsked} onStep=${step} busy=${busy} />
        <${RuleLink} alert=${alert} />` : null}
    </div>
  `;
}

/**
 * From a false alarm to its rule with the sentence as a test that must stay silent, from a missed violation with it as
 * one that must fire. What the other party said before goes along where the page has it.
 * @param {{alert: any, before?: string}} properties
 */
export function RuleLink({ alert, before }) {
  const said = alert.evidence[0];
  const isFalse = alert.review?.verdict === "dismissed" || alert.review?.appeal === "granted";
  const isMissed = alert.display === "marked" && alert.review?.verdict === "confirmed";
  if (said === undefined || (!isFalse && !isMissed)) {
    return null;
  }
  const query = new URLSearchParams({
    view: "form", rule: alert.rule_id, test: isFalse ? "silent" : "fires", text: said.text,
    ...(said.role === "agent" ? {} : { role: said.role }), ...(before ? { reply_to: before } : {}),
  });
  return html`<a class="small" href=${`/rules?${query}`}>${isFalse ? t("改这条规则，把这句记为不该报", "Edit the rule; this sentence must not be told") : t("改这条规则，把这句记为该报", "Edit the rule; this sentence must be told")}</a>`;
}

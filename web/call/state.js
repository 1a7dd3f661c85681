// What became of an alert: what the agent answered, what QA found, the appeal.

import { html } from "../shared/ui.js";
import { moment, roleName } from "../shared/format.js";
import { t } from "../shared/settings.js";

/** @param {{alert: any, callId: string, detail: any, reload: () => void}} properties */
export function ReviewState({ alert }) {
  const { feedback, review } = alert;
  const answered = feedback === null || feedback === undefined
    ? null
    : `${roleName("agent")}：${feedback.action === "seen" ? t("知道了", "seen") : t("标为不对", "marked wrong")}${feedback.reason ? `（${feedback.reason}）` : ""}`;
  const actions = /** @type {Record<string, string>} */ ({
    confirm: t("复核属实", "confirmed"), dismiss: t("复核不成立", "dismissed"), appeal: t("申诉", "appealed"),
    grant: t("申诉成立", "appeal granted"), reject: t("申诉驳回", "appeal rejected"),
  });
  const steps = review?.steps ?? [];
  if (answered === null && steps.length === 0) {
    return null;
  }
  return html`<ul class="steps small quiet">
    ${answered === null ? null : html`<li>${answered}</li>`}
    ${steps.map((/** @type {any} */ step) => html`<li>${actions[step.action] ?? step.action} · ${step.by} · ${moment(step.at)}${step.reason ? `：${step.reason}` : ""}</li>`)}
  </ul>`;
}

// What a card says of itself, in words.

import { severityName } from "../shared/format.js";
import { t } from "../shared/settings.js";

/** The word for where a card stands. @param {import("./board.js").Card} card */
export function standing({ alert, before }) {
  switch (alert.state) {
    case "provisional":
      return t("疑似", "maybe");
    case "reminder":
      return t("该说了", "due soon");
    case "confirmed":
      return alert.kind === "missing" ? t("未说", "not said") : t("确认", "confirmed");
    case "resolved":
      return before === "reminder" ? t("已说到", "said") : t("已补说", "made good");
    default:
      return t("撤回", "withdrawn");
  }
}

/** Why an alert no longer stands. @param {import("./board.js").Card} card */
export function reasonGone({ alert, before }) {
  if (alert.state === "resolved") {
    return before === "reminder" ? t("已经说到，不用再提醒", "said in time") : t("已补说", "made good");
  }
  if (alert.kind === "missing") {
    return alert.evidence.some(({ role }) => role !== "customer")
      ? t("其实已经说过，刚刚识别到", "it had been said; the words came late")
      : t("情况有变，不再需要", "no longer asked for");
  }
  if (alert.kind === "forbidden") {
    return t("识别已更正，没有这样说", "the transcript was corrected: not said");
  }
  return t("识别已更正", "the transcript was corrected");
}

/** What a screen reader says when a card comes or changes. @param {import("./board.js").Card} card */
export function spoken(card) {
  const { alert } = card;
  const isGone = alert.state === "retracted" || alert.state === "resolved";
  if (isGone && card.before === null) {
    return "";
  }
  if (isGone) {
    return `${alert.rule_name}：${reasonGone(card)}`;
  }
  const better = alert.suggestion ? t(`。请说：${alert.suggestion}`, `. Say: ${alert.suggestion}`) : "";
  return `${severityName(alert.severity)}，${standing(card)}：${alert.message}${better}`;
}

/** Why an agent dismisses an alert; the last one asks for words. They are kept in the reader's language. */
export function reasons() {
  return [t("误报", "false alarm"), t("已处理", "put right"), t("其他", "other")];
}

/** A review as the server tells it; one that nobody wrote yet. @param {any} review */
export function outcome(review) {
  return review ?? { verdict: "unreviewed", appeal: null, counts: true, steps: [] };
}

/** What became of an alert after the call, or null if nothing did. @param {any} review */
export function outcomeName(review) {
  const { verdict, appeal } = outcome(review);
  if (appeal === "pending") {
    return t("申诉中", "appealed");
  }
  if (appeal === "granted") {
    return t("申诉成立", "appeal granted");
  }
  if (appeal === "rejected") {
    return t("申诉驳回", "appeal rejected");
  }
  return { confirmed: t("复核属实", "reviewed: stands"), dismissed: t("复核不成立", "reviewed: dismissed") }[/** @type {string} */ (verdict)] ?? null;
}

/** How many alerts have which outcome, in words; empty if none has one. @param {any[]} reviews */
export function outcomes(reviews) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const review of reviews) {
    const name = outcomeName(review);
    if (name !== null) {
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  return [...counts].map(([name, count]) => `${name} ${count}`).join(" · ");
}

/** Why it was decided so, if somebody said. @param {any} review */
export function outcomeReason(review) {
  return outcome(review).steps.findLast((/** @type {any} */ step) => step.action !== "appeal")?.reason ?? null;
}

/** The words around a hit, so that it is in sight, with its place in them.
 * @param {import("./board.js").Evidence} evidence
 */
export function excerpt({ text, start, end }) {
  const characters = Array.from(text);
  const from = Math.max(0, Math.min(start - 12, characters.length));
  const to = Math.min(characters.length, Math.max(end + 12, from + 30));
  const head = from > 0 ? "…" : "";
  const tail = to < characters.length ? "…" : "";
  const shift = from - head.length;
  return { text: head + characters.slice(from, to).join("") + tail, start: start - shift, end: Math.min(end, to) - shift };
}

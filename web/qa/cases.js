// The cases of the queues beside the one at hand: calls read ahead, alerts of the
// same rule about the same words, what other reviewers have open.

import { get } from "../shared/api.js";
import { useOpened } from "../shared/opened.js";

/** What tells an alert from all others: its id may come again in another call. @param {any} alert */
export const keyOf = (alert) => `${alert.call_id} ${alert.started_at} ${alert.alert_id}`;

/** Calls that are kept, the latest asked for last. @type {Map<string, Promise<any>>} */
const calls = new Map();
const CALLS_KEPT = 12;
/** Calls that are read before anybody looks at them. */
const READ_AHEAD = 2;

/** The call of an alert, read once. @param {any} alert */
export function readCall({ call_id: callId, started_at: startedAt }) {
  const key = `${callId} ${startedAt}`;
  const known = calls.get(key) ?? get(`/v1/calls/${encodeURIComponent(callId)}`, { started_at: startedAt });
  calls.delete(key);
  calls.set(key, known);
  known.catch(() => calls.delete(key));
  for (const [oldest] of calls) {
    if (calls.size > CALLS_KEPT) {
      calls.delete(oldest);
    }
  }
  return known;
}

/** Reads the calls of the next alerts, so that each is there when it is looked at. @param {any[]} alerts */
export function readAhead(alerts) {
  for (const alert of alerts.slice(0, READ_AHEAD)) {
    readCall(alert).catch(() => {});
  }
}

/** The words that an alert rests on, without marks between them. @param {any} alert */
export function wordsOf(alert) {
  const words = (alert.evidence ?? []).map((/** @type {any} */ one) => Array.from(one.text).slice(one.start, one.end).join(""));
  return words.join("|").replaceAll(/[\p{P}\p{Z}]/gu, "");
}

/** Alerts of a rule that are looked through for like ones. */
const LIKE_MAX = 1_000;

/** The alerts of a queue that have the rule and the words of `alert`. @param {any} alert @param {Record<string, any>} asked @param {AbortSignal} signal */
export async function readLike(alert, asked, signal) {
  const { alerts } = await get("/v1/alerts", { ...asked, rule_id: alert.rule_id, limit: LIKE_MAX }, signal);
  const words = wordsOf(alert);
  return alerts.filter((/** @type {any} */ one) => wordsOf(one) === words);
}

/**
 * Tells which case is open here, and who has which others open, by key.
 * @param {any} alert @param {import("../shared/ui.js").Me | undefined} me @returns {Map<string, string>}
 */
export function useOpenCases(alert, me) {
  const { alert_id, call_id, started_at } = alert ?? {};
  const { open } = useOpened(alert === undefined ? {} : { alert: { alert_id, call_id, started_at } }, me);
  return new Map(open.map((one) => [keyOf(one), one.by]));
}

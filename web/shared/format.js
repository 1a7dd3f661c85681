// Times, numbers and the words of the API as people read them.

import { currentLanguage, inZone, t } from "./settings.js";

/** `1:05`, `1:02:03`. @param {number} ms of a call's clock */
export function clock(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** Text of others without the characters that turn the direction of all behind them: for a title or a sentence, where no `<bdi>` can stand. @param {string} text */
export function upright(text) {
  return text.replace(/[\u202a-\u202e\u2066-\u2069]/g, "");
}

/** A share. @param {number | null | undefined} share from 0 to 1 */
export function percent(share) {
  return share === null || share === undefined ? "—" : `${(share * 100).toFixed(1)} %`;
}

/** @param {number} value */
export function count(value) {
  return value.toLocaleString(currentLanguage() === "zh" ? "zh-CN" : "en");
}

/** Day and time in the centre's zone. @param {string | null | undefined} text RFC 3339 */
export function moment(text) {
  const ms = Date.parse(text ?? "");
  if (Number.isNaN(ms)) {
    return text || "—";
  }
  const told = inZone(ms);
  return `${told.slice(0, 10)} ${told.slice(11, 19)}`;
}

/** The centre's day: `2026-11-21`; so many days ago. @param {number} [ago] */
export function today(ago = 0) {
  return inZone(Date.now() - ago * 86_400_000).slice(0, 10);
}

/** So many days up to today, today among them. @param {number} count */
export function lastDays(count) {
  return { from: today(count - 1), to: today() };
}

/** `CallId` may hold anything: it goes into an address escaped. @param {string} callId @param {string} [startedAt] @param {string} [alertId] to be shown there */
export function callAddress(callId, startedAt, alertId) {
  const query = startedAt ? `?started_at=${encodeURIComponent(startedAt)}` : "";
  return `/call/${encodeURIComponent(callId)}${query}${alertId ? `#alert-${encodeURIComponent(alertId)}` : ""}`;
}

/** @param {string} severity */
export function severityName(severity) {
  return { critical: t("严重", "critical"), warning: t("警告", "warning"), info: t("提示", "info") }[severity] ?? severity;
}

/** @param {string} state of an alert */
export function stateName(state) {
  return (
    {
      provisional: t("疑似", "provisional"),
      confirmed: t("确认", "confirmed"),
      retracted: t("撤回", "retracted"),
      reminder: t("提醒", "reminder"),
      resolved: t("已补", "made good"),
    }[state] ?? state
  );
}

/** @param {string} kind of an alert */
export function kindName(kind) {
  return (
    {
      forbidden: t("禁说", "forbidden"),
      missing: t("必说", "missing"),
      timing: t("时间", "timing"),
      order: t("顺序", "order"),
      event: t("事件", "event"),
    }[kind] ?? kind
  );
}

/** @param {string} role */
export function roleName(role) {
  return { agent: t("坐席", "agent"), customer: t("客户", "customer"), system: t("系统", "system") }[role] ?? role;
}

/** A file without its folders. @param {string} path */
export function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

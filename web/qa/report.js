// The weekly report as it is mailed: to be looked at for any span, and sent by hand.

import { download, getText, post, queryOf } from "../shared/api.js";
import { today } from "../shared/format.js";
import { currentLanguage, t, token } from "../shared/settings.js";
import { Fault, html, useAnswer } from "../shared/ui.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";

const DAY_MS = 86_400_000;

/** A day so many days later. @param {string} day @param {number} by */
const later = (day, by) => new Date(Date.parse(`${day}T00:00:00Z`) + by * DAY_MS).toISOString().slice(0, 10);

/** Monday to Sunday of the week before this one. */
function lastWeek() {
  const monday = later(today(), -((new Date(`${today()}T00:00:00Z`).getUTCDay() + 6) % 7) - 7);
  return { from: monday, to: later(monday, 6) };
}

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>) => void, me: any}} properties */
export function Report({ filters, change, me }) {
  const span = filters.days === "" && filters.from && filters.to ? { from: filters.from.slice(0, 10), to: filters.to.slice(0, 10) } : lastWeek();
  const asked = { ...span, format: "html", language: currentLanguage() };
  const { value, error, reload } = useAnswer((signal) => getText("/v1/report", asked, signal), [JSON.stringify(asked), token()]);
  const [sent, setSent] = useState(/** @type {any} */ (null));
  const [fault, setFault] = useState(/** @type {unknown} */ (null));
  const [asks, setAsks] = useState(false);
  const length = (Date.parse(span.to) - Date.parse(span.from)) / DAY_MS + 1;
  const move = (/** @type {number} */ weeks) => change({ days: "", from: later(span.from, 7 * weeks), to: later(span.to, 7 * weeks) });
  const day = (/** @type {"from" | "to"} */ name) => (/** @type {any} */ event) => change({ ...span, days: "", [name]: event.target.value });
  const send = () => {
    setAsks(false);
    setFault(null);
    post("/v1/report/send", span).then(setSent, setFault);
  };
  const save = () => download(`/v1/export${queryOf({ format: "xlsx", ...span, counts: "true" })}`, `tingjian-alerts-${span.from}_${span.to}.xlsx`).catch(setFault);
  return html`<section class="stack">
    <div class="panel row report-bar">
      <h2>${t("周报", "Weekly report")}</h2>
      <button class="small" onClick=${() => move(-1)}>${t("前一周", "A week back")}</button>
      <label><span class="visually-hidden">${t("从", "From")}</span><input type="date" value=${span.from} onChange=${day("from")} /></label>
      <label><span class="visually-hidden">${t("到", "To")}</span><input type="date" value=${span.to} onChange=${day("to")} /></label>
      <button class="small" onClick=${() => move(1)}>${t("后一周", "A week on")}</button>
      <button class="small" onClick=${save}>${t("下载 Excel", "Download the workbook")}</button>
      ${me?.roles.includes("admin") ? html`<button class="small" onClick=${() => setAsks(true)}>${t("发送…", "Send…")}</button>` : null}
    </div>
    ${length > 0 ? null : html`<p class="notice warning">${t("到要晚于从。", "The last day comes after the first.")}</p>`}
    ${asks ? html`<div class="panel row" role="alertdialog" aria-label=${t("发送周报", "Send the report")}><span>${t(`把 ${span.from} 到 ${span.to} 的周报现在发给配置里的收件人？`, `Send the report of ${span.from} to ${span.to} to those whom the configuration names, now?`)}</span>
      <button class="primary" onClick=${send}>${t("发送", "Send")}</button><button onClick=${() => setAsks(false)}>${t("取消", "Cancel")}</button></div>` : null}
    ${sent ? html`<ul class="panel" role="status">${sent.recipients.map((/** @type {any} */ one) => html`<li key=${one.recipient}><bdi>${one.recipient}</bdi>：${one.result === "sent" ? t("已发送", "sent") : one.fault}</li>`)}</ul>` : null}
    ${error || fault !== null ? html`<${Fault} error=${error ?? fault} retry=${reload} />` : null}
    ${value === undefined && !error ? html`<p class="empty">${t("正在统计…", "Counting…")}</p>` : null}
    ${value === undefined ? null : html`<${Mail} text=${value} />`}
  </section>`;
}

/** The mail itself. The policy of the pages takes styles from scripts alone, so they are set one by one. @param {{text: string}} properties */
function Mail({ text }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    const parsed = new DOMParser().parseFromString(text.replaceAll(" style=\"", " data-style=\""), "text/html");
    for (const one of parsed.querySelectorAll("[data-style]")) {
      /** @type {HTMLElement} */ (one).style.cssText = one.getAttribute("data-style") ?? "";
      one.removeAttribute("data-style");
    }
    // A heading of a mail is none of the page.
    place.current?.replaceChildren(...parsed.body.childNodes);
  }, [text]);
  return html`<div class="mail" ref=${place}></div>`;
}

// Marking what the rules missed: words of a call that is over become an alert,
// of a rule or of a category. What is selected in the transcript is what is
// marked; without a selection the utterance and its words are chosen.

import { Dialog, Fault, html, useAnswer } from "../shared/ui.js";
import { get, post, queryOf } from "../shared/api.js";
import { clock, roleName, severityName } from "../shared/format.js";
import { keepReviewer, reviewer } from "../shared/review.js";
import { t } from "../shared/settings.js";
import { useEffect, useState } from "../vendor/hooks.js";

/** Words in an utterance; offsets count Unicode scalar values. @typedef {{id: string, start: number, end: number}} Place */

const NOTE_CHARS_MAX = 500;
const NAME_CHARS_MAX = 64;

/** The words of one utterance that are selected on the page, if any. @returns {Place | null} */
export function selectedPlace() {
  const selection = getSelection();
  if (selection === null || selection.isCollapsed || selection.rangeCount === 0) {
    return null;
  }
  const range = selection.getRangeAt(0);
  const wordsOf = (/** @type {Node} */ node) => (node instanceof Element ? node : node.parentElement)?.closest(".said .words bdi") ?? null;
  const words = wordsOf(range.startContainer);
  const said = words?.closest(".said");
  if (words === null || words !== wordsOf(range.endContainer) || !(said instanceof HTMLElement) || said.dataset.final !== "true") {
    return null;
  }
  const before = document.createRange();
  before.setStart(words, 0);
  before.setEnd(range.startContainer, range.startOffset);
  const start = Array.from(before.toString()).length;
  const length = Array.from(range.toString()).length;
  return length === 0 ? null : { id: said.dataset.utteranceId ?? "", start, end: start + length };
}

/** What is selected in the transcript, as it changes. @returns {Place | null} */
export function useSelectedWords() {
  const [place, setPlace] = useState(/** @type {Place | null} */ (null));
  useEffect(() => {
    const look = () => {
      // A dialog takes the selection; what was selected before it stays.
      if (document.querySelector("dialog[open]") === null) {
        setPlace(selectedPlace());
      }
    };
    document.addEventListener("selectionchange", look);
    return () => document.removeEventListener("selectionchange", look);
  }, []);
  return place;
}

/**
 * Asks what the words are, and marks them.
 * @param {{detail: any, said: import("../shared/record.js").Utterance[], place: Place | null, me: {open: boolean} | undefined,
 *   onClose: () => void, onMarked: (alertId: string) => void}} properties
 */
export function MarkDialog({ detail, said, place, me, onClose, onMarked }) {
  const { value: kinds, error: unread, reload } = useAnswer((signal) => get("/v1/marks/kinds", {}, signal), []);
  const finals = said.filter(({ isFinal }) => isFinal);
  const [id, setId] = useState(place?.id ?? finals.find(({ role }) => role === "agent")?.id ?? "");
  const utterance = finals.find((one) => one.id === id);
  const characters = Array.from(utterance?.text ?? "");
  const [words, setWords] = useState(place === null ? null : characters.slice(place.start, place.end).join(""));
  const [kind, setKind] = useState("");
  const [severity, setSeverity] = useState("");
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);
  const chosen = words ?? utterance?.text ?? "";
  const rule = (kinds?.rules ?? []).find((/** @type {any} */ one) => one.rule_id === kind);
  /** Where the words stand: where they were selected, else where they first are. @returns {Place | null} */
  const placed = () => {
    if (place !== null && place.id === id && characters.slice(place.start, place.end).join("") === chosen) {
      return place;
    }
    const at = chosen === "" ? -1 : (utterance?.text ?? "").indexOf(chosen);
    const start = at < 0 ? -1 : Array.from((utterance?.text ?? "").slice(0, at)).length;
    return start < 0 ? null : { id, start, end: start + Array.from(chosen).length };
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const entered = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const [where, note, by] = [placed(), String(entered.get("note") ?? "").trim(), String(entered.get("by") ?? "").trim()];
    if (where === null) {
      setError(t("这句话里没有这些字。", "The utterance does not have these words."));
      return;
    }
    if (me?.open) {
      keepReviewer(by);
    }
    setBusy(true);
    setError(null);
    const what = rule ? { rule_id: rule.rule_id } : { category: kind };
    post(`/v1/calls/${encodeURIComponent(detail.call_id)}/marks${queryOf({ started_at: detail.started_at })}`, {
      utterance_id: where.id, start: where.start, end: where.end, ...what,
      ...(severity ? { severity } : {}), ...(note ? { note } : {}), ...(me?.open ? { by } : {}),
    }).then((/** @type {any} */ alert) => onMarked(alert.alert_id), (fault) => {
      setError(fault);
      setBusy(false);
    });
  };
  return html`
    <${Dialog} title=${t("标出漏报", "Mark what was missed")} onClose=${onClose}>
      <form class="stack mark" onSubmit=${submit}>
        ${unread ? html`<${Fault} error=${unread} retry=${reload} />` : null}
        ${place === null ? html`<label><span>${t("哪一句", "Utterance")}</span>
          <select value=${id} onChange=${(/** @type {any} */ event) => { setId(event.target.value); setWords(null); }}>
            ${finals.map((one) => html`<option key=${one.id} value=${one.id}>${clock(one.start)} ${roleName(one.role)} ${Array.from(one.text).slice(0, 40).join("")}</option>`)}
          </select></label>` : null}
        <label><span>${t("违规的话", "The words")}</span>
          <input name="words" value=${chosen} required readonly=${place !== null} onInput=${(/** @type {any} */ event) => setWords(event.target.value)} /></label>
        <label><span>${t("违反什么", "What they break")}</span>
          <select name="kind" required autofocus value=${kind} onChange=${(/** @type {any} */ event) => setKind(event.target.value)}>
            <option value="">${t("请选择", "choose")}</option>
            <optgroup label=${t("没有规则的", "No rule")}>${(kinds?.categories ?? []).map((/** @type {string} */ name) => html`<option key=${name} value=${name}>${name}</option>`)}</optgroup>
            <optgroup label=${t("规则", "Rules")}>${(kinds?.rules ?? []).map((/** @type {any} */ one) => html`<option key=${one.rule_id} value=${one.rule_id}>${one.rule_name} (${one.rule_id})</option>`)}</optgroup>
          </select></label>
        <label><span>${t("级别", "Severity")}</span>
          <select value=${severity} onChange=${(/** @type {any} */ event) => setSeverity(event.target.value)}>
            <option value="">${rule ? t(`按规则（${severityName(rule.severity)}）`, `the rule's (${severityName(rule.severity)})`) : severityName("warning")}</option>
            ${["critical", "warning", "info"].map((one) => html`<option key=${one} value=${one}>${severityName(one)}</option>`)}
          </select></label>
        <label><span>${t("说明（可不写）", "Note (optional)")}</span><textarea name="note" rows="2" maxlength=${NOTE_CHARS_MAX}></textarea></label>
        ${me?.open ? html`<label><span>${t("您的姓名（记入审计）", "Your name (kept in the audit)")}</span>
          <input name="by" required maxlength=${NAME_CHARS_MAX} autocomplete="name" defaultValue=${reviewer()} /></label>` : null}
        ${error === null ? null : html`<${Fault} error=${error} />`}
        <div class="row"><button class="primary" disabled=${busy || kind === ""}>${t("标出", "Mark")}</button>
          <button type="button" onClick=${onClose}>${t("取消", "Cancel")} <kbd aria-hidden="true">Esc</kbd></button></div>
      </form>
    </${Dialog}>
  `;
}

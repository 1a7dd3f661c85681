// Training clips (培训片段): an alert put into a collection with few keys, wherever it is looked at.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { get, post } from "./api.js";
import { keepReviewer, reviewer } from "./review.js";
import { t } from "./settings.js";
import { Dialog, Fault, html, useAnswer } from "./ui.js";

const TITLE_CHARS_MAX = 100;
const NOTE_CHARS_MAX = 500;
const LAST = "tingjian.clips";

/** The collection that was chosen last, as long as the tab is open. */
function lastChosen() {
  try {
    return sessionStorage.getItem(LAST) ?? "";
  } catch {
    return "";
  }
}

/** @param {string} no */
function keepChosen(no) {
  try {
    sessionStorage.setItem(LAST, no);
  } catch {
    // Then the latest one is offered.
  }
}

/**
 * Asks into which collection an alert goes; the one of last time is chosen, so Enter is enough.
 * @param {{alert: any, me: {open: boolean} | undefined, onClose: () => void, onKept: (collection: {clip_no: number, title: string}) => void}} properties
 */
export function ClipDialog({ alert, me, onClose, onKept }) {
  const { value, error: unread, reload } = useAnswer((signal) => get("/v1/clips", {}, signal), []);
  const collections = value?.collections ?? [];
  const [chosen, setChosen] = useState(lastChosen());
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);
  const first = useRef(/** @type {HTMLInputElement | null} */ (null));
  // Enter alone keeps it; what is typed before is the title, or the note.
  useEffect(() => first.current?.focus(), [value !== undefined, chosen === "new", chosen === ""]);
  useEffect(() => {
    if (value !== undefined && !collections.some((/** @type {any} */ one) => String(one.clip_no) === chosen)) {
      setChosen(collections.length > 0 ? String(collections[0].clip_no) : "new");
    }
  }, [value]);
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const entered = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const text = (/** @type {string} */ name) => String(entered.get(name) ?? "").trim();
    if (me?.open) {
      keepReviewer(text("by"));
    }
    setBusy(true);
    setError(null);
    const { alert_id, call_id, started_at } = alert;
    const add = [{ alert_id, call_id, started_at, ...(text("note") ? { note: text("note") } : {}) }];
    const by = me?.open ? { by: text("by") } : {};
    (chosen === "new" ? post("/v1/clips", { title: text("title"), add, ...by }) : post(`/v1/clips/${chosen}`, { add, ...by })).then(
      (kept) => { keepChosen(String(kept.clip_no)); onKept(kept); },
      (fault) => { setError(fault); setBusy(false); },
    );
  };
  return html`
    <${Dialog} title=${t("收进培训片段", "Put into training clips")} onClose=${onClose}>
      ${unread ? html`<${Fault} error=${unread} retry=${reload} />` : null}
      ${value === undefined ? null : html`<form class="stack mark" onSubmit=${submit}>
        <p class="flat"><strong>${alert.rule_name}</strong>${t("：", ": ")}<bdi>${alert.evidence?.[0]?.text ?? alert.message}</bdi></p>
        <label><span>${t("片段集", "Collection")}</span><select value=${chosen} onChange=${(/** @type {any} */ event) => setChosen(event.target.value)}>
          ${collections.map((/** @type {any} */ one) => html`<option key=${one.clip_no} value=${String(one.clip_no)}>${one.title} (${one.count})</option>`)}
          <option value="new">${t("新建…", "a new one…")}</option></select></label>
        ${chosen === "new" ? html`<label><span>${t("标题", "Title")}</span><input ref=${first} name="title" required maxlength=${TITLE_CHARS_MAX} /></label>` : null}
        <label><span>${t("说明（可不写）", "Note (optional)")}</span><input ref=${chosen === "new" ? undefined : first} name="note" maxlength=${NOTE_CHARS_MAX} /></label>
        ${me?.open ? html`<label><span>${t("您的姓名（记入审计）", "Your name (kept in the audit)")}</span><input name="by" required maxlength="64" autocomplete="name" defaultValue=${reviewer()} /></label>` : null}
        ${error === null ? null : html`<${Fault} error=${error} />`}
        <div class="row"><button class="primary" disabled=${busy}>${t("收进", "Put in")} <kbd aria-hidden="true">↵</kbd></button>
          <button type="button" onClick=${onClose}>${t("取消", "Cancel")} <kbd aria-hidden="true">Esc</kbd></button></div>
      </form>`}
    </${Dialog}>
  `;
}

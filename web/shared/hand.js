// What a supervisor does in a call, from the wall and from the call's page: a
// word to the agent, "I take it", the way in through the telephone system, a flag
// for review. Who does it is the token's name; without tokens the name is asked for.

import { useState } from "../vendor/hooks.js";
import { post } from "./api.js";
import { clock, moment } from "./format.js";
import { keepReviewer, reviewer } from "./review.js";
import { t } from "./settings.js";
import { Dialog, Fault, html } from "./ui.js";

const WORDS_MAX = 200;
const NOTE_MAX = 500;
const NAME_MAX = 64;

/** The call that something is done in. @typedef {{call_id: string, started_at: string, agent: string}} Place */
/** What supervisors did in it. @typedef {{taken: {by: string, at: string} | null, help: {by: string, text: string, read_at: string | null} | null, flagged: boolean}} Hand */

/** @param {string} mode */
export function modeName(mode) {
  return { listen: t("旁听", "Listen in"), whisper: t("只对坐席说", "Whisper"), barge: t("插话", "Barge in") }[mode] ?? mode;
}

/** Asks the server to do something in a call. @param {Place} place @param {string} what @param {object} body @param {{open: boolean} | undefined} me */
export function act(place, what, body, me) {
  const path = `/v1/calls/${encodeURIComponent(place.call_id)}/${what}?started_at=${encodeURIComponent(place.started_at)}`;
  return post(path, { ...body, ...(me?.open ? { by: reviewer() } : {}) });
}

/** What a supervisor may do in a call.
 * @param {{place: Place, hand: Hand | undefined, modes: string[], me: import("./ui.js").Me | undefined, onClose: () => void, onDone?: () => void}} properties
 */
export function HandDialog({ place, hand, modes, me, onClose, onDone = () => {} }) {
  return html`<${Dialog} title=${t(`坐席 ${place.agent} 的通话`, `Call of agent ${place.agent}`)} onClose=${onClose}>
    <${HandActions} place=${place} hand=${hand} modes=${modes} me=${me} onDone=${onDone} />
    <div class="row spread"><a href=${`/call/${encodeURIComponent(place.call_id)}?started_at=${encodeURIComponent(place.started_at)}`}>${t("打开这通", "Open the call")}</a>
      <button onClick=${onClose}>${t("关闭", "Close")} <kbd aria-hidden="true">Esc</kbd></button></div>
  </${Dialog}>`;
}

/** The actions by themselves. @param {{place: Place, hand: Hand | undefined, modes: string[], me: import("./ui.js").Me | undefined, onDone: () => void}} properties */
export function HandActions({ place, hand, modes, me, onDone }) {
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const [isBusy, setBusy] = useState(false);
  const [done, setDone] = useState("");
  const [name, setName] = useState(reviewer());
  const [words, setWords] = useState("");
  const [note, setNote] = useState("");
  const own = me?.open ? name.trim() : me?.name;
  const isUnnamed = me?.open === true && name.trim() === "";
  const taken = hand?.taken ?? null;
  const run = (/** @type {Promise<any>} */ asked, /** @type {string} */ said) => {
    setBusy(true);
    setError(null);
    return asked.then((answer) => {
      setDone(said);
      onDone();
      return answer;
    }, (fault) => {
      setError(fault);
      return null;
    }).finally(() => setBusy(false));
  };
  const send = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const text = words.trim();
    if (text !== "" && (await run(act(place, "help", { text }, me), t("已发到坐席的面板。", "It is on the agent's panel."))) !== null) {
      setWords("");
    }
  };
  const enter = async (/** @type {string} */ mode) => {
    const way = await run(act(place, "monitor", { mode }, me), t("已打开话务系统的地址。", "The telephone system's address was opened."));
    if (way !== null) {
      open(way.url, "_blank", "noopener,noreferrer");
    }
  };
  return html`<div class="hand stack">
    ${me?.open ? html`<label><span>${t("你的姓名", "Your name")}</span>
      <input value=${name} maxlength=${NAME_MAX} autocomplete="name" onInput=${(/** @type {any} */ event) => { setName(event.target.value); keepReviewer(event.target.value.trim()); }} /></label>` : null}
    <form class="stack" onSubmit=${send}>
      <label><span>${t("写一句给坐席（面板上显示「帮你：…」）", "A word to the agent (a card on the panel)")}</span>
        <textarea name="words" rows="2" maxlength=${WORDS_MAX} value=${words} onInput=${(/** @type {any} */ event) => setWords(event.target.value)}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && /** @type {HTMLElement} */ (event.target).closest("form")?.requestSubmit()}></textarea></label>
      ${hand?.help ? html`<p class="small quiet flat"><b>${hand.help.by}</b>：<bdi>${hand.help.text}</bdi> · ${hand.help.read_at ? t("坐席已读", "read") : t("坐席还没点「知道了」", "not read yet")}</p>` : null}
      <div class="row"><button class="primary" disabled=${isBusy || isUnnamed || words.trim() === ""}>${t("发给坐席", "Send")} <kbd aria-hidden="true">Ctrl+Enter</kbd></button></div>
    </form>
    <div class="row">
      ${taken !== null && taken.by === own
        ? html`<button disabled=${isBusy} onClick=${() => run(act(place, "release", {}, me), t("已放开。", "Given back."))}>${t("放开这通", "Give it back")}</button>`
        : taken !== null
          ? html`<span>${t(`${taken.by} 在处理`, `${taken.by} has it`)}</span>
              <button disabled=${isBusy || isUnnamed} onClick=${() => run(act(place, "take", { instead_of: taken.by }, me), t("已接手。", "You have it."))}>${t(`从 ${taken.by} 接过来`, `Take over from ${taken.by}`)}</button>`
          : html`<button disabled=${isBusy || isUnnamed} onClick=${() => run(act(place, "take", {}, me), t("已接手，别的墙上也看得到。", "You have it; all walls show it."))}>${t("我来处理", "I take it")}</button>`}
      ${modes.map((mode) => html`<button disabled=${isBusy || isUnnamed} onClick=${() => enter(mode)}>${modeName(mode)}</button>`)}
    </div>
    <div class="row">
      ${hand?.flagged
        ? html`<span class="small quiet">${t("已标记，在质检的待复核里。", "Flagged; it waits in QA's queue.")}</span>`
        : html`<label class="grow"><span>${t("标记给质检复核，可写原因", "Flag it for review, with a reason if you like")}</span>
            <input value=${note} maxlength=${NOTE_MAX} onInput=${(/** @type {any} */ event) => setNote(event.target.value)} /></label>
          <button disabled=${isBusy || isUnnamed} onClick=${() => run(act(place, "flags", note.trim() === "" ? {} : { note: note.trim() }, me), t("已标记。", "Flagged."))}>${t("标记", "Flag")}</button>`}
    </div>
    <p class="small flat" role="status">${done}</p>
    ${error === null ? null : html`<${Fault} error=${error} />`}
  </div>`;
}

/** What supervisors wrote in a call, in their order. @param {{help: import("../shapes.js").HelpView[]}} properties */
export function Helped({ help }) {
  return html`<ol class="helped">${help.map((one) => html`<li key=${one.help_id}>
    <span class="quiet small">${clock(one.at_ms)}</span> <b>${one.by}</b> → <bdi>${one.agent_id}</bdi>：<bdi>${one.text}</bdi>${" "}
    <span class="quiet small">${one.read_at ? t(`已读 ${moment(one.read_at).slice(11, 19)}`, `read ${moment(one.read_at).slice(11, 19)}`) : t("未读", "not read")}</span></li>`)}</ol>`;
}

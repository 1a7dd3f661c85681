// What a supervisor does in a call, from the wall and from the call's page: a
// word to the agent, "I take it", the way in through the telephone system, a flag
// for review. Who does it is the token's name; without tokens the name is asked for.

import { useState } from "../vendor/hooks.js";
import { post } from "./api.js";
import { callAddress, clock, moment, upright } from "./format.js";
import { keepReviewer, reviewer } from "./review.js";
import { t } from "./settings.js";
import { Dialog, Fault, html } from "./ui.js";

const WORDS_MAX = 200;
const NOTE_MAX = 500;
const NAME_MAX = 64;

/** The call that something is done in. @typedef {{call_id: string, started_at: string, agent: string, customer?: string | null, queue?: string | null}} Place */
/** What supervisors did in it. @typedef {{taken: {by: string, at: string} | null, help: {by: string, text: string, read_at: string | null} | null, flagged: boolean}} Hand */

/** @param {string} mode */
export function modeName(mode) {
  return { listen: t("旁听", "Listen in"), whisper: t("只对坐席说", "Whisper"), barge: t("插话", "Barge in") }[mode] ?? mode;
}

/** Who has taken a call, in words. @param {string} by */
export function takenName(by) {
  return t(`${upright(by)} 在处理`, `${upright(by)} has it`);
}

/** Asks the server to do something in a call. @param {Place} place @param {string} what @param {object} body @param {{open: boolean} | undefined} me */
export function act(place, what, body, me) {
  const path = `/v1/calls/${encodeURIComponent(place.call_id)}/${what}?started_at=${encodeURIComponent(place.started_at)}`;
  return post(path, { ...body, ...(me?.open ? { by: reviewer() } : {}) });
}

/**
 * What a supervisor may do in a call. `clockMs`: how long it has lasted; `isOver`: it ended while the dialog was open.
 * @param {{place: Place, hand: Hand | undefined, modes: string[], me: import("./ui.js").Me | undefined, clockMs: number | null, isOver: boolean, onClose: () => void, onDone?: () => void}} properties
 */
export function HandDialog({ place, hand, modes, me, clockMs, isOver, onClose, onDone = () => {} }) {
  const facts = [[t("客户", "customer"), place.customer], [t("队列", "queue"), place.queue]].filter(([, value]) => value);
  const address = callAddress(place.call_id, place.started_at);
  return html`<${Dialog} title=${t(`坐席 ${upright(place.agent)} 的通话`, `Call of agent ${upright(place.agent)}`)} onClose=${onClose}>
    <p class="which flat">${facts.map(([name, value]) => html`<span><span class="small quiet">${name}</span> <bdi>${value}</bdi></span>`)}
      ${clockMs === null ? null : html`<b class="number" role="timer">${clock(clockMs)}</b>`}${isOver ? html`<span class="tag neutral">${t("已结束", "over")}</span>` : null}</p>
    <${HandActions} place=${place} hand=${hand} modes=${modes} me=${me} isOver=${isOver} onDone=${onDone} />
    <div class="row spread">${location.pathname === new URL(address, location.href).pathname ? html`<span></span>` : html`<a href=${address}>${t("打开这通", "Open the call")}</a>`}
      <button onClick=${onClose}>${t("关闭", "Close")} <kbd aria-hidden="true">Esc</kbd></button></div>
  </${Dialog}>`;
}

/** Of a call that is over, a flag is all that is left. @param {{place: Place, hand: Hand | undefined, modes: string[], me: import("./ui.js").Me | undefined, isOver: boolean, onDone: () => void}} properties */
function HandActions({ place, hand, modes, me, isOver, onDone }) {
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
    ${isOver ? html`<p class="notice warning flat" role="status">${t("这通已经结束：不能再写话、接手或进入，还可以标记给质检。", "The call is over: no word, taking or way in any more; it can still be flagged.")}</p>` : null}
    ${isOver && words.trim() === "" ? null : html`<form class="stack" onSubmit=${send}>
      <label><span>${t("写一句给坐席（面板上显示「帮你：…」）", "A word to the agent (a card on the panel)")}</span>
        <textarea name="words" rows="2" maxlength=${WORDS_MAX} readonly=${isOver} value=${words} onInput=${(/** @type {any} */ event) => setWords(event.target.value)}
          onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === "Enter" && (event.ctrlKey || event.metaKey) && /** @type {HTMLElement} */ (event.target).closest("form")?.requestSubmit()}></textarea></label>
      ${hand?.help ? html`<p class="small quiet flat"><b><bdi>${hand.help.by}</bdi></b>：<bdi class="written">${hand.help.text}</bdi> · ${hand.help.read_at ? t("坐席已读", "read") : t("坐席还没点「知道了」", "not read yet")}</p>` : null}
      <div class="row"><button class="primary" disabled=${isBusy || isOver || isUnnamed || words.trim() === ""}>${t("发给坐席", "Send")} <kbd aria-hidden="true">Ctrl+Enter</kbd></button></div>
    </form>`}
    ${isOver ? null : html`<div class="row">
      ${taken !== null && taken.by === own
        ? html`<button disabled=${isBusy} onClick=${() => run(act(place, "release", {}, me), t("已放开。", "Given back."))}>${t("放开这通", "Give it back")}</button>`
        : taken !== null
          ? html`<span>${takenName(taken.by)}</span>
              <button disabled=${isBusy || isUnnamed} onClick=${() => run(act(place, "take", { instead_of: taken.by }, me), t("已接手。", "You have it."))}>${t(`从 ${upright(taken.by)} 接过来`, `Take over from ${upright(taken.by)}`)}</button>`
          : html`<button disabled=${isBusy || isUnnamed} onClick=${() => run(act(place, "take", {}, me), t("已接手，别的墙上也看得到。", "You have it; all walls show it."))}>${t("我来处理", "I take it")}</button>`}
      ${modes.map((mode) => html`<button disabled=${isBusy || isUnnamed} onClick=${() => enter(mode)}>${modeName(mode)}</button>`)}
    </div>`}
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

/** Words of which the latest are shown at once. */
const LATEST = 2;

/** What supervisors wrote in a call, in its order; all but the latest behind a fold. @param {{help: import("../shapes.js").HelpView[]}} properties */
export function Helped({ help }) {
  const earlier = help.slice(0, -LATEST);
  const lines = (/** @type {import("../shapes.js").HelpView[]} */ some) => html`<ol class="helped">${some.map((one) => html`<li key=${one.help_id}>
    <span class="quiet small">${clock(one.at_ms)}</span> <b><bdi>${one.by}</bdi></b> → <bdi>${one.agent_id}</bdi>：<bdi class="written">${one.text}</bdi>${" "}
    <span class="quiet small">${one.read_at ? t(`已读 ${moment(one.read_at).slice(11, 19)}`, `read ${moment(one.read_at).slice(11, 19)}`) : t("未读", "not read")}</span></li>`)}</ol>`;
  return html`${earlier.length === 0 ? null : html`<details class="earlier"><summary class="small">${t(`更早的 ${earlier.length} 句`, `${earlier.length} earlier`)}</summary>${lines(earlier)}</details>`}${lines(help.slice(-LATEST))}`;
}

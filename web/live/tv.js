// The wall on a television: the worst calls now, as many as fit, in type that is
// read from three metres. Nothing in it is pointed at, so no order is held.
//
// A 55-inch screen is 1 218 mm wide. 20 minutes of arc at 3 m are 17.5 mm, which
// are 27.5 of 1 920 pixels; Chinese characters fill some 92 % of their square, so
// the type is 1.7 % of the width: 33 pixels, whose ink has 22 minutes of arc.

import { html } from "../shared/ui.js";
import { clock, count, severityName } from "../shared/format.js";
import { t } from "../shared/settings.js";
import { beep } from "../element/tone.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { takenName } from "../shared/hand.js";
import { clockOf, isLongSilent, isMarked, lastedOf, reasonOf, worstNow } from "./wall.js";

const SOUND = "tingjian.wall.sound";
/** The height of a row, in the type's size; the style sheet has the same. */
const ROW_EM = 2.4;
const ROWS_MAX = 40;
/** Side by side in the line that is kept for them. */
const BANNERS_MAX = 2;

/** @typedef {import("./wall.js").Row} Row */

/** @param {string} state */
export function phaseName(state) {
  return { talking: t("通话中", "talking"), silent: t("静默", "silent"), hold: t("保持中", "on hold"), ended: t("已结束", "ended") }[state] ?? state;
}

/** What goes on in a call, and for how long. @param {Row} row @param {number} now */
export function stateOf(row, now) {
  const lasted = clock(lastedOf(row, now));
  if (row.isOver) {
    return t("已结束", "ended");
  }
  if (row.asr_silent) {
    return t(`无识别结果 ${lasted}`, `no words ${lasted}`);
  }
  if (row.channel === "chat" && row.state === "silent") {
    return t("文字会话", "chat");
  }
  if (row.state === "talking") {
    return row.speaker ? { agent: t("坐席说", "agent"), customer: t("客户说", "customer") }[row.speaker] : phaseName(row.state);
  }
  return `${phaseName(row.state)} ${lasted}`;
}

/** Whether new critical alerts sound, kept in this browser. @returns {[boolean, (is: boolean) => void]} */
export function useSound() {
  const [sound, setSound] = useState(read() === "on");
  return [sound, (is) => {
    try {
      localStorage.setItem(SOUND, is ? "on" : "off");
    } catch {
      // Then it is as it was on the next visit.
    }
    setSound(is);
  }];
}

function read() {
  try {
    return localStorage.getItem(SOUND);
  } catch {
    return null;
  }
}

/** Lets the reader hear what was switched on. @param {boolean} is */
export function ring(is) {
  if (is) {
    beep("critical");
  }
  return is;
}

/** @param {any} properties */
export function Tv({ wall, counts, rows, now, alarms, sound, setSound, leave }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [room, setRoom] = useState(0);
  const [isFull, setFull] = useState(document.fullscreenElement !== null);
  useEffect(() => {
    document.documentElement.classList.add("on-tv");
    const onFull = () => setFull(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", onFull);
    const sizes = new ResizeObserver(() => {
      const element = place.current;
      if (element !== null) {
        const rowPx = ROW_EM * parseFloat(getComputedStyle(element).fontSize);
        setRoom(Math.min(ROWS_MAX, Math.max(1, Math.floor(element.clientHeight / rowPx))));
      }
    });
    if (place.current !== null) {
      sizes.observe(place.current);
    }
    // The screen stays lit for as long as the page is shown; where it cannot, its settings must.
    const lock = navigator.wakeLock?.request("screen").catch(() => null);
    return () => {
      document.documentElement.classList.remove("on-tv");
      document.removeEventListener("fullscreenchange", onFull);
      sizes.disconnect();
      lock?.then((held) => held?.release());
    };
  }, []);
  const tiles = [
    [t("通话", "Calls"), counts.calls, ""], [t("严重", "Critical"), counts.critical, "critical"], [t("警告", "Warning"), counts.warning, "warning"],
    [t("保持中", "On hold"), counts.hold, ""], [t("长静默", "Silent"), counts.silent, ""], [t("无识别结果", "No words"), counts.unheard, counts.unheard > 0 ? "warning" : ""],
  ];
  const shown = rows.slice(0, room);
  return html`<div class="tv">
    <h1 class="visually-hidden">${t("电视墙", "TV wall")}</h1>
    <div class="tiles">${tiles.map(([name, value, tone]) => html`<div class=${`tile ${tone}`}><span>${name}</span><b data-count=${name}>${count(/** @type {number} */ (value))}</b></div>`)}</div>
    <div class="banners">${alarms.slice(0, BANNERS_MAX).map((/** @type {import("./alarms.js").Alarm} */ { severity, name, text, threshold }) => html`
      <p class=${`banner ${severity}`} role="alert" key=${`${name} ${threshold}`} data-threshold=${threshold}><b><bdi>${name}</bdi></b>　<bdi>${text}</bdi></p>`)}
      ${alarms.length > BANNERS_MAX ? html`<p class="banner more">+${alarms.length - BANNERS_MAX}</p>` : null}</div>
    <div class="tv-rows" ref=${place} role="table" aria-label=${t("现在最严重的通话", "The worst calls now")}>
      ${shown.length === 0 ? html`<p class="nothing">${t("现在没有要看的通话", "No call to look at")}</p>` : null}
      ${shown.map((/** @type {Row} */ row) => html`<${TvRow} key=${row.call_id} row=${row} hand=${wall.hands.get(row.call_id)} now=${now} />`)}
    </div>
    <div class="row spread foot"><span>${t(`现在最严重的 ${count(shown.length)} 通，共 ${count(rows.length)} 通`, `the worst ${count(shown.length)} of ${count(rows.length)} calls`)}</span>
      <span class="row">
        <button aria-pressed=${sound} onClick=${() => setSound(ring(!sound))}>${sound ? t("声音：开", "Sound on") : t("声音：关", "Sound off")}</button>
        <button onClick=${() => (isFull ? document.exitFullscreen() : document.documentElement.requestFullscreen()).catch(() => {})}>${isFull ? t("退出全屏", "Leave full screen") : t("全屏", "Full screen")}</button>
        <button onClick=${leave}>${t("回到列表", "Back to the list")}</button></span></div>
  </div>`;
}

/** @param {{row: Row, hand: import("./wall.js").Hand | undefined, now: number}} properties */
function TvRow({ row, hand, now }) {
  const severity = worstNow(row, now);
  const { critical, warning } = row.alerts;
  const isNew = isMarked(row, now);
  return html`<div class=${`tv-row ${severity ?? ""} ${isNew ? "fresh" : ""}`} role="row" data-call-id=${row.call_id}>
    <span class="now" role="cell">${isNew ? html`<b class="new">${t("新", "new")}</b>` : null}${severity === null ? t("平静", "calm") : severityName(severity)}</span>
    <span role="cell"><bdi>${row.agent_name ?? row.agent_id}</bdi></span>
    <span role="cell"><bdi>${row.queue ?? ""}</bdi></span>
    <span class=${isLongSilent(row, now) || row.asr_silent || row.state === "hold" ? "long" : ""} role="cell">${stateOf(row, now)}</span>
    <span class="time" role="cell">${clock(clockOf(row, now))}</span>
    <span class="sums" role="cell" aria-label=${t(`严重 ${critical}，警告 ${warning}`, `${critical} critical, ${warning} warning`)}>${critical > 0 ? html`<b class="critical">${critical}</b>` : null}${warning > 0 ? html`<b class="warning">${warning}</b>` : null}</span>
    <span class="last" role="cell">${hand?.taken ? html`<b class="taken">${takenName(hand.taken.by)}</b>　` : null}<bdi>${reasonOf(row)?.message ?? ""}</bdi></span>
  </div>`;
}

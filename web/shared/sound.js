// The sound of a call, from where the recordings are. The page only plays it:
// it asks for parts by range, and reads none of it.

import { html } from "./ui.js";
import { t } from "./settings.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { useKeys } from "./ui.js";

/** Where a call can be heard. @typedef {import("../shapes.js").Sound} Sound */

/** What is heard before the words in question. */
export const LEAD_MS = 2_000;

/** The place in the sound of a moment of the call. @param {Sound} sound @param {number} atMs */
export const secondsOf = (sound, atMs) => Math.max(0, (atMs + sound.starts_before_ms) / 1_000);

/** The moment of the call of a place in the sound. @param {Sound} sound @param {number} seconds */
export const callMsOf = (sound, seconds) => seconds * 1_000 - sound.starts_before_ms;

/** Plays a call from just before a moment. @param {{sound: Sound, at: number}} properties */
export function Listen({ sound, at }) {
  const place = useRef(/** @type {HTMLAudioElement | null} */ (null));
  const [isPlaying, setPlaying] = useState(false);
  const [failed, setFailed] = useState(false);
  useEffect(() => () => place.current?.pause(), []);
  const toggle = () => {
    const audio = place.current;
    if (audio === null) {
      return;
    }
    if (isPlaying) {
      audio.pause();
      return;
    }
    audio.currentTime = secondsOf(sound, at - LEAD_MS);
    audio.play().catch(() => setFailed(true));
  };
  useKeys({ p: toggle });
  return html`<span class="listen">
    <button class="small" onClick=${toggle} aria-keyshortcuts="p"><kbd aria-hidden="true">p</kbd>${isPlaying ? t("停", "Stop") : t("听这里", "Hear it")}</button>
    <audio ref=${place} src=${sound.url} preload="none" onPlay=${() => setPlaying(true)} onPause=${() => setPlaying(false)} onError=${() => setFailed(true)}></audio>
    ${failed ? html`<span class="small quiet" role="status">${unheard()}</span>` : null}
  </span>`;
}

/** Why nothing is heard. */
export function unheard() {
  return t("录音放不出来：可能没有这通的录音，或地址已过期（请刷新页面）。", "The sound cannot be played: there may be none of this call, or its address has expired (reload the page).");
}

// What concerns the whole wall: a lost connection, impaired checking, thresholds
// that are reached. It stands in a line that is there all the time, so that no
// row moves when something comes or goes; all of it is a click away.

import { html } from "../shared/ui.js";
import { clock } from "../shared/format.js";
import { t } from "../shared/settings.js";
import { useState } from "../vendor/hooks.js";

const RANKS = /** @type {Record<string, number>} */ ({ critical: 0, warning: 1, info: 2 });

/** @typedef {{severity: string, name: string, text: string, threshold?: string}} Alarm */

/** The gravest first. @param {{lost: number | null, degraded: string, reached: any[]}} state @returns {Alarm[]} */
export function alarmsOf({ lost, degraded, reached }) {
  const of = lost === null ? "" : clock(performance.now() - lost);
  return [
    ...(lost === null ? [] : [{ severity: "critical", name: t("连接断开，正在重连", "connection lost, retrying"), text: t(`下面是 ${of} 之前的情况`, `this is how it stood ${of} ago`) }]),
    ...(degraded === "" ? [] : [{ severity: "warning", name: t("检查能力下降", "checking is impaired"), text: degraded }]),
    ...reached.map((one) => ({ severity: one.severity, name: one.name, text: one.message, threshold: one.name })),
  ].sort((a, b) => (RANKS[a.severity] ?? 2) - (RANKS[b.severity] ?? 2));
}

/** The line of the wall; what has no room in it is counted. @param {{alarms: Alarm[]}} properties */
export function Alarms({ alarms }) {
  const [isOpen, setOpen] = useState(false);
  const isAll = isOpen && alarms.length > 0;
  const one = (/** @type {Alarm} */ { severity, name, text, threshold }) => html`<p class=${`notice flat ${severity}`} role="alert" key=${`${name} ${threshold}`} data-threshold=${threshold}><b><bdi>${name}</bdi></b>：<bdi>${text}</bdi></p>`;
  return html`<div class=${`alarms ${isAll ? "all" : ""}`}>
    <div class="line">${alarms.map(one)}</div>
    ${alarms.length === 0 ? null : html`<button class="small" aria-expanded=${isAll} onClick=${() => setOpen(!isAll)}>${isAll ? t("收起", "fold") : t(`全部 ${alarms.length} 条`, `all ${alarms.length}`)}</button>`}
  </div>`;
}

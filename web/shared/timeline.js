// A call along its time: who spoke when, holds, silences, alerts; and the place
// in it, which mouse and keys move. A picture, and the same as text.

import { html } from "./ui.js";
import { clock, roleName, severityName, stateName } from "./format.js";
import { spansUntil } from "./record.js";
import { t } from "./settings.js";

const WIDTH = 1_000;
const LANES = /** @type {const} */ ({ agent: 24, customer: 46 });
const LANE_HEIGHT = 16;
const HEIGHT = 76;
const STEP_MS = 5_000;
const LEAP_MS = 30_000;

/**
 * @param {object} properties
 * @param {import("./record.js").Record} properties.record
 * @param {number} properties.length what the whole width is
 * @param {number} properties.at where the reader is
 * @param {((at: number) => void) | null} properties.seek null: the place is not the reader's to choose
 * @param {(alertId: string) => void} properties.select
 */
export function Timeline({ record, length, at, seek, select }) {
  const whole = Math.max(1_000, length);
  const x = (/** @type {number} */ ms) => (Math.min(Math.max(ms, 0), whole) / whole) * WIDTH;
  const until = seek === null ? at : whole;
  const span = (/** @type {number} */ from, /** @type {number} */ to) => Math.max(1.5, x(to) - x(from));
  const holds = spansUntil(record.holds, until);
  const silences = spansUntil(record.silences, until);
  const alerts = record.alertsAt(null);

  const seekTo = (/** @type {PointerEvent} */ event) => {
    const box = /** @type {Element} */ (event.currentTarget).getBoundingClientRect();
    seek?.(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * whole);
  };
  const onPointerDown = (/** @type {PointerEvent} */ event) => {
    /** @type {Element} */ (event.currentTarget).setPointerCapture(event.pointerId);
    seekTo(event);
  };
  const onPointerMove = (/** @type {PointerEvent} */ event) => {
    if (event.buttons === 1) {
      seekTo(event);
    }
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const steps = /** @type {Record<string, number>} */ ({
      ArrowRight: at + STEP_MS, ArrowLeft: at - STEP_MS, ArrowUp: at + STEP_MS, ArrowDown: at - STEP_MS,
      PageUp: at + LEAP_MS, PageDown: at - LEAP_MS, Home: 0, End: whole,
    });
    if (event.key in steps) {
      event.preventDefault();
      seek?.(Math.min(whole, Math.max(0, steps[event.key])));
    }
  };
  const control = seek === null
    ? { role: "img" }
    : {
        role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": Math.round(whole / 1_000), "aria-valuenow": Math.round(at / 1_000),
        "aria-valuetext": t(`${clock(at)}，共 ${clock(whole)}`, `${clock(at)} of ${clock(whole)}`),
        onPointerDown, onPointerMove, onKeyDown,
      };
  return html`
    <div class="timeline">
      <div class="lane-names small quiet" aria-hidden="true"><span>${t("预警", "Alerts")}</span><span>${roleName("agent")}</span><span>${roleName("customer")}</span></div>
      <div class="strip" ...${control} aria-label=${t("时间线", "Timeline")}>
        <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          ${silences.map(({ from, until: to }) => html`<rect class="silence" x=${x(from)} y="20" width=${span(from, to ?? until)} height="44"><title>${t("静默", "silence")} ${clock(from)}–${clock(to ?? until)}</title></rect>`)}
          ${holds.map(({ from, until: to }) => html`<rect class="hold" x=${x(from)} y="20" width=${span(from, to ?? until)} height="44"><title>${t("保持", "hold")} ${clock(from)}–${clock(to ?? until)}</title></rect>`)}
          ${record.said().map((one) => html`<rect class=${`speech ${one.role} ${one.isFinal ? "" : "open"}`} x=${x(one.start)}
              y=${one.role === "customer" ? LANES.customer : LANES.agent} width=${span(one.start, one.end)} height=${LANE_HEIGHT} />`)}
          ${seek === null ? null : html`<rect class="yet" x=${x(at)} y="0" width=${WIDTH - x(at)} height=${HEIGHT} />`}
          <line class="head" x1=${x(at)} x2=${x(at)} y1="0" y2=${HEIGHT} vector-effect="non-scaling-stroke" />
        </svg>
        ${alerts.map((alert) => html`<span key=${alert.alert_id}
            class=${`pin ${alert.severity} ${alert.state}`} style=${{ left: `${x(alert.at_ms) / (WIDTH / 100)}%` }}
            title=${`${clock(alert.at_ms)} ${alert.message}`} onPointerDown=${(/** @type {Event} */ event) => event.stopPropagation()}
            onClick=${() => select(alert.alert_id)}></span>`)}
      </div>
      <div class="times small quiet" aria-hidden="true"><span>0:00</span><span>${clock(whole / 2)}</span><span>${clock(whole)}</span></div>
      <ul class="legend small quiet" aria-hidden="true">
        <li class="speech agent">${roleName("agent")}</li><li class="speech customer">${roleName("customer")}</li>
        <li class="hold">${t("保持", "hold")}</li><li class="silence">${t("静默", "silence")}</li>
      </ul>
      <details class="small"><summary>${t("时间线的文字版", "The timeline as text")}</summary>
        <${AsText} record=${record} holds=${holds} silences=${silences} until=${until} />
      </details>
    </div>
  `;
}

/** @param {any} properties */
function AsText({ record, holds, silences, until }) {
  const range = (/** @type {import("./record.js").Span} */ span) => `${clock(span.from)}–${clock(span.until ?? until)}`;
  const share = (/** @type {string} */ role) => {
    let ms = 0;
    for (const one of record.utterances.values()) {
      ms += one.role === role ? one.end - one.start : 0;
    }
    return clock(ms);
  };
  const names = /** @type {Record<string, string>} */ ({
    "call.transfer": t("转接", "transferred"), "call.transfer_answered": t("转接已应答", "transfer answered"), "call.end": t("结束", "ended"),
  });
  return html`<ul>
    <li>${t(`坐席共说 ${share("agent")}，客户共说 ${share("customer")}`, `agent spoke ${share("agent")}, customer ${share("customer")}`)}</li>
    <li>${t("保持：", "Holds: ")}${holds.length === 0 ? t("无", "none") : holds.map(range).join(t("、", ", "))}</li>
    <li>${t("静默：", "Silences: ")}${silences.length === 0 ? t("无", "none") : silences.map(range).join(t("、", ", "))}</li>
    ${record.marks(until).filter((/** @type {any} */ mark) => mark.kind in names).map((/** @type {import("./record.js").Mark} */ mark) => html`<li>${clock(mark.at)} ${names[mark.kind]}${mark.by ? t(`（${roleName(mark.by)}）`, ` (${roleName(mark.by)})`) : ""}${mark.to ? ` → ${mark.to}` : ""}</li>`)}
    ${record.alertsAt(null).map((/** @type {any} */ alert) => html`<li>${clock(alert.at_ms)} ${severityName(alert.severity)} ${stateName(alert.state)}${t("：", ": ")}<bdi>${alert.message}</bdi></li>`)}
  </ul>`;
}

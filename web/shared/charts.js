// Charts, drawn by uPlot in the colours of the theme. What a chart shows stands
// beside it as a table, too, for those who cannot see it or want the numbers.

import uPlot from "../vendor/uplot.js";
import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { count } from "./format.js";
import { isDark, t } from "./settings.js";
import { html } from "./ui.js";

const HEIGHT = 220;

/**
 * One place of a chart: how many, and how that compares.
 * @typedef {{label: string, short: string, count: number, rate: number | null}} Bar
 */

/**
 * Bars, and a line over them with a scale of its own.
 * @param {{title: string, bars: Bar[], countName: string, rateName: string, placeName: string, onChoose?: (place: number) => void}} properties
 */
export function BarChart({ title, bars, countName, rateName, placeName, onChoose }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [hint, setHint] = useState(/** @type {{at: number, left: number} | null} */ (null));
  const choose = useRef(onChoose);
  choose.current = onChoose;
  const figures = JSON.stringify(bars);
  useEffect(() => {
    const box = place.current;
    if (box === null) {
      return;
    }
    const chart = new uPlot(options(box, bars, setHint, (at) => choose.current?.(at)), data(bars), box);
    const watch = new ResizeObserver(() => {
      if (box.clientWidth > 0) {
        chart.setSize({ width: box.clientWidth, height: HEIGHT });
      }
    });
    watch.observe(box);
    return () => {
      watch.disconnect();
      chart.destroy();
    };
  }, [figures, isDark()]);
  const over = hint === null ? undefined : bars[hint.at];
  const rate = (/** @type {Bar} */ bar) => (bar.rate === null ? "—" : bar.rate.toFixed(1));
  return html`
    <div class="legend" aria-hidden="true"><span>${countName}</span><span class="line">${rateName}</span></div>
    <div class=${onChoose ? "chart chooses" : "chart"}>
      <div ref=${place} role="img" aria-label=${t(`${title}，数据见下表`, `${title}; the table below has its figures`)}></div>
      ${over === undefined ? null : html`<div class="hint" style=${hintPlace(hint?.left ?? 0, place.current?.clientWidth ?? 0)}>
        ${over.label} · ${countName} ${count(over.count)} · ${rateName} ${rate(over)}
      </div>`}
    </div>
    <details class="figures">
      <summary class="small">${t("数据表", "Figures")}</summary>
      <div class="table" tabindex="0" role="region" aria-label=${title}>
        <table>
          <thead><tr><th scope="col">${placeName}</th><th scope="col" class="number">${countName}</th><th scope="col" class="number">${rateName}</th></tr></thead>
          <tbody>${bars.map((bar, at) => html`<tr key=${bar.label}>
            <td>${onChoose ? html`<button class="link" onClick=${() => onChoose(at)}>${bar.label}</button>` : bar.label}</td>
            <td class="number">${count(bar.count)}</td><td class="number">${rate(bar)}</td>
          </tr>`)}</tbody>
        </table>
      </div>
    </details>
  `;
}

/** As wide as its longest label. @param {any} _ @param {string[] | null} labels */
function widthOf(_, labels) {
  return 20 + 8 * Math.max(2, ...(labels ?? []).map((label) => label.length));
}

/** On the side of the pointer that has room. @param {number} left @param {number} width */
function hintPlace(left, width) {
  return left > width / 2 ? { right: `${Math.max(0, width - left + 14)}px` } : { left: `${left + 14}px` };
}

/** @param {Bar[]} bars @returns {any} */
function data(bars) {
  return [bars.map((_, at) => at), bars.map((bar) => bar.count), bars.map((bar) => bar.rate)];
}

/** @param {HTMLElement} box @param {Bar[]} bars @param {(hint: {at: number, left: number} | null) => void} setHint @param {(at: number) => void} choose @returns {any} */
function options(box, bars, setHint, choose) {
  const style = getComputedStyle(document.documentElement);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: colour("--text-quiet"), font, ticks: { stroke: colour("--line"), width: 1 }, grid: { stroke: colour("--line"), width: 1 } };
  const top = (/** @type {any} */ _, /** @type {number} */ __, /** @type {number | null} */ most) => [0, Math.max(1, (most ?? 0) * 1.15)];
  return {
    width: Math.max(box.clientWidth, 200),
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 4, 0, 0],
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: () => [-0.6, Math.max(0, bars.length - 1) + 0.6] },
      y: { range: top },
      rate: { range: top },
    },
    axes: [
      {
        ...axis, grid: { show: false }, space: 46, incrs: [1, 2, 3, 4, 6, 7, 14, 30, 60, 90],
        values: (/** @type {any} */ _, /** @type {number[]} */ places) => places.map((at) => bars[at]?.short ?? ""),
      },
      { ...axis, size: widthOf, values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map((value) => (Number.isInteger(value) ? count(value) : "")) },
      { ...axis, scale: "rate", side: 1, size: widthOf, grid: { show: false }, values: (/** @type {any} */ _, /** @type {number[]} */ values) => values.map(String) },
    ],
    series: [
      {},
      {
        fill: `${colour("--accent")}`, stroke: colour("--accent"), width: 0,
        paths: /** @type {any} */ (uPlot).paths.bars({ size: [0.62, 48], radius: 0.15 }), points: { show: false },
      },
      { scale: "rate", stroke: colour("--warning"), width: 2, spanGaps: true, points: { show: true, size: 6, fill: colour("--surface"), stroke: colour("--warning") } },
    ],
    hooks: {
      setCursor: [
        (/** @type {any} */ chart) => {
          const { idx, left } = chart.cursor;
          setHint(idx === null || idx === undefined || left < 0 ? null : { at: idx, left: left + chart.over.offsetLeft });
        },
      ],
      ready: [
        (/** @type {any} */ chart) =>
          chart.over.addEventListener("click", () => {
            if (chart.cursor.idx !== null && chart.cursor.idx !== undefined) {
              choose(chart.cursor.idx);
            }
          }),
      ],
    },
  };
}

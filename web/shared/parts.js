// Parts that the pages of those who work at desks share: tabs, tables that can
// be sorted, shares of a whole as bars.

import { useState } from "../vendor/hooks.js";
import { t } from "./settings.js";
import { html } from "./ui.js";

/** An agent by name, with the id behind it where there is a name. @param {{row: {agent_id: string, agent_name?: string | null, team?: string | null}}} properties */
export function Agent({ row: { agent_id, agent_name, team } }) {
  return agent_name
    ? html`<bdi title=${[agent_id, team].filter(Boolean).join(" · ")}>${agent_name}</bdi> <bdi class="small quiet">${agent_id}</bdi>`
    : html`<bdi title=${team ?? undefined}>${agent_id}</bdi>`;
}

/**
 * Views of one page; which one is open is the page's business.
 * @param {{label: string, tabs: [string, string, any?][], current: string, onChoose: (tab: string) => void}} properties
 *   each tab's id, name and, if there is one, how much waits behind it
 */
export function Tabs({ label, tabs, current, onChoose }) {
  return html`
    <nav class="tabs" aria-label=${label}>
      ${tabs.map(
        ([id, name, badge]) => html`
          <button key=${id} aria-current=${id === current ? "page" : undefined} onClick=${() => onChoose(id)}>
            ${name}${badge ? html` <span class="badge">${badge}</span>` : null}
          </button>
        `,
      )}
    </nav>
  `;
}

/**
 * One of a few choices.
 * @param {{label: string, choices: [string, string][], current: string, onChoose: (choice: string) => void}} properties
 */
export function Choices({ label, choices, current, onChoose }) {
  return html`
    <div class="choices" role="group" aria-label=${label}>
      ${choices.map(
        ([id, name]) => html`<button key=${id} aria-pressed=${id === current ? "true" : "false"} onClick=${() => onChoose(id)}>${name}</button>`,
      )}
    </div>
  `;
}

/** A share as a bar, beside the number that says the same. @param {{part: number, whole: number}} properties */
export function Bar({ part, whole }) {
  const share = whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0;
  return html`<span class="share" aria-hidden="true"><span style=${{ width: `${(share * 100).toFixed(1)}%` }}></span></span>`;
}

/**
 * A column: its id, heading, how a cell is drawn and, if it can be sorted by,
 * the value to sort by.
 * @typedef {{id: string, name: any, cell: (row: any) => any, value?: (row: any) => any, number?: boolean, title?: string}} Column
 */

/**
 * A table that is sorted by a click on a heading. It scrolls in a box of its own.
 * @param {{label: string, columns: Column[], rows: any[], sort: string, descending?: boolean, rowKey: (row: any) => string,
 *   rowClass?: (row: any) => string | undefined, shown?: number}} properties
 *   `shown` rows until more are asked for
 */
export function SortedTable({ label, columns, rows, sort, descending = true, rowKey, rowClass, shown = 1_000 }) {
  const [order, setOrder] = useState({ by: sort, descending });
  const [most, setMost] = useState(shown);
  const column = columns.find(({ id }) => id === order.by);
  const value = column?.value;
  const sorted = value === undefined ? rows : [...rows].sort((a, b) => compare(value(a), value(b), order.descending));
  const choose = (/** @type {string} */ by) =>
    setOrder((before) => ({ by, descending: before.by === by ? !before.descending : true }));
  return html`
    <div class="table" tabindex="0" role="region" aria-label=${label}>
      <table>
        <thead><tr>${columns.map(({ id, name, value: sortable, number, title }) => html`
          <th key=${id} scope="col" class=${number ? "number" : undefined} title=${title}
            aria-sort=${order.by === id && sortable ? (order.descending ? "descending" : "ascending") : undefined}>
            ${sortable
              ? html`<button class="sort" onClick=${() => choose(id)}>${name}<span aria-hidden="true">${order.by === id ? (order.descending ? "▾" : "▴") : ""}</span></button>`
              : name}
          </th>`)}</tr></thead>
        <tbody>${sorted.slice(0, most).map((row) => html`
          <tr key=${rowKey(row)} class=${rowClass?.(row)}>
            ${columns.map(({ id, cell, number }) => html`<td key=${id} class=${number ? "number" : undefined}>${cell(row)}</td>`)}
          </tr>`)}</tbody>
      </table>
    </div>
    ${sorted.length > most
      ? html`<button class="plain small" onClick=${() => setMost(most * 4)}>${t(`再看 ${sorted.length - most} 行`, `${sorted.length - most} more`)}</button>`
      : null}
  `;
}

/** What is missing comes last, whichever way round. @param {any} a @param {any} b @param {boolean} descending */
function compare(a, b, descending) {
  if (a === null || a === undefined || b === null || b === undefined) {
    return Number(a === null || a === undefined) - Number(b === null || b === undefined);
  }
  const order = typeof a === "string" ? a.localeCompare(b, "zh") : a - b;
  return descending ? -order : order;
}

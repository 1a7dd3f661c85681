// Calls, scores and the quality of rules as files: what their views show, all
// pages of it.

import { get } from "../shared/api.js";
import { moment } from "../shared/format.js";

/** Rows that are asked for at once, and that a file has at most. */
const PAGE = 1_000;
const ROWS_MAX = 100_000;

/** @typedef {{path: string, name: string, columns: [string, ((row: any) => any)?][]}} Table */

/** By view. @type {Record<string, Table>} */
export const TABLES = {
  calls: {
    path: "/v1/calls", name: "calls",
    columns: [
      ["started_at", (row) => moment(row.started_at)], ["call_id"], ["agent_id"], ["agent_name"], ["team"], ["queue"], ["ended_by"], ["live"], ["confirmed"], ["score"],
    ],
  },
  scores: {
    path: "/v1/scores", name: "scores",
    columns: [["key"], ["agent_name"], ["team"], ["mean"], ["margin"], ["min"], ["calls"], ["alerts"], ["vetoed"]],
  },
  quality: {
    path: "/v1/quality", name: "rules",
    columns: [
      ["rule_id"], ["rule_name"], ["rules_version"], ["precision"], ["reviewed"], ["confirmed"], ["dismissed"], ["alerts"], ["override_rate"],
      ["appeals"], ["appeal_success_rate"], ["missed"], ["below"],
    ],
  },
};

/** A view as CSV that Excel reads. @param {string} view @param {Record<string, string>} asked what its list asks for */
export async function tableOf(view, asked) {
  const { path, name, columns } = TABLES[view];
  const isPaged = view === "calls";
  const rows = [];
  let cursor = null;
  do {
    const answer = /** @type {any} */ (await get(path, { ...asked, ...(isPaged ? { limit: PAGE, cursor } : {}) }));
    rows.push(...answer[name]);
    cursor = isPaged ? answer.next_cursor : null;
  } while (cursor !== null && rows.length < ROWS_MAX);
  const lines = [columns.map(([column]) => column), ...rows.map((row) => columns.map(([column, value]) => (value ? value(row) : row[column])))];
  return `\ufeff${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
}

/** What begins like a formula is text all the same. @param {unknown} value */
function cell(value) {
  if (typeof value !== "string") {
    return value ?? "";
  }
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

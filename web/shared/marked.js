// A text with the places marked that an alert points at. Offsets count Unicode
// scalar values, as docs/events.md has it; JavaScript's strings count otherwise.

import { html } from "./ui.js";

/**
 * The text in pieces: plain, and marked with those of `ranges` that cover it.
 * Ranges may overlap, be out of order, or lie outside.
 * @template {{start: number, end: number}} Range
 * @param {string} text
 * @param {Range[]} ranges
 * @returns {{text: string, ranges: Range[]}[]}
 */
export function pieces(text, ranges) {
  const characters = Array.from(text);
  const clamped = ranges.map((range) => ({
    range,
    start: Math.min(Math.max(0, range.start), characters.length),
    end: Math.min(Math.max(0, range.end), characters.length),
  }));
  const cuts = new Set([0, characters.length]);
  for (const { start, end } of clamped) {
    cuts.add(start).add(end);
  }
  const places = [...cuts].sort((a, b) => a - b);
  const found = [];
  for (let index = 0; index + 1 < places.length; index += 1) {
    const [start, end] = [places[index], places[index + 1]];
    const over = clamped.filter((one) => one.start <= start && end <= one.end && one.start < one.end);
    found.push({ text: characters.slice(start, end).join(""), ranges: over.map((one) => one.range) });
  }
  return found;
}

/** @param {{text: string, ranges: {start: number, end: number, title?: string}[]}} properties */
export function Marked({ text, ranges }) {
  return html`${pieces(text, ranges).map(({ text, ranges }) =>
    ranges.length === 0
      ? text
      : html`<mark title=${ranges.map((range) => range.title).filter(Boolean).join("；") || undefined}>${text}</mark>`,
  )}`;
}

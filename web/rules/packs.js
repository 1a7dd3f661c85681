// Packs as they were written: every rule with its precision, the file with
// numbered lines, a search over all of it.

import { useEffect, useRef } from "../vendor/hooks.js";
import { baseName, kindName, percent } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { t } from "../shared/settings.js";
import { Severity, html } from "../shared/ui.js";

/** Hits of a search that are shown. */
const HITS_MAX = 60;

/** @typedef {import("../shapes.js").RuleView} Rule */
/** @typedef {import("../shapes.js").PackView} Pack */

/**
 * @param {{packs: Pack[], quality: Map<string, any>, filters: Record<string, string>, change: (changes: Record<string, string>) => void, openForm: (file: string, rule: string) => void, edit: (file: string, line: number) => void}} properties
 *   `quality` is of the version in use, by rule
 */
export function Packs({ packs, quality, filters, change, openForm, edit }) {
  const pack = packs.find(({ pack }) => pack === filters.pack) ?? packs[0];
  if (pack === undefined) {
    return html`<p class="panel empty">${t("没有规则包。", "No packs.")}</p>`;
  }
  const words = filters.q.trim();
  return html`
    <div class="packs">
      <section class="panel stack side">
        <label><span>${t("搜索规则和原文", "Search rules and files")}</span>
          <input type="search" value=${filters.q} maxlength="80" onInput=${(/** @type {any} */ event) => change({ q: event.target.value })} /></label>
        ${words === "" ? html`<${Contents} packs=${packs} current=${pack} quality=${quality} rule=${filters.rule} change=${change} />` : html`<${Hits} packs=${packs} words=${words} change=${change} />`}
      </section>
      <section class="panel stack source-box">
        <div class="row spread">
          <h2 class="flat">${pack.title ?? pack.pack} <code class="quiet" title=${pack.file ?? undefined}>${baseName(pack.file ?? pack.pack)}</code></h2>
          ${pack.file && pack.rules.some(({ id }) => id === filters.rule) ? html`<button class="primary" onClick=${() => openForm(String(pack.file), filters.rule)}>${t("用表单改", "Edit in the form")}</button>` : null}
          ${pack.file ? html`<button onClick=${() => edit(String(pack.file), Number(filters.line) || lineOf(pack, filters.rule))}>${t("编辑并回测", "Edit and backtest")}</button>` : null}
        </div>
        ${pack.text === null
          ? html`<p class="empty">${t("这些规则不是从文件读的，没有原文。", "These rules do not come from a file.")}</p>`
          : html`<${Source} text=${pack.text} line=${Number(filters.line) || lineOf(pack, filters.rule)} words=${words} />`}
      </section>
    </div>
  `;
}

/** @param {Pack} pack @param {string} rule */
function lineOf(pack, rule) {
  return pack.rules.find(({ id }) => id === rule)?.line ?? 0;
}

/** @param {{packs: Pack[], current: Pack, quality: Map<string, any>, rule: string, change: (changes: Record<string, string>) => void}} properties */
function Contents({ packs, current, quality, rule, change }) {
  return html`
    <ul class="contents">
      ${packs.map((pack) => html`
        <li key=${pack.pack}>
          <button class="pack" aria-expanded=${pack === current ? "true" : "false"} onClick=${() => change({ pack: pack.pack, rule: "", line: "" })}>
            <span class="grow">${pack.title ?? pack.pack}</span>
            ${pack.shadow ? html`<span class="tag neutral">${t("试运行", "on trial")}</span>` : null}
            ${pack.enabled ? null : html`<span class="tag neutral">${t("按需启用", "on request")}</span>`}
            <span class="badge">${pack.rules.length}</span>
          </button>
          ${pack !== current ? null : html`<ul>
            ${pack.rules.map((one) => html`
              <li key=${one.id}>
                <button class="rule" title=${one.id} aria-current=${one.id === rule ? "true" : undefined} onClick=${() => change({ rule: one.id, line: "" })}>
                  <span class="row spread"><span class="grow">${one.name}</span>${one.shadow ? html`<span class="tag neutral">${t("试运行", "on trial")}</span>` : null}<${Severity} severity=${one.severity} /></span>
                  <span class="row spread small quiet">
                    <span>${kindName(one.kind)} · ${t("扣", "−")}${one.deduct}${one.clauses.length > 0 ? ` · ${one.clauses.join("、")}` : ""}</span>
                    <${Precision} quality=${quality.get(one.id)} />
                  </span>
                </button>
              </li>`)}
          </ul>`}
        </li>`)}
    </ul>
  `;
}

/** @param {{quality: any}} properties */
function Precision({ quality }) {
  if (quality === undefined || quality.precision === null) {
    return html`<span>${t("未复核", "not reviewed")}</span>`;
  }
  const text = `${t("准确率", "precision")} ${percent(quality.precision)}${t(`（${quality.confirmed}/${quality.reviewed}）`, ` (${quality.confirmed}/${quality.reviewed})`)}`;
  return quality.below || quality.fallen ? html`<span class="tag critical">${text}${quality.fallen ? " ↓" : ""}</span>` : html`<span>${text}</span>`;
}

/** @param {{packs: Pack[], words: string, change: (changes: Record<string, string>) => void}} properties */
function Hits({ packs, words, change }) {
  const wanted = words.toLowerCase();
  const hits = packs.flatMap((pack) =>
    (pack.text ?? pack.rules.map(({ id, name }) => `${id} ${name}`).join("\n"))
      .split("\n")
      .map((text, at) => ({ pack, line: at + 1, text: text.trim() }))
      .filter(({ text }) => text.toLowerCase().includes(wanted)),
  );
  return html`
    <p class="small quiet flat" aria-live="polite">${t(`${hits.length} 处`, `${hits.length} places`)}${hits.length > HITS_MAX ? t(`，只列前 ${HITS_MAX} 处`, `, the first ${HITS_MAX} are listed`) : ""}</p>
    <ul class="contents">
      ${hits.slice(0, HITS_MAX).map(({ pack, line, text }) => html`
        <li key=${`${pack.pack}:${line}`}>
          <button class="rule" onClick=${() => change({ pack: pack.pack, rule: "", line: String(line) })}>
            <span class="snippet"><${Marked} text=${text} ranges=${places(text, words)} /></span>
            <span class="small quiet">${baseName(pack.file ?? pack.pack)}:${line}</span>
          </button>
        </li>`)}
    </ul>
  `;
}

/** Where the words stand, in Unicode scalar values. @param {string} text @param {string} words */
function places(text, words) {
  const [lower, wanted] = [text.toLowerCase(), words.toLowerCase()];
  const found = [];
  for (let at = wanted === "" ? -1 : lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length)) {
    const start = Array.from(lower.slice(0, at)).length;
    found.push({ start, end: start + Array.from(wanted).length });
  }
  return found;
}

/** A file with numbered lines; one of them is shown. @param {{text: string, line: number, words?: string}} properties */
export function Source({ text, line, words = "" }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    const target = box.current?.querySelector("[aria-current]");
    if (box.current && target instanceof HTMLElement) {
      box.current.scrollTop = target.offsetTop - box.current.offsetTop - 60;
    }
  }, [line, text]);
  return html`
    <div class="source" ref=${box} tabindex="0" role="region" aria-label=${t("规则原文", "The file")}>
      ${text.replace(/\n$/, "").split("\n").map((one, at) => html`
        <div key=${at} class="line" aria-current=${at + 1 === line ? "location" : undefined}><span class="no">${at + 1}</span><code><${Marked} text=${one} ranges=${places(one, words)} /></code></div>`)}
    </div>
  `;
}

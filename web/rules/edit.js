// A pack edited in the page: checked, tested and backtested by the server, which
// keeps nothing of it; then downloaded. The server's files never change here.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { post } from "../shared/api.js";
import { baseName } from "../shared/format.js";
import { currentLanguage, t } from "../shared/settings.js";
import { Fault, html } from "../shared/ui.js";
import { Backtest } from "./backtest.js";
import { PlaceLink, Remarks } from "./remarks.js";

/** @typedef {import("../shapes.js").EditedFile} File */
/** @typedef {import("./remarks.js").Place} Place */

/**
 * @param {{files: File[], edited: Record<string, string>, setText: (name: string, text: string | null) => void, filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties
 *   `files` as the server has them, `edited` what this tab has instead
 */
export function Edit({ files, edited, setText, filters, change }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const gutter = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [checked, setChecked] = useState(/** @type {{value?: any, error?: unknown, busy: boolean, of?: string}} */ ({ busy: false }));
  const [jump, setJump] = useState(/** @type {Place | null} */ (null));
  const current = files.find(({ name }) => name === filters.file || baseName(name) === filters.file) ?? files[0];
  const text = current === undefined ? "" : (edited[current.name] ?? current.text);
  const changed = Object.entries(edited).map(([name, text]) => ({ name, text }));
  useEffect(() => {
    if (jump !== null && area.current !== null && jump.file === current?.name) {
      select(area.current, text, jump);
      setJump(null);
    }
  }, [jump, current?.name]);
  useEffect(() => {
    // From a rule of the packs to its line.
    if (area.current !== null && Number(filters.line) > 0) {
      select(area.current, text, { file: "", line: Number(filters.line), column: 1 });
    }
  }, [current?.name, filters.line]);
  if (current === undefined) {
    return html`<p class="panel empty">${t("没有可编辑的规则文件。", "There are no rule files to edit.")}</p>`;
  }
  // With nothing changed, the file that is open is checked as it stands.
  const sent = changed.length > 0 ? changed : [{ name: current.name, text }];
  const stamp = JSON.stringify(sent);
  const check = () => {
    setChecked((before) => ({ ...before, busy: true }));
    post("/v1/rules/check", { files: sent }).then(
      (value) => setChecked({ value, busy: false, of: stamp }),
      (error) => setChecked({ error, busy: false }),
    );
  };
  const go = (/** @type {Place} */ place) => {
    if (files.some(({ name }) => name === place.file)) {
      change({ file: baseName(place.file) });
      setJump({ ...place });
    }
  };
  const lines = text.split("\n").length;
  return html`
    <div class="stack">
      <p class="notice flat">${t(
        "这里改的只在本标签页里：检查、试一试和回测都用它，服务器上的规则文件不会被改动。满意后下载，交给管理员放进规则目录。",
        "What is edited stays in this tab: checks, trials and backtests use it; the server's files are never changed. Download it and have it put into the rules directory.",
      )}</p>
      <div class="edit">
        <section class="panel stack">
          <div class="row spread">
            <label class="inline"><span>${t("文件", "File")}</span>
              <select value=${current.name} onChange=${(/** @type {any} */ event) => change({ file: baseName(event.target.value), line: "" })}>
                ${files.map(({ name }) => html`<option key=${name} value=${name}>${baseName(name)}${edited[name] === undefined ? "" : t("（已改）", " (edited)")}</option>`)}
              </select></label>
            <div class="row tight">
              <button class="primary" disabled=${checked.busy} onClick=${check}>${checked.busy ? t("正在检查…", "Checking…") : t("检查并跑单元测试", "Check and run its tests")}</button>
              <button onClick=${() => save(current.name, text)}>${t("下载", "Download")}</button>
              <button disabled=${edited[current.name] === undefined} onClick=${() => setText(current.name, null)}>${t("还原", "Revert")}</button>
            </div>
          </div>
          <div class="editor">
            <div class="gutter" ref=${gutter} aria-hidden="true">${Array.from({ length: lines }, (_, at) => at + 1).join("\n")}</div>
            <textarea ref=${area} aria-label=${t(`编辑 ${baseName(current.name)}`, `Edit ${baseName(current.name)}`)} rows="26" wrap="off" spellcheck=${false} value=${text}
              onScroll=${() => { if (gutter.current && area.current) { gutter.current.scrollTop = area.current.scrollTop; } }}
              onInput=${(/** @type {any} */ event) => setText(current.name, event.target.value === current.text ? null : event.target.value)}></textarea>
          </div>
        </section>
        <section class="panel stack" aria-live="polite">
          <h2 class="flat">${t("检查结果", "What is wrong")}</h2>
          ${checked.error ? html`<${Fault} error=${checked.error} />` : null}
          ${checked.value ? html`<${Checked} checked=${checked.value} stale=${checked.of !== stamp} onJump=${go} />`
            : checked.error ? null : html`<p class="quiet flat">${t("改好后点“检查”，错误会列在这里，点位置跳到那一行。", "Check it: faults are listed here, each leads to its place.")}</p>`}
        </section>
      </div>
      <${Backtest} files=${sent} />
    </div>
  `;
}

/** @param {{checked: any, stale: boolean, onJump: (place: Place) => void}} properties */
function Checked({ checked, stale, onJump }) {
  const { tests } = checked;
  const chinese = currentLanguage() === "zh";
  return html`
    ${stale ? html`<p class="small quiet flat">${t("之后又改过，请再检查。", "Edited since; check it again.")}</p>` : null}
    <div class="row tight">
      <span class=${`tag ${checked.ok ? "good" : "critical"}`}>${checked.ok ? t("可用", "can be used") : t("不可用", "cannot be used")}</span>
      ${checked.ok ? html`<span class=${`tag ${tests.failed > 0 ? "critical" : "good"}`}>${t(`单元测试 ${tests.passed} 通过，${tests.failed} 失败`, `tests: ${tests.passed} passed, ${tests.failed} failed`)}</span>` : null}
      <code class="quiet">${checked.version}</code>
    </div>
    <${Remarks} remarks=${checked.diagnostics} onJump=${onJump} />
    ${tests.failures.length === 0 ? null : html`<ul class="remarks">${tests.failures.map((/** @type {any} */ failure, /** @type {number} */ at) => html`
      <li key=${at}><span class="tag critical">${t("测试失败", "test failed")}</span>
        <span class="grow"><${PlaceLink} place=${failure} onJump=${onJump} /> <code>${failure.rule_id}</code><pre class="flat">${chinese ? failure.text : failure.text_en}</pre></span></li>`)}</ul>`}
  `;
}

/** Goes to a line and column, which count from 1. @param {HTMLTextAreaElement} area @param {string} text @param {Place} place */
function select(area, text, { line, column, length = 0 }) {
  const lines = text.split("\n");
  const before = lines.slice(0, Math.max(0, line - 1)).reduce((sum, one) => sum + one.length + 1, 0);
  const characters = Array.from(lines[line - 1] ?? "");
  const start = before + characters.slice(0, Math.max(0, column - 1)).join("").length;
  const end = start + characters.slice(Math.max(0, column - 1), Math.max(0, column - 1) + length).join("").length;
  area.focus();
  area.setSelectionRange(start, end);
  area.scrollTop = (Math.max(0, line - 4) * area.scrollHeight) / Math.max(1, lines.length);
}

/** @param {string} name @param {string} text */
function save(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = baseName(name);
  link.click();
  URL.revokeObjectURL(address);
}

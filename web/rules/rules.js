// Rules: as written, tried out, edited and backtested, their clauses and
// versions, what became of the last reload.

import { useEffect, useState } from "../vendor/hooks.js";
import { get, post } from "../shared/api.js";
import { baseName, count, moment } from "../shared/format.js";
import { Tabs } from "../shared/parts.js";
import { t, token } from "../shared/settings.js";
import { Fault, Frame, Guard, html, show, useAnswer, useFilters } from "../shared/ui.js";
import { Coverage, Versions } from "./coverage.js";
import { Edit } from "./edit.js";
import { Packs } from "./packs.js";
import { Remarks } from "./remarks.js";
import { Try } from "./try.js";

const DEFAULTS = { view: "packs", pack: "", rule: "", line: "", q: "", file: "", version: "" };
const EDITED = "tingjian.rules.edited";

/** Edited files, kept as long as the tab is. @returns {[Record<string, string>, (name: string, text: string | null) => void]} */
function useEdited() {
  const [edited, setEdited] = useState(/** @returns {Record<string, string>} */ () => {
    try {
      return JSON.parse(sessionStorage.getItem(EDITED) ?? "{}");
    } catch {
      return {};
    }
  });
  const setText = (/** @type {string} */ name, /** @type {string | null} */ text) =>
    setEdited((before) => {
      const after = { ...before };
      if (text === null) {
        delete after[name];
      } else {
        after[name] = text;
      }
      try {
        sessionStorage.setItem(EDITED, JSON.stringify(after));
      } catch {
        // Then it lasts until the page is left.
      }
      return after;
    });
  return [edited, setText];
}

function Page() {
  const [filters, change] = useFilters(DEFAULTS, ["q"]);
  const [edited, setText] = useEdited();
  const me = useAnswer((signal) => get("/v1/me", {}, signal), [token()]).value;
  const use = useAnswer((signal) => get("/v1/rules", {}, signal), [token()]);
  const packs = useAnswer((signal) => get("/v1/rules/packs", {}, signal), [token(), use.value?.version]);
  const quality = useAnswer((signal) => get("/v1/quality", {}, signal), [token(), use.value?.version]).value;
  const error = use.error ?? packs.error;
  const version = use.value?.version;
  const ofVersion = new Map((quality?.rules ?? []).filter((/** @type {any} */ row) => row.rules_version === version).map((/** @type {any} */ row) => [row.rule_id, row]));
  /** @type {{name: string, text: string}[]} */
  const files = (packs.value?.packs ?? []).filter((/** @type {any} */ pack) => pack.file !== null).map((/** @type {any} */ pack) => ({ name: pack.file, text: pack.text }));
  if (packs.value?.parameters) {
    files.push({ name: packs.value.parameters.file, text: packs.value.parameters.text });
  }
  const isEdited = Object.keys(edited).length > 0;
  useEffect(() => {
    // What was edited goes with the tab.
    const ask = (/** @type {BeforeUnloadEvent} */ event) => event.preventDefault();
    if (isEdited) {
      addEventListener("beforeunload", ask);
    }
    return () => removeEventListener("beforeunload", ask);
  }, [isEdited]);
  const openRule = (/** @type {string} */ rule) => {
    const pack = packs.value?.packs.find((/** @type {any} */ pack) => pack.rules.some((/** @type {any} */ one) => one.id === rule));
    change({ view: "packs", pack: pack?.pack ?? "", rule, line: "", q: "" });
  };
  const tabs = [
    ["packs", t("规则包", "Packs")], ["try", t("试一试", "Try it")], ["edit", t("编辑与回测", "Edit and backtest"), Object.keys(edited).length || undefined],
    ["coverage", t("条款覆盖", "Coverage")], ["versions", t("版本", "Versions")],
  ];
  return html`
    <div class="stack">
      <${InUse} use=${use} me=${me} />
      ${error ? html`<${Fault} error=${error} retry=${packs.reload} />` : null}
      <${Tabs} label=${t("规则视图", "Views")} tabs=${tabs} current=${filters.view} onChoose=${(/** @type {string} */ view) => change({ view })} />
      <${Guard} key=${filters.view}>
        ${filters.view === "try" ? html`<${Try} edited=${Object.entries(edited).map(([name, text]) => ({ name, text }))} />` : null}
        ${filters.view === "coverage" ? html`<${Coverage} openRule=${openRule} />` : null}
        ${filters.view === "versions" ? html`<${Versions} filters=${filters} change=${change} />` : null}
        ${filters.view === "edit" && packs.value ? html`<${Edit} files=${files} edited=${edited} setText=${setText} filters=${filters} change=${change} />` : null}
        ${filters.view === "packs" && packs.value ? html`<${Packs} packs=${packs.value.packs} quality=${ofVersion} filters=${filters} change=${change}
          edit=${(/** @type {string} */ file, /** @type {number} */ line) => change({ view: "edit", file: baseName(file), line: line > 0 ? String(line) : "" })} />` : null}
      </${Guard}>
    </div>
  `;
}

/** Which rules are in use, and how the last reload went. @param {{use: any, me: any}} properties */
function InUse({ use, me }) {
  const [state, setState] = useState(/** @type {{busy: boolean, error?: unknown}} */ ({ busy: false }));
  const reload = () => {
    setState({ busy: true });
    // Rules that cannot be used are answered with an error; what is wrong stands in the report.
    post("/v1/rules/reload", {}).then(() => setState({ busy: false }), (error) => setState({ busy: false, error })).finally(use.reload);
  };
  const last = use.value?.last_reload;
  const remarks = last ? [...last.diagnostics, ...last.warnings] : [];
  return html`
    <div class="row spread">
      <div class="row"><h1>${t("规则", "Rules")}</h1>
        ${use.value ? html`<span class="quiet">${t(`${count(use.value.rules)} 条，${Object.keys(use.value.packs).length} 个包，版本`, `${count(use.value.rules)} in ${Object.keys(use.value.packs).length} packs, version`)} <code>${use.value.version}</code></span>` : null}</div>
      ${me?.roles.includes("admin") && use.value?.reloadable ? html`<button disabled=${state.busy} onClick=${reload}>${state.busy ? t("正在加载…", "Loading…") : t("重新加载", "Reload")}</button>` : null}
    </div>
    ${state.error ? html`<${Fault} error=${state.error} />` : null}
    ${last ? html`
      <details class=${`notice ${last.ok ? "" : "critical"}`} open=${!last.ok}>
        <summary>${last.ok
          ? t(`上次重新加载成功（${moment(last.at)}），${remarks.length} 条提醒`, `Last reload succeeded (${moment(last.at)}), ${remarks.length} warnings`)
          : t(`上次重新加载失败（${moment(last.at)}），仍在用版本 ${last.version}`, `Last reload failed (${moment(last.at)}); version ${last.version} stays in use`)}</summary>
        ${remarks.length > 0 ? html`<${Remarks} remarks=${remarks} />` : html`<p class="quiet flat">${last.text || t("没有提醒。", "No warnings.")}</p>`}
      </details>` : null}
  `;
}

/** The page asks for nothing before its reader may. */
const Shown = () => html`<${Frame} title=${t("规则", "Rules")} current="/rules" role=${["qa", "admin"]}><${Page} /></${Frame}>`;

show(Shown);

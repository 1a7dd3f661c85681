// Rules: as written, tried out, edited in a form or as YAML and backtested,
// drafts on their way into force, clauses and versions, the last reload.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { get, post } from "../shared/api.js";
import { baseName, count, moment, percent } from "../shared/format.js";
import { Tabs } from "../shared/parts.js";
import { t, token } from "../shared/settings.js";
import { Fault, Frame, Guard, Strange, html, show, useAnswer, useFilters } from "../shared/ui.js";
import { Coverage, Versions } from "./coverage.js";
import { Drafts } from "./draft.js";
import { Edit } from "./edit.js";
import { Form } from "./form.js";
import { Packs } from "./packs.js";
import { Remarks } from "./remarks.js";
import { Try } from "./try.js";
import { SITE_FILE, SITE_TEXT, forbidding, freeId } from "./values.js";

const DEFAULTS = { view: "packs", pack: "", rule: "", line: "", q: "", file: "", version: "", draft: "", test: "", text: "", reply_to: "", role: "", look: "" };
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
  const inUse = new Map((quality?.rules ?? []).filter((/** @type {any} */ row) => row.current).map((/** @type {any} */ row) => [row.rule_id, row]));
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
  const openForm = (/** @type {string} */ file, /** @type {string} */ rule, /** @type {Record<string, string>} */ more = {}) =>
    change({ view: "form", file: baseName(file), rule, draft: "", test: "", text: "", reply_to: "", role: "", look: "", ...more });
  const tabs = [
    ["packs", t("规则包", "Packs")], ["try", t("试一试", "Try it")], ["form", t("表单", "Form")], ["drafts", t("草稿", "Drafts")],
    ["edit", t("编辑与回测", "Edit and backtest"), Object.keys(edited).length || undefined],
    ["coverage", t("条款覆盖", "Coverage")], ["versions", t("版本", "Versions")],
  ];
  return html`
    <div class="stack">
      <${Strange} defaults=${DEFAULTS} filters=${filters} choices=${{ view: tabs.map(([view]) => String(view)) }} />
      <${InUse} use=${use} me=${me} />
      ${error ? html`<${Fault} error=${error} retry=${packs.reload} />` : null}
      <${Falling} rows=${[...inUse.values()]} openRule=${openRule} />
      <${Tabs} label=${t("规则视图", "Views")} tabs=${tabs} current=${filters.view} onChoose=${(/** @type {string} */ view) => change({ view })} />
      <${Guard} key=${filters.view}>
        ${filters.view === "try" ? html`<${Try} edited=${Object.entries(edited).map(([name, text]) => ({ name, text }))} />` : null}
        ${filters.view === "coverage" ? html`<${Coverage} openRule=${openRule} />` : null}
        ${filters.view === "versions" ? html`<${Versions} filters=${filters} change=${change} />` : null}
        ${filters.view === "edit" && packs.value ? html`<${Edit} files=${files} edited=${edited} setText=${setText} filters=${filters} change=${change} />` : null}
        ${filters.view === "drafts" ? html`<${Drafts} onOpen=${(/** @type {number} */ draft) => change({ view: "form", draft: String(draft), file: "", rule: "", test: "", look: "" })} />` : null}
        ${filters.view === "form" && packs.value ? html`<${Workbench} packs=${packs.value.packs} files=${files} edited=${edited} setText=${setText} filters=${filters} change=${change} openForm=${openForm} me=${me}
          onForce=${() => { use.reload(); packs.reload(); }} />` : null}
        ${filters.view === "packs" && packs.value ? html`<${Packs} packs=${packs.value.packs} quality=${inUse} openForm=${openForm} filters=${filters} change=${change}
          edit=${(/** @type {string} */ file, /** @type {number} */ line) => change({ view: "edit", file: baseName(file), line: line > 0 ? String(line) : "" })} />` : null}
      </${Guard}>
    </div>
  `;
}

/** Rules that reviewers find wrong too often, or more often than before they were edited. @param {{rows: any[], openRule: (rule: string) => void}} properties */
function Falling({ rows, openRule }) {
  const fallen = rows.filter((row) => row.fallen || row.below);
  if (fallen.length === 0) {
    return null;
  }
  return html`<details class="notice warning"><summary>${t(`${fallen.length} 条规则的准确率低了`, `${fallen.length} rules have too little precision`)}</summary>
    <ul>${fallen.map((row) => html`<li key=${row.rule_id}><button class="link" onClick=${() => openRule(row.rule_id)}><bdi>${row.rule_name}</bdi></button>
      ${t("：准确率", ": precision")} ${percent(row.precision)} (${row.confirmed}/${row.reviewed})${row.fallen ? t("，比改之前明显低", ", clearly less than before it was edited") : ""}</li>`)}</ul>
  </details>`;
}

/** A rule or a draft in the form; without one, a phrase to forbid.
 * @param {{packs: any[], files: {name: string, text: string}[], edited: Record<string, string>, setText: (name: string, text: string | null) => void,
 *   filters: Record<string, string>, change: (changes: Record<string, string>) => void, openForm: (file: string, rule: string, more?: Record<string, string>) => void, me: any, onForce: () => void}} properties */
function Workbench({ packs, files, edited, setText, filters, change, openForm, me, onForce }) {
  const [draft, setDraft] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  // A test that the reader came with goes into the rule once.
  const seed = useRef(/** @type {any} */ (filters.test === "" ? null : {
    [filters.test]: filters.text, ...(filters.role === "" || filters.role === "agent" ? {} : { role: filters.role }), ...(filters.reply_to === "" ? {} : { reply_to: filters.reply_to }),
  }));
  useEffect(() => {
    if (filters.test !== "") {
      change({ test: "", text: "", reply_to: "", role: "" });
    }
  }, []);
  useEffect(() => {
    setError(null);
    if (filters.draft === "") {
      setDraft(null);
    } else if (String(draft?.draft_no) !== filters.draft) {
      get(`/v1/rules/drafts/${encodeURIComponent(filters.draft)}`).then((found) => { setText(found.file, null); setDraft(found); }, setError);
    }
  }, [filters.draft]);
  if (error) {
    return html`<${Fault} error=${error} />`;
  }
  const owner = packs.find((pack) => pack.rules.some((/** @type {any} */ rule) => rule.id === filters.rule));
  const wanted = filters.file || baseName(owner?.file ?? "");
  const file = draft === null ? files.find(({ name }) => baseName(name) === wanted) : files.find(({ name }) => name === draft.file);
  const name = draft?.file ?? file?.name ?? (edited[wanted] === undefined ? undefined : wanted);
  if ((filters.draft !== "" && draft === null) || (filters.rule !== "" && name === undefined && filters.draft === "" && packs.length === 0)) {
    return html`<p class="quiet">${t("正在读取…", "Reading…")}</p>`;
  }
  if (name === undefined || (draft === null && filters.rule === "")) {
    return html`<${Beginning} packs=${packs} files=${files} edited=${edited} setText=${setText} openForm=${openForm} />`;
  }
  const text = edited[name] ?? draft?.text ?? file?.text ?? "";
  const took = (/** @type {any} */ next) => {
    const isForce = draft !== null && next.state !== draft.state && ["shadow", "live", "rolled_back"].includes(next.state);
    setDraft(next);
    setText(name, null);
    if (next.file !== name) {
      setText(next.file, null);
    }
    if (filters.draft !== String(next.draft_no)) {
      change({ draft: String(next.draft_no), file: "", rule: "", look: "" });
    }
    if (isForce) {
      onForce();
    }
  };
  return html`<${Form} key=${`${name} ${draft?.draft_no ?? filters.rule}`} name=${name} base=${file?.text} text=${text}
    setText=${(/** @type {string} */ written) => setText(name, written === (draft?.text ?? file?.text) ? null : written)}
    ruleId=${draft?.rule_id ?? filters.rule} me=${me} draft=${draft} setDraft=${took} onStale=${setDraft} seed=${seed} look=${filters.look !== ""} />`;
}

/** The first step of a new rule: the words. @param {{packs: any[], files: {name: string, text: string}[], edited: Record<string, string>, setText: (name: string, text: string | null) => void, openForm: (file: string, rule: string, more?: Record<string, string>) => void}} properties */
function Beginning({ packs, files, edited, setText, openForm }) {
  const [words, setWords] = useState("");
  const [state, setState] = useState(/** @type {{error?: unknown, busy: boolean}} */ ({ busy: false }));
  const begin = (/** @type {Event} */ event) => {
    event.preventDefault();
    const phrase = words.trim();
    if (phrase === "") {
      return;
    }
    setState({ busy: true });
    const site = files.find(({ name }) => baseName(name) === SITE_FILE);
    const name = site?.name ?? SITE_FILE;
    const text = edited[name] ?? site?.text ?? SITE_TEXT;
    const used = packs.flatMap((pack) => pack.rules.map((/** @type {any} */ rule) => rule.id)).concat(text.match(/site\.rule-\d+/g) ?? []);
    // A colleague's draft may be in force first.
    get("/v1/rules/drafts").then(async ({ drafts }) => {
      const id = freeId(new Set([...used, ...drafts.map((/** @type {any} */ draft) => draft.rule_id)]));
      const answer = await post("/v1/rules/edit", { file: { name, text }, rule_id: id, add: forbidding(id, phrase) });
      setText(name, answer.text);
      openForm(name, id, { look: "yes" });
    }).catch((error) => setState({ error, busy: false }));
  };
  return html`
    <section class="panel stack">
      <h2 class="flat">${t("新增一条禁语", "Forbid a phrase")}</h2>
      <form class="row end" onSubmit=${begin}>
        <label class="wide"><span>${t("坐席不能说的话", "Words that agents must not say")}</span><input value=${words} maxlength="100" required onInput=${(/** @type {any} */ event) => setWords(event.target.value)} /></label>
        <button class="primary" disabled=${state.busy}>${t("写成规则，看看上周谁说过", "Make a rule, see who said it last week")}</button>
      </form>
      ${state.error ? html`<${Fault} error=${state.error} />` : null}
      <p class="quiet flat">${t("不用写 YAML。保存为草稿之前，什么都不会改变；启用要另一人批准。要改已有的规则，到“规则包”里选一条，点“用表单改”。", "No YAML needed. Nothing changes until you save a draft, and another person has to approve it. To edit a rule, choose it under Packs.")}</p>
    </section>`;
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

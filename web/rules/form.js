// A rule as a form, and its YAML beside it: each changes the other. The server
// does the editing, so that comments and formatting stay as they were written.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { post } from "../shared/api.js";
import { baseName, roleName, severityName } from "../shared/format.js";
import { currentLanguage, t } from "../shared/settings.js";
import { Fault, html } from "../shared/ui.js";
import { Course } from "./draft.js";
import { Curve } from "./curve.js";
import { LookThrough } from "./hits.js";
import { FORMS, SCALARS, SPEAKERS, at, concerns, exceptions, kindOf, listOf, onlyInYaml, phraseOf, sample, windowOf } from "./values.js";

/** @typedef {import("../shapes.js").EditAnswer} Answer */
/** @typedef {import("./values.js").Path} Path */
/** @typedef {import("./values.js").Change} Change */
/** A field knows the rule, what is wrong with it, and how to change it.
 * @typedef {{rule: any, remarks: any[], edit: (...changes: Change[]) => void}} Field */

/** How long nobody types before the text is read. */
const TYPING_MS = 500;

/**
 * @param {{name: string, base: string | undefined, text: string, setText: (text: string) => void, ruleId: string, me: any,
 *   draft: any, setDraft: (draft: any) => void, onStale: (draft: any) => void, seed: {current: any}, look: boolean}} properties
 *   `base` is the file in use, `seed` a test that the reader came with, once, `look` has past calls looked through at once
 */
export function Form({ name, base, text, setText, ruleId, me, draft, setDraft, onStale, seed, look }) {
  const [state, setState] = useState(/** @type {{answer?: Answer, error?: unknown, busy: boolean}} */ ({ busy: true }));
  const latest = useRef(text);
  const asked = useRef(0);
  const chain = useRef(/** @type {Promise<unknown>} */ (Promise.resolve()));
  const ask = (/** @type {Change[]} */ changes) => {
    const number = ++asked.current;
    setState((before) => ({ ...before, busy: true }));
    // One after the other: each change is of the text that the one before made.
    chain.current = chain.current.then(async () => {
      try {
        let sent = latest.current;
        let answer = await post("/v1/rules/edit", { file: { name, text: sent }, rule_id: ruleId, changes });
        // What was typed into the YAML meanwhile is changed, too, and not written over.
        while (latest.current !== sent) {
          sent = latest.current;
          answer = await post("/v1/rules/edit", { file: { name, text: sent }, rule_id: ruleId, changes });
        }
        if (answer.text !== sent) {
          latest.current = answer.text;
          setText(answer.text);
        }
        setState({ answer, busy: number !== asked.current });
      } catch (error) {
        setState((before) => ({ ...before, error, busy: false }));
      }
    });
  };
  useEffect(() => {
    latest.current = text;
    const test = seed.current;
    seed.current = null;
    ask(test === null ? [] : [{ append: ["tests"], value: test }]);
  }, [name, ruleId, draft?.draft_no]);
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (/** @type {string} */ written) => {
    latest.current = written;
    setText(written);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => ask([]), TYPING_MS);
  };
  const { answer, error, busy } = state;
  const rule = /** @type {any} */ (answer?.rule);
  const remarks = answer?.remarks ?? [];
  const edit = (/** @type {Change[]} */ ...changes) => ask(changes);
  const own = remarks.filter((remark) => remark.rule_id === ruleId);
  const elsewhere = remarks.filter((remark) => remark.rule_id !== ruleId && remark.level === "error");
  const chinese = currentLanguage() === "zh";
  const isChanged = base !== text;
  return html`
    <div class="stack">
      <${Course} name=${name} text=${text} ruleId=${ruleId} title=${rule?.name ?? ruleId} me=${me} draft=${draft} setDraft=${setDraft} isChanged=${isChanged} onStale=${onStale} />
      ${error ? html`<${Fault} error=${error} />` : null}
      <div class="beside">
        <section class="panel stack" aria-label=${t("表单", "Form")} aria-busy=${busy ? "true" : "false"}>
          <div class="row spread"><h2 class="flat">${rule?.name ?? ruleId}</h2><code class="quiet">${ruleId}</code></div>
          ${elsewhere.map((remark, at) => html`<p key=${at} class="notice critical flat">${baseName(remark.file)}:${remark.line} ${chinese ? remark.message : remark.message_en}</p>`)}
          ${rule ? html`<${Fields} rule=${rule} remarks=${own} failures=${answer?.failures ?? []} edit=${edit} />`
            : answer ? html`<p class="notice warning flat">${chinese ? answer.unreadable : answer.unreadable_en}</p>` : html`<p class="quiet">${t("正在读取…", "Reading…")}</p>`}
        </section>
        <${Source} name=${name} text=${text} line=${answer?.line ?? 0} lastLine=${answer?.last_line ?? 0} onInput=${type} remarks=${remarks} />
      </div>
      ${rule ? html`<${LookThrough} key=${ruleId} files=${[{ name, text }]} ruleId=${ruleId} atOnce=${look}
        onTest=${(/** @type {any} */ test) => edit({ append: ["tests"], value: test })} tests=${listOf(rule.tests)} />` : null}
      ${base === undefined ? null : html`<${Curve} ruleId=${ruleId} />`}
    </div>
  `;
}

/** @param {{rule: any, remarks: any[], failures: any[], edit: Field["edit"]}} properties */
function Fields({ rule, remarks, failures, edit }) {
  const field = { rule, remarks, edit };
  const kind = kindOf(rule);
  const yaml = onlyInYaml(rule);
  return html`
    <${Text} ...${field} path=${["name"]} label=${t("名称", "Name")} />
    ${kind === "forbid" ? html`<${Forbid} ...${field} />` : null}
    ${kind === "require" ? html`<${Require} ...${field} />` : null}
    ${kind === "sequence" ? html`<${Sequence} ...${field} />` : null}
    ${kind === "timing" || kind === "event" ? html`<${Measured} ...${field} kind=${kind} />` : null}
    <div class="fields">
      <label><span>${t("严重程度", "Severity")}</span>
        <select value=${rule.severity ?? "warning"} onChange=${(/** @type {any} */ event) => edit({ set: ["severity"], value: event.target.value })}>
          ${["info", "warning", "critical"].map((one) => html`<option key=${one} value=${one}>${severityName(one)}</option>`)}
        </select><${Remarked} remarks=${remarks} path=${["severity"]} /></label>
      <${Text} ...${field} path=${["deduct"]} label=${t("扣分", "Deduct")} isNumber=${true} />
      <label><span>${t("一通里报几次", "How often a call")}</span>
        <select value=${typeof rule.limit === "object" ? "yaml" : (rule.limit ?? "each")} disabled=${typeof rule.limit === "object"}
          onChange=${(/** @type {any} */ event) => edit(event.target.value === "each" ? { remove: ["limit"] } : { set: ["limit"], value: event.target.value })}>
          <option value="each">${t("每次都报", "each time")}</option><option value="once">${t("只报一次", "once")}</option>
          ${typeof rule.limit === "object" ? html`<option value="yaml">${t("见 YAML", "see the YAML")}</option>` : null}
        </select></label>
      ${kind === "forbid" ? html`<${Confidence} ...${field} />` : null}
    </div>
    <${Text} ...${field} path=${["message"]} label=${t("预警怎么说（{phrase} 是命中的话）", "What the alert says ({phrase} is what was said)")} />
    <${Text} ...${field} path=${["suggestion"]} label=${t("更好的说法", "Better words")} />
    <${Chips} ...${field} path=${["clauses"]} label=${t("条款", "Clauses")} add=${t("加一条", "Add")} />
    ${yaml.length === 0 ? null : html`<p class="notice flat">${t("这些只能在 YAML 里改：", "These are in the YAML only: ")}<code>${yaml.join("、")}</code></p>`}
    <${Tests} ...${field} failures=${failures} />
  `;
}

/** @param {Field} field */
function Forbid(field) {
  const { rule, edit } = field;
  const contexts = listOf(rule.forbid.unless);
  const ticks = exceptions(sample(rule));
  const others = contexts.filter((context) => !ticks.some((tick) => tick.is(context)));
  const window = windowOf(rule);
  return html`
    <${Chips} ...${field} path=${["forbid", "any"]} label=${t("禁说的话（听到其中一句就算）", "Forbidden words (any of them)")} add=${t("加一句", "Add")} keep=${true} />
    <div class="fields">
      <${Speaker} ...${field} path=${["forbid", "role"]} />
      ${window === null ? null : html`<label><span>${t("通话的哪一段", "Where in the call")}</span>
        <select value=${window.where} onChange=${(/** @type {any} */ event) => edit(event.target.value === "all" ? { remove: ["forbid", "window"] }
          : { set: ["forbid", "window"], value: { [event.target.value]: window.length || "30s" } })}>
          <option value="all">${t("整通", "all of it")}</option><option value="first">${t("开头", "the beginning")}</option><option value="last">${t("结尾", "the end")}</option>
        </select></label>
        ${window.where === "all" ? null : html`<${Text} ...${field} path=${["forbid", "window", window.where]} label=${t("多长（如 30s、3 turns）", "How long (30s, 3 turns)")} />`}`}
    </div>
    <fieldset class="ticks">
      <legend>${t("这些情形不算", "Exceptions")}</legend>
      ${ticks.map((tick) => {
        const place = contexts.findIndex(tick.is);
        return html`<${Tick} key=${tick.name} rule=${rule} is=${place >= 0} name=${tick.name} example=${tick.example}
          onChange=${() => edit(place >= 0 ? { remove: ["forbid", "unless", place] } : { append: ["forbid", "unless"], value: tick.value })} />`;
      })}
      ${others.length > 0 ? html`<p class="small quiet flat">${t(`另有 ${others.length} 条例外写在 YAML 里，照样起作用。`, `${others.length} more exceptions are in the YAML; they hold all the same.`)}</p>` : null}
      <${Remarked} remarks=${field.remarks} path=${["forbid", "unless"]} />
    </fieldset>
  `;
}

/** An exception; it shows the reader's choice at once, and what the rule says when that is read.
 * @param {{rule: any, is: boolean, name: string, example: string, onChange: () => void}} properties */
function Tick({ rule, is, name, example, onChange }) {
  const [chosen, setChosen] = useState(/** @type {boolean | null} */ (null));
  useEffect(() => setChosen(null), [rule]);
  const choose = () => {
    setChosen(!is);
    onChange();
  };
  return html`<label class="check"><input type="checkbox" checked=${chosen ?? is} onChange=${choose} />
    <span class="tick">${name}<span class="small quiet">${t("如：", "e.g. ")}${example}</span></span></label>`;
}

/** @param {Field} field */
function Require(field) {
  const { rule } = field;
  const where = rule.require.before === undefined ? "after" : "before";
  return html`
    ${rule.require.any === undefined ? html`<${Parts} ...${field} path=${["require", "all"]} label=${t("各部分（都要说到）", "Parts (all of them)")} />`
      : html`<${Chips} ...${field} path=${["require", "any"]} label=${t("必须说的话（说到其中一句就行）", "Required words (any of them)")} add=${t("加一句", "Add")} keep=${true} />`}
    <div class="fields">
      <${Speaker} ...${field} path=${["require", "role"]} />
      ${typeof rule.require[where] === "object" ? null : html`<${EventOf} ...${field} path=${["require", where]} label=${where === "after" ? t("从什么时候起", "From") : t("到什么时候为止", "Up to")} />`}
      <${Text} ...${field} path=${["require", "within"]} label=${t("时限（如 10s、3 turns）", "Within (10s, 3 turns)")} />
      <${Text} ...${field} path=${["require", "remind"]} label=${t("到期前多久提醒（如 3s）", "Reminded before (3s)")} />
    </div>
  `;
}

/** @param {Field} field */
function Sequence(field) {
  return html`
    <${Parts} ...${field} path=${["sequence", "steps"]} label=${t("各步，按先后", "Steps, in their order")} />
    <div class="fields"><${Text} ...${field} path=${["sequence", "within"]} label=${t("时限（如 5m）", "Within (5m)")} /></div>
  `;
}

/** Parts or steps with phrases each. @param {Field & {path: Path, label: string}} properties */
function Parts({ path, label, ...field }) {
  return html`<fieldset class="ticks"><legend>${label}</legend>
    ${listOf(at(field.rule, path)).map((part, place) => {
      const own = [...path, place];
      const isMap = typeof part === "object" && !Array.isArray(part) && part.any !== undefined;
      return html`<div key=${place} class="part">
        ${isMap && part.name !== undefined ? html`<${Text} ...${field} path=${[...own, "name"]} label=${t("名称", "Name")} />` : null}
        <${Chips} ...${field} path=${isMap ? [...own, "any"] : own} label=${t(`第 ${place + 1} 部分的话`, `Words of part ${place + 1}`)} add=${t("加一句", "Add")} keep=${true} />
      </div>`;
    })}
  </fieldset>`;
}

/** A rule that measures or watches: its numbers and words. @param {Field & {kind: string}} properties */
function Measured({ kind, ...field }) {
  const body = field.rule[kind];
  const form = Object.keys(body)[0];
  const own = body[form];
  if (typeof own !== "object") {
    return html`<div class="fields"><${Scalar} ...${field} path=${[kind, form]} name=${form} /></div>`;
  }
  const scalars = Object.keys(own).filter((key) => typeof own[key] === "string" && key !== "any" && key !== "unless");
  return html`
    <p class="flat"><strong>${FORMS()[form] ?? form}</strong></p>
    <div class="fields">${scalars.map((key) => html`<${Scalar} key=${key} ...${field} path=${[kind, form, key]} name=${key} />`)}</div>
    ${form === "greeting" ? html`<p class="notice flat">${t("各时段的问候语在 YAML 里改。", "Greetings by the hour are in the YAML.")}</p>` : null}
    ${["any", "unless"].filter((key) => own[key] !== undefined && (key === "any" || kind === "timing")).map((key) => html`
      <${Chips} key=${key} ...${field} path=${[kind, form, key]} label=${key === "any" ? t("要先说的话", "Words to say before") : t("说了这些就不算", "Words that excuse it")} add=${t("加一句", "Add")} keep=${true} />`)}
  `;
}

/** @param {Field & {path: Path, name: string}} properties */
function Scalar({ path, name, ...field }) {
  if (["by", "role", "of", "hangup_by"].includes(name)) {
    return html`<${Speaker} ...${field} path=${path} label=${SCALARS()[name]} all=${name === "of" ? "both" : name === "hangup_by" ? "system" : undefined} />`;
  }
  return html`<${Text} ...${field} path=${path} label=${SCALARS()[name] ?? name} isNumber=${/^-?[0-9.]+$/.test(at(field.rule, path))} />`;
}

/** @param {Field & {path: Path, label?: string, all?: string}} properties */
function Speaker({ rule, remarks, edit, path, label, all }) {
  const roles = listOf(at(rule, path));
  const choices = [...SPEAKERS(), ...(roles.length > 1 ? [[roles.join(" "), roles.map(roleName).join(t("、", ", "))]] : []),
    ...(all === "both" ? [["both", t("双方", "both")]] : all === "system" ? [["system", roleName("system")]] : [])];
  return html`<label><span>${label ?? t("谁说的", "Who says it")}</span>
    <select value=${roles.length > 1 ? roles.join(" ") : (roles[0] ?? all ?? "agent")} onChange=${(/** @type {any} */ event) => edit({ set: path, value: event.target.value.includes(" ") ? event.target.value.split(" ") : event.target.value })}>
      ${choices.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}
    </select><${Remarked} remarks=${remarks} path=${path} /></label>`;
}

/** @param {Field & {path: Path, label: string}} properties */
function EventOf({ rule, remarks, edit, path, label }) {
  const events = [["answered", t("接通", "answered")], ["hold", t("开始等待", "hold")], ["resume", t("等待结束", "resume")], ["transfer", t("转接", "transfer")],
    ["transfer_answered", t("转接被接起", "transfer answered")], ["end", t("通话结束", "end")]];
  return html`<label><span>${label}</span>
    <select value=${at(rule, path)} onChange=${(/** @type {any} */ event) => edit({ set: path, value: event.target.value })}>
      ${events.map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}
    </select><${Remarked} remarks=${remarks} path=${path} /></label>`;
}

/** How sure the second look must be. @param {Field} field */
function Confidence({ rule, remarks, edit }) {
  const value = rule.confidence;
  const choices = [["", t("随严重程度", "by severity")], ["0", t("0：不复看，都报", "0: no second look")], ["0.3", "0.3"], ["0.5", "0.5"], ["0.7", "0.7"], ["0.9", "0.9"]];
  return html`<label><span>${t("要多有把握才报", "How sure to tell")}</span>
    <select value=${value ?? ""} onChange=${(/** @type {any} */ event) => edit(event.target.value === "" ? { remove: ["confidence"] } : { set: ["confidence"], value: Number(event.target.value) })}>
      ${(value === undefined || choices.some(([known]) => known === value) ? choices : [...choices, [value, value]]).map(([one, name]) => html`<option key=${one} value=${one}>${name}</option>`)}
    </select><${Remarked} remarks=${remarks} path=${["confidence"]} /></label>`;
}

/** One text or number; an empty one takes the value out. @param {Field & {path: Path, label: string, isNumber?: boolean}} properties */
function Text({ rule, remarks, edit, path, label, isNumber = false }) {
  const value = at(rule, path) ?? "";
  // What is being typed stays, whatever answers come in between.
  const [typed, setTyped] = useState(/** @type {string | null} */ (null));
  useEffect(() => setTyped(null), [value]);
  const keep = (/** @type {any} */ event) => {
    const written = event.target.value.trim();
    if (written === String(value).trim()) {
      return;
    }
    const isFigure = isNumber && /^-?\d+(\.\d+)?$/.test(written);
    edit(written === "" ? { remove: path } : { set: path, value: isFigure ? Number(written) : written });
  };
  return html`<label class="full"><span>${label}</span>
    <input value=${typed ?? value} onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} inputmode=${isNumber ? "decimal" : undefined} maxlength="500" onChange=${keep} />
    <${Remarked} remarks=${remarks} path=${path} /></label>`;
}

/** Phrases, each a chip. @param {Field & {path: Path, label: string, add: string, keep?: boolean}} properties the last one stays if `keep` */
function Chips({ rule, remarks, edit, path, label, add, keep = false }) {
  const [written, setWritten] = useState("");
  const phrases = listOf(at(rule, path));
  const commit = () => {
    const words = written.trim();
    if (words !== "" && !phrases.some((phrase) => phraseOf(phrase).words === words)) {
      edit({ append: path, value: words });
    }
    setWritten("");
  };
  return html`<div class="chips-field" role="group" aria-label=${label}>
    <span class="label">${label}</span>
    <ul class="chips">
      ${phrases.map((phrase, place) => {
        const { words, sort } = phraseOf(phrase);
        const wrong = remarks.some((remark) => remark.path.length > path.length && concerns(remark.path, [...path, place]));
        return html`<li key=${`${place} ${words}`} class=${wrong ? "chip wrong" : "chip"}><bdi>${words}</bdi>${sort === "" ? null : html` <span class="small quiet">${sort}</span>`}
          ${keep && phrases.length === 1 ? null : html`<button type="button" aria-label=${t(`去掉“${words}”`, `Remove “${words}”`)} onClick=${() => edit({ remove: [...path, place] })}>×</button>`}</li>`;
      })}
      <li class="adder"><input value=${written} maxlength="200" aria-label=${`${label}：${add}`} placeholder=${add}
        onInput=${(/** @type {any} */ event) => setWritten(event.target.value)}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => { if (event.key === "Enter") { event.preventDefault(); commit(); } }} onBlur=${commit} /></li>
    </ul>
    <${Remarked} remarks=${remarks} path=${path} />
  </div>`;
}

/** What is wrong with a value, where it stands. @param {{remarks: any[], path: Path}} properties */
function Remarked({ remarks, path }) {
  const chinese = currentLanguage() === "zh";
  return remarks.filter((remark) => concerns(remark.path, path)).map((remark, at) => html`
    <span key=${at} class=${`remarked ${remark.level === "error" ? "critical" : "warning"}`} role=${remark.level === "error" ? "alert" : undefined}>
      ${chinese ? remark.message : remark.message_en}${remark.help ? html` <span class="quiet">${chinese ? remark.help : remark.help_en}</span>` : null}</span>`);
}

/** @param {Field & {failures: any[]}} properties */
function Tests({ rule, remarks, edit, failures }) {
  const [sentence, setSentence] = useState({ text: "", expected: "fires", role: "agent", reply_to: "" });
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => setSentence((before) => ({ ...before, [name]: event.target.value }));
  const add = (/** @type {Event} */ event) => {
    event.preventDefault();
    const text = sentence.text.trim();
    if (text === "") {
      return;
    }
    const reply = sentence.reply_to.trim();
    edit({ append: ["tests"], value: { [sentence.expected]: text, ...(sentence.role === "agent" ? {} : { role: sentence.role }), ...(reply === "" ? {} : { reply_to: reply }) } });
    setSentence((before) => ({ ...before, text: "", reply_to: "" }));
  };
  const tests = listOf(rule.tests);
  const chinese = currentLanguage() === "zh";
  return html`
    <fieldset class="ticks"><legend>${t("测试：句子", "Tests: sentences")}</legend>
      <ul class="tests" aria-live="polite">
        ${tests.map((test, place) => {
          const failure = failures.find((failed) => failed.path[1] === place);
          return html`<li key=${place} class=${failure ? "failed" : ""}>
            ${test.call !== undefined ? html`<span class="tag neutral">${t("小对话", "dialogue")}</span> <span class="grow small quiet">${t("在 YAML 里改", "in the YAML")}</span>` : html`
              <span class=${`tag ${test.fires !== undefined ? "warning" : "good"}`}>${test.fires !== undefined ? t("该报", "told") : t("不该报", "not told")}</span>
              <span class="grow">${test.reply_to === undefined ? null : html`<span class="small quiet"><bdi>${test.reply_to}</bdi> → </span>`}<bdi>${test.fires ?? test.silent}</bdi>
                ${test.role === undefined ? null : html` <span class="small quiet">${roleName(test.role)}</span>`}</span>`}
            <span class=${failure ? "tag critical" : "tag good"}>${failure ? t("没通过", "fails") : t("通过", "passes")}</span>
            <button type="button" class="small" aria-label=${t(`删去第 ${place + 1} 条测试`, `Remove test ${place + 1}`)} onClick=${() => edit({ remove: ["tests", place] })}>×</button>
            ${failure ? html`<pre class="flat small">${chinese ? failure.text : failure.text_en}</pre>` : null}
          </li>`;
        })}
      </ul>
      <${Remarked} remarks=${remarks} path=${["tests"]} />
      <form class="fields" onSubmit=${add}>
        <label class="wide"><span>${t("一句话", "A sentence")}</span><input value=${sentence.text} maxlength="500" onInput=${set("text")} /></label>
        <label><span>${t("谁说的", "Who says it")}</span><select value=${sentence.role} onChange=${set("role")}>${SPEAKERS().map(([value, name]) => html`<option key=${value} value=${value}>${name}</option>`)}</select></label>
        <label><span>${t("应当", "It must")}</span><select value=${sentence.expected} onChange=${set("expected")}>
          <option value="fires">${t("该报", "be told")}</option><option value="silent">${t("不该报", "not be told")}</option></select></label>
        <label class="wide"><span>${t("对方此前说的（可不填）", "Said before by the other (optional)")}</span><input value=${sentence.reply_to} maxlength="500" onInput=${set("reply_to")} /></label>
        <button class="primary">${t("加为测试", "Add the test")}</button>
      </form>
    </fieldset>
  `;
}

/** The file as it is written; the rule's lines are in sight. @param {{name: string, text: string, line: number, lastLine: number, remarks: any[], onInput: (text: string) => void}} properties */
function Source({ name, text, line, lastLine, remarks, onInput }) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const gutter = useRef(/** @type {HTMLDivElement | null} */ (null));
  const lines = text.split("\n").length;
  useEffect(() => {
    if (area.current !== null && line > 0 && document.activeElement !== area.current) {
      area.current.scrollTop = (Math.max(0, line - 2) * area.current.scrollHeight) / Math.max(1, lines);
    }
  }, [line]);
  const wrong = new Set(remarks.filter((remark) => remark.level === "error").map((remark) => remark.line));
  const mark = (/** @type {number} */ one) => (wrong.has(one) ? "✗ " : one >= line && one <= lastLine && line > 0 ? "▎" : "") + one;
  return html`
    <section class="panel stack" aria-label="YAML">
      <div class="row spread"><h2 class="flat">YAML</h2><code class="quiet">${baseName(name)}${line > 0 ? `:${line}–${lastLine}` : ""}</code></div>
      <div class="editor">
        <div class="gutter" ref=${gutter} aria-hidden="true">${Array.from({ length: lines }, (_, at) => mark(at + 1)).join("\n")}</div>
        <textarea ref=${area} aria-label=${t(`${baseName(name)} 的 YAML`, `YAML of ${baseName(name)}`)} rows="28" wrap="off" spellcheck=${false} value=${text}
          onScroll=${() => { if (gutter.current && area.current) { gutter.current.scrollTop = area.current.scrollTop; } }}
          onInput=${(/** @type {any} */ event) => onInput(event.target.value)}></textarea>
      </div>
      <p class="small quiet flat">${t("表单和 YAML 是同一条规则：改一边，另一边跟着变；注释和排版不动。", "Form and YAML are one rule: each follows the other; comments and layout stay.")}</p>
    </section>
  `;
}


// What a rule finds in past calls, sentence by sentence: each accepted or
// rejected becomes a test.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { post } from "../shared/api.js";
import { callAddress, clock, count, lastDays, moment, roleName } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { t } from "../shared/settings.js";
import { Fault, html } from "../shared/ui.js";
import { vetoOf } from "./try.js";

/** @typedef {import("../shapes.js").RuleHits} Hits */
/** @typedef {import("../shapes.js").RuleExample} Example */

/** Days that are looked through unless the reader says others. */
const DAYS = 7;

/** @param {{files: {name: string, text: string}[], ruleId: string, atOnce: boolean, onTest: (test: any) => void, tests: any[]}} properties */
export function LookThrough({ files, ruleId, atOnce, onTest, tests }) {
  const [span, setSpan] = useState(lastDays(DAYS));
  const [state, setState] = useState(/** @type {{hits?: Hits, error?: unknown, busy: boolean, of?: string}} */ ({ busy: false }));
  const running = useRef(/** @type {AbortController | null} */ (null));
  const stamp = JSON.stringify(files);
  const run = (/** @type {Event | undefined} */ event) => {
    event?.preventDefault();
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setState((before) => ({ ...before, busy: true }));
    post("/v1/rules/hits", { files, rule_id: ruleId, ...span }, abort.signal).then(
      (hits) => setState({ hits, busy: false, of: stamp }),
      (error) => setState(abort.signal.aborted ? { busy: false } : { error, busy: false }),
    );
  };
  useEffect(() => {
    if (atOnce) {
      run(undefined);
    }
    return () => running.current?.abort();
  }, []);
  const set = (/** @type {string} */ name) => (/** @type {any} */ event) => setSpan((before) => ({ ...before, [name]: event.target.value }));
  return html`
    <section class="panel stack" aria-labelledby="look">
      <h2 class="flat" id="look">${t("在过去的通话里看看", "In past calls")}</h2>
      <form class="row end" onSubmit=${run}>
        <label><span>${t("从", "From")}</span><input type="date" value=${span.from} onChange=${set("from")} /></label>
        <label><span>${t("到", "To")}</span><input type="date" value=${span.to} onChange=${set("to")} /></label>
        <button class="primary" disabled=${state.busy}>${state.busy ? t("正在看…", "Looking…") : t("看看会报哪些", "See what it finds")}</button>
        ${state.busy ? html`<button type="button" onClick=${() => running.current?.abort()}>${t("取消", "Cancel")}</button>` : null}
      </form>
      <div class="stack" aria-live="polite">
        ${state.error ? html`<${Fault} error=${state.error} />` : null}
        ${state.hits ? html`
          ${state.of === stamp ? null : html`<p class="small quiet flat">${t("之后又改过，请再看一遍。", "Edited since; look again.")}</p>`}
          <${Found} hits=${state.hits} onTest=${onTest} tests=${tests} />` : null}
      </div>
    </section>
  `;
}

/** What was found in how many calls, in a sentence. @param {Hits} hits */
export function summary(hits) {
  const calls = t(`看了 ${count(hits.calls)} 通通话`, `${count(hits.calls)} calls`) + (hits.skipped > 0 ? t(`（${count(hits.skipped)} 通的文字已过保留期）`, ` (${count(hits.skipped)} without words)`) : "")
    + (hits.partial ? t("，还有更多没看", ", and more were left out") : "");
  const found = t(`会报 ${count(hits.after)} 条，涉及 ${count(hits.calls_hit)} 通、${count(hits.agents_hit)} 名坐席`, `${count(hits.after)} alerts in ${count(hits.calls_hit)} calls of ${count(hits.agents_hit)} agents`);
  const changed = hits.compared ? t(`；比现在多 ${count(hits.gained)} 条，少 ${count(hits.lost)} 条`, `; ${count(hits.gained)} more and ${count(hits.lost)} fewer than now`) : "";
  return t(`${calls}：${found}${changed}。`, `${calls}: ${found}${changed}.`);
}

/** Why there is nothing, or no difference. @param {Hits} hits */
function reasonOf(hits) {
  if (hits.calls === 0) {
    return hits.skipped > 0 ? t("这段时间的通话文字都过了保留期，没法看。", "The words of these calls are no longer kept.") : t("这段时间没有结束的通话。", "There are no calls in this span that are over.");
  }
  const vetoed = hits.near > 0
    ? t(`这些话说到过 ${count(hits.near)} 次，但都不算，原因见下。`, `The words were said ${count(hits.near)} times, but did not count: see why below.`)
    : t("这些通话里没有人说过这些话。试试换个说法，或放长时间。", "Nobody said these words. Try other words, or a longer span.");
  if (hits.after === 0) {
    return vetoed;
  }
  return hits.compared && hits.gained + hits.lost === 0 ? t("和现在没有差异：改动没有碰到这些通话里的句子。", "No difference from now: the edit concerns none of the sentences in these calls.") + (hits.near > 0 ? vetoed : "") : "";
}

/** @param {{hits: Hits, onTest?: (test: any) => void, tests?: any[]}} properties */
export function Found({ hits, onTest, tests = [] }) {
  const reason = reasonOf(hits);
  return html`
    <p class="flat"><strong>${summary(hits)}</strong></p>
    ${reason === "" ? null : html`<p class="notice flat">${reason}</p>`}
    ${hits.examples.length === 0 ? null : html`<h3 class="flat">${t(`会报的例句（${hits.examples.length}）`, `What it tells (${hits.examples.length})`)}</h3>
      <${Sentences} examples=${hits.examples} onTest=${onTest} tests=${tests} compared=${hits.compared} />`}
    ${hits.near_examples.length === 0 ? null : html`
      <h3 class="flat">${t(`差一点的例句（共 ${count(hits.near)} 次不算）`, `Nearly (${count(hits.near)} that do not count)`)}</h3>
      <ul class="vetoes">${hits.vetoes.map((veto) => html`<li key=${veto.veto}><strong>${count(veto.count)}</strong> <span>${vetoOf(veto)}</span></li>`)}</ul>
      <${Sentences} examples=${hits.near_examples} onTest=${onTest} tests=${tests} compared=${false} />`}
  `;
}

/** @param {{examples: Example[], onTest?: (test: any) => void, tests: any[], compared: boolean}} properties */
function Sentences({ examples, onTest, tests, compared }) {
  const sorts = /** @type {Record<string, [string, string]>} */ ({ gained: [t("新增", "new"), "warning"], lost: [t("不再报", "no longer"), "good"], kept: [t("照旧", "as now"), "neutral"], near: [t("不算", "does not count"), "neutral"] });
  return html`<ul class="examples">${examples.map((example, at) => {
    const [name, tone] = sorts[example.sort];
    const known = tests.find((test) => (test.fires ?? test.silent) === example.text);
    const test = (/** @type {string} */ expected) => onTest?.({
      [expected]: example.text, ...(example.role === "agent" ? {} : { role: example.role }), ...(example.reply_to ? { reply_to: example.reply_to } : {}),
    });
    return html`<li key=${at}>
      ${compared || example.sort === "near" ? html`<span class=${`tag ${tone}`}>${name}</span>` : null}
      <span class="grow">
        ${example.reply_to ? html`<span class="small quiet"><bdi>${example.reply_to}</bdi><br /></span>` : null}
        ${example.role && example.role !== "agent" ? html`<span class="small quiet">${roleName(example.role)}${t("：", ": ")}</span>` : null}
        ${example.text === "" ? html`<bdi>${example.message}</bdi>` : html`<${Marked} text=${example.text} ranges=${[{ start: example.start, end: example.end }]} />`}
        ${(example.times ?? 1) > 1 ? html` <span class="tag neutral" title=${t("同样的话，标点不算", "said alike, marks aside")}>${t(`${count(example.times ?? 1)} 次`, `${count(example.times ?? 1)} times`)}</span>` : null}
        ${example.veto ? html`<br /><span class="small quiet">${vetoOf({ veto: example.veto, veto_en: example.veto_en ?? example.veto })}</span>` : null}
      </span>
      <a class="small" href=${callAddress(example.call_id, example.started_at ?? undefined)}><bdi>${example.agent_id}</bdi> · ${moment(example.started_at ?? "").slice(5, 16)} · ${clock(example.at_ms)}</a>
      ${!onTest || example.text === "" ? null : known ? html`<span class="tag neutral">${known.fires === undefined ? t("测试：不该报", "test: not told") : t("测试：该报", "test: told")}</span>` : html`<span class="row tight">
        <button type="button" class="small" onClick=${() => test("fires")}>${t("该报", "Right")}</button>
        <button type="button" class="small" onClick=${() => test("silent")}>${t("不该报", "Wrong")}</button></span>`}
    </li>`;
  })}</ul>`;
}

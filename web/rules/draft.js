// Drafts of rules on the server: how far one is, what was found by its checks,
// who did what with it, and the steps that the reader may take.

import { useState } from "../vendor/hooks.js";
import { ApiError, get, post } from "../shared/api.js";
import { baseName, moment } from "../shared/format.js";
import { keepReviewer, reviewer } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Fault, html, useAnswer } from "../shared/ui.js";
import { Diff } from "./coverage.js";
import { Found } from "./hits.js";

/** @typedef {import("../shapes.js").DraftView} Draft */

/** A state's name and its tone. @param {string} state @returns {[string, string]} */
export function stateOf(state) {
  return /** @type {Record<string, [string, string]>} */ ({
    draft: [t("草稿", "draft"), "neutral"], approved: [t("已批准", "approved"), "good"], shadow: [t("试运行", "on trial"), "warning"], live: [t("已启用", "live"), "good"],
    rolled_back: [t("已退回", "rolled back"), "neutral"], withdrawn: [t("已放弃", "withdrawn"), "neutral"],
  })[state] ?? [state, "neutral"];
}

/** A step's name, as a button and in the history. @param {string} action */
function actionName(action) {
  return /** @type {Record<string, string>} */ ({
    create: t("新建", "Create"), save: t("保存", "Save"), follow: t("跟上文件", "Bring up to the file"), check: t("检查", "Check"), approve: t("批准", "Approve"), reject: t("退回修改", "Send back"),
    shadow: t("试运行", "Try it (shadow)"), live: t("启用", "Put in force"), roll_back: t("恢复原样", "Roll back"), withdraw: t("放弃", "Withdraw"),
  })[action] ?? action;
}

/** Where a draft is on its way, and the next steps.
 * @param {{name: string, text: string, ruleId: string, title: string, me: any, draft: Draft | null, setDraft: (draft: Draft) => void, isChanged: boolean, onStale: (draft: Draft) => void}} properties
 *   `onStale` takes the draft as it stands by now, which keeps what is edited */
export function Course({ name, text, ruleId, title, me, draft, setDraft, isChanged, onStale }) {
  const [state, setState] = useState(/** @type {{error?: unknown, busy: string}} */ ({ busy: "" }));
  const [reason, setReason] = useState("");
  const [by, setBy] = useState(reviewer());
  const send = (/** @type {string} */ doing, /** @type {string} */ path, /** @type {any} */ body) => {
    setState({ busy: doing });
    if (me?.open) {
      keepReviewer(by);
    }
    return post(path, { ...body, ...(me?.open ? { by } : {}) }).then(
      (answer) => { setState({ busy: "" }); setReason(""); setDraft(answer); return answer; },
      async (error) => {
        setState({ error, busy: "" });
        // Somebody was there first, with this draft or with its file: the steps that are left are those of now.
        if (draft !== null && error instanceof ApiError && error.status === 409) {
          await get(`/v1/rules/drafts/${draft.draft_no}`).then(onStale, () => {});
        }
      },
    );
  };
  const place = draft === null ? "" : `/v1/rules/drafts/${draft.draft_no}`;
  const step = (/** @type {string} */ action, /** @type {any} */ more = {}) => send(action, place, { action, steps_seen: draft?.steps.length, ...(reason.trim() === "" ? {} : { reason: reason.trim() }), ...more });
  const save = () => (draft === null ? send("save", "/v1/rules/drafts", { title: title.slice(0, 100), file: { name, text }, rule_id: ruleId }) : step("save", { text }));
  const isUnsaved = draft === null ? isChanged : draft.text !== text && ["draft", "approved", "shadow"].includes(draft.state);
  const may = (/** @type {string} */ action) => draft !== null && !isUnsaved && draft.possible.includes(/** @type {any} */ (action));
  const stages = [["draft", t("草稿", "Draft")], ["checked", t("检查通过", "Checks green")], ["approved", t("另一人批准", "Approved")], ["shadow", t("试运行", "Trial")], ["live", t("启用", "Live")]];
  const reached = draft === null ? -1 : draft.state === "draft" ? (draft.green ? 1 : 0) : ["draft", "checked", "approved", "shadow", "live"].indexOf(draft.state);
  const busy = state.busy !== "";
  return html`
    <section class="panel stack" aria-label=${t("草稿的进度", "How far the draft is")}>
      <div class="row spread">
        <ol class="stages">${stages.map(([key, name], at) => html`<li key=${key} class=${at <= reached ? "done" : ""} aria-current=${at === reached ? "step" : undefined}>${name}</li>`)}</ol>
        <div class="row tight">
          ${draft === null ? null : html`<span class=${`tag ${stateOf(draft.state)[1]}`}>${stateOf(draft.state)[0]}</span>`}
          ${draft === null || isUnsaved ? html`<button class="primary" disabled=${busy || !isUnsaved} onClick=${save}>${draft === null ? t("保存为草稿", "Save as a draft") : t("保存修改", "Save")}</button>` : null}
          ${may("check") ? html`<button class=${draft?.green ? "" : "primary"} disabled=${busy} onClick=${() => send("check", `${place}/check`, {})}>${state.busy === "check" ? t("正在检查…", "Checking…") : t("检查", "Check")}</button>` : null}
          ${may("approve") ? html`<button class="primary" disabled=${busy || !draft?.green} onClick=${() => step("approve")}>${actionName("approve")}</button>` : null}
          ${may("shadow") && draft?.writable ? html`<button class="primary" disabled=${busy} onClick=${() => step("shadow")}>${actionName("shadow")}</button>` : null}
          ${may("live") && draft?.writable ? html`<button class=${draft?.state === "shadow" ? "primary" : ""} disabled=${busy} onClick=${() => step("live")}>${actionName("live")}</button>` : null}
          ${may("roll_back") && draft?.writable ? html`<button disabled=${busy} onClick=${() => step("roll_back")}>${actionName("roll_back")}</button>` : null}
          ${may("reject") ? html`<button disabled=${busy || reason.trim() === ""} onClick=${() => step("reject")}>${actionName("reject")}</button>` : null}
          ${may("withdraw") ? html`<button disabled=${busy} onClick=${() => step("withdraw")}>${actionName("withdraw")}</button>` : null}
        </div>
      </div>
      ${state.error ? html`<${Fault} error=${state.error} />` : null}
      ${draft?.file_changed && !["live", "rolled_back", "withdrawn"].includes(draft.state) ? html`<div class="notice warning row spread">
        <span>${t(`${baseName(name)} 在此期间被改过。`, `${baseName(name)} was changed meanwhile.`)}</span>
        ${may("follow") ? html`<button disabled=${busy} onClick=${() => step("follow")}>${t("跟上文件", "Bring it up to the file")}</button>` : null}</div>` : null}
      ${draft !== null && draft.state === "approved" && !draft.writable ? html`<p class="notice flat">${t("这台服务器不能写规则文件（rules_writable 没有打开）：把 YAML 下载下来，交给管理员放进规则目录。", "This server may not write its rules (rules_writable is off): have the YAML put into the directory of rules.")}</p>` : null}
      ${draft?.state === "draft" && draft.green && !draft.possible.includes("approve") ? html`<p class="small quiet flat">${t("写过这份草稿的人不能自己批准，请另一位质检或管理员打开这一页批准。", "Who wrote it cannot approve it: another person has to open this page.")}</p>` : null}
      <div class="fields">
        ${me?.open ? html`<label><span>${t("你的名字", "Your name")}</span><input value=${by} maxlength="64" onInput=${(/** @type {any} */ event) => setBy(event.target.value)} /></label>` : null}
        ${may("reject") ? html`<label class="wide"><span>${t("退回的原因（退回时要写）", "Why it goes back")}</span><input value=${reason} maxlength="500" onInput=${(/** @type {any} */ event) => setReason(event.target.value)} /></label>` : null}
      </div>
      ${draft === null ? null : html`<${Checked} checked=${draft.checked} green=${draft.green} />
        <details><summary>${t("改了什么", "What it changes")}</summary><${Diff} text=${draft.diff} /></details>
        <details><summary>${t(`经过（${draft.steps.length} 步）`, `History (${draft.steps.length} steps)`)}</summary><${Steps} steps=${draft.steps} /></details>`}
    </section>
  `;
}

/** @param {{checked: Draft["checked"], green: boolean}} properties */
function Checked({ checked, green }) {
  if (!checked) {
    return null;
  }
  return html`<details open=${!green}><summary>
      <span class=${`tag ${green ? "good" : "critical"}`}>${green ? t("检查通过", "green") : t("检查没通过", "not green")}</span>
      ${t(` 错误 ${checked.errors}，提醒 ${checked.warnings}，测试 ${checked.tests_passed} 通过、${checked.tests_failed} 失败`, ` ${checked.errors} errors, ${checked.warnings} warnings; tests: ${checked.tests_passed} passed, ${checked.tests_failed} failed`)}
      ${checked.hits ? t(`；最近 ${checked.days} 天会报 ${checked.hits.after} 条`, `; ${checked.hits.after} alerts in the last ${checked.days} days`) : t("；规则没法单独运行", "; the rule cannot run")}</summary>
    ${checked.text === "" ? null : html`<pre class="small">${checked.text}</pre>`}
    ${checked.hits ? html`<${Found} hits=${checked.hits} />` : null}
  </details>`;
}

/** @param {{steps: Draft["steps"]}} properties */
function Steps({ steps }) {
  return html`<ol class="steps">${steps.map((step, at) => html`<li key=${at}>
    <strong>${actionName(step.action)}</strong> · <bdi>${step.by}</bdi> <span class="small quiet">${moment(step.at ?? "")}</span>
    ${step.reason ? html`<br /><bdi>${step.reason}</bdi>` : null}
    ${step.diff ? html`<details><summary class="small">${t("这次改了什么", "What was changed")}</summary><${Diff} text=${step.diff} /></details>` : null}
  </li>`)}</ol>`;
}

/** All drafts. @param {{onOpen: (draftNo: number) => void}} properties */
export function Drafts({ onOpen }) {
  const { value, error, reload } = useAnswer((signal) => get("/v1/rules/drafts", {}, signal), [token()]);
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (value && value.drafts.length === 0) {
    return html`<p class="panel empty">${t("还没有草稿。在规则包里选一条规则“用表单改”，或在上面写一句要禁说的话。", "No drafts yet. Open a rule in the form, or forbid a phrase above.")}</p>`;
  }
  return html`<section class="panel"><div class="table" tabindex="0" role="region" aria-label=${t("草稿", "Drafts")}><table>
    <thead><tr><th scope="col">${t("草稿", "Draft")}</th><th scope="col">${t("状态", "State")}</th><th scope="col">${t("检查", "Checks")}</th><th scope="col">${t("谁写的", "Owner")}</th><th scope="col">${t("最近一步", "Latest step")}</th></tr></thead>
    <tbody>${(value?.drafts ?? []).map((/** @type {any} */ draft) => html`<tr key=${draft.draft_no}>
      <td><button class="link" onClick=${() => onOpen(draft.draft_no)}><bdi>${draft.title}</bdi></button><br /><span class="small quiet">${baseName(draft.file)} · ${draft.rule_id}</span></td>
      <td><span class=${`tag ${stateOf(draft.state)[1]}`}>${stateOf(draft.state)[0]}</span></td>
      <td>${draft.green ? html`<span class="tag good">${t("通过", "green")}</span>` : "—"}</td>
      <td><bdi>${draft.owner}</bdi></td><td class="time">${moment(draft.changed_at ?? "").slice(0, 16)}</td>
    </tr>`)}</tbody></table></div></section>`;
}

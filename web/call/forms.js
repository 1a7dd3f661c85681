// The scoring forms of a call: those that are filled, and one to be filled or changed.

import { ApiError, get, post, queryOf } from "../shared/api.js";
import { FilledForm, FormScore, FormSheet, SignatureTag } from "../shared/form.js";
import { moment } from "../shared/format.js";
import { useOpened } from "../shared/opened.js";
import { Agent } from "../shared/parts.js";
import { t } from "../shared/settings.js";
import { Dialog, Fault, html, useAnswer, useKeys } from "../shared/ui.js";
import { useState } from "../vendor/hooks.js";

/**
 * @param {{detail: any, me: {open: boolean} | undefined, may: boolean, onShow: (alertId: string) => void}} properties
 */
export function CallForms({ detail, me, may, onShow }) {
  const which = queryOf({ started_at: detail.started_at });
  const path = `/v1/calls/${encodeURIComponent(detail.call_id)}/forms${which}`;
  const { value, error, reload } = useAnswer((signal) => get(path, {}, signal), [path]);
  // What is open: a form to be filled, or the number of one that is.
  const [open, setOpen] = useState(/** @type {{form?: string, agent?: string, no?: number, draft?: string} | null} */ (linkedForm()));
  useKeys({ f: () => may && value?.forms.length > 0 && setOpen({ form: value.forms[0].form }) });
  if (error) {
    return html`<section class="panel form-panel"><${Fault} error=${error} retry=${reload} /></section>`;
  }
  if (!value) {
    return null;
  }
  const close = () => {
    setOpen(null);
    history.replaceState(null, "", location.pathname + location.search);
  };
  const alerts = new Map(detail.alerts.map((/** @type {any} */ alert) => [alert.alert_id, alert]));
  const definition = value.forms.find((/** @type {any} */ form) => form.form === (open?.form === "" ? value.forms[0]?.form : open?.form));
  const agent = open?.agent ?? value.agents[0]?.agent_id;
  const draft = `${path} ${definition?.form} ${definition?.version} ${agent}`;
  const filled = value.filled.find((/** @type {any} */ one) => one.form === definition?.form && one.agent_id === agent);
  const notice = filled === undefined ? null : html`<div class="notice warning row spread">
    <span>${t(`${filled.reviewer} 在 ${moment(filled.filled_at)} 已经用这份表给这位坐席评过分。`, `${filled.reviewer} filled this form about this agent at ${moment(filled.filled_at)}.`)}</span>
    <button type="button" onClick=${() => setOpen({ no: filled.form_no, draft })}>${t("打开那一份，带上我的答案…", "Open that one, with my answers…")}</button></div>`;
  return html`
    <section class="panel form-panel stack" aria-labelledby="forms">
      <div class="row spread"><h2 id="forms" class="flat">${t("评分表", "Scoring forms")}</h2>
        ${may && value.forms.length > 0 ? html`<button class="small" aria-keyshortcuts="f" onClick=${() => setOpen({ form: value.forms[0].form })}>${t("评分…", "Score…")} <kbd aria-hidden="true">f</kbd></button>` : null}</div>
      ${value.filled.length === 0 ? html`<p class="small quiet flat">${t("还没有人评分。", "Nobody has scored it.")}</p>`
        : html`<ul class="filled">${value.filled.map((/** @type {any} */ one) => html`<li key=${one.form_no}>
          <button class="link" onClick=${() => setOpen({ no: one.form_no })}>${one.title}</button> <${FormScore} filled=${one} /> <${SignatureTag} signature=${one.signature} />
          <br /><span class="small quiet"><${Agent} row=${one} /> · ${one.reviewer} · ${moment(one.changed_at).slice(0, 16)}</span></li>`)}</ul>`}
      ${definition !== undefined && may ? html`<${Dialog} title=${definition.title} onClose=${close}>
        ${value.forms.length > 1 || value.agents.length > 1 ? html`<div class="row">
          ${value.forms.length > 1 ? html`<label><span>${t("评分表", "Form")}</span><select value=${definition.form} onChange=${(/** @type {any} */ event) => setOpen({ ...open, form: event.target.value })}>
            ${value.forms.map((/** @type {any} */ form) => html`<option key=${form.form} value=${form.form}>${form.title}</option>`)}</select></label>` : null}
          ${value.agents.length > 1 ? html`<label><span>${t("坐席", "Agent")}</span><select value=${agent} onChange=${(/** @type {any} */ event) => setOpen({ ...open, form: definition.form, agent: event.target.value })}>
            ${value.agents.map((/** @type {any} */ one) => html`<option key=${one.agent_id} value=${one.agent_id}>${one.agent_name ?? one.agent_id}</option>`)}</select></label>` : null}</div>` : null}
        <${OthersHere} opened=${{ form: definition.form, agent_id: agent, call_id: detail.call_id, started_at: detail.started_at }} me=${me} />
        <${FormSheet} key=${`${definition.form} ${agent}`} notice=${notice} definition=${definition} prefilled=${definition.prefilled[agent] ?? []} alerts=${alerts} me=${me} draft=${draft} onClose=${close}
          onShow=${(/** @type {string} */ id) => { close(); onShow(id); }}
          onSend=${(/** @type {any} */ body) => post(path, { form: definition.form, version: definition.version, agent_id: agent, ...body }).then(
            (/** @type {any} */ filled) => { reload(); setOpen({ no: filled.form_no }); },
            (/** @type {unknown} */ fault) => {
              // Somebody else filled it meanwhile: theirs is shown beside what was entered here.
              if (fault instanceof ApiError && fault.code === "already_filled") {
                reload();
              }
              throw fault;
            })} />
      </${Dialog}>` : null}
      ${open?.no === undefined ? null : html`<${Filled} key=${open.no} no=${open.no} draft=${open.draft} detail=${detail} alerts=${alerts} me=${me} may=${may} onClose=${close} onChanged=${reload} />`}
    </section>
  `;
}

/** Who else is about to fill or change the same form. @param {{opened: Record<string, string>, me: {open: boolean} | undefined}} properties */
function OthersHere({ opened, me }) {
  const { forms = [] } = useOpened({ form: opened }, me);
  const here = forms.filter((one) => Object.entries(opened).every(([name, value]) => one[name] === value));
  return html`<div aria-live="polite">${here.map((one) => html`<p key=${one.by} class="notice warning flat">${t(`${one.by} 也打开着这份表（${moment(one.since).slice(11, 16)} 起），先问一声谁来评。`, `${one.by} has this form open, too (since ${moment(one.since).slice(11, 16)}): ask who fills it.`)}</p>`)}</div>`;
}

/** @param {{no: number, draft?: string, detail: any, alerts: Map<string, any>, me: {open: boolean} | undefined, may: boolean, onClose: () => void, onChanged: () => void}} properties
 *   `draft` names answers that go into a change of it */
function Filled({ no, draft, detail, alerts, me, may, onClose, onChanged }) {
  const { value, error, reload } = useAnswer((signal) => get(`/v1/forms/filled/${no}`, {}, signal), [no]);
  const [isChanging, setChanging] = useState(draft !== undefined);
  return html`<${Dialog} title=${value?.title ?? t("评分", "Score")} onClose=${onClose}>
    ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
    ${value === undefined ? null : isChanging
      ? html`<${OthersHere} opened=${{ form: value.form, agent_id: value.agent_id, call_id: detail.call_id, started_at: detail.started_at }} me=${me} />
        <${FormSheet} definition=${value.definition} filled=${value} alerts=${alerts} me=${me} draft=${draft} onClose=${() => setChanging(false)}
          onSend=${(/** @type {any} */ body) => post(`/v1/forms/filled/${no}`, { revision: value.revision, ...body }).then(
            () => { setChanging(false); reload(); onChanged(); },
            (/** @type {unknown} */ fault) => {
              // What was entered stays; sent again, it is a change of what stands by now.
              if (fault instanceof ApiError && fault.code === "changed") {
                reload();
              }
              throw fault;
            })} />`
      : html`<${FilledForm} filled=${value} /><div class="row">${may ? html`<button onClick=${() => setChanging(true)}>${t("改分…", "Change…")}</button>` : null}
          <button onClick=${onClose}>${t("关闭", "Close")}</button></div>`}
  </${Dialog}>`;
}

/** The form that the address names: `#form` to be filled, `#form-12` filled. */
function linkedForm() {
  const named = /^#form(?:-(\d+))?$/.exec(location.hash);
  return named === null ? null : named[1] === undefined ? { form: "" } : { no: Number(named[1]) };
}

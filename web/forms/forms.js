// An agent's scored calls: what was answered, and the way to sign, or to sign with an objection.

import { ApiError, get, post } from "../shared/api.js";
import { FilledForm, FormScore, SignatureTag } from "../shared/form.js";
import { moment } from "../shared/format.js";
import { t, token } from "../shared/settings.js";
import { Fault, Settings, SignIn, SignOut, html, show, useAnswer } from "../shared/ui.js";
import { useState } from "../vendor/hooks.js";

const agent = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const path = `/v1/agents/${encodeURIComponent(agent)}/forms`;
const REASON_CHARS_MAX = 500;
const FORMS = 100;

function FormsPage() {
  const { value: me } = useAnswer((signal) => get("/v1/me", {}, signal), [token()]);
  const { value, error, reload } = useAnswer((signal) => get(path, { limit: FORMS }, signal), [token()]);
  const [no, setNo] = useState(/** @type {number | null} */ (Number(location.hash.slice(1)) || null));
  const refused = error instanceof ApiError && (error.status === 401 || error.status === 403);
  document.title = `${agent} · ${t("我的评分", "My scores")}`;
  const choose = (/** @type {number} */ chosen) => {
    setNo(chosen);
    history.replaceState(null, "", `#${chosen}`);
  };
  const forms = value?.forms ?? [];
  const shown = no ?? forms[0]?.form_no;
  return html`
    <header class="bar"><h1>${t("我的评分", "My scores")} <span class="quiet small">${forms[0]?.agent_name ?? agent}</span></h1>
      <div class="tools"><a class="button" href=${`/agent/${encodeURIComponent(agent)}`}>${t("回到面板", "Back to the panel")}</a><${SignOut} me=${me} /><${Settings} /></div></header>
    <main id="main">
      ${refused ? html`<${SignIn} wrong=${token() !== null} why=${error.text} role=${["agents"]} />` : error ? html`<${Fault} error=${error} retry=${reload} />` : null}
      ${value !== undefined && forms.length === 0 ? html`<p class="panel empty">${t("还没有评过分的通话。", "None of your calls has been scored.")}</p>` : null}
      ${forms.length === 0 ? null : html`<div class="own">
        <ul class="panel items" aria-label=${t("评过分的通话", "Scored calls")}>${forms.map((/** @type {any} */ one) => html`<li key=${one.form_no}>
          <button class="item" aria-current=${one.form_no === shown ? "true" : undefined} onClick=${() => choose(one.form_no)}>
            <span class="row spread"><span><${FormScore} filled=${one} /></span><${SignatureTag} signature=${one.signature} /></span>
            <span class="small quiet">${one.title} · ${t("通话", "call")} ${moment(one.started_at).slice(0, 16)}</span></button></li>`)}</ul>
        ${shown === undefined ? null : html`<${One} key=${shown} no=${shown} me=${me} onSigned=${reload} />`}
      </div>`}
    </main>
  `;
}

/** @param {{no: number, me: any, onSigned: () => void}} properties */
function One({ no, me, onSigned }) {
  const { value, error, reload } = useAnswer((signal) => get(`${path}/${no}`, {}, signal), [no, token()]);
  const [isObjecting, setObjecting] = useState(false);
  const [refused, setRefused] = useState(/** @type {unknown} */ (null));
  const [busy, setBusy] = useState(false);
  const send = (/** @type {"sign" | "object"} */ action, /** @type {string} */ reason) => {
    setBusy(true);
    setRefused(null);
    post(`${path}/${no}`, { action, revision: value.revision, ...(reason ? { reason } : {}) }).then(
      () => { setObjecting(false); reload(); onSigned(); },
      setRefused,
    ).finally(() => setBusy(false));
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    send("object", String(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get("reason") ?? "").trim());
  };
  const maySign = value?.signature === "open" && (me?.open || me?.agents.includes(agent));
  return html`<article class="panel stack" aria-label=${value?.title ?? ""}>
    ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
    ${value === undefined ? null : html`
      <h2 class="flat">${value.title} <span class="small quiet">${t("复核人", "by")} ${value.reviewer} · ${moment(value.changed_at).slice(0, 16)}</span></h2>
      <${FilledForm} filled=${value} />
      ${refused === null ? null : html`<${Fault} error=${refused} />`}
      ${!maySign ? null : isObjecting
        ? html`<form class="stack" onSubmit=${submit}><label><span>${t("哪里不同意", "What you do not agree with")}</span><textarea name="reason" rows="3" required autofocus maxlength=${REASON_CHARS_MAX}></textarea></label>
            <div class="row"><button class="primary" disabled=${busy}>${t("签收并提出异议", "Sign with this objection")}</button><button type="button" onClick=${() => setObjecting(false)}>${t("取消", "Cancel")}</button></div></form>`
        : html`<div class="row"><button class="primary" disabled=${busy} onClick=${() => send("sign", "")}>${t("签收", "Sign")}</button>
            <button disabled=${busy} onClick=${() => setObjecting(true)}>${t("签收，有异议…", "Sign with an objection…")}</button></div>`}`}
  </article>`;
}

show(FormsPage);

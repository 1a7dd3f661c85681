// Training clips under a title: what was said, what should have been said, and why it matters. Reviewers share them; agents
// read those that are shared with them, without whose call it was.

import { ApiError, get, post } from "../shared/api.js";
import { callAddress, clock, roleName } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { keepReviewer, reviewer } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Listen } from "../shared/sound.js";
import { Dialog, Fault, Frame, Severity, Settings, SignIn, SignOut, html, show, useAnswer } from "../shared/ui.js";
import { useState } from "../vendor/hooks.js";

const no = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const TITLE_CHARS_MAX = 100;
const NOTE_CHARS_MAX = 500;

/** @typedef {import("../shapes.js").CollectionDetail} Collection */

function ClipsPage() {
  const { value: me, error } = useAnswer((signal) => get("/v1/me", {}, signal), [token()]);
  const reviews = me !== undefined && ["qa", "admin"].some((role) => me.roles.includes(role));
  const agent = reviews ? undefined : me?.agents[0];
  if (reviews) {
    return html`<${Frame} title=${t("培训片段", "Training clips")} current="/qa" role=${["qa", "admin"]}><${Clips} path=${`/v1/clips/${no}`} me=${me} /></${Frame}>`;
  }
  document.title = t("培训片段", "Training clips");
  return html`
    <header class="bar"><strong>${t("培训片段", "Training clips")}</strong><div class="tools"><${SignOut} me=${me} /><${Settings} /></div></header>
    <main id="main">${agent !== undefined
      ? html`<${Clips} path=${`/v1/agents/${encodeURIComponent(agent)}/clips/${no}`} me=${undefined} />`
      : me === undefined && !(error instanceof ApiError && error.status === 401) ? (error ? html`<${Fault} error=${error} />` : null)
        : html`<${SignIn} wrong=${token() !== null} role=${["agents", "qa"]} />`}</main>
  `;
}

/** @param {{path: string, me: import("../shared/ui.js").Me | undefined}} properties `me` of a reviewer */
function Clips({ path, me }) {
  const { value, error, reload } = useAnswer((signal) => get(path, {}, signal), [path, token()]);
  const [isEditing, setEditing] = useState(false);
  const [refused, setRefused] = useState(/** @type {unknown} */ (null));
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (value === undefined) {
    return html`<p class="empty" role="status">${t("正在读取…", "Loading…")}</p>`;
  }
  const collection = /** @type {Collection} */ (value);
  const by = () => (me?.open ? { by: reviewer() || "-" } : {});
  const remove = (/** @type {any} */ clip) => {
    const { alert_id, call_id, started_at } = clip;
    post(path, { remove: [{ alert_id, call_id, started_at }], ...by() }).then(() => { setRefused(null); reload(); }, setRefused);
  };
  return html`
    <div class="stack collection">
      <div class="row spread"><h1>${collection.title}</h1>
        ${me === undefined ? null : html`<span class="row no-print"><button onClick=${() => setEditing(true)}>${t("标题和共享…", "Title and sharing…")}</button>
          <button onClick=${() => navigator.clipboard?.writeText(location.href)}>${t("复制链接", "Copy the link")}</button></span>`}</div>
      ${collection.note ? html`<p class="flat"><bdi>${collection.note}</bdi></p>` : null}
      ${collection.share ? html`<p class="small quiet flat">${sharedWith(collection.share)}</p>` : null}
      ${(collection.unknown ?? []).length > 0 ? html`<p class="notice warning flat">${t(`没有人认得：${collection.unknown?.join("、")}。名单和通话里都没有，看看是不是写错了。`, `Nobody knows ${collection.unknown?.join(", ")}: neither a list nor a call names them. A slip?`)}</p>` : null}
      ${refused === null ? null : html`<${Fault} error=${refused} />`}
      ${collection.clips.length === 0 ? html`<p class="panel empty">${t("还没有片段。在复核队列或通话页选中预警，按 s 收进来。", "No clips yet. Choose an alert in the review queue or on a call's page and press s.")}</p>` : null}
      <ol class="clips">${collection.clips.map((clip, index) => html`
        <li key=${`${clip.alert_id} ${index}`} class="panel stack clip">
          <div class="row spread"><h2 class="flat">${index + 1}. ${clip.rule_name}</h2><span class="row"><${Severity} severity=${clip.severity} />
            ${clip.recording ? html`<${Listen} sound=${clip.recording} at=${clip.words.find((one) => one.is_hit)?.start_ms ?? clip.at_ms} />` : null}
            ${clip.call_id ? html`<a href=${callAddress(clip.call_id, clip.started_at ?? undefined, clip.alert_id)}>${t("通话", "Call")} ${clock(clip.at_ms)}</a>` : html`<span class="small quiet">${clock(clip.at_ms)}</span>`}
            ${me === undefined ? null : html`<button class="plain small no-print" onClick=${() => remove(clip)} aria-label=${t(`移出第 ${index + 1} 条`, `Take out clip ${index + 1}`)}>${t("移出", "Take out")}</button>`}</span></div>
          ${clip.note ? html`<p class="flat"><bdi>${clip.note}</bdi></p>` : null}
          <p class="flat">${clip.message}</p>
          ${clip.words.length === 0 ? html`<p class="quiet flat">${clip.evidence.length === 0 ? t("没有原话。", "There are no words.") : ""}</p>` : html`<ol class="around">${clip.words.map((one) => html`
            <li key=${one.utterance_id} class=${one.is_hit ? "hit" : ""}><span class="small quiet">${clock(one.start_ms)} ${roleName(one.role)}</span>
              <bdi>${one.is_hit ? html`<${Marked} text=${one.text} ranges=${clip.evidence.filter((evidence) => evidence.utterance_id === one.utterance_id && !evidence.offset)} />` : one.text}</bdi></li>`)}</ol>`}
          ${clip.suggestion ? html`<p class="better"><span class="label">${t("可以这样说", "Better words")}</span>${clip.suggestion}</p>` : null}
        </li>`)}</ol>
      ${isEditing ? html`<${Edit} collection=${collection} path=${path} me=${me} onClose=${() => setEditing(false)} onKept=${() => { setEditing(false); reload(); }} onChanged=${reload} />` : null}
    </div>
  `;
}

/** @param {NonNullable<Collection["share"]>} share */
function sharedWith({ everybody, agents = [], teams = [] }) {
  const names = [...teams.map((team) => t(`班组 ${team}`, `team ${team}`)), ...agents];
  return everybody ? t("共享给全部坐席", "Shared with all agents") : names.length === 0 ? t("还没有共享给坐席，只有质检看得到", "Not shared: only reviewers see it") : t(`共享给：${names.join("、")}`, `Shared with ${names.join(", ")}`);
}

/** @param {{collection: Collection, path: string, me: import("../shared/ui.js").Me | undefined, onClose: () => void, onKept: () => void, onChanged: () => void}} properties */
function Edit({ collection, path, me, onClose, onKept, onChanged }) {
  const { value: roster } = useAnswer((signal) => get("/v1/agents", {}, signal), []);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const list = (/** @type {FormDataEntryValue | null} */ text) => [...new Set(String(text ?? "").split(/[,，、\s]+/).filter(Boolean))];
  const send = (/** @type {Record<string, unknown>} */ body, /** @type {() => void} */ then) => {
    setError(null);
    post(path, { ...body, revision: collection.revision, ...(me?.open ? { by: reviewer() } : {}) }).then(then, (fault) => {
      setError(fault);
      // What was typed stays; what others changed is read anew, and saved over only once it was seen.
      if (fault instanceof ApiError && fault.code === "changed") {
        onChanged();
      }
    });
  };
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const entered = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    if (me?.open) {
      keepReviewer(String(entered.get("by") ?? "").trim());
    }
    send({
      title: entered.get("title"), note: entered.get("note"),
      share: { everybody: entered.get("everybody") === "on", teams: list(entered.get("teams")), agents: list(entered.get("agents")) },
    }, onKept);
  };
  return html`
    <${Dialog} title=${t("标题和共享", "Title and sharing")} onClose=${onClose}>
      <form class="stack" onSubmit=${submit}>
        <label><span>${t("标题", "Title")}</span><input name="title" required maxlength=${TITLE_CHARS_MAX} defaultValue=${collection.title} autofocus /></label>
        <label><span>${t("说明", "Note")}</span><textarea name="note" rows="3" maxlength=${NOTE_CHARS_MAX} defaultValue=${collection.note ?? ""}></textarea></label>
        <label class="choice"><input type="checkbox" name="everybody" defaultChecked=${collection.share?.everybody === true} />${t("共享给全部坐席", "Share with all agents")}</label>
        <label><span>${t("共享给班组（逗号分开）", "Share with teams (commas between)")}</span><input name="teams" list="known-teams" defaultValue=${(collection.share?.teams ?? []).join(", ")} /></label>
        <label><span>${t("共享给坐席（工号，逗号分开）", "Share with agents (ids, commas between)")}</span><input name="agents" list="known-agents" defaultValue=${(collection.share?.agents ?? []).join(", ")} /></label>
        <datalist id="known-teams">${(roster?.teams ?? []).map((/** @type {any} */ one) => html`<option key=${one.team} value=${one.team} />`)}</datalist>
        <datalist id="known-agents">${(roster?.agents ?? []).map((/** @type {any} */ one) => html`<option key=${one.agent_id} value=${one.agent_id}>${one.name}</option>`)}</datalist>
        ${me?.open ? html`<label><span>${t("您的姓名（记入审计）", "Your name (kept in the audit)")}</span><input name="by" required maxlength="64" autocomplete="name" defaultValue=${reviewer()} /></label>` : null}
        ${error === null ? null : html`<${Fault} error=${error} />`}
        <div class="row"><button class="primary">${t("保存", "Save")}</button><button type="button" onClick=${onClose}>${t("取消", "Cancel")}</button>
          ${me?.roles.includes("admin") || me?.name === collection.by ? html`<button type="button" class="plain" onClick=${() => confirm(t(`删除 ${collection.by} 的整个片段集？`, `Remove the whole collection of ${collection.by}?`)) && send({ delete: true }, () => location.assign("/qa?view=clips"))}>${t("删除片段集", "Remove it")}</button>`
            : html`<span class="small quiet">${t(`只有 ${collection.by} 或管理员能删除`, `only ${collection.by} or an admin may remove it`)}</span>`}</div>
      </form>
    </${Dialog}>
  `;
}

show(ClipsPage);

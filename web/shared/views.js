// Saved views of a page: what its address says, under a name, for oneself or for all. Any page whose filters stand in its
// address may show them.

import { useState } from "../vendor/hooks.js";
import { get, post, remove } from "./api.js";
import { t, token } from "./settings.js";
import { Dialog, Fault, html, useAnswer } from "./ui.js";

/** @typedef {import("../shapes.js").SavedView} SavedView */

/** A button and its dialog: choose, save, share, remove. @param {{page: string, admin?: boolean}} properties the page's name as the API has it */
export function SavedViews({ page, admin = false }) {
  const [open, setOpen] = useState(false);
  return html`
    <button class="small" aria-haspopup="dialog" onClick=${() => setOpen(true)}>${t("视图", "Views")}</button>
    ${open ? html`<${Dialog} title=${t("保存的视图", "Saved views")} onClose=${() => setOpen(false)}><${Views} page=${page} admin=${admin} onClose=${() => setOpen(false)} /></${Dialog}>` : null}`;
}

/** @param {{page: string, admin: boolean, onClose: () => void}} properties */
function Views({ page, admin, onClose }) {
  const { value, error, reload } = useAnswer((signal) => get("/v1/views", { page }, signal), [page, token()]);
  const [fault, setFault] = useState(/** @type {unknown} */ (null));
  const done = (/** @type {Promise<unknown>} */ doing) => {
    setFault(null);
    doing.then(reload, setFault);
  };
  const query = location.search.slice(1);
  const save = (/** @type {any} */ event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    done(post("/v1/views", { page, name: String(form.get("name")).trim(), query, shared: form.get("shared") !== null }));
    event.target.reset();
  };
  const choose = (/** @type {Event} */ event, /** @type {SavedView} */ view) => {
    event.preventDefault();
    history.pushState(null, "", `${location.pathname}?${view.query}`);
    dispatchEvent(new PopStateEvent("popstate"));
    onClose();
  };
  const views = /** @type {SavedView[]} */ (value?.views ?? []);
  return html`
    ${error || fault !== null ? html`<${Fault} error=${error ?? fault} retry=${reload} />` : null}
    ${value && views.length === 0 ? html`<p class="quiet">${t("还没有保存的视图。", "There are no saved views yet.")}</p>` : null}
    ${views.length === 0 ? null : html`<ul class="views">${views.map((view) => html`<li key=${view.view_no} class="row spread">
      <span><a href=${`${location.pathname}?${view.query}`} aria-current=${view.query === query ? "true" : undefined} onClick=${(/** @type {Event} */ event) => choose(event, view)}><bdi>${view.name}</bdi></a>
        ${view.own ? null : html` <span class="small quiet"><bdi>${view.owner}</bdi></span>`}
        ${view.shared ? html` <span class="tag neutral">${t("共享", "shared")}</span>` : null}</span>
      ${view.own || admin ? html`<button class="plain small" aria-label=${t(`删除视图 ${view.name}`, `Remove the view ${view.name}`)} onClick=${() => done(remove(`/v1/views/${view.view_no}`))}>${t("删除", "Remove")}</button>` : null}
    </li>`)}</ul>`}
    <form class="stack" onSubmit=${save}>
      <p class="small quiet">${t("保存现在的筛选和列；名称相同的会被替换。名称就是链接，可以发给同事。", "Keeps the filters and columns of now; one's own view of that name is replaced. A name is a link that may be sent to others.")}</p>
      <label><span>${t("名称", "Name")}</span><input name="name" required maxlength="64" /></label>
      <label class="inline"><input name="shared" type="checkbox" /><span>${t("共享给质检和管理员", "share with QA and administrators")}</span></label>
      <div class="row"><button class="primary">${t("保存", "Save")}</button><button type="button" onClick=${onClose}>${t("关闭", "Close")}</button></div>
    </form>`;
}

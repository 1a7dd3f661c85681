// Search in what was said: a phrase as rules hear it, in calls that are over.

import { useState } from "../vendor/hooks.js";
import { count, moment, roleName } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { Agent } from "../shared/parts.js";
import { t } from "../shared/settings.js";
import { Fault, html } from "../shared/ui.js";
import { spanOf } from "./filters.js";
import { usePages } from "./lists.js";

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>) => void}} properties */
export function Search({ filters, change }) {
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const entered = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    change({ phrase: String(entered.get("phrase") ?? "").trim(), role: String(entered.get("role") ?? ""), homophone: String(entered.get("homophone") ?? "") });
  };
  return html`<section class="panel stack">
    <h2>${t("搜通话里说过的话", "Search in what was said")}</h2>
    <form class="row search" role="search" onSubmit=${submit}>
      <label class="grow"><span>${t("说过的话（2 到 50 个字，按规则的折叠和同音来找）", "Words (2 to 50 characters, folded and heard as rules do)")}</span>
        <input name="phrase" type="search" required minlength="2" maxlength="100" defaultValue=${filters.phrase} autofocus /></label>
      <label><span>${t("谁说的", "Whose")}</span><select name="role" defaultValue=${filters.role}>
        ${[["", t("不限", "anybody")], ["agent", roleName("agent")], ["customer", roleName("customer")]].map(([id, name]) => html`<option key=${id} value=${id} selected=${filters.role === id}>${name}</option>`)}</select></label>
      <label><span>${t("同音", "Homophones")}</span><select name="homophone">
        ${[["toneless", t("同音（三字起）", "same sound")], ["merged", t("平翘舌、前后鼻音也算", "near sounds")], ["off", t("只要原字", "these characters")]].map(([id, name]) => html`<option key=${id} value=${id} selected=${filters.homophone === id}>${name}</option>`)}</select></label>
      <button class="primary">${t("搜索", "Search")}</button>
    </form>
    ${filters.phrase === "" ? html`<p class="quiet flat">${t("只搜已结束的通话；个人号码打了码，搜不到。", "Calls that are over are searched; personal numbers are masked and not found.")}</p>` : html`<${Hits} filters=${filters} />`}
  </section>`;
}

/** @param {{filters: Record<string, string>}} properties */
function Hits({ filters }) {
  const { phrase, role, homophone, agent_id, team, queue } = filters;
  const list = usePages("/v1/search", "hits", { phrase, role, homophone, agent_id, team, queue, ...spanOf(filters) });
  return html`
    ${list.error ? html`<${Fault} error=${list.error} retry=${list.reload} />` : null}
    ${list.loading && list.rows.length === 0 && !list.error ? html`<p class="empty" role="status">${t("正在搜索…", "Searching…")}</p>` : null}
    ${!list.loading && !list.error && list.rows.length === 0 ? html`<p class="empty">${list.hasMore ? t("到这里还没有，往前再找。", "None so far; look further back.") : t("没有找到。", "Nothing found.")}</p>` : null}
    ${list.rows.length === 0 ? null : html`<p class="small quiet flat" role="status">${t(`${count(list.rows.length)} 处${list.hasMore ? "，还有更多" : ""}`, `${count(list.rows.length)} places${list.hasMore ? ", and more" : ""}`)}</p>
    <ol class="hits">${list.rows.map((hit) => html`<li key=${`${hit.call_id} ${hit.started_at} ${hit.utterance_id}`}>
      <span class="small quiet"><a href=${`/call/${encodeURIComponent(hit.call_id)}?started_at=${encodeURIComponent(hit.started_at)}#said-${encodeURIComponent(hit.utterance_id)}`}>${moment(hit.said_at)}</a>
        · <${Agent} row=${hit} />${hit.queue ? html` · <bdi>${hit.queue}</bdi>` : ""} · ${roleName(hit.role)}</span>
      <bdi><${Marked} text=${hit.text} ranges=${hit.places} /></bdi></li>`)}</ol>`}
    ${list.hasMore ? html`<div class="row"><button onClick=${list.loadMore} disabled=${list.loadingMore}>${list.loadingMore ? t("正在读取…", "Loading…") : t("更多", "More")}</button></div>` : null}
  `;
}

// The queues of review and appeal, worked through by keyboard: a list, the alert
// that is at hand, its place in the call. A step shows at once; where the server
// refuses it, the alert comes back as it really stands.

import { useEffect, useRef, useState } from "../vendor/hooks.js";
import { ApiError, get } from "../shared/api.js";
import { callAddress, clock, count, kindName, moment, roleName, stateName, today } from "../shared/format.js";
import { Choices } from "../shared/parts.js";
import { Evidence, ReviewSteps, ReviewTags, STEP_KEYS, StepButtons, actionName, keepReviewer, needsQuestion, possibleSteps, reviewer, takeStep } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Dialog, Fault, Severity, html, useAnswer, useKeys } from "../shared/ui.js";
import { ofQueue } from "./filters.js";
import { Standing, usePages } from "./lists.js";

/** @typedef {import("../shared/review.js").Action} Action */
/** @typedef {import("../shared/review.js").Review} Review */

/** Alerts that are read to find the one that the address names. */
const LOOKED_FOR_MAX = 1_000;
/** More is read when so few are left below. */
const AHEAD = 10;
/** Entries of the audit that are looked through for what was done today. */
const AUDIT_MAX = 1_000;
/** Utterances around the one that the alert points at. */
const AROUND = 3;

/** What tells an alert from all others: its id may come again in another call. @param {any} alert */
const keyOf = (alert) => `${alert.call_id} ${alert.started_at} ${alert.alert_id}`;

/** @param {{kind: "review" | "appeal", filters: Record<string, string>, change: (changes: Record<string, string>, replace?: boolean) => void, me: import("../shared/ui.js").Me | undefined}} properties */
export function Queue({ kind, filters, change, me }) {
  const asked = ofQueue(filters, kind);
  const list = usePages("/v1/alerts", "alerts", asked);
  // The address has it, so that who comes back from a call is where they were.
  const selected = filters.item;
  const setSelected = (/** @type {string} */ item) => change({ item }, true);
  // What became of alerts since the list was read, by key: the step under way, where it led.
  const [since, setSince] = useState(/** @type {Record<string, {review: Review, under_way: boolean}>} */ ({}));
  const [asking, setAsking] = useState(/** @type {Action | null} */ (null));
  const [refused, setRefused] = useState(/** @type {{key: string, alert: any, told: string}[]} */ ([]));
  const [done, setDone] = useState(0);
  const [help, setHelp] = useState(false);
  const [told, setTold] = useState("");
  const [, setName] = useState(reviewer());

  const alerts = list.rows.map((/** @type {any} */ alert) => ({ ...alert, review: since[keyOf(alert)]?.review ?? alert.review }));
  const waits = (/** @type {any} */ alert) => (kind === "review" ? alert.review.verdict === "unreviewed" && alert.review.appeal === null : alert.review.appeal === "pending");
  const found = alerts.findIndex((/** @type {any} */ alert) => keyOf(alert) === selected);
  const at = found >= 0 ? found : Math.max(0, alerts.findIndex(waits));
  const alert = alerts[at];

  const isLookedFor = selected !== "" && found < 0 && alerts.length < LOOKED_FOR_MAX;
  useEffect(() => {
    if ((isLookedFor || alerts.length - at <= AHEAD) && list.hasMore && !list.loading) {
      list.loadMore();
    }
  }, [at, alerts.length, list.hasMore, list.loading, isLookedFor]);

  const progress = useProgress(kind, asked, me);
  const left = progress.left === null ? null : Math.max(0, progress.left - done);

  const go = (/** @type {number} */ to) => {
    const next = alerts[Math.min(Math.max(0, to), alerts.length - 1)];
    if (next !== undefined) {
      setAsking(null);
      setSelected(keyOf(next));
    }
  };
  /** The next one that waits: below, else above. @param {number} from */
  const nextWaiting = (from) => {
    const order = [...alerts.slice(from + 1), ...alerts.slice(0, from)];
    return order.find((one) => waits(one) && !since[keyOf(one)]?.under_way);
  };
  const step = (/** @type {Action} */ action, /** @type {string | null} */ reason, /** @type {string | null} */ by) => {
    const one = alert;
    const key = keyOf(one);
    const before = one.review;
    const verdicts = { confirm: { verdict: "confirmed" }, dismiss: { verdict: "dismissed" }, grant: { appeal: "granted" }, reject: { appeal: "rejected" } };
    setSince((known) => ({ ...known, [key]: { review: { ...before, ...verdicts[action] }, under_way: true } }));
    setDone((known) => known + 1);
    setRefused((known) => known.filter((fault) => fault.key !== key));
    const next = nextWaiting(at);
    setSelected(next === undefined ? key : keyOf(next));
    setTold(t(`已提交：${one.rule_name}`, `Sent: ${one.rule_name}`) + (next ? t(`；下一条：${next.rule_name}`, `; next: ${next.rule_name}`) : ""));
    takeStep(one, action, reason, by ?? (me?.open ? reviewer() : null)).then(
      (review) => setSince((known) => ({ ...known, [key]: { review, under_way: false } })),
      async (error) => {
        setDone((known) => known - 1);
        const stands = await reload(one).catch(() => null);
        setSince((known) => ({ ...known, [key]: { review: stands?.review ?? before, under_way: false } }));
        if (stands !== null && !waits(stands)) {
          setDone((known) => known + 1);
        }
        const last = stands?.review.steps.at(-1);
        const told = error instanceof ApiError && error.code === "changed" && last
          ? t(`${last.by} 刚刚${actionName(last.action)}，您的这一步没有记下。`, `${last.by} ${actionName(last.action)} just now; your step was not taken.`)
          : error instanceof ApiError ? error.text : String(error);
        setRefused((known) => [...known, { key, alert: one, told }]);
      },
    );
  };
  const ask = (/** @type {Action} */ action) => {
    if (alert === undefined || !possibleSteps(alert).includes(action) || since[keyOf(alert)]?.under_way) {
      return;
    }
    if (needsQuestion(action, me)) {
      setAsking(action);
    } else {
      step(action, null, null);
    }
  };
  useKeys({
    j: () => go(at + 1), k: () => go(at - 1), ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1),
    [STEP_KEYS.confirm]: () => ask("confirm"), [STEP_KEYS.dismiss]: () => ask("dismiss"),
    [STEP_KEYS.grant]: () => ask("grant"), [STEP_KEYS.reject]: () => ask("reject"),
    "?": () => setHelp(true),
  });

  const title = kind === "review" ? t("待复核", "To review") : t("待裁定的申诉", "Appeals to decide");
  return html`
    <section class="stack">
      <div class="row spread">
        <div class="row"><h2 class="flat">${title}</h2>
          <span class="quiet progress">${t(
            `今天已${kind === "review" ? "复核" : "裁定"} ${progress.today + (done > 0 ? done : 0)} / 还有 ${left === null ? "…" : count(left)}`,
            `${progress.today + (done > 0 ? done : 0)} done today / ${left === null ? "…" : count(left)} left`,
          )}</span></div>
        <div class="row">
          ${kind === "review" ? html`<${Choices} label=${t("复核什么", "What is reviewed")} choices=${[["told", t("预警", "Alerts")], ["held", t("存疑", "In doubt")]]}
            current=${filters.display === "held" ? "held" : "told"} onChoose=${(/** @type {string} */ display) => change({ display, item: "" })} />` : null}
          ${me?.open ? html`<label class="inline"><span>${t("复核人", "Reviewer")}</span><input class="name-field" value=${reviewer()} maxlength="64"
            onChange=${(/** @type {any} */ event) => { keepReviewer(event.target.value.trim()); setName(event.target.value.trim()); }} /></label>` : null}
          <button class="plain small" onClick=${() => { setSince({}); setDone(0); setRefused([]); list.reload(); progress.reload(); }}>${t("刷新", "Refresh")}</button>
          <button class="plain small" onClick=${() => setHelp(true)}>${t("快捷键", "Keys")} <kbd aria-hidden="true">?</kbd></button>
        </div>
      </div>
      <p class="visually-hidden" aria-live="polite">${told}</p>
      ${refused.map(({ key, alert: one, told: why }) => html`
        <div key=${key} class="notice critical row spread" role="alert">
          <span><strong>${one.rule_name}</strong> · <bdi>${one.agent_id}</bdi>${t("：", ": ")}${why}</span>
          <span class="row"><button onClick=${() => setSelected(key)}>${t("看这条", "Show it")}</button>
            <button class="plain" onClick=${() => setRefused((known) => known.filter((fault) => fault.key !== key))}>${t("知道了", "Dismiss")}</button></span>
        </div>`)}
      ${list.error ? html`<${Fault} error=${list.error} retry=${list.reload} />` : null}
      ${list.loading && alerts.length === 0 ? html`<p class="panel empty">${t("正在读取…", "Loading…")}</p>` : null}
      ${!list.loading && !list.error && alerts.length === 0
        ? html`<p class="panel empty">${kind === "review" ? t("全部复核完了。", "All is reviewed.") : t("没有待裁定的申诉。", "No appeal waits.")}</p>`
        : null}
      ${alert === undefined ? null : html`<div class="queue">
        <${Items} alerts=${alerts} selected=${keyOf(alert)} since=${since} onSelect=${(/** @type {string} */ key) => { setAsking(null); setSelected(key); }} label=${title} />
        <article class="panel stack detail" aria-label=${alert.rule_name}>
          <${Detail} alert=${alert} />
          <div class="decide"><${StepButtons} alert=${alert} me=${me} asked=${asking} onAsk=${setAsking} onStep=${step} busy=${since[keyOf(alert)]?.under_way === true} /></div>
          <${Context} alert=${alert} />
          <${Facts} alert=${alert} />
        </article>
      </div>`}
      ${help ? html`<${Help} onClose=${() => setHelp(false)} kind=${kind} />` : null}
    </section>
  `;
}

/** The alert as the server has it now. @param {any} alert */
async function reload(alert) {
  const { call_id, agent_id, rule_id } = alert;
  const { alerts } = await get("/v1/alerts", { call_id, agent_id, rule_id, held: true, limit: 1_000 });
  return alerts.find((/** @type {any} */ one) => keyOf(one) === keyOf(alert)) ?? null;
}

/** How many this person did today, and how many wait. @param {"review" | "appeal"} kind @param {Record<string, string>} asked @param {import("../shared/ui.js").Me | undefined} me */
function useProgress(kind, asked, me) {
  const name = me?.open ? reviewer() : me?.name;
  const day = today();
  const action = kind === "review" ? "confirm,dismiss" : "grant,reject";
  const mine = useAnswer((signal) => get("/v1/audit", { from: day, action, limit: AUDIT_MAX }, signal), [kind, day, token()]);
  const waiting = useAnswer(
    (signal) => get("/v1/statistics", { group: "severity", ...asked }, signal),
    [JSON.stringify(asked), token()],
  );
  const entries = mine.value?.entries ?? [];
  return {
    today: entries.filter((/** @type {any} */ entry) => entry.by === name).length,
    left: waiting.value?.total.alerts ?? null,
    reload: () => { mine.reload(); waiting.reload(); },
  };
}

/** @param {{alerts: any[], selected: string, since: Record<string, {under_way: boolean}>, onSelect: (key: string) => void, label: string}} properties */
function Items({ alerts, selected, since, onSelect, label }) {
  const list = useRef(/** @type {HTMLUListElement | null} */ (null));
  useEffect(() => {
    const item = list.current?.querySelector("[aria-current]");
    const box = list.current;
    if (item instanceof HTMLElement && box !== null) {
      // Only the list moves, not the page.
      const above = item.offsetTop - box.offsetTop;
      if (above < box.scrollTop || above + item.offsetHeight > box.scrollTop + box.clientHeight) {
        box.scrollTop = above - box.clientHeight / 3;
      }
    }
  }, [selected]);
  return html`
    <ul class="panel items" ref=${list} aria-label=${label}>
      ${alerts.map((alert) => {
        const key = keyOf(alert);
        const settled = since[key] !== undefined;
        return html`<li key=${key}>
          <button class=${settled ? "item settled" : "item"} aria-current=${key === selected ? "true" : undefined} onClick=${() => onSelect(key)}>
            <span class="row spread"><strong>${alert.rule_name}</strong><${Severity} severity=${alert.severity} /></span>
            <span class="snippet"><bdi>${alert.evidence[0]?.text ?? alert.message}</bdi></span>
            <span class="row spread small quiet"><span><bdi>${alert.agent_id}</bdi> · ${moment(alert.emitted_at).slice(5, 16)}</span>
              ${since[key]?.under_way ? html`<span>${t("提交中…", "sending…")}</span>` : settled ? html`<span><${ReviewTags} review=${alert.review} /></span>` : null}</span>
          </button>
        </li>`;
      })}
    </ul>
  `;
}

/** @param {{alert: any}} properties */
function Detail({ alert }) {
  const dismissed = alert.feedback?.action === "dismiss";
  return html`
    <div class="row spread">
      <h3 class="flat">${alert.rule_name}</h3>
      <span><${Severity} severity=${alert.severity} /> <span class="tag neutral">${kindName(alert.kind)}</span>
        <${Standing} display=${alert.display} />
        ${alert.state === "confirmed" ? null : html` <span class="tag neutral">${stateName(alert.state)}</span>`} <${ReviewTags} review=${alert.review} /></span>
    </div>
    <p class="flat"><bdi>${alert.message}</bdi></p>
    ${dismissed ? html`<p class="notice flat">${t("坐席忽略了这条预警", "The agent dismissed this alert")}${alert.feedback.by ? t(`（${alert.feedback.by}）`, ` (${alert.feedback.by})`) : ""}${alert.feedback.reason ? html`${t("：", ": ")}<bdi>${alert.feedback.reason}</bdi>` : ""}</p>` : null}
    <${Evidence} alert=${alert} />
  `;
}

/** What else is known of it, and what people did. @param {{alert: any}} properties */
function Facts({ alert }) {
  return html`
    <dl class="facts">
      <div><dt>${t("坐席", "Agent")}</dt><dd><bdi>${alert.agent_id}</bdi></dd></div>
      <div><dt>${t("队列", "Queue")}</dt><dd><bdi>${alert.queue ?? "—"}</bdi></dd></div>
      <div><dt>${t("时间", "Time")}</dt><dd>${moment(alert.emitted_at)}</dd></div>
      <div><dt>${t("通话", "Call")}</dt><dd><a href=${callAddress(alert.call_id, alert.started_at, alert.alert_id)}><bdi>${alert.call_id}</bdi></a> · ${clock(alert.at_ms)}</dd></div>
      <div><dt>${t("扣分", "Deduct")}</dt><dd>${alert.deduct}</dd></div>
      <div><dt>${t("条款", "Clauses")}</dt><dd>${alert.clauses.length > 0 ? alert.clauses.join("、") : "—"}</dd></div>
    </dl>
    <${ReviewSteps} review=${alert.review} />
  `;
}

/** What was said before and after. @param {{alert: any}} properties */
function Context({ alert }) {
  const { value } = useAnswer(
    (signal) => get(`/v1/calls/${encodeURIComponent(alert.call_id)}`, { started_at: alert.started_at }, signal),
    [alert.call_id, alert.started_at],
  );
  if (value?.call_id !== alert.call_id || value?.started_at !== alert.started_at) {
    return html`<p class="small quiet context">${t("正在读取上下文…", "Reading the call…")}</p>`;
  }
  const said = value.events
    .filter((/** @type {any} */ event) => event.type === "utterance")
    .sort((/** @type {any} */ a, /** @type {any} */ b) => a.start_ms - b.start_ms);
  const ids = new Set(alert.evidence.map((/** @type {any} */ one) => one.utterance_id));
  let at = said.findIndex((/** @type {any} */ one) => ids.has(one.utterance_id));
  if (at < 0) {
    at = Math.max(0, said.findLastIndex((/** @type {any} */ one) => one.start_ms <= alert.at_ms));
  }
  const around = said.slice(Math.max(0, at - AROUND), at + AROUND + 1);
  return html`
    <div class="context stack">
      <div class="row spread"><h3 class="flat">${t("上下文", "In the call")}</h3>
        <a href=${callAddress(alert.call_id, alert.started_at, alert.alert_id)}>${t("看整通通话", "The whole call")} →</a></div>
      ${around.length === 0 ? html`<p class="quiet">${t("转写已过保留期。", "The words are no longer kept.")}</p>` : null}
      <ol class="around">${around.map((/** @type {any} */ one) => html`
        <li key=${one.utterance_id} class=${ids.has(one.utterance_id) ? `hit ${one.role}` : one.role}>
          <span class="small quiet">${clock(one.start_ms)} ${roleName(one.role)}</span><bdi>${one.text}</bdi>
        </li>`)}</ol>
    </div>
  `;
}

/** @param {{onClose: () => void, kind: "review" | "appeal"}} properties */
function Help({ onClose, kind }) {
  const keys = [
    ["j", t("下一条", "next")], ["k", t("上一条", "previous")],
    ...(kind === "review" ? [["c", t("属实", "uphold")], ["d", t("误报（要写理由）", "false alarm (asks for a reason)")]]
      : [["g", t("申诉成立（要写理由）", "grant (asks for a reason)")], ["r", t("驳回（要写理由）", "reject (asks for a reason)")]]),
    ["1…9", t("选常用理由并提交", "a usual reason, and send it")], ["?", t("这张表", "this list")], ["Esc", t("关闭", "close")],
  ];
  return html`
    <${Dialog} title=${t("快捷键", "Keys")} onClose=${onClose}>
      <dl class="keys">${keys.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
      <div class="row"><button class="primary" autofocus onClick=${onClose}>${t("关闭", "Close")}</button></div>
    </${Dialog}>
  `;
}

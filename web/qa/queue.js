// The queues of review and appeal, worked through by keyboard: a list, the alert
// that is at hand, its place in the call. A step shows at once; where the server
// refuses it, the alert comes back as it really stands.

import { useEffect, useLayoutEffect, useRef, useState } from "../vendor/hooks.js";
import { ApiError, get } from "../shared/api.js";
import { callAddress, clock, count, kindName, moment, roleName, stateName, today } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { ClipDialog } from "../shared/clips.js";
import { Agent, Choices } from "../shared/parts.js";
import { Evidence, ReviewSteps, ReviewTags, RuleLink, STEP_KEYS, StepButtons, actionName, keepReviewer, needsQuestion, possibleSteps, reviewer, takeStep, takeSteps, usualReasons, verdictName } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Listen } from "../shared/sound.js";
import { Dialog, Fault, Severity, html, useAnswer, useKeys } from "../shared/ui.js";
import { keyOf, readAhead, readCall, readLike, useOpenCases, wordsOf } from "./cases.js";
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
  const [alike, setAlike] = useState(/** @type {any} */ (null));
  const [clipped, setClipped] = useState(/** @type {any} */ (null));
  // The steps taken here, the last one last; each may be of several alerts.
  const [taken, setTaken] = useState(/** @type {{alerts: any[], what: string}[]} */ ([]));
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

  const others = useOpenCases(alert, me);
  useEffect(() => readAhead(alert === undefined ? [] : alerts.slice(at + 1).filter(waits)), [alert && keyOf(alert), alerts.length]);

  const progress = useProgress(kind, asked, me);
  const left = progress.left === null ? null : Math.max(0, progress.left - done);

  const go = (/** @type {number} */ to) => {
    const next = alerts[Math.min(Math.max(0, to), alerts.length - 1)];
    if (next !== undefined) {
      setAsking(null);
      setSelected(keyOf(next));
    }
  };
  /** The next one that waits: below, else above. @param {number} from @param {Set<string>} [skipped] */
  const nextWaiting = (from, skipped = new Set()) => {
    const order = [...alerts.slice(from + 1), ...alerts.slice(0, from)];
    const free = order.filter((one) => waits(one) && !since[keyOf(one)]?.under_way && !skipped.has(keyOf(one)));
    // What another has open is left to them, as long as there is something else.
    return free.find((one) => !others.has(keyOf(one))) ?? free[0];
  };
  const name = () => (me?.open ? reviewer() : null);
  const settle = (/** @type {any[]} */ settled) =>
    setSince((known) => ({ ...known, ...Object.fromEntries(settled.map((one) => [keyOf(one), { review: one.review, under_way: false }])) }));
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
    takeStep(one, action, reason, by ?? name()).then(
      (review) => {
        settle([{ ...one, review }]);
        if (kind === "review") {
          setTaken((known) => [...known, { alerts: [{ ...one, review }], what: whatWasDone(action, 1) }]);
        }
      },
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
  /** The same verdict on alerts of one rule about the same words. @param {any[]} group @param {Action} action @param {string | null} reason */
  const judgeAlike = async (group, action, reason) => {
    setAlike(null);
    const { taken: count, results } = await takeSteps(group, action, reason, name());
    const judged = group.map((one, index) => ({ ...one, review: results[index].review ?? one.review, error: results[index].error }));
    settle(judged.filter(({ error }) => error === null));
    setDone((known) => known + count);
    setTaken((known) => [...known, { alerts: judged.filter(({ error }) => error === null), what: whatWasDone(action, count) }]);
    const failed = judged.filter(({ error }) => error !== null);
    setRefused((known) => [...known, ...failed.map((one) => ({ key: keyOf(one), alert: one, told: toldOf(one.error.message) }))]);
    const next = nextWaiting(at, new Set(group.map(keyOf)));
    if (next !== undefined) {
      setSelected(keyOf(next));
    }
    setTold(t(`已判定 ${count} 条`, `${count} judged`));
  };
  const undo = async () => {
    const last = taken.at(-1);
    if (last === undefined) {
      return;
    }
    setTaken((known) => known.slice(0, -1));
    try {
      const { taken: count, results } = await takeSteps(last.alerts, "undo", null, name());
      settle(last.alerts.map((one, index) => ({ ...one, review: results[index].review ?? one.review })));
      setDone((known) => known - count);
      const failed = results.map((/** @type {any} */ result, /** @type {number} */ index) => ({ ...result, alert: last.alerts[index] })).filter((/** @type {any} */ result) => result.error !== null);
      setRefused((known) => [...known, ...failed.map((/** @type {any} */ one) => ({ key: keyOf(one.alert), alert: one.alert, told: toldOf(one.error.message) }))]);
      setSelected(keyOf(last.alerts[0]));
      setTold(t(`已撤销 ${count} 条`, `${count} undone`));
    } catch (error) {
      setTaken((known) => [...known, last]);
      setRefused((known) => [...known, { key: keyOf(last.alerts[0]), alert: last.alerts[0], told: error instanceof ApiError ? error.text : String(error) }]);
    }
  };
  const quick = kind === "review" && alert !== undefined && possibleSteps(alert).includes("dismiss") ? usualReasons("dismiss") : [];
  const dismissFor = (/** @type {string} */ reason) => {
    if (me?.open && reviewer() === "") {
      setAsking("dismiss");
    } else if (!since[keyOf(alert)]?.under_way) {
      step("dismiss", reason, null);
    }
  };
  /** Shows the like ones, once it is known who judges. */
  const showAlike = () => (me?.open && reviewer() === "" ? setAsking("dismiss") : setAlike(alert));
  useKeys({
    ...Object.fromEntries(quick.map((reason, index) => [String(index + 1), () => dismissFor(reason)])),
    ...(kind === "review" ? { u: undo, a: () => quick.length > 0 && showAlike() } : {}),
    j: () => go(at + 1), k: () => go(at - 1), ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1),
    [STEP_KEYS.confirm]: () => ask("confirm"), [STEP_KEYS.dismiss]: () => ask("dismiss"),
    [STEP_KEYS.grant]: () => ask("grant"), [STEP_KEYS.reject]: () => ask("reject"),
    s: () => alert !== undefined && setClipped(alert),
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
          ${kind === "review" ? html`<button class="small" disabled=${taken.length === 0} onClick=${undo}
            title=${taken.length > 0 ? taken.at(-1)?.what : undefined}>${t("撤销", "Undo")}${taken.length > 0 ? html`<span class="small quiet undone">${taken.at(-1)?.what}</span>` : null} <kbd aria-hidden="true">u</kbd></button>` : null}
          <button class="plain small" onClick=${() => { setTaken([]); setSince({}); setDone(0); setRefused([]); list.reload(); progress.reload(); }}>${t("刷新", "Refresh")}</button>
          <button class="plain small" onClick=${() => setHelp(true)}>${t("快捷键", "Keys")} <kbd aria-hidden="true">?</kbd></button>
        </div>
      </div>
      <p class="visually-hidden" aria-live="polite">${told}</p>
      ${refused.map(({ key, alert: one, told: why }) => html`
        <div key=${key} class="notice critical row spread" role="alert">
          <span><strong>${one.rule_name}</strong> · <${Agent} row=${one} />${t("：", ": ")}${why}</span>
          <span class="row"><button onClick=${() => setSelected(key)}>${t("看这条", "Show it")}</button>
            <button class="plain" onClick=${() => setRefused((known) => known.filter((fault) => fault.key !== key))}>${t("知道了", "Dismiss")}</button></span>
        </div>`)}
      ${list.error ? html`<${Fault} error=${list.error} retry=${list.reload} />` : null}
      ${list.loading && alerts.length === 0 ? html`<p class="panel empty">${t("正在读取…", "Loading…")}</p>` : null}
      ${!list.loading && !list.error && alerts.length === 0
        ? html`<p class="panel empty">${kind === "review" ? t("全部复核完了。", "All is reviewed.") : t("没有待裁定的申诉。", "No appeal waits.")}</p>`
        : null}
      ${alert === undefined ? null : html`<div class="queue">
        <${Items} alerts=${alerts} selected=${keyOf(alert)} since=${since} others=${others} onSelect=${(/** @type {string} */ key) => { setAsking(null); setSelected(key); }} label=${title} />
        <article class="panel stack detail" aria-label=${alert.rule_name}>
          <div class="case stack" tabindex="0" role="group" aria-label=${t("选中的预警", "the chosen alert")}><${Detail} alert=${alert} by=${others.get(keyOf(alert))} /></div>
          <div class="decide"><${StepButtons} alert=${alert} me=${me} asked=${asking} onAsk=${setAsking} onStep=${step} busy=${since[keyOf(alert)]?.under_way === true} />
            ${quick.length === 0 ? null : html`<div class="row quick" role="group" aria-label=${t("判误报并写明理由", "False alarm, with its reason")}>
              ${quick.map((reason, index) => html`<button key=${reason} class="small" aria-keyshortcuts=${String(index + 1)} onClick=${() => dismissFor(reason)}><kbd aria-hidden="true">${index + 1}</kbd>${reason}</button>`)}
              <button class="small" aria-keyshortcuts="a" onClick=${showAlike}><kbd aria-hidden="true">a</kbd>${t("同类一起判…", "All alike…")}</button>
              <button class="small" aria-keyshortcuts="s" onClick=${() => setClipped(alert)}><kbd aria-hidden="true">s</kbd>${t("收进片段…", "To clips…")}</button></div>`}
          </div>
          <div class="reading stack" tabindex="0" role="region" aria-label=${t("上下文和其他", "Context and more")}>
            <${Context} alert=${alert} />
            <${Facts} alert=${alert} />
          </div>
        </article>
      </div>`}
      ${alike === null ? null : html`<${Alike} alert=${alike} asked=${asked} waits=${waits} since=${since} onClose=${() => setAlike(null)}
        onJudge=${(/** @type {any[]} */ group, /** @type {Action} */ action, /** @type {string | null} */ reason) => judgeAlike(group, action, reason).catch((error) => setRefused((known) => [...known, { key: keyOf(group[0]), alert: group[0], told: error instanceof ApiError ? error.text : String(error) }]))} />`}
      ${clipped === null ? null : html`<${ClipDialog} alert=${clipped} me=${me} onClose=${() => setClipped(null)} onKept=${(/** @type {any} */ kept) => { setClipped(null); setTold(t(`已收进“${kept.title}”`, `Put into "${kept.title}"`)); }} />`}
      ${help ? html`<${Help} onClose=${() => setHelp(false)} kind=${kind} />` : null}
    </section>
  `;
}

/** A message of the server, which has both languages, in the reader's. @param {string} message */
function toldOf(message) {
  const [zh, en] = message.split(" / ");
  return t(zh, en ?? zh);
}

/** @param {Action} action @param {number} count of alerts */
function whatWasDone(action, count) {
  return `${verdictName(action === "confirm" ? "confirmed" : "dismissed")}${count > 1 ? ` ×${count}` : ""}`;
}

/**
 * The alerts of one rule about the same words, by sentence; one key judges those that are ticked.
 * @param {{alert: any, asked: Record<string, any>, waits: (alert: any) => boolean, since: Record<string, any>, onClose: () => void,
 *   onJudge: (group: any[], action: Action, reason: string | null) => void}} properties
 */
function Alike({ alert, asked, waits, since, onClose, onJudge }) {
  const { value, error, reload } = useAnswer((signal) => readLike(alert, asked, signal), [keyOf(alert)]);
  const [left, setLeft] = useState(/** @type {Set<string>} */ (new Set()));
  const alerts = (value ?? []).filter((/** @type {any} */ one) => waits(one) && !since[keyOf(one)]?.under_way);
  const sentences = new Map();
  for (const one of alerts) {
    const text = one.evidence[0]?.text ?? one.message;
    sentences.set(text, [...(sentences.get(text) ?? []), one]);
  }
  const group = alerts.filter((/** @type {any} */ one) => !left.has(one.evidence[0]?.text ?? one.message));
  const reasons = usualReasons("dismiss");
  const judge = (/** @type {Action} */ action, /** @type {string | null} */ reason) => group.length > 0 && onJudge(group, action, reason);
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    const reason = reasons[Number(event.key) - 1];
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    if (event.key === "c" || reason !== undefined) {
      event.preventDefault();
      judge(reason === undefined ? "confirm" : "dismiss", reason ?? null);
    }
  };
  // Wherever the focus is in the dialog, a key judges.
  const latest = useRef(onKeyDown);
  latest.current = onKeyDown;
  useEffect(() => {
    const listener = (/** @type {KeyboardEvent} */ event) => latest.current(event);
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, []);
  const words = wordsOf(alert);
  return html`
    <${Dialog} title=${t("同类一起判", "All alike")} onClose=${onClose}>
      <div class="stack alike">
        <p class="flat">${alert.rule_name}${words ? html`${t("：", ": ")}<mark>${words.replaceAll("|", " ")}</mark>` : ""} ·
          ${value === undefined ? t("正在读取…", "Loading…") : t(`共 ${alerts.length} 条，${sentences.size} 种说法`, `${alerts.length} alerts, ${sentences.size} sentences`)}</p>
        ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
        <ul class="sentences">${[...sentences].map(([text, ones]) => html`<li key=${text}>
          <label><input type="checkbox" checked=${!left.has(text)} onChange=${() => setLeft((known) => {
            const now = new Set(known);
            now.has(text) ? now.delete(text) : now.add(text);
            return now;
          })} /><span><bdi><${Marked} text=${text} ranges=${(ones[0].evidence ?? []).filter((/** @type {any} */ one) => one.text === text)} /></bdi>
            <span class="small quiet">×${ones.length} · ${[...new Set(ones.map((/** @type {any} */ one) => one.agent_name ?? one.agent_id))].slice(0, 4).join(t("、", ", "))}</span></span></label>
          <a class="small" href=${callAddress(ones[0].call_id, ones[0].started_at, ones[0].alert_id)} target="_blank">${t("看通话", "the call")}</a></li>`)}</ul>
        <div class="row">
          <button class="primary" disabled=${group.length === 0} onClick=${() => judge("confirm", null)}>${t(`${group.length} 条属实`, `Uphold ${group.length}`)} <kbd aria-hidden="true">c</kbd></button>
          <button onClick=${onClose}>${t("取消", "Cancel")} <kbd aria-hidden="true">Esc</kbd></button>
        </div>
        <div class="row quick" role="group" aria-label=${t("都判误报并写明理由", "All false alarms, with their reason")}>
          ${reasons.map((reason, index) => html`<button key=${reason} class="small" disabled=${group.length === 0} onClick=${() => judge("dismiss", reason)}><kbd aria-hidden="true">${index + 1}</kbd>${reason}</button>`)}</div>
      </div>
    </${Dialog}>
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
  const action = kind === "review" ? "confirm,dismiss,undo" : "grant,reject";
  const mine = useAnswer((signal) => get("/v1/audit", { from: day, action, limit: AUDIT_MAX }, signal), [kind, day, token()]);
  const waiting = useAnswer(
    (signal) => get("/v1/statistics", { group: "severity", ...asked }, signal),
    [JSON.stringify(asked), token()],
  );
  const entries = mine.value?.entries ?? [];
  return {
    today: entries.filter((/** @type {any} */ entry) => entry.by === name).reduce((/** @type {number} */ sum, /** @type {any} */ entry) => sum + (entry.action === "undo" ? -1 : 1), 0),
    left: waiting.value?.total.alerts ?? null,
    reload: () => { mine.reload(); waiting.reload(); },
  };
}

/** @param {{alerts: any[], selected: string, since: Record<string, {under_way: boolean}>, others: Map<string, string>, onSelect: (key: string) => void, label: string}} properties */
function Items({ alerts, selected, since, others, onSelect, label }) {
  const list = useRef(/** @type {HTMLUListElement | null} */ (null));
  useEffect(() => {
    const item = list.current?.querySelector("[aria-current]");
    const box = list.current;
    if (item instanceof HTMLElement && box !== null) {
      // Only the list moves, not the page.
      const [inner, outer] = [item.getBoundingClientRect(), box.getBoundingClientRect()];
      if (inner.top < outer.top || inner.bottom > outer.bottom) {
        box.scrollTop += inner.top - outer.top - outer.height / 3;
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
            <span class="row spread small quiet"><span><${Agent} row=${alert} /> · ${moment(alert.emitted_at).slice(5, 16)}</span>
              ${since[key]?.under_way ? html`<span>${t("提交中…", "sending…")}</span>` : settled ? html`<span><${ReviewTags} review=${alert.review} /></span>`
                : others.has(key) ? html`<span class="tag neutral">${t(`${others.get(key)} 在看`, `${others.get(key)} is on it`)}</span>` : null}</span>
          </button>
        </li>`;
      })}
    </ul>
  `;
}

/** @param {{alert: any, by: string | undefined}} properties */
export function Detail({ alert, by }) {
  const dismissed = alert.feedback?.action === "dismiss";
  return html`
    <div class="row spread">
      <h3 class="flat">${alert.rule_name}</h3>
      <span><${Severity} severity=${alert.severity} /> <span class="tag neutral">${kindName(alert.kind)}</span>
        <${Standing} display=${alert.display} />
        ${alert.state === "confirmed" ? null : html` <span class="tag neutral">${stateName(alert.state)}</span>`} <${ReviewTags} review=${alert.review} /></span>
    </div>
    ${by === undefined ? null : html`<p class="notice warning flat" role="status">${t(`${by} 也打开着这条。`, `${by} has this one open, too.`)}</p>`}
    <p class="flat"><bdi>${alert.message}</bdi></p>
    ${dismissed ? html`<p class="notice flat">${t("坐席忽略了这条预警", "The agent dismissed this alert")}${alert.feedback.by ? t(`（${alert.feedback.by}）`, ` (${alert.feedback.by})`) : ""}${alert.feedback.reason ? html`${t("：", ": ")}<bdi>${alert.feedback.reason}</bdi>` : ""}</p>` : null}
    <${Evidence} alert=${alert} />
  `;
}

/** What else is known of it, and what people did. @param {{alert: any}} properties */
export function Facts({ alert }) {
  return html`
    <dl class="facts">
      <div><dt>${t("坐席", "Agent")}</dt><dd><${Agent} row=${alert} /></dd></div>
      <div><dt>${t("队列", "Queue")}</dt><dd><bdi>${alert.queue ?? "—"}</bdi></dd></div>
      <div><dt>${t("时间", "Time")}</dt><dd>${moment(alert.emitted_at)}</dd></div>
      <div><dt>${t("通话", "Call")}</dt><dd><a href=${callAddress(alert.call_id, alert.started_at, alert.alert_id)}><bdi>${alert.call_id}</bdi></a> · ${clock(alert.at_ms)}</dd></div>
      <div><dt>${t("扣分", "Deduct")}</dt><dd>${alert.deduct}</dd></div>
      <div><dt>${t("条款", "Clauses")}</dt><dd>${alert.clauses.length > 0 ? alert.clauses.join("、") : "—"}</dd></div>
    </dl>
    <p class="flat"><a href=${`${callAddress(alert.call_id, alert.started_at)}#form`}>${t("用评分表评这通", "Score the call by a form")} →</a></p>
    <${ReviewSteps} review=${alert.review} />
    <${RuleLink} alert=${alert} />
  `;
}

/** What was said before and after. @param {{alert: any}} properties */
export function Context({ alert }) {
  const { value } = useAnswer(() => readCall(alert), [alert.call_id, alert.started_at]);
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  // The words in question are in the middle, whatever is around them.
  useLayoutEffect(() => {
    const [box, hit] = [place.current?.closest(".reading"), place.current?.querySelector(".hit")];
    if (box && hit) {
      const [outer, inner] = [box.getBoundingClientRect(), hit.getBoundingClientRect()];
      box.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
    }
  }, [keyOf(alert), value]);
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
    <div class="context stack" ref=${place}>
      <div class="row spread"><h3 class="flat">${t("上下文", "In the call")}</h3>
        <span class="row">${value.recording ? html`<${Listen} key=${keyOf(alert)} sound=${value.recording} at=${said[at]?.start_ms ?? alert.at_ms} />` : null}
          <a href=${callAddress(alert.call_id, alert.started_at, alert.alert_id)}>${t("看整通通话", "The whole call")} →</a></span></div>
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
    ...(kind === "review" ? [["c", t("属实", "uphold")], ["1…4", t("误报，理由是按钮上的那个", "false alarm, for the reason on the button")], ["d", t("误报，自己写理由", "false alarm, in your own words")],
        ["p", t("听这里（有录音时）", "hear it, where there is a recording")], ["a", t("同一规则、同样的话：一起判", "same rule, same words: judge them together")], ["u", t("撤销刚才的判定", "undo the last verdict")]]
      : [["g", t("申诉成立（要写理由）", "grant (asks for a reason)")], ["r", t("驳回（要写理由）", "reject (asks for a reason)")],
        ["1…3", t("问理由时：常用理由，并提交", "asked for a reason: a usual one, and send it")]]),
    ["s", t("收进培训片段", "put into training clips")], ["?", t("这张表", "this list")], ["Esc", t("关闭", "close")],
  ];
  return html`
    <${Dialog} title=${t("快捷键", "Keys")} onClose=${onClose}>
      <dl class="keys">${keys.map(([key, what]) => html`<div key=${key}><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>
      <div class="row"><button class="primary" autofocus onClick=${onClose}>${t("关闭", "Close")}</button></div>
    </${Dialog}>
  `;
}

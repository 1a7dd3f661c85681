// An agent's own day: how it went against their own last weeks, what went well,
// every alert with its words and what became of it, appeals until their term.

import { Marked } from "../shared/marked.js";
import { Evidence } from "../shared/review.js";
import { Fault, Settings, Severity, SignIn, SignOut, html, show, useAnswer, useFilters } from "../shared/ui.js";
import { ApiError, get, post } from "../shared/api.js";
import { clock, moment, roleName, today, upright } from "../shared/format.js";
import { t, token } from "../shared/settings.js";
import { outcome, outcomeName, outcomeReason } from "../element/words.js";
import { useEffect, useState } from "../vendor/hooks.js";

const agent = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const path = `/v1/agents/${encodeURIComponent(agent)}`;
/** Utterances before and after the words of an alert. */
const AROUND = 3;
/** Alerts of a day that are asked for at a time; appeals that are listed. */
const PAGE = 100;
const APPEALS_MAX = 50;
const FORMS_MAX = 5;
const DAY_MS = 86_400_000;

/** @typedef {import("../shapes.js").Day} Day */
/** @typedef {any} Alert */

function DayPage() {
  const { value: me, error } = useAnswer((signal) => get("/v1/me", {}, signal), [token()]);
  const isRefused = error instanceof ApiError && error.status === 401;
  const mayLook = me !== undefined && (me.agents.includes(agent) || me.roles.includes("qa") || me.roles.includes("admin"));
  const mine = me !== undefined && (me.open || me.agents.includes(agent));
  const [{ day: asked }, change] = useFilters({ day: "" });
  document.title = `${t("我的一天", "My day")} · ${agent}`;
  return html`
    <a class="skip" href="#main">${t("跳到正文", "Skip to content")}</a>
    <header class="bar">
      <a class="brand" href=${`/agent/${encodeURIComponent(agent)}`}><img src="/assets/shared/icon.svg" alt="" />${t("回到面板", "Back to the panel")}</a>
      <div class="tools"><${SignOut} me=${me} /><${Settings} /></div>
    </header>
    <main id="main" class="day" tabindex="-1">
      ${isRefused || (me !== undefined && !mayLook)
        ? html`<${SignIn} wrong=${token() !== null} role=${["agents"]} />`
        : error ? html`<${Fault} error=${error} />`
          : me === undefined ? null : html`<${Whole} key=${asked} asked=${asked} mine=${mine} choose=${(/** @type {string} */ day) => change({ day: day === today() ? "" : day })} />`}
    </main>
  `;
}

/** @param {{asked: string, mine: boolean, choose: (day: string) => void}} properties */
function Whole({ asked, mine, choose }) {
  const { value: day, error, reload } = useAnswer((signal) => get(`${path}/day`, { day: asked }, signal), [asked]);
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (day === undefined) {
    return html`<p class="empty">${t("正在读取…", "loading…")}</p>`;
  }
  return html`
    <${Head} day=${day} mine=${mine} choose=${choose} />
    <div class="columns">
      <div class="stack">
        <${Alerts} day=${day.day} total=${day.total} mine=${mine} />
      </div>
      <div class="stack aside">
        <${Coaching} />
        <${Helps} helps=${day.helps} />
        <${Duties} duties=${day.duties} />
        <${Weeks} weeks=${day.weeks} />
        <${Appeals} day=${day.day} />
      </div>
    </div>
  `;
}

/** How the day went, in a sentence. @param {{day: Day, mine: boolean, choose: (day: string) => void}} properties */
function Head({ day, mine, choose }) {
  const { total, weeks, streak, streak_best: best } = day;
  const isToday = day.day === today();
  const name = isToday ? t("今天", "today") : day.day.slice(5);
  const before = weeks.slice(0, -1).filter(({ calls }) => calls > 0);
  const calls = before.reduce((sum, week) => sum + week.calls, 0);
  const mean = calls === 0 ? null : before.reduce((sum, week) => sum + week.mean * week.calls, 0) / calls;
  const difference = mean === null || total.calls === 0 ? null : Math.round((total.mean - mean) * 10) / 10;
  const step = (/** @type {number} */ days) => new Date(Date.parse(`${day.day}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
  return html`<section class="head">
    <div class="row spread">
      <h1>${mine ? t("我的一天", "My day") : t(`坐席 ${upright(day.agent_name ?? agent)} 的一天`, `The day of agent ${upright(day.agent_name ?? agent)}`)}</h1>
      <div class="row when">
        <button class="small" aria-label=${t("前一天", "the day before")} onClick=${() => choose(step(-1))}>‹</button>
        <label><span class="visually-hidden">${t("日期", "Date")}</span><input type="date" value=${day.day} max=${today()} onChange=${(/** @type {any} */ event) => event.target.value && choose(event.target.value)} /></label>
        <button class="small" aria-label=${t("后一天", "the day after")} disabled=${isToday} onClick=${() => choose(step(1))}>›</button>
      </div>
    </div>
    ${total.calls === 0
      ? html`<p class="headline quiet">${t(`${name}还没有结束的通话`, `No call is over ${isToday ? "today" : `on ${name}`}`)}</p>`
      : html`
        <p class="headline"><b class="score">${total.mean.toFixed(1)}</b> <span>${t("分", "points")}</span>
          ${difference === null ? null : html`<span class=${`trend ${difference >= 0 ? "up" : "down"}`}>${difference >= 0 ? "▲" : "▼"} ${Math.abs(difference).toFixed(1)} <span class="quiet">${t("比自己前几周", "against my last weeks")}</span></span>`}
        </p>
        <ul class="figures">
          <li><b>${total.calls}</b> ${t("通电话", "calls")}</li>
          ${total.clean === 0 ? null : html`<li class="good"><b>${total.clean}</b> ${t("通没有预警", "without an alert")}</li>`}
          <li><b>${total.alerts}</b> ${t("条计分的预警", "alerts that count")}</li>
          ${streak > 1 ? html`<li class="good"><b>${streak}</b> ${t("通连续没有预警", "in a row without one")}${streak === best && streak > 4 ? html` <span class="tag good">${t("八周最好", "best of eight weeks")}</span>` : null}</li>` : null}
        </ul>`}
  </section>`;
}

/** What had to be said. @param {{duties: Day["duties"]}} properties */
function Duties({ duties }) {
  if (duties.length === 0) {
    return null;
  }
  const said = duties.reduce((sum, duty) => sum + duty.said, 0);
  const all = duties.reduce((sum, duty) => sum + duty.said + duty.missed, 0);
  return html`<section class="panel">
    <h2>${t(`该说的话说到了 ${said}/${all} 次`, `Required words said ${said} of ${all} times`)}</h2>
    <ul class="duties">${duties.map(({ rule_id: id, rule_name: name, said, missed }) => html`<li key=${id}>
      <bdi>${name ?? id}</bdi>
      <span class=${missed === 0 ? "all" : ""}>${missed === 0 ? "✓ " : ""}${said}/${said + missed}</span>
      <span class="share" aria-hidden="true"><span style=${{ width: `${(said / (said + missed)) * 100}%` }}></span></span>
    </li>`)}</ul>
  </section>`;
}

/** My own weeks. @param {{weeks: Day["weeks"]}} properties */
function Weeks({ weeks }) {
  const known = weeks.filter(({ calls }) => calls > 0);
  if (known.length === 0) {
    return null;
  }
  // What differs is to be seen: the foot is somewhat below the least.
  const foot = Math.max(0, Math.min(...known.map(({ mean }) => mean)) - 5);
  const height = (/** @type {number} */ mean) => `${Math.max(4, ((mean - foot) / (100 - foot)) * 100)}%`;
  return html`<section class="panel">
    <h2>${t("我的几周", "My weeks")}</h2>
    <ol class="weeks">${weeks.map((week, at) => html`<li key=${week.key} class=${at === weeks.length - 1 ? "now" : ""}
        title=${t(`${week.key} 起：${week.calls} 通，${week.alerts} 条预警`, `from ${week.key}: ${week.calls} calls, ${week.alerts} alerts`)}>
      <span class="value">${week.calls === 0 ? "—" : week.mean.toFixed(1)}</span>
      <span class="column" aria-hidden="true">${week.calls === 0 ? null : html`<span style=${{ height: height(week.mean) }}></span>`}</span>
      <span class="name">${(week.key ?? "").slice(5)}</span>
    </li>`)}</ol>
    <p class="small quiet flat">${t("每周平均分，周一为界；柱子从最低分以下起画。", "The mean score of each week, from Mondays on; columns begin below the least.")}</p>
  </section>`;
}

/** What supervisors wrote to the agent. @param {{helps: Day["helps"]}} properties */
function Helps({ helps }) {
  if (helps.length === 0) {
    return null;
  }
  return html`<section class="panel">
    <h2>${t(`督导写来的 ${helps.length} 句`, `${helps.length} from supervisors`)}</h2>
    <ul class="appeals helps">${helps.map((help) => html`<li key=${help.help_id}>
      <span class="number quiet">${moment(help.at).slice(11, 16)}</span> <b><bdi>${help.by}</bdi></b>
      <bdi class="written">${help.text}</bdi>
      ${help.read_at === null ? html`<span class="small quiet">${t("没有点「知道了」", "not marked as read")}</span>` : null}</li>`)}</ul>
  </section>`;
}

/** All alerts of the day by call, folded ones too. @param {{day: string, total: Day["total"], mine: boolean}} properties */
function Alerts({ day, total, mine }) {
  const [alerts, setAlerts] = useState(/** @type {Alert[]} */ ([]));
  const [cursor, setCursor] = useState(/** @type {string | null} */ (null));
  const { value, error, reload } = useAnswer((signal) => get(`${path}/history`, { from: day, to: day, limit: PAGE, cursor: cursor ?? "" }, signal), [cursor]);
  useEffect(() => {
    if (value !== undefined) {
      const known = new Set(value.alerts.map((/** @type {Alert} */ alert) => alert.alert_id + alert.started_at));
      setAlerts((before) => [...before.filter((alert) => !known.has(alert.alert_id + alert.started_at)), ...value.alerts]);
    }
  }, [value]);
  const isAll = value !== undefined && !value.next_cursor;
  const rest = alerts.length - total.alerts;
  /** @type {Map<string, Alert[]>} */
  const calls = new Map();
  for (const alert of alerts) {
    const key = `${alert.started_at} ${alert.call_id}`;
    calls.set(key, [...(calls.get(key) ?? []), alert]);
  }
  return html`<section aria-labelledby="alerts">
    <h2 id="alerts">${t(`预警 ${alerts.length}${value?.next_cursor ? "+" : ""} 条`, `${alerts.length}${value?.next_cursor ? "+" : ""} alerts`)}</h2>
    ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
    ${isAll && rest > 0 ? html`<p class="small quiet">${t(`其中 ${rest} 条不在上面的计分里：通话还没有结束，或复核认为不成立`, `${rest} of them are not among those that count above: their call is not over, or a review dismissed them`)}</p>` : null}
    ${value !== undefined && alerts.length === 0 ? html`<p class="panel empty">${t("没有预警", "No alerts")}</p>` : null}
    ${[...calls].map(([key, ofCall]) => html`<${Call} key=${key} alerts=${ofCall} mine=${mine} reload=${reload} />`)}
    ${value?.next_cursor ? html`<p><button onClick=${() => setCursor(value.next_cursor)}>${t("再看", "More")}</button></p>` : null}
  </section>`;
}

/** One call's alerts, in the order in which they were said. @param {{alerts: Alert[], mine: boolean, reload: () => void}} properties */
function Call({ alerts, mine, reload }) {
  const [first] = alerts;
  const [isOpen, setOpen] = useState(false);
  const { value: call, error } = useAnswer(
    (signal) => (isOpen ? get(`${path}/calls/${encodeURIComponent(first.call_id)}`, { started_at: first.started_at }, signal) : Promise.resolve(undefined)),
    [isOpen],
  );
  const name = call?.events.find((/** @type {any} */ event) => event.type === "call.start")?.customer_name;
  return html`<section class="panel call">
    <h3><span class="number">${moment(first.started_at).slice(11, 16)}</span>
      ${[name, first.queue].filter(Boolean).map((text) => html` · <bdi>${text}</bdi>`)}
      <button class="small plain" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${isOpen ? t("收起前后文", "Hide the context") : t("看前后文", "Show the context")}</button></h3>
    ${error ? html`<${Fault} error=${error} />` : null}
    ${[...alerts].reverse().map((alert) => html`<${One} key=${alert.alert_id} alert=${alert} call=${isOpen ? call : undefined} mine=${mine} reload=${reload} />`)}
  </section>`;
}

/** @param {{alert: Alert, call: any, mine: boolean, reload: () => void}} properties */
function One({ alert, call, mine, reload }) {
  const name = outcomeName(alert.review);
  const reason = outcomeReason(alert.review);
  const counts = outcome(alert.review).counts;
  const mineSaid = { seen: t("我：已知悉", "I: seen"), dismiss: t("我：标了不对", "I: marked wrong") }[/** @type {string} */ (alert.feedback?.action)];
  return html`<article class=${`alert ${counts ? alert.severity : "past"}`} data-alert-id=${alert.alert_id}>
    <p class="line"><span class="number quiet">${clock(alert.at_ms)}</span> <${Severity} severity=${alert.severity} />
      <strong class=${counts ? "" : "struck"}><bdi>${alert.message}</bdi></strong>
      ${alert.deduct > 0 && counts ? html`<span class="tag neutral">−${alert.deduct}</span>` : null}
      ${alert.display === "folded" ? html`<span class="tag neutral">${t("当时没有单独显示", "was not shown by itself")}</span>` : null}
      ${mineSaid ? html`<span class="small quiet">${mineSaid}${alert.feedback.reason ? html`：<bdi>${alert.feedback.reason}</bdi>` : null}</span>` : null}
    </p>
    ${call ? html`<${Context} alert=${alert} events=${call.events} />` : html`<${Evidence} alert=${{ ...alert, suggestion: null }} />`}
    ${alert.suggestion && counts ? html`<p class="better"><span class="label">${t("可以这样说", "Better words")}</span>${alert.suggestion}</p>` : null}
    ${name ? html`<p class="outcome"><span class=${`tag ${counts ? "warning" : "good"}`}>${name}</span>${reason ? html` <bdi>${reason}</bdi>` : null}</p>` : null}
    ${mine && alert.may_appeal ? html`<${Appeal} alert=${alert} reload=${reload} />` : null}
  </article>`;
}

/** The words of an alert among those around them. @param {{alert: Alert, events: any[]}} properties */
function Context({ alert, events }) {
  /** A second final replaces the first. @type {Map<string, any>} */
  const finals = new Map(events.filter(({ type, final }) => type === "utterance" && final).map((event) => [event.utterance_id, event]));
  const said = [...finals.values()].sort((a, b) => a.start_ms - b.start_ms);
  const cited = new Map(/** @type {any[]} */ (alert.evidence).map((one) => [one.utterance_id, one]));
  const places = said.flatMap(({ utterance_id: id }, at) => (cited.has(id) ? [at] : []));
  const after = said.findIndex(({ start_ms: start }) => start > alert.at_ms);
  const [from, to] = places.length > 0 ? [Math.min(...places), Math.max(...places)] : [after, after].map((at) => (at < 0 ? said.length - 1 : at));
  const around = said.slice(Math.max(0, from - AROUND), to + AROUND + 1);
  return html`<ol class="context">${around.map(({ utterance_id: id, role, text, start_ms: start }) => {
    const one = cited.get(id);
    return html`<li key=${id} class=${one ? "cited" : ""}><span class="number quiet">${clock(start)}</span> <span class="who">${roleName(role)}</span>
      <bdi>${one && one.text === text ? html`<${Marked} text=${text} ranges=${[{ start: one.start, end: one.end }]} />` : text}</bdi></li>`;
  })}</ol>`;
}

/** @param {{alert: Alert, reload: () => void}} properties */
function Appeal({ alert, reload }) {
  const [isOpen, setOpen] = useState(false);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const reason = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("reason")).trim();
    if (reason !== "") {
      setError(null);
      try {
        await post(`${path}/alerts`, { type: "appeal", alert_id: alert.alert_id, reason, started_at: alert.started_at });
        setOpen(false);
        reload();
      } catch (fault) {
        setError(fault);
      }
    }
  };
  const until = alert.appeal_until ? html`<span class="small quiet">${t("可申诉至 ", "until ")}${moment(alert.appeal_until).slice(5, 16)}</span>` : null;
  if (!isOpen) {
    return html`<p class="row appeal"><button class="small" onClick=${() => setOpen(true)}>${t("申诉", "Appeal")}</button>${until}</p>`;
  }
  return html`<form class="row appeal" onSubmit=${submit}>
    <input class="grow" name="reason" maxlength="200" autocomplete="off" required aria-label=${t("申诉理由", "Why it is wrong")} placeholder=${t("申诉理由", "Why it is wrong")} ref=${(/** @type {HTMLElement | null} */ field) => field?.focus()} />
    <button class="primary">${t("提交", "Send")}</button><button type="button" class="plain" onClick=${() => setOpen(false)}>${t("取消", "Cancel")}</button>${until}
    ${error === null ? null : html`<${Fault} error=${error} />`}
  </form>`;
}

/** What people wrote for the agent: forms, those to sign first, and clips to learn from. */
function Coaching() {
  const { value: filled } = useAnswer((signal) => get(`${path}/forms`, { limit: FORMS_MAX }, signal), []);
  const { value: shared } = useAnswer((signal) => get(`${path}/clips`, {}, signal), []);
  const isOpen = (/** @type {any} */ form) => form.signature === "open";
  const forms = /** @type {any[]} */ (filled?.forms ?? []);
  const open = forms.filter(isOpen);
  const clips = /** @type {any[]} */ (shared?.collections ?? []);
  if (forms.length + clips.length === 0) {
    return null;
  }
  return html`<section class="panel">
    <h2>${open.length > 0 ? t(`辅导：${open.length} 份评分待签收`, `Coaching: ${open.length} forms to sign`) : t("辅导", "Coaching")}</h2>
    <ul class="appeals">
      ${[...open, ...forms.filter((form) => !isOpen(form))].map((form) => html`<li key=${form.form_no}>
        <a href=${`/agent/${encodeURIComponent(agent)}/forms#${form.form_no}`}><bdi>${form.title}</bdi> ${moment(form.started_at).slice(5, 16)}</a>
        <b class="number">${form.score.toFixed(1)}</b> ${isOpen(form) ? html`<span class="tag warning">${t("待签收", "to sign")}</span>` : null}
        ${form.comment ? html`<span class="small quiet"><bdi>${form.comment}</bdi></span>` : null}</li>`)}
      ${clips.map((clip) => html`<li key=${`clip ${clip.clip_no}`}><a href=${`/clips/${clip.clip_no}`}><bdi>${clip.title}</bdi></a>
        <span class="small quiet">${t(`${clip.count} 个片段`, `${clip.count} clips`)}${clip.note ? html` · <bdi>${clip.note}</bdi>` : null}</span></li>`)}
    </ul>
  </section>`;
}

/** What became of appeals and reviews, the latest first, of other days. @param {{day: string}} properties */
function Appeals({ day }) {
  const { value } = useAnswer((signal) => get(`${path}/reviews`, { limit: APPEALS_MAX }, signal), []);
  const others = (value?.alerts ?? []).filter((/** @type {Alert} */ alert) => alert.review.appeal !== null && !moment(alert.started_at).startsWith(day));
  if (others.length === 0) {
    return null;
  }
  return html`<section class="panel">
    <h2>${t("别的日子的申诉", "Appeals of other days")}</h2>
    <ul class="appeals">${others.map((/** @type {Alert} */ alert) => html`<li key=${alert.alert_id + alert.started_at}>
      <a href=${`?day=${moment(alert.started_at).slice(0, 10)}`}>${moment(alert.started_at).slice(5, 16)}</a>
      <span><bdi>${alert.message}</bdi></span>
      <span class=${`tag ${alert.review.appeal === "granted" ? "good" : alert.review.appeal === "pending" ? "neutral" : "warning"}`}>${outcomeName(alert.review)}</span>
      ${outcomeReason(alert.review) ? html`<span class="small quiet"><bdi>${outcomeReason(alert.review)}</bdi></span>` : null}
    </li>`)}</ul>
  </section>`;
}

show(DayPage);

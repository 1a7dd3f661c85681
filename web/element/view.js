// The agent's panel as it looks: from the board and the notes to elements.

import { html } from "../shared/ui.js";
import { clock, moment, roleName, severityName } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { t } from "../shared/settings.js";
import { Board } from "./board.js";
import { excerpt, outcome, outcomeName, outcomeReason, outcomes, reasonGone, reasons, standing } from "./words.js";

/** What fills a meter; it judges nothing, that is for the rules. */
const FULL = { silence_ms: 20_000, speech_rate: 400, hold_ms: 120_000 };

/** @param {any} properties */
export function Panel({ board, notes, asking, history, mine, now, agent, polite, assertive, sound, act }) {
  const live = board.live();
  const call = board.current();
  // Alerts of the calls in progress that have no card: more came than can be read.
  const unshown = history.filter((/** @type {any} */ alert) => board.calls.has(alert.call_id) && !board.cards.has(alert.alert_id)).map(asCard);
  const at = call ? Board.clockOf(call, now) : 0;
  const isActive = live.length > 0 || board.slots.some((/** @type {string | null} */ id) => id !== null);
  return html`
    <div class="panel" part="panel" role="region" aria-label=${t(`坐席 ${agent} 的预警`, `Alerts of agent ${agent}`)} tabindex="-1">
      <header>
        ${call
          ? html`<span class="clock" role="timer" aria-label=${t("通话时长", "call time")}>${clock(at)}</span>
              <span class="what"><b class=${`state ${call.state}`}>${stateOf(call)}</b>
                <span class="queue"><bdi>${[call.customer_name, call.queue].filter(Boolean).join(" · ")}</bdi></span></span>`
          : html`<span class="what"><b class="state">${isActive ? t("通话中", "on a call") : t("等待来电", "waiting for a call")}</b>
              </span>`}
        <${Link} notes=${notes} />
        ${sound === null
          ? null
          : html`<button class="plain" aria-pressed=${sound} onClick=${() => act("sound")}>${sound ? t("声音：开", "sound on") : t("声音：关", "sound off")}</button>`}
      </header>
      ${mine === false ? html`<p class="watching" role="note">${t(`旁观：只有坐席 ${agent} 本人能答复`, `Watching: only agent ${agent} can answer`)}</p>` : null}
      ${live.length > 1 ? html`<${Calls} board=${board} live=${live} current=${call} act=${act} />` : null}
      <${Strip} notes=${notes} agent=${agent} unshown=${unshown.length} />
      ${call ? html`<${Meters} call=${call} now=${now} />` : null}
      <div class="cards" role="list" aria-label=${t("预警", "Alerts")}>
        ${isActive
          ? board.slots.map((/** @type {string | null} */ id, /** @type {number} */ place) => html`
              <div class="slot" key=${place} role="listitem" onMouseEnter=${() => id && act("pin", id)} onMouseLeave=${() => act("unpin")}>
                ${id === null ? null : html`<${Card} key=${id} card=${board.cards.get(id)} board=${board} now=${now} asking=${asking} mine=${mine} act=${act} />`}
              </div>`)
          : html`<div class="rest" role="listitem"><${Rest} board=${board} history=${history} asking=${asking} mine=${mine} act=${act} /></div>`}
      </div>
      ${isActive ? html`<${Earlier} cards=${[...board.earlier(), ...unshown]} />` : null}
      ${call ? html`<${Checklist} duties=${call.checklist} at=${at} />` : null}
      <p class="unseen" aria-live="polite">${polite}</p>
      <p class="unseen" aria-live="assertive">${assertive}</p>
    </div>
  `;
}

/** The agent's calls, to choose whose state is shown. @param {any} properties */
function Calls({ board, live, current, act }) {
  return html`<div class="calls" role="group" aria-label=${t("进行中的通话", "Calls in progress")}>
    ${live.map((/** @type {import("./board.js").Call} */ call) => html`
      <button class="small" key=${call.call_id} aria-pressed=${call === current} title=${call.call_id} onClick=${() => act("choose", call.call_id)}><bdi>${board.nameOf(call.call_id)}</bdi></button>`)}
  </div>`;
}

/** An alert of the history as a card has it. @param {any} alert @returns {import("./board.js").Card} */
function asCard(alert) {
  const { feedback } = alert;
  return { alert, before: null, came: 0, leaves: null, waits: false, handled: feedback?.action ?? null, reason: feedback?.reason ?? null };
}

/** @param {import("./board.js").Call} call */
function stateOf(call) {
  return { talking: t("通话中", "talking"), silent: t("静默", "silent"), hold: t("保持中", "on hold"), ended: t("已结束", "ended") }[call.state];
}

/** @param {any} properties */
function Link({ notes }) {
  const names = {
    connecting: t("正在连接…", "connecting…"),
    open: t("已连接", "connected"),
    "catching-up": t("已重连，补收中", "back, catching up"),
    closed: t("断线，正在重连", "connection lost, retrying"),
    refused: t("连不上", "refused"),
  };
  const link = /** @type {keyof typeof names} */ (notes.link);
  return html`<span class=${`link ${link}`} role="status" data-link=${link}>${names[link]}</span>`;
}

/** What is wrong at the moment; its line is there all the time, so that nothing moves. @param {any} properties */
function Strip({ notes, agent, unshown }) {
  const told = [
    notes.link === "refused" ? notes.why : null,
    notes.link === "closed" ? t("断线期间的预警会在重连后补上", "alerts of the meantime follow once it is back") : null,
    notes.degraded.size === 0 ? null : t("检查能力下降：", "degraded: ") + [...new Set(notes.degraded.values())].join(t("；", "; ")),
    notes.gap ? t("服务端数据已更换，部分旧预警可能缺失", "the server has other data; older alerts may be missing") : null,
    notes.reviewed?.text,
    notes.folded === null ? null : t(`另有 ${unshown || notes.folded.count} 条未逐一显示`, `${unshown || notes.folded.count} more not shown one by one`),
    notes.fault,
  ].filter((text) => text !== null && text !== undefined && text !== "");
  const isGrave = notes.link === "refused" || notes.link === "closed" || notes.degraded.size > 0;
  return html`<p class=${`strip ${told.length > 0 ? (isGrave ? "grave" : "mild") : ""}`} role="status" title=${told.join(" · ")}>${told.length > 0 ? told.join(" · ") : t(`坐席 ${agent}`, `Agent ${agent}`)}</p>`;
}

/** @param {{call: import("./board.js").Call & {told: number}, now: number}} properties */
function Meters({ call, now }) {
  const since = call.running ? Math.max(0, now - call.told) : 0;
  const silence = call.silence_ms + (call.state === "hold" ? 0 : since);
  const hold = call.hold_ms + (call.state === "hold" ? since : 0);
  const seconds = (/** @type {number} */ ms) => t(`${Math.floor(ms / 1_000)} 秒`, `${Math.floor(ms / 1_000)} s`);
  const rate = call.speech_rate;
  return html`<div class="meters">
    <${Meter} name=${t("静默", "Silence")} value=${silence} full=${FULL.silence_ms} text=${seconds(silence)} />
    <${Meter} name=${t("语速", "Pace")} value=${rate ?? 0} full=${FULL.speech_rate} text=${rate === null ? "—" : t(`${rate} 字/分`, `${rate}/min`)} />
    <${Meter} name=${t("保持", "Hold")} value=${hold} full=${FULL.hold_ms} text=${hold >= 60_000 ? clock(hold) : seconds(hold)} />
  </div>`;
}

/** @param {{name: string, value: number, full: number, text: string}} properties */
function Meter({ name, value, full, text }) {
  const share = Math.min(1, Math.max(0, value / full));
  return html`<div class="meter" role="meter" aria-label=${name} aria-valuemin="0" aria-valuemax="100"
      aria-valuenow=${Math.round(share * 100)} aria-valuetext=${text}>
    <span class="name">${name}</span><span class="value">${text}</span>
    <span class="track"><span class="fill" style=${{ width: `${share * 100}%` }}></span></span>
  </div>`;
}

/** @param {{card: import("./board.js").Card, board: Board, now: number, asking: any, mine: boolean | null, act: any}} properties */
function Card({ card, board, now, asking, mine, act }) {
  const { alert } = card;
  const id = alert.alert_id;
  const isGone = card.leaves !== null;
  const isTop = board.top() === card;
  const call = board.calls.get(alert.call_id);
  const left = alert.state === "reminder" && alert.due_ms !== undefined && call ? alert.due_ms - Board.clockOf(call, now) : null;
  const asked = asking?.id === id ? asking.what : null;
  return html`
    <article class=${`card ${alert.severity} ${isTop ? "top" : ""}`} data-alert-id=${id} data-state=${alert.state}
        data-severity=${alert.severity} data-rule-id=${alert.rule_id} aria-label=${`${severityName(alert.severity)}：${alert.rule_name}`}
        onFocusIn=${() => act("pin", id)} onFocusOut=${() => act("unpin")}>
      <div class="head">
        <span class="tag">${severityName(alert.severity)}</span>
        <span class="word">${standing(card)}</span>
        <span class="at">${board.live().length > 1 ? html`<bdi class="call" title=${alert.call_id}>${board.nameOf(alert.call_id)}</bdi> ` : null}${alert.kind === "missing" ? t("截止 ", "by ") : ""}${clock(alert.at_ms)}</span>
      </div>
      <div class="body">
        <p class="message"><bdi>${alert.message}</bdi></p>
        ${isGone
          ? html`<p class="gone">${reasonGone(card)}</p>`
          : html`
              ${left === null
                ? null
                : html`<p class="due" data-left=${Math.ceil(left / 1_000)}>${left > 0
                    ? t(`还有 ${Math.ceil(left / 1_000)} 秒`, `${Math.ceil(left / 1_000)} s left`)
                    : t("时间到了，现在就说", "time is up: say it now")}</p>`}
              ${alert.suggestion ? html`<p class=${`say ${size(alert.suggestion)}`}><span class="lead">${t("请说", "Say")}</span>${alert.suggestion}</p>` : null}
              ${asked === "dismiss" ? null : html`<${Heard} evidence=${alert.evidence} />`}`}
      </div>
      ${isGone || mine !== true ? null : html`<${Actions} id=${id} isTop=${isTop} asked=${asked} act=${act} />`}
    </article>
  `;
}

/** Long wordings are set smaller, so that they fit their place. @param {string} text */
function size(text) {
  return text.length > 54 ? "longest" : text.length > 26 ? "long" : "";
}

/** @param {{evidence: import("./board.js").Evidence[]}} properties */
function Heard({ evidence }) {
  if (evidence.length === 0) {
    return null;
  }
  return html`<p class="heard">${evidence.slice(-2).map((one) => {
    const { text, start, end } = excerpt(one);
    return html`<span class="quote"><span class="role">${roleName(one.role)}</span><bdi><${Marked} text=${text} ranges=${[{ start, end }]} /></bdi></span>`;
  })}</p>`;
}

/** @param {{id: string, isTop: boolean, asked: string | null, act: any}} properties */
function Actions({ id, isTop, asked, act }) {
  if (asked === "dismiss") {
    return html`<div class="actions reasons" role="group" aria-label=${t("为什么不对？", "Why is it wrong?")}>
      ${reasons().map((reason, index, all) => html`
        <button onClick=${() => (index === all.length - 1 ? act("other", id) : act("because", id, reason))}><kbd>${index + 1}</kbd>${reason}</button>`)}
      <button class="plain" onClick=${() => act("leave")}><kbd>Esc</kbd>${t("取消", "Cancel")}</button>
    </div>`;
  }
  if (asked === "other") {
    return html`<${Why} label=${t("理由", "Reason")} onSubmit=${(/** @type {string} */ reason) => act("because", id, reason)} onLeave=${() => act("leave")} />`;
  }
  return html`<div class="actions">
    <button class="primary" onClick=${() => act("seen", id)}>${t("知道了", "Got it")}${isTop ? html` <kbd aria-hidden="true">${t("空格", "Space")}</kbd>` : null}</button>
    <button onClick=${() => act("dismiss", id)}>${t("不对", "Wrong")}${isTop ? html` <kbd aria-hidden="true">X</kbd>` : null}</button>
  </div>`;
}

/** A reason in the agent's words. @param {{label: string, onSubmit: (reason: string) => void, onLeave: () => void}} properties */
function Why({ label, onSubmit, onLeave }) {
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const reason = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("reason")).trim();
    if (reason !== "") {
      onSubmit(reason);
    }
  };
  return html`<form class="actions why" onSubmit=${submit}>
    <input name="reason" aria-label=${label} placeholder=${label} maxlength="200" autocomplete="off" required ref=${focus} />
    <button class="primary">${t("提交", "Send")}</button>
    <button type="button" class="plain" onClick=${onLeave}>${t("取消", "Cancel")}</button>
  </form>`;
}

/** @param {HTMLElement | null} element that has just been made */
function focus(element) {
  element?.focus();
}

/** Alerts of the calls in progress that have no place. @param {{cards: import("./board.js").Card[]}} properties */
function Earlier({ cards }) {
  return html`<details class="earlier">
    <summary>${cards.length === 0 ? t("本通没有别的预警", "no other alerts in this call") : t(`本通另有 ${cards.length} 条`, `${cards.length} more in this call`)}</summary>
    <ul>${cards.map((card) => html`<${Line} key=${card.alert.alert_id} card=${card} />`)}</ul>
  </details>`;
}

/** @param {{card: import("./board.js").Card, children?: any}} properties */
function Line({ card, children }) {
  const { alert, handled, reason } = card;
  const isGone = alert.state === "retracted" || alert.state === "resolved";
  const mine = handled === "seen" ? t("已知悉", "seen") : handled === "dismiss" ? t(`已标不对${reason ? `：${reason}` : ""}`, `marked wrong${reason ? `: ${reason}` : ""}`) : "";
  return html`<li class=${`line ${alert.severity}`} data-alert-id=${alert.alert_id} data-state=${alert.state} data-handled=${handled ?? ""}>
    <span class="at">${clock(alert.at_ms)}</span>
    <span class="tag">${severityName(alert.severity)}</span>
    <span class="text"><bdi class=${alert.state === "resolved" ? "struck" : ""}>${alert.message}</bdi>
      <span class="word">${[isGone ? reasonGone(card) : standing(card), mine].filter(Boolean).join(" · ")}</span>
      ${children}</span>
  </li>`;
}

/** Between two calls: quiet, with the alerts of the last one and of those before, and what became of them. @param {any} properties */
function Rest({ board, history, asking, mine, act }) {
  const cards = board.ofLast();
  const known = new Map(history.map((/** @type {any} */ alert) => [alert.alert_id, alert]));
  const ofLast = [...cards, ...history.filter((/** @type {any} */ alert) => alert.call_id === board.last && !board.cards.has(alert.alert_id)).reverse().map(asCard)];
  const before = history.filter((/** @type {any} */ alert) => alert.call_id !== board.last);
  const line = (/** @type {import("./board.js").Card} */ card) => html`
    <${Own} key=${card.alert.alert_id} card=${card} kept=${known.get(card.alert.alert_id)} asking=${asking} mine=${mine} act=${act} />`;
  return html`
    <p class="waiting">${t("等待来电", "Waiting for a call")}</p>
    ${board.last === null
      ? null
      : html`<h2>${ofLast.length === 0 ? t("上一通没有预警", "No alerts in the last call") : t(`上一通的 ${ofLast.length} 条预警`, `${ofLast.length} alerts in the last call`)}</h2>
          <ul class="last">${ofLast.map(line)}</ul>`}
    ${before.length === 0
      ? null
      : html`<h2>${t(`更早的 ${before.length} 条预警`, `${before.length} earlier alerts`)}<span class="outcomes">${outcomes(before.map((/** @type {any} */ alert) => alert.review))}</span></h2>
          ${byCall(before).map(([first, alerts]) => html`<section class="of-call" key=${`${first.call_id} ${first.started_at}`}>
            <h3>${moment(first.started_at).slice(5, 16)}${first.queue ? html` · <bdi>${first.queue}</bdi>` : null}</h3>
            <ul class="before">${alerts.map(asCard).map(line)}</ul>
          </section>`)}`}
  `;
}

/** Alerts by their calls, in their order. @param {any[]} alerts @returns {[any, any[]][]} */
function byCall(alerts) {
  /** @type {Map<string, any[]>} */
  const calls = new Map();
  for (const alert of alerts) {
    const key = `${alert.call_id} ${alert.started_at}`;
    calls.set(key, [...(calls.get(key) ?? []), alert]);
  }
  return [...calls.values()].map((ofCall) => [ofCall[0], ofCall]);
}

/** An alert of a call that is over: what became of it, and the appeal. @param {any} properties */
function Own({ card, kept, asking, mine, act }) {
  const id = card.alert.alert_id;
  const name = outcomeName(kept?.review);
  const reason = outcomeReason(kept?.review);
  return html`<${Line} card=${card}>
    ${kept?.display === "folded" ? html`<span class="word">${t("没有单独显示", "not shown by itself")}</span>` : null}
    ${kept?.deduct > 0 && outcome(kept.review).counts ? html`<span class="word">${t(`扣 ${kept.deduct} 分`, `−${kept.deduct}`)}</span>` : null}
    ${name ? html`<span class="outcome">${name}${reason ? html`：<bdi>${reason}</bdi>` : null}</span>` : null}
    ${asking?.id === id && asking.what === "appeal"
      ? html`<${Why} label=${t("申诉理由", "Why it is wrong")} onSubmit=${(/** @type {string} */ why) => act("appeal-because", id, why)} onLeave=${() => act("leave")} />`
      : mine === true && kept?.may_appeal ? html`<button class="small" onClick=${() => act("appeal", id)}>${t("申诉", "Appeal")}</button>` : null}
  </${Line}>`;
}

/** What this call still owes. @param {{duties: import("./board.js").Duty[], at: number}} properties */
function Checklist({ duties, at }) {
  const count = (/** @type {string} */ state) => duties.filter((duty) => duty.state === state).length;
  const [owed, missed] = [count("owed"), count("missed")];
  const heading = [
    owed > 0 ? t(`还欠 ${owed} 项`, `${owed} still owed`) : "",
    missed > 0 ? t(`${missed} 项没说全`, `${missed} missed`) : "",
  ].filter(Boolean).join(t("，", ", "));
  return html`<section class="checklist" aria-label=${t("该说的话", "What is to be said")} tabindex="0">
    <h2>${duties.length === 0 ? t("没有待说的话", "nothing owed") : heading || t("该说的都说了", "all is said")}</h2>
    <ul>${duties.map((duty, index) => {
      const said = duty.parts.filter((part) => part.said_at_ms !== null).length;
      const left = duty.state === "owed" && duty.due_ms !== null ? duty.due_ms - at : null;
      return html`<li class=${`duty ${duty.state}`} key=${index} data-rule-id=${duty.rule_id} data-state=${duty.state}>
        <span class="name">${duty.rule_name}</span>
        <span class="count">${{ owed: t(`已说 ${said}/${duty.parts.length}`, `${said}/${duty.parts.length} said`), said: t(`✓ 已说 ${said}/${duty.parts.length}`, `✓ ${said}/${duty.parts.length} said`), missed: t(`未说全 ${said}/${duty.parts.length}`, `missed, ${said}/${duty.parts.length}`) }[duty.state]}</span>
        ${left === null ? null : html`<span class="left">${left > 0 ? t(`${clock(left)} 内`, `in ${clock(left)}`) : t("已超时", "overdue")}</span>`}
        ${duty.parts.length > 1 && duty.state !== "said"
          ? html`<span class="parts">${duty.parts.map((part) => html`<span class=${part.said_at_ms === null ? "open" : "done"}>${part.said_at_ms === null ? "○" : "✓"} ${part.name}</span>`)}</span>`
          : null}
      </li>`;
    })}</ul>
  </section>`;
}

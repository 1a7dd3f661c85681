// The agent's panel as it looks: from the board and the notes to elements.

import { html } from "../shared/ui.js";
import { clock, moment, roleName, severityName, upright } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { t } from "../shared/settings.js";
import { Board, isWord, nextDuty, wordsFor } from "./board.js";
import { excerpt, outcome, outcomeName, outcomeReason, outcomes, reasonGone, reasons, standing } from "./words.js";

/** What fills a meter; it judges nothing, that is for the rules. */
const FULL = { silence_ms: 20_000, speech_rate: 400, hold_ms: 120_000 };
/** Lines that are drawn; who wants more has the list after the call. */
const LINES_MAX = 50;

/** @param {any} properties */
export function Panel({ board, notes, asking, history, held, mine, now, agent, dayPage, polite, assertive, options, act }) {
  const live = board.live();
  const call = board.current();
  // Alerts of the call that have no card: more came than can be read.
  const unshown = history.filter((/** @type {any} */ alert) => board.calls.has(alert.call_id) && !board.cards.has(alert.alert_id));
  const here = unshown.filter((/** @type {any} */ alert) => alert.call_id === call?.call_id).map(asCard);
  const at = call ? Board.clockOf(call, now) : 0;
  const top = board.top();
  const isActive = live.length > 0 || top !== null;
  return html`
    <div class="panel" part="panel" role="region" aria-label=${t(`坐席 ${agent} 的预警`, `Alerts of agent ${agent}`)} tabindex="-1">
      <header>
        ${call
          ? html`<span class="clock" role="timer" aria-label=${t("通话时长", "call time")}>${clock(at)}</span>
              <span class="what"><b class=${`state ${call.channel === "chat" ? "" : call.state}`}>${stateOf(call)}</b>
                <span class="queue">${[call.customer_name, call.queue].filter(Boolean).map((text, at) => html`${at > 0 ? " · " : ""}<bdi>${text}</bdi>`)}</span></span>`
          : html`<span class="what"><b class="state">${isActive ? t("通话中", "on a call") : t("等待来电", "waiting for a call")}</b>
              </span>`}
        <${Link} notes=${notes} />
        <${Options} options=${options} act=${act} />
      </header>
      ${mine === false ? html`<p class="watching" role="note">${t(`旁观：只有坐席 ${agent} 本人能答复`, `Watching: only agent ${agent} can answer`)}</p>` : null}
      ${live.length > 1 ? html`<${Calls} board=${board} live=${live} current=${call} act=${act} />` : null}
      <${Strip} notes=${notes} agent=${agent} call=${call} calls=${board.calls} unshown=${unshown.length} />
      ${call && call.channel !== "chat" ? html`<${Meters} call=${call} now=${now} />` : null}
      ${isActive
        ? html`<div class="place" role="group" aria-label=${t("现在", "Now")} onMouseMove=${() => top && act("pin", top.alert.alert_id)} onKeyDown=${() => top && act("pin", top.alert.alert_id)} onMouseLeave=${() => act("unpin")}>
              ${top === null
                ? html`<${Calm} call=${call} at=${at} />`
                : isWord(top) ? html`<${Word} key=${top.alert.alert_id} card=${top} isArmed=${board.armed(now) === top} mine=${mine} act=${act} />`
                : html`<${Card} key=${top.alert.alert_id} card=${top} board=${board} now=${now} asking=${asking} mine=${mine} act=${act} />`}
            </div>
            <${Lines} board=${board} unshown=${here} held=${held} mine=${mine} now=${now} act=${act} />`
        : html`<div class="rest"><${Rest} board=${board} history=${history} asking=${asking} mine=${mine} dayPage=${dayPage} act=${act} /></div>`}
      ${call ? html`<${Checklist} duties=${call.checklist} at=${at} />` : null}
      <p class="unseen" aria-live="polite">${polite}</p>
      <p class="unseen" aria-live="assertive">${assertive}</p>
    </div>
  `;
}

/** The agent's calls, to choose whose state is shown; each with what came in it meanwhile. @param {any} properties */
function Calls({ board, live, current, act }) {
  return html`<div class="calls" role="group" aria-label=${t("进行中的通话", "Calls in progress")}>
    ${live.map((/** @type {import("./board.js").Call} */ call) => {
      const { count, worst } = board.unread(call.call_id);
      const told = t(`${count} 条未看，最重的是${severityName(worst)}`, `${count} unread, ${severityName(worst)} at worst`);
      return html`
        <button class=${`tab ${count > 0 ? worst : ""}`} key=${call.call_id} aria-pressed=${call === current} title=${upright([call.customer_name, call.queue, call.call_id].filter(Boolean).join(" · "))} onClick=${() => act("choose", call.call_id)}>
          <bdi class="name">${board.nameOf(call.call_id)}</bdi>${call.asr_silent ? html`<span class="held">${t("无识别", "no words")}</span>` : call.state === "hold" ? html`<span class="held">${t("保持", "hold")}</span>` : null}${count > 0 ? html`<span class="unread" aria-label=${told} title=${told}>${count}</span>` : null}
        </button>`;
    })}
  </div>`;
}

/** What the agent may set: how loud, whether to be called when the panel is out of sight, how large. @param {any} properties */
function Options({ options, act }) {
  const { sound, notify, size } = options;
  const levels = [["off", t("关", "off")], ["critical", t("只响严重", "critical only")], ["warning", t("警告以上", "warnings, too")], ["info", t("全部", "all")]];
  return html`<details class="options">
    <summary aria-label=${t("设置", "Settings")} title=${t("设置", "Settings")}><span aria-hidden="true">⋯</span></summary>
    <div class="menu">
      ${sound === null
        ? null
        : html`<label><span>${t("提示音", "Sound")}</span><select onChange=${(/** @type {any} */ event) => act("sound", event.target.value)}>
            ${levels.map(([value, name]) => html`<option value=${value} selected=${value === sound}>${name}</option>`)}
          </select></label>`}
      ${notify === null
        ? null
        : html`<div class="row"><span id="notify">${t("看不到面板时弹出通知", "Notify while out of sight")}</span>
            <button class="small" aria-describedby="notify" aria-pressed=${notify === "on"} disabled=${notify === "denied"} onClick=${() => act("notify")}>${{ on: t("开", "on"), off: t("关", "off"), denied: t("浏览器不允许", "forbidden by the browser") }[/** @type {"on" | "off" | "denied"} */ (notify)]}</button></div>`}
      <div class="row"><span>${t("字号", "Text size")}</span>
        <span><button class="small" disabled=${size <= 0} aria-label=${t("小一点", "smaller")} onClick=${() => act("size", "", String(size - 1))}>A−</button>
        <button class="small" disabled=${size >= 3} aria-label=${t("大一点", "larger")} onClick=${() => act("size", "", String(size + 1))}>A+</button></span></div>
    </div>
  </details>`;
}

/** Nothing is to be put right: what to say next, if that is known. @param {{call: (import("./board.js").Call & {told: number}) | undefined, at: number}} properties */
function Calm({ call, at }) {
  const duty = nextDuty(call?.checklist ?? [], at);
  if (duty === null) {
    return html`<div class="calm"><span class="good" aria-hidden="true">✓</span><span>${t("目前没有要改的", "Nothing to put right")}</span></div>`;
  }
  const step = duty.parts.find((part) => part.said_at_ms === null && !part.optional);
  return html`<div class="calm next" data-rule-id=${duty.rule_id}>
    <p class="about"><span class="lead">${t("接下来说", "Say next")}</span>${duty.rule_name}${duty.in_order && step ? ` · ${step.name}` : ""}<${Left} duty=${duty} at=${at} /></p>
    <p class=${`say ${size(wordsFor(duty) ?? "")}`}>${wordsFor(duty)}</p>
  </div>`;
}

/** How long a duty has yet. @param {{duty: import("./board.js").Duty, at: number}} properties */
function Left({ duty, at }) {
  if (duty.state !== "owed" || duty.due_ms === null) {
    return null;
  }
  const left = duty.due_ms - at;
  return html`<span class=${`left ${left < 15_000 ? "soon" : ""}`}>${left > 0 ? t(`${clock(left)} 内`, `in ${clock(left)}`) : t("已超时", "overdue")}</span>`;
}

/** An alert of the history as a card has it. @param {any} alert @returns {import("./board.js").Card} */
function asCard(alert) {
  const { feedback } = alert;
  return { alert, before: null, came: 0, leaves: null, recalled: false, unread: false, handled: feedback?.action ?? null, reason: feedback?.reason ?? null, answered: feedback ? { by: feedback.by, at: feedback.given_at } : null };
}

/** @param {import("./board.js").Call} call */
function stateOf(call) {
  if (call.channel === "chat" && call.state !== "ended" && call.state !== "hold") {
    return t("文字会话", "chat");
  }
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
function Strip({ notes, agent, call, calls, unshown }) {
  // What impairs another call is marked at its tab.
  const degraded = [...notes.degraded].filter(([of]) => of === call?.call_id || !calls.has(of)).map(([, why]) => why);
  const told = [
    notes.link === "refused" ? notes.why : null,
    notes.link === "closed" ? t("断线期间的预警会在重连后补上", "alerts of the meantime follow once it is back") : null,
    degraded.length === 0 ? null : t("检查能力下降：", "degraded: ") + [...new Set(degraded)].join(t("；", "; ")),
    notes.gap ? t("服务端数据已更换，部分旧预警可能缺失", "the server has other data; older alerts may be missing") : null,
    notes.reviewed?.text,
    notes.folded === null ? null : t(`另有 ${unshown || notes.folded.count} 条未逐一显示`, `${unshown || notes.folded.count} more not shown one by one`),
    notes.fault,
  ].filter((text) => text !== null && text !== undefined && text !== "");
  const isGrave = notes.link === "refused" || notes.link === "closed" || degraded.length > 0;
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
  const isArmed = board.armed(now) === card;
  const call = board.calls.get(alert.call_id);
  const left = alert.state === "reminder" && alert.due_ms !== undefined && call ? alert.due_ms - Board.clockOf(call, now) : null;
  const asked = asking?.id === id ? asking.what : null;
  return html`
    <article class=${`card ${alert.severity}`} data-alert-id=${id} data-state=${alert.state} data-armed=${isArmed}
        data-severity=${alert.severity} data-rule-id=${alert.rule_id} aria-label=${`${severityName(alert.severity)}：${alert.rule_name}`}>
      <div class="head">
        <span class="tag">${severityName(alert.severity)}</span>
        <span class="word">${standing(card)}</span>
        <span class="at">${alert.kind === "missing" ? t("截止 ", "by ") : ""}${clock(alert.at_ms)}</span>
      </div>
      <div class="body" tabindex="0">
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
      ${isGone || mine !== true ? null : html`<${Actions} id=${id} isArmed=${isArmed} asked=${asked} act=${act} />`}
    </article>
  `;
}

/** A supervisor's word to the agent. @param {{card: import("./board.js").Card, isArmed: boolean, mine: boolean | null, act: any}} properties */
function Word({ card, isArmed, mine, act }) {
  const { alert_id: id, message, by, at_ms: at } = card.alert;
  return html`
    <article class="card help" data-alert-id=${id} data-state="confirmed" data-armed=${isArmed} aria-label=${t("帮你", "Help")}>
      <div class="head"><span class="tag">${t("帮你", "Help")}</span><span class="word"><bdi>${by}</bdi></span><span class="at">${clock(at)}</span></div>
      <div class="body" tabindex="0"><p class=${`say ${size(message)}`}><bdi>${message}</bdi></p></div>
      ${mine === true ? html`<div class="actions"><button class="primary" onClick=${() => act("seen", id)}>${t("知道了", "Got it")} <kbd class=${isArmed ? "" : "dim"} aria-hidden="true">${t("空格", "Space")}</kbd></button></div>` : null}
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

/** Its keys are named once they act. @param {{id: string, isArmed: boolean, asked: string | null, act: any}} properties */
function Actions({ id, isArmed, asked, act }) {
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
    <button class="primary" onClick=${() => act("seen", id)}>${t("知道了", "Got it")} <kbd class=${isArmed ? "" : "dim"} aria-hidden="true">${t("空格", "Space")}</kbd></button>
    <button onClick=${() => act("dismiss", id)}>${t("不对", "Wrong")} <kbd class=${isArmed ? "" : "dim"} aria-hidden="true">X</kbd></button>
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

/**
 * The other alerts of the call, a line each, the latest first. While the pointer is among them they keep their order
 * (`held`) and new ones come last, so that nothing moves under it.
 * @param {{board: Board, unshown: import("./board.js").Card[], held: string[] | null, mine: boolean | null, now: number, act: any}} properties
 */
function Lines({ board, unshown, held, mine, now, act }) {
  const cards = [...board.others(), ...unshown];
  const place = (/** @type {import("./board.js").Card} */ card) => {
    const at = held === null ? 0 : held.indexOf(card.alert.alert_id);
    return at < 0 ? Infinity : at;
  };
  const latest = (/** @type {import("./board.js").Card} */ a, /** @type {import("./board.js").Card} */ b) => b.alert.at_ms - a.alert.at_ms || (a.alert.alert_id < b.alert.alert_id ? -1 : 1);
  cards.sort((a, b) => (place(a) === place(b) ? latest(a, b) : place(a) - place(b)));
  const hold = () => act("hold", "", cards.map((card) => card.alert.alert_id).join(" "));
  return html`<section class="lines" aria-label=${t("本通其他预警", "Other alerts of this call")} tabindex="0" onMouseMove=${hold} onMouseLeave=${() => act("release")}>
    <h2>${cards.length === 0 ? t("本通没有别的预警", "no other alerts in this call") : t(`本通另有 ${cards.length} 条`, `${cards.length} more in this call`)}</h2>
    <ul>${cards.slice(0, LINES_MAX).map((card) => html`<${Short} key=${card.alert.alert_id} card=${card} board=${board} mine=${mine} now=${now} act=${act} />`)}</ul>
  </section>`;
}

/** An alert in one line; one that waits can be had large again. @param {{card: import("./board.js").Card, board: Board, mine: boolean | null, now: number, act: any}} properties */
function Short({ card, board, mine, now, act }) {
  const { alert, handled } = card;
  const isKept = board.cards.has(alert.alert_id);
  const isOpen = isKept && board.isOpen(card, now);
  const mayCome = isKept && handled === null && card.leaves === null;
  const what = isWord(card) && handled === null ? "" : card.leaves !== null ? reasonGone(card) : handled !== null ? answerOf(card, mine) : isKept ? standing(card) : t("没有单独显示", "not shown by itself");
  const line = html`<span class="at">${clock(alert.at_ms)}</span><span class="tag">${isWord(card) ? t("帮你", "help") : severityName(alert.severity)}</span>
    <bdi class="text">${alert.message}</bdi><span class="word" title=${upright(what)}><bdi>${what}</bdi></span>`;
  return html`<li class=${`short ${alert.severity} ${isOpen ? "open" : "past"}`} data-alert-id=${alert.alert_id} data-rule-id=${alert.rule_id} data-state=${alert.state} data-handled=${handled ?? ""}>
    ${mayCome ? html`<button class="line-button" title=${alert.message} onClick=${() => act("show", alert.alert_id)}>${line}</button>` : html`<span class="line-button" title=${alert.message}>${line}</span>`}
  </li>`;
}

/** What the agent answered; who looks on is told who it was, and when. @param {import("./board.js").Card} card @param {boolean | null} mine */
function answerOf({ handled, reason, answered }, mine) {
  const what = handled === "seen" ? t("已知悉", "seen") : handled === "dismiss" ? t(`已标不对${reason ? `：${reason}` : ""}`, `marked wrong${reason ? `: ${reason}` : ""}`) : "";
  const who = mine === false && answered ? [answered.by, answered.at ? moment(answered.at).slice(11, 19) : null] : [];
  return [what, ...who].filter(Boolean).join(" · ");
}

/** @param {{card: import("./board.js").Card, mine: boolean | null, children?: any}} properties */
function Line({ card, mine, children }) {
  const { alert, handled } = card;
  const isGone = alert.state === "retracted" || alert.state === "resolved";
  return html`<li class=${`line ${alert.severity}`} data-alert-id=${alert.alert_id} data-state=${alert.state} data-handled=${handled ?? ""}>
    <span class="at">${clock(alert.at_ms)}</span>
    <span class="tag">${severityName(alert.severity)}</span>
    <span class="text"><bdi class=${alert.state === "resolved" ? "struck" : ""}>${alert.message}</bdi>
      <span class="word"><bdi>${[isGone ? reasonGone(card) : standing(card), answerOf(card, mine)].filter(Boolean).join(" · ")}</bdi></span>
      ${children}</span>
  </li>`;
}

/** Between two calls: quiet, with the alerts of the last one and of those before, and what became of them. @param {any} properties */
function Rest({ board, history, asking, mine, dayPage, act }) {
  const cards = board.ofLast();
  const known = new Map(history.map((/** @type {any} */ alert) => [alert.alert_id, alert]));
  const ofLast = [...cards, ...history.filter((/** @type {any} */ alert) => alert.call_id === board.last && !board.cards.has(alert.alert_id)).reverse().map(asCard)];
  const before = history.filter((/** @type {any} */ alert) => alert.call_id !== board.last);
  const line = (/** @type {import("./board.js").Card} */ card) => html`
    <${Own} key=${card.alert.alert_id} card=${card} kept=${known.get(card.alert.alert_id)} asking=${asking} mine=${mine} act=${act} />`;
  return html`
    <p class="waiting">${t("等待来电", "Waiting for a call")}</p>
    <p class="to-day"><a href=${dayPage} target="_blank" rel="noopener" onClick=${(/** @type {Event} */ event) => act("day", "", event)}>${t("我的一天：得分、申诉、辅导", "My day: scores, appeals, coaching")}</a></p>
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
  return html`<${Line} card=${card} mine=${mine}>
    ${kept?.display === "folded" ? html`<span class="word">${t("没有单独显示", "not shown by itself")}</span>` : null}
    ${kept?.deduct > 0 && outcome(kept.review).counts ? html`<span class="word">${t(`扣 ${kept.deduct} 分`, `−${kept.deduct}`)}</span>` : null}
    ${name ? html`<span class="outcome">${name}${reason ? html`：<bdi>${reason}</bdi>` : null}</span>` : null}
    ${asking?.id === id && asking.what === "appeal"
      ? html`<${Why} label=${t("申诉理由", "Why it is wrong")} onSubmit=${(/** @type {string} */ why) => act("appeal-because", id, why)} onLeave=${() => act("leave")} />`
      : mine === true && kept?.may_appeal ? html`<button class="small" onClick=${() => act("appeal", id)}>${t("申诉", "Appeal")}</button>` : null}
  </${Line}>`;
}

/** What this call still owes, with the words to say; what was said is ticked off. @param {{duties: import("./board.js").Duty[], at: number}} properties */
function Checklist({ duties, at }) {
  const count = (/** @type {string} */ state) => duties.filter((duty) => duty.state === state).length;
  const [owed, missed] = [count("owed"), count("missed")];
  const unsaid = duties.filter((duty) => duty.state === "missed" && !isBegun(duty)).length;
  const heading = [
    owed > 0 ? t(`还欠 ${owed} 项`, `${owed} still owed`) : "",
    unsaid > 0 ? t(`${unsaid} 项没说`, `${unsaid} not said`) : "",
    missed > unsaid ? t(`${missed - unsaid} 项没说全`, `${missed - unsaid} said in part`) : "",
  ].filter(Boolean).join(t("，", ", "));
  const ranks = { owed: 0, missed: 1, said: 2 };
  // What is owed first, the soonest first; at the end of the call is later than any time.
  const due = (/** @type {import("./board.js").Duty} */ duty) => (duty.state === "owed" ? (duty.due_ms ?? Number.MAX_SAFE_INTEGER) : 0);
  const inOrder = duties.map((duty, index) => ({ duty, index }))
    .sort((a, b) => ranks[a.duty.state] - ranks[b.duty.state] || due(a.duty) - due(b.duty) || a.index - b.index);
  return html`<section class="checklist" aria-label=${t("该说的话", "What is to be said")} tabindex="0">
    <h2>${duties.length === 0 ? t("没有待说的话", "nothing owed") : heading || t("该说的都说了", "all is said")}</h2>
    <ul>${inOrder.map(({ duty, index }) => html`<${DutyLine} key=${index} duty=${duty} at=${at} />`)}</ul>
  </section>`;
}

/** Whether any of it was said. @param {import("./board.js").Duty} duty */
function isBegun(duty) {
  return duty.parts.some((part) => part.said_at_ms !== null);
}

/** @param {{duty: import("./board.js").Duty, at: number}} properties */
function DutyLine({ duty, at }) {
  const asked = duty.parts.filter((part) => !part.optional);
  const [said, all] = [asked.filter((part) => part.said_at_ms !== null).length, asked.length];
  const next = duty.state === "said" ? undefined : duty.parts.find((part) => part.said_at_ms === null && !part.optional);
  const words = duty.state === "said" ? null : wordsFor(duty);
  return html`<li class=${`duty ${duty.state}`} data-rule-id=${duty.rule_id} data-state=${duty.state}>
    <span class="name"><bdi>${duty.rule_name}</bdi></span>
    <span class="count">${{ owed: t(`已说 ${said}/${all}`, `${said}/${all} said`), said: t(`✓ 已说 ${said}/${all}`, `✓ ${said}/${all} said`), missed: isBegun(duty) ? t(`未说全 ${said}/${all}`, `in part, ${said}/${all}`) : t("没有说", "not said") }[duty.state]}</span>
    <${Left} duty=${duty} at=${at} />
    ${duty.parts.length > 1 && duty.state !== "said"
      ? html`<span class=${`parts ${duty.in_order ? "steps" : ""}`}>${duty.parts.map((part) => html`
          <span class=${part.said_at_ms !== null ? "done" : duty.in_order && part === next ? "open next" : "open"} aria-current=${duty.in_order && part === next ? "step" : undefined}>${part.said_at_ms === null ? "○" : "✓"} ${part.name}</span>`)}</span>`
      : null}
    ${words === null ? null : html`<span class="words" title=${words}>${duty.in_order ? html`<b>${t("下一步", "next")}</b>` : null}<q>${words}</q></span>`}
  </li>`;
}

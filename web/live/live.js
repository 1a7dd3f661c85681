// The supervisors' wall: all calls in progress, the worst first. Only the rows
// in sight are in the document, and however many frames come, the page is drawn
// once a frame of the screen at most. On a television (`tv=1`) it is read from
// three metres and touched by nobody.

import { Fault, Frame, html, show, useAnswer, useFilters } from "../shared/ui.js";
import { ApiError, get, stream } from "../shared/api.js";
import { HandDialog, takenName } from "../shared/hand.js";
import { reviewer } from "../shared/review.js";
import { beep } from "../element/tone.js";
import { callAddress, clock, count, severityName, upright } from "../shared/format.js";
import { t, told, token } from "../shared/settings.js";
import { SavedViews } from "../shared/views.js";
import { useEffect, useMemo, useReducer, useRef, useState } from "../vendor/hooks.js";
import { Alarms, alarmsOf } from "./alarms.js";
import { Tv, phaseName, ring, stateOf, useSound } from "./tv.js";
import { Wall, clockOf, hasWords, isLive, isLongSilent, isMarked, reasonOf, worstNow } from "./wall.js";

const ROLES = ["qa", "admin"];
/** The style sheet has the same heights and the same width. */
const ROW_PX = 44;
const TALL_ROW_PX = 76;
const HEAD_PX = 36;
const NARROW = matchMedia("(max-width: 899px)");
/** Rows drawn above and below those in sight. */
const MARGIN = 6;
/** A pointer or focus that rests for so long holds nothing any more. */
const HOLD_MS = 10_000;
const DEFAULTS = { words: "", severity: "", state: "", team: "", site: "", by: "now", tv: "" };

/** @typedef {import("./wall.js").Row} Row */

function LivePage() {
  return html`<${Frame} title=${t("实时", "Live")} current="/live" role=${ROLES}><${Board} key=${token() ?? ""} /></${Frame}>`;
}

function Board() {
  const wall = useMemo(() => new Wall(), []);
  const [, draw] = useReducer((/** @type {number} */ round) => round + 1, 0);
  const [link, setLink] = useState(/** @type {{state: string, why?: string, lost: number | null}} */ ({ state: "connecting", lost: null }));
  // What impairs checking, in the server's words.
  const [degraded, setDegraded] = useState("");
  const [filters, setFilters] = useFilters(DEFAULTS, ["words"]);
  const [thresholds, setThresholds] = useState(/** @type {any[]} */ ([]));
  const { value: me } = useAnswer((signal) => get("/v1/me", {}, signal), []);
  // Without tokens the connection says who is at the wall: whose calls are given back is known by it.
  const [name, setName] = useState(reviewer());
  /** The call that the reader does something in. */
  const [opened, setOpened] = useState(/** @type {import("../shared/hand.js").Place | null} */ (null));
  const [sound, setSound] = useSound();
  const latest = useRef({ sound: false, isWanted: /** @type {(row: Row) => boolean} */ (() => true) });
  const heldUntil = useRef(0);
  const [active, setActive] = useState(/** @type {string | null} */ (null));

  useEffect(() => {
    let frame = 0;
    const soon = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw(undefined);
      });
    };
    const calls = stream(() => (name === "" ? "/v1/live" : `/v1/live?by=${encodeURIComponent(name)}`), {
      onMessage: (message) => {
        if (message.type === "calls") {
          const fresh = wall.take(message, performance.now());
          if (latest.current.sound && fresh.some(latest.current.isWanted)) {
            beep("critical");
          }
          soon();
        } else if (message.type === "hands") {
          wall.takeHands(message);
          soon();
        } else if (message.type === "thresholds") {
          setThresholds(message.thresholds);
        } else if (message.type === "status") {
          setDegraded(message.state === "degraded" ? told(message.why ?? "") : "");
        }
      },
      onState: (state, why) => {
        // A server says what is wrong to whoever connects; what an earlier one said is over.
        if (state !== "open") {
          setDegraded("");
        } else {
          // It tells of hands and thresholds only where there are any.
          wall.takeHands({ hands: [], monitor: [] });
          setThresholds([]);
        }
        setLink((before) => ({ state, why, lost: state === "open" ? null : (before.lost ?? (before.state === "open" ? performance.now() : null)) }));
      },
    });
    // Clocks run on between two frames.
    const second = setInterval(soon, 1_000);
    NARROW.addEventListener("change", soon);
    return () => {
      calls.close();
      clearInterval(second);
      cancelAnimationFrame(frame);
      NARROW.removeEventListener("change", soon);
    };
  }, [name]);

  // Without a connection nobody knows how the calls go on: they stand as they stood.
  const now = link.lost ?? performance.now();
  const words = filters.words.trim().toLowerCase();
  const isMeant = (/** @type {Row} */ row) => (filters.team === "" || row.team === filters.team) && (filters.site === "" || row.site === filters.site);
  const isWanted = (/** @type {Row} */ row) =>
    hasWords(row, words) && isMeant(row) &&
    (filters.severity === "" || (filters.severity === "none" ? row.worst === null : row.worst === filters.severity)) &&
    (filters.state === "ended" ? !isLive(row) : isLive(row)) &&
    (filters.state === "" || filters.state === "ended" || (filters.state === "long" ? isLongSilent(row, now) : filters.state === "unheard" ? row.asr_silent : row.state === filters.state));
  // What the reader asks for is answered at once, held or not.
  const asked = [words, filters.severity, filters.state, filters.team, filters.site, filters.by].join("\n");
  const lastAsked = useRef(asked);
  const isHeld = performance.now() < heldUntil.current && lastAsked.current === asked;
  lastAsked.current = asked;
  const named = (/** @type {"team" | "site"} */ of) => [...new Set([...[...wall.calls.values()].map((row) => row[of] ?? ""), filters[of]])].filter(Boolean).sort();
  const [teams, sites] = [named("team"), named("site")];
  const rows = wall.arrange(isWanted, isHeld, now, filters.by === "ever" ? "ever" : "now");
  latest.current = { sound, isWanted };
  const alarms = alarmsOf({ lost: link.lost, degraded, reached: thresholds.filter((/** @type {any} */ one) => one.reached) });
  const hold = (/** @type {boolean} */ is) => (heldUntil.current = is ? performance.now() + HOLD_MS : 0);
  const release = () => {
    hold(false);
    setActive(null);
    document.querySelector(".scroller")?.scrollTo({ top: 0 });
    draw(undefined);
  };

  const counts = wall.counts(now, isMeant);
  const found = opened === null ? undefined : wall.calls.get(opened.call_id);
  const openedRow = found !== undefined && found.started_at === opened?.started_at && isLive(found) ? found : undefined;
  if (link.state === "refused") {
    return html`<${Fault} error=${new ApiError(0, "refused", link.why ?? "")} />`;
  }
  if (filters.tv === "1") {
    return html`<${Tv} wall=${wall} counts=${counts} rows=${rows} now=${now} alarms=${alarms} sound=${sound} setSound=${setSound}
      leave=${() => setFilters({ tv: "" })} />`;
  }
  return html`
    <div class="wall">
      <h1 class="visually-hidden">${t("进行中的通话", "Calls in progress")}</h1>
      <${Counts} counts=${counts} filters=${filters} change=${setFilters} />
      <div class="tools">
        <label><span>${t("搜索坐席、通话、队列、规则", "Agent, call, queue or rule")}</span>
          <input type="search" value=${filters.words} maxlength="100"
            onInput=${(/** @type {any} */ event) => setFilters({ words: event.target.value })} /></label>
        <label class="narrow"><span>${t("最严重的预警", "Worst alert")}</span>
          <select value=${filters.severity} onChange=${(/** @type {any} */ event) => setFilters({ severity: event.target.value })}>
            <option value="">${t("全部", "all")}</option>
            ${["critical", "warning", "info"].map((one) => html`<option value=${one}>${severityName(one)}</option>`)}
            <option value="none">${t("没有预警", "none")}</option>
          </select></label>
        <label class="narrow"><span>${t("状态", "State")}</span>
          <select value=${filters.state} onChange=${(/** @type {any} */ event) => setFilters({ state: event.target.value })}>
            <option value="">${t("全部", "all")}</option>
            ${["talking", "silent", "hold", "ended"].map((one) => html`<option value=${one}>${phaseName(one)}</option>`)}
            <option value="long">${t("长静默", "long silence")}</option>
            <option value="unheard">${t("没有识别结果", "no words come")}</option>
          </select></label>
        ${teams.length === 0 ? null : html`<label class="narrow"><span>${t("班组", "Team")}</span>
          <select value=${filters.team} onChange=${(/** @type {any} */ event) => setFilters({ team: event.target.value })}>
            <option value="">${t("全部", "all")}</option>
            ${teams.map((team) => html`<option value=${team}>${team}</option>`)}
          </select></label>`}
        ${sites.length === 0 ? null : html`<label class="narrow"><span>${t("职场", "Site")}</span>
          <select value=${filters.site} onChange=${(/** @type {any} */ event) => setFilters({ site: event.target.value })}>
            <option value="">${t("全部", "all")}</option>
            ${sites.map((site) => html`<option value=${site}>${site}</option>`)}
          </select></label>`}
        <label class="narrow"><span>${t("顺序", "Order")}</span>
          <select value=${filters.by} onChange=${(/** @type {any} */ event) => setFilters({ by: event.target.value })}>
            <option value="now">${t("现在最严重的在前", "worst now")}</option>
            <option value="ever">${t("开始以来最严重的在前", "worst since the beginning")}</option>
          </select></label>
        <span class="row switches">
          <${SavedViews} page="live" admin=${me?.roles.includes("admin") ?? false} />
          <button aria-pressed=${sound} onClick=${() => setSound(ring(!sound))}>${sound ? t("声音：开", "Sound on") : t("声音：关", "Sound off")}</button>
          <button onClick=${() => setFilters({ tv: "1" })}>${t("电视墙", "TV")}</button></span>
      </div>
      <div class="strip">
        <span class="note small quiet" role="status">${[
          t(`${count(rows.filter((row) => filters.state === "ended" || isLive(row)).length)} 通`, `${count(rows.filter((row) => filters.state === "ended" || isLive(row)).length)} calls`),
          isHeld ? t("指着列表时不重新排序", "the order is held while you point at the list") : "",
        ].filter(Boolean).join(" · ")}</span>
        ${isHeld && wall.news > 0 ? html`<button class="news small" onClick=${release}>${t(`${count(wall.news)} 通有新的严重预警 ↑`, `${count(wall.news)} with new critical alerts ↑`)}</button>` : null}
        <${Alarms} alarms=${alarms} />
      </div>
      ${opened === null ? null : html`<${HandDialog} place=${opened} hand=${wall.hands.get(opened.call_id)} modes=${wall.modes} me=${me}
        clockMs=${openedRow === undefined ? null : clockOf(openedRow, now)} isOver=${openedRow === undefined}
        onClose=${() => setOpened(null)} onDone=${() => setName(reviewer())} />`}
      <${List} wall=${wall} open=${setOpened} rows=${rows} now=${now} active=${active} setActive=${setActive} hold=${hold}
        empty=${wall.calls.size === 0 ? t("现在没有通话", "No calls at the moment") : t("没有符合条件的通话", "No call fits")} />
    </div>
  `;
}

/** The counts are filters, too. @param {any} properties */
function Counts({ counts, filters, change }) {
  const one = (/** @type {string} */ name, /** @type {number} */ value, /** @type {string} */ tone, /** @type {any} */ wanted) => {
    const isOn = filters.severity === (wanted.severity ?? "") && filters.state === (wanted.state ?? "");
    return html`<button class=${tone} aria-pressed=${isOn} onClick=${() => change({ severity: "", state: "", ...(isOn ? {} : wanted) })}>
      <span class="small">${name}</span><span class="value" data-count=${name}>${count(value)}</span></button>`;
  };
  return html`<div class="counts" role="group" aria-label=${t("概况", "Overview")}>
    ${one(t("通话", "Calls"), counts.calls, "", {})}
    ${one(t("严重", "Critical"), counts.critical, "critical", { severity: "critical" })}
    ${one(t("警告", "Warning"), counts.warning, "warning", { severity: "warning" })}
    ${one(t("保持中", "On hold"), counts.hold, "", { state: "hold" })}
    ${one(t("长静默", "Silent"), counts.silent, "", { state: "long" })}
    ${one(t("无识别结果", "No words"), counts.unheard, counts.unheard > 0 ? "warning" : "", { state: "unheard" })}
  </div>`;
}

/** What supervisors did in a call, in a word. @param {import("./wall.js").Hand | undefined} hand */
function handName(hand) {
  const marks = [
    hand?.taken ? takenName(hand.taken.by) : "",
    hand?.help ? (hand.help.read_at ? t("话已读", "word read") : t("话未读", "word unread")) : "",
    hand?.flagged ? t("已标记", "flagged") : "",
  ].filter(Boolean);
  return marks.length > 0 ? marks.join(" · ") : t("帮一把", "Help");
}

/**
 * The rows in sight.
 * @param {{wall: Wall, open: (place: import("../shared/hand.js").Place) => void, rows: Row[], now: number, active: string | null, setActive: (callId: string | null) => void, hold: (is: boolean) => void, empty: string}} properties
 */
function List({ wall, open, rows, now, active, setActive, hold, empty }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ top: 0, height: 800 });
  const height = NARROW.matches ? TALL_ROW_PX : ROW_PX;
  useEffect(() => {
    const element = place.current;
    if (element === null) {
      return undefined;
    }
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const sizes = new ResizeObserver(look);
    sizes.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  const first = Math.max(0, Math.floor(view.top / height) - MARGIN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / height) + MARGIN);
  const at = rows.findIndex((row) => row.call_id === active);

  const go = (/** @type {number} */ index) => {
    const next = Math.max(0, Math.min(rows.length - 1, index));
    const element = place.current;
    if (rows[next] === undefined || element === null) {
      return;
    }
    setActive(rows[next].call_id);
    element.scrollTop = Math.min(next * height, Math.max(element.scrollTop, (next + 1) * height + HEAD_PX - element.clientHeight));
  };
  const onKeyDown = (/** @type {KeyboardEvent} */ event) => {
    hold(event.key !== "Escape");
    const page = Math.max(1, Math.floor(view.height / height) - 1);
    const steps = /** @type {Record<string, number>} */ ({
      ArrowDown: at + 1, ArrowUp: Math.max(0, at - 1), PageDown: at + page, PageUp: at - page, Home: 0, End: rows.length - 1,
    });
    if (event.key in steps) {
      event.preventDefault();
      go(steps[event.key]);
    } else if (event.key === "Enter" && at >= 0) {
      location.assign(callAddress(rows[at].call_id, rows[at].started_at));
    } else if (event.key === "h" && at >= 0 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      open(placeOf(rows[at]));
    } else if (event.key === "Escape") {
      setActive(null);
    }
  };
  return html`
    <div class="grid-frame">
      <div class="scroller" ref=${place} role="grid" tabindex="0" aria-label=${t("进行中的通话，最严重的在前", "Calls in progress, the worst first")}
          aria-rowcount=${rows.length + 1} aria-activedescendant=${at >= 0 ? `call-row-${at}` : undefined}
          onKeyDown=${onKeyDown} onFocus=${() => at < 0 && go(first + (first > 0 ? MARGIN : 0))} onBlur=${() => { hold(false); setActive(null); }}
          onMouseMove=${() => hold(true)} onMouseEnter=${() => hold(true)} onMouseLeave=${() => hold(active !== null)} onWheel=${() => hold(true)}>
        <div class="cells heads" role="row" aria-rowindex="1">
          ${[t("现在", "Now"), t("最严重", "Worst"), t("坐席", "Agent"), t("队列", "Queue"), t("状态", "State"), t("时长", "Time"), t("预警", "Alerts"), t("原因", "Why"), t("还欠", "Owed"), t("处理", "Hand")].map(
            (name, column) => html`<span role="columnheader" class=${column === 5 || column === 8 ? "clock" : ""}>${name}</span>`)}
        </div>
        ${rows.length === 0 ? html`<div class="empty" role="row"><span role="gridcell">${empty}</span></div>` : null}
        <div class="rows" role="presentation" style=${{ height: `${rows.length * height}px` }}>
          ${rows.slice(first, last).map((row, offset) => html`
            <${CallRow} key=${row.call_id} row=${row} hand=${wall.hands.get(row.call_id)} open=${open} index=${first + offset} top=${(first + offset) * height} now=${now} isActive=${row.call_id === active} />`)}
        </div>
      </div>
    </div>
  `;
}

/** @param {Row} row @returns {import("../shared/hand.js").Place} */
function placeOf(row) {
  return { call_id: row.call_id, started_at: row.started_at, agent: row.agent_name ?? row.agent_id, customer: row.customer_name, queue: row.queue };
}

/** @param {{row: Row, hand: import("./wall.js").Hand | undefined, open: (place: import("../shared/hand.js").Place) => void, index: number, top: number, now: number, isActive: boolean}} properties */
function CallRow({ row, hand, open, index, top, now, isActive }) {
  const severity = worstNow(row, now);
  const { critical, warning, info } = row.alerts;
  const [reason, last] = [reasonOf(row), row.last_alert];
  const isNews = last !== null && reason !== null && (last.at_ms !== reason.at_ms || last.message !== reason.message);
  const address = callAddress(row.call_id, row.started_at);
  // The link does it itself, in another tab if the reader wants it so.
  const enter = (/** @type {MouseEvent} */ event) => event.target instanceof Element && event.target.closest("a, button") === null && location.assign(address);
  return html`
    <div class=${`cells call-row ${isActive ? "active" : ""} ${isLive(row) ? "" : "over"} ${isMarked(row, now) ? "fresh" : ""}`} id=${`call-row-${index}`} role="row"
        aria-rowindex=${index + 2} aria-selected=${isActive} style=${{ top: `${top}px` }} data-call-id=${row.call_id} onClick=${enter}>
      <span class="now" role="gridcell">${severity === null ? html`<span class="quiet small">${t("平静", "calm")}</span>` : html`<span class=${`tag ${severity}`}>${severityName(severity)}</span>`}</span>
      <span class="worst" role="gridcell">${row.worst === null ? html`<span class="quiet small">${t("无", "none")}</span>` : html`<span class=${`tag ${row.worst}`}>${severityName(row.worst)}</span>`}</span>
      <span class="agent" role="gridcell" title=${upright([row.customer_name, row.call_id, row.agent_id, row.team].filter(Boolean).join(" · "))}><a href=${address} tabindex="-1"><bdi>${row.agent_name ?? row.agent_id}</bdi></a></span>
      <span class="queue" role="gridcell"><bdi>${row.queue ?? ""}</bdi></span>
      <span class=${`state ${row.state} ${isLongSilent(row, now) || row.asr_silent ? "long" : ""}`} role="gridcell">${stateOf(row, now)}</span>
      <span class="clock" role="gridcell">${clock(clockOf(row, now))}</span>
      <span class="alert-counts" role="gridcell">
        ${critical > 0 ? html`<span class="tag critical" title=${severityName("critical")}>${critical}</span>` : null}
        ${warning > 0 ? html`<span class="tag warning" title=${severityName("warning")}>${warning}</span>` : null}
        ${info > 0 ? html`<span class="tag" title=${severityName("info")}>${info}</span>` : null}
      </span>
      <span class="last" role="gridcell" title=${upright([reason?.message, isNews ? last?.message : null].filter(Boolean).join(" · "))}>${reason === null ? "" : html`${clock(reason.at_ms)} <bdi>${reason.message}</bdi>`}${isNews && last ? html` <span class="quiet small">${t("最近", "latest")} ${clock(last.at_ms)} <bdi>${last.message}</bdi></span>` : null}</span>
      <span class="owed clock" role="gridcell">${row.owed > 0 ? row.owed : ""}</span>
      <span class="hands" role="gridcell">${isLive(row) ? html`<button class=${`plain ${hand?.taken ? "taken" : ""}`} tabindex="-1" onClick=${() => open(placeOf(row))}
        title=${`${handName(hand)} · ${t("写一句、接手、旁听、标记（按键 h）", "a word, take it, listen in, flag it (key h)")}`}>${handName(hand)}</button>` : null}</span>
    </div>
  `;
}

show(LivePage);

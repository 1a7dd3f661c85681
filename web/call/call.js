// One call. In progress: its words as they are spoken, its alerts as they change.
// Over: the same along its timeline, to be played again at any pace. What an
// alert rests on is marked in the text, and each leads to the other.

import { Fault, Frame, Severity, html, show, useAnswer, useKeys } from "../shared/ui.js";
import { ApiError, get, post, stream } from "../shared/api.js";
import { HandDialog, Helped, takenName } from "../shared/hand.js";
import { reviewer } from "../shared/review.js";
import { clock, kindName, moment, roleName, stateName, upright } from "../shared/format.js";
import { Record, hitsIn, stands } from "../shared/record.js";
import { LEAD_MS, callMsOf, secondsOf, unheard } from "../shared/sound.js";
import { t, told, token } from "../shared/settings.js";
import { Timeline } from "../shared/timeline.js";
import { Transcript } from "../shared/transcript.js";
import { useEffect, useReducer, useRef, useState } from "../vendor/hooks.js";
import { ClipDialog } from "../shared/clips.js";
import { CallForms } from "./forms.js";
import { MarkDialog, selectedPlace, useSelectedWords } from "./mark.js";
import { ReviewState } from "./state.js";

/** A question that the server did not answer is asked again after this. */
const AGAIN_MS = 1_000;
/** Of a call in progress, holds and silences are asked for at most this often. */
const PAUSES_MS = 3_000;
const SPEEDS = [1, 2, 4, 8, 16];
const callId = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const startedAt = new URLSearchParams(location.search).get("started_at") ?? undefined;
/** The sample that the call is read for, if it is. */
const sampleNo = new URLSearchParams(location.search).get("sample");
const path = `/v1/calls/${encodeURIComponent(callId)}`;

function CallPage() {
  return html`<${Frame} title=${t(`通话 ${callId}`, `Call ${callId}`)} current="/call" role=${["qa", "admin"]}><${Call} key=${token() ?? ""} /></${Frame}>`;
}

/**
 * The call, in progress or over. Each connection of the stream begins with a
 * hello; what was before it is asked for then, and what comes meanwhile waits,
 * so nothing is lost and nothing comes twice between the two.
 */
function useCall(/** @type {string} */ name) {
  const [, draw] = useReducer((/** @type {number} */ round) => round + 1, 0);
  const call = useRef(/** @type {{record: Record | null, live: {clockMs: number, told: number} | null, link: string, lost: number | null, degraded: Map<string, string>, error: ApiError | null}} */ ({
    record: null, live: null, link: "connecting", lost: null, degraded: new Map(), error: null,
  })).current;
  const reload = useRef(() => {});
  const lookAgain = useRef(() => {});
  useEffect(() => {
    const abort = new AbortController();
    let frame = 0;
    const soon = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw(undefined);
      });
    };
    const ask = () => get(path, { started_at: startedAt, held: true }, abort.signal);
    let asking = 0;
    /** What came since may have been a pause, or have ended one. */
    const askPauses = () => {
      asking ||= setTimeout(async () => {
        try {
          const detail = await ask();
          call.record?.pauses(detail);
          call.record?.supervised(detail);
          soon();
        } catch {
          // The next words ask again.
        }
        asking = 0;
      }, PAUSES_MS);
    };
    /** @type {any[] | null} */
    let waiting = null;
    /** @type {{close: () => void} | null} */
    let watching = null;
    const fail = (/** @type {unknown} */ error) => {
      if (!abort.signal.aborted) {
        call.error = error instanceof ApiError ? error : new ApiError(0, "failed", String(error));
        soon();
      }
    };
    const settle = (/** @type {any} */ detail) => {
      watching?.close();
      call.record = new Record(detail);
      call.live = null;
      soon();
    };
    const reread = () => void ask().then(settle, fail);
    /** The stream ended with its call; the store may learn of it a moment later. */
    const look = () => void ask().then((detail) => {
      if (!detail.live) {
        settle(detail);
      } else if (!abort.signal.aborted) {
        setTimeout(look, AGAIN_MS);
      }
    }, fail);
    const onMessage = async (/** @type {any} */ message) => {
      if (message.type === "watching") {
        const since = (waiting = /** @type {any[]} */ ([]));
        message.told ??= performance.now();
        if (message.asr_silent && !call.degraded.has(callId)) {
          call.degraded.set(callId, t("没有收到识别结果", "no speech results come"));
        }
        // A server that was started again goes on from the last event: what was shown does not go back.
        const shown = call.live === null ? 0 : call.live.clockMs + (call.lost ?? message.told) - call.live.told;
        call.live = { clockMs: Math.max(message.at_ms, shown), told: message.told };
        call.lost = null;
        try {
          const record = new Record(await ask());
          // If not, a later connection has said hello meanwhile.
          if (waiting === since) {
            for (const later of since) {
              record.take(later);
            }
            call.record = record;
            waiting = null;
          }
        } catch (error) {
          if (!(error instanceof ApiError) || error.status !== 0) {
            fail(error);
          } else if (waiting === since && !abort.signal.aborted) {
            // The server went just now. Asked again, it knows all that came meanwhile.
            setTimeout(() => waiting === since && onMessage(message), AGAIN_MS);
          }
        }
      } else if (message.type === "status") {
        const of = message.call_id ?? "";
        call.degraded.delete(of);
        if (message.state === "degraded") {
          call.degraded.set(of, told(message.why ?? ""));
        }
      } else if (waiting !== null) {
        waiting.push(message);
      } else {
        call.record?.take(message);
        askPauses();
      }
      soon();
    };
    ask().then((detail) => {
      call.record = new Record(detail);
      soon();
      if (detail.live) {
        call.live = { clockMs: call.record.end, told: performance.now() };
        // Without tokens the connection says who looks on.
        watching = stream(() => (name === "" ? `${path}/watch` : `${path}/watch?by=${encodeURIComponent(name)}`), {
          onMessage,
          onState: (state) => {
            if (state !== "open") {
              // What an earlier connection said of the server is over with it.
              call.degraded.clear();
              call.lost ??= call.link === "open" ? performance.now() : null;
            }
            call.link = state;
            // Refused: the call ended while there was no connection, or is none of the reader's.
            if (state === "over" || state === "refused") {
              look();
            }
            soon();
          },
        }, { ends: true });
      }
    }, fail);
    const second = setInterval(() => call.live !== null && soon(), 500);
    reload.current = reread;
    lookAgain.current = () => void ask().then((detail) => {
      call.record?.supervised(detail);
      soon();
    }, fail);
    return () => {
      abort.abort();
      watching?.close();
      clearInterval(second);
      clearTimeout(asking);
      cancelAnimationFrame(frame);
    };
  }, [name]);
  return { ...call, reload: () => reload.current(), lookAgain: () => lookAgain.current() };
}

function Call() {
  const [name, setName] = useState(reviewer());
  const { record, live, link, lost, degraded, error, reload, lookAgain } = useCall(name);
  const [selected, setSelected] = useState(/** @type {string | null} */ (linkedAlert()));
  const { value: me } = useAnswer((signal) => get("/v1/me", {}, signal), []);
  const isRead = record !== null;
  const isOver = isRead && live === null;
  useEffect(() => {
    // A link leads to its alert; a call that is over opens at the first one.
    if (selected !== null) {
      showAlert(selected, record?.alerts.get(selected));
    } else if (linkedSaid() !== null) {
      center(document.querySelector(`.said[data-utterance-id="${CSS.escape(linkedSaid() ?? "")}"]`));
    } else if (isOver) {
      center(document.querySelector(".transcript .hit"));
    }
  }, [isRead]);
  useEffect(() => {
    const onHash = () => {
      const linked = linkedAlert();
      if (linked !== null) {
        setSelected(linked);
        requestAnimationFrame(() => showAlert(linked, record?.alerts.get(linked)));
      }
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, [record]);
  const sound = live === null ? record?.detail.recording ?? null : null;
  const player = usePlayer(record === null || live !== null ? null : record.end, sound);
  const [isMarking, setMarking] = useState(/** @type {false | {place: import("./mark.js").Place | null}} */ (false));
  const words = useSelectedWords();
  const mayMark = isOver && me !== undefined && (me.roles.includes("qa") || me.roles.includes("admin"));
  const [clipped, setClipped] = useState(/** @type {string | null} */ (null));
  const [keptIn, setKeptIn] = useState(/** @type {{clip_no: number, title: string} | null} */ (null));
  useKeys({ m: () => mayMark && setMarking({ place: selectedPlace() }), s: () => mayMark && selected !== null && record?.alerts.has(selected) && setClipped(selected) });
  const linkedAt = selected === null ? undefined : record?.alerts.get(selected)?.at_ms;
  // What is listened to first is the alert that is looked at.
  useEffect(() => player.cue(linkedAt === undefined ? null : Math.max(0, linkedAt - LEAD_MS)), [linkedAt]);

  if (error !== null) {
    return html`<${Fault} error=${error} retry=${() => location.reload()} />`;
  }
  if (record === null) {
    return html`<p class="empty" role="status">${t("正在读取…", "Loading…")}</p>`;
  }
  const { detail } = record;
  const now = live === null ? player.at : Math.max(record.end, live.clockMs + ((lost ?? performance.now()) - live.told));
  // As it was at the place in the recording; of a call in progress, and at the end, all there is.
  // Who listens reads along in all of it.
  const at = live !== null || player.isAtEnd || sound !== null ? null : player.at;
  const spoken = sound === null || player.isAtEnd ? null : record.said().findLast((one) => one.start <= player.at && player.at <= one.end) ?? null;
  const alerts = record.alertsAt(at);
  const held = alerts.filter(({ display }) => display === "held").length;
  const seek = live === null ? player.seek : null;
  const select = (/** @type {string} */ alertId) => {
    setSelected(alertId);
    history.replaceState(null, "", `${location.pathname}${location.search}#alert-${encodeURIComponent(alertId)}`);
    const alert = record.alerts.get(alertId);
    const first = alert?.transitions[0]?.at;
    if (at !== null && first !== undefined && first > at) {
      player.seek(first);
    }
    requestAnimationFrame(() => showAlert(alertId, alert));
  };
  return html`
    <${Head} detail=${detail} live=${live} link=${link} now=${now} />
    ${sampleNo !== null && mayMark ? html`<${ToRead} me=${me} />` : null}
    <${Supervised} detail=${detail} clockMs=${live === null ? null : now} me=${me} onDone=${() => { setName(reviewer()); lookAgain(); }} />
    ${live !== null && lost !== null ? html`<p class="notice critical" role="alert">${t("连接断开，正在重连；下面是断开前的情况。", "Connection lost, retrying; this is how it stood.")}</p>` : null}
    ${live !== null && degraded.size > 0 ? html`<p class="notice warning" role="alert">${t("检查能力下降：", "Checking is impaired: ")}${[...new Set(degraded.values())].join(t("；", "; "))}</p>` : null}
    ${detail.truncated ? html`<p class="notice warning">${t("这通电话太长，只显示前面一部分。", "This call is too long; only its beginning is shown.")}</p>` : null}
    <section class="panel time-panel" aria-label=${t("时间线", "Timeline")}>
      <${Timeline} record=${record} length=${live === null ? record.end : now} at=${now} seek=${seek} select=${select} />
      ${live === null ? html`<${Controls} player=${player} hasSound=${sound !== null} />` : null}
      ${sound === null ? null : html`<audio ref=${player.place} src=${sound.url} preload="none" onError=${player.fail} onDurationChange=${player.measure}></audio>
        ${player.isUnheard ? html`<p class="notice warning flat" role="status">${unheard()}</p>` : null}`}
    </section>
    <div class="columns">
      <section class="panel words-panel" aria-labelledby="words"><div class="row spread"><h2 id="words">${t("转写", "Transcript")}</h2>
          ${mayMark ? html`<button class=${words === null ? "small" : "small primary"} aria-keyshortcuts="m" onClick=${() => setMarking({ place: words })}
            title=${t("在转写里选中漏报的话", "select the words in the transcript")}>${words === null ? t("标出漏报…", "Mark a miss…") : t("把选中的话标为漏报", "Mark the selected words")}<kbd aria-hidden="true">m</kbd></button>` : null}</div>
        <${Transcript} items=${items(record, alerts, at)} selected=${selected} select=${select} seek=${seek} follows=${live !== null} current=${spoken?.id ?? (sound === null || player.isAtEnd ? linkedSaid() : null)} />
      </section>
      <section class="panel side-panel" aria-labelledby="alerts"><h2 id="alerts">${t(`预警 ${alerts.length - held} 条`, `${alerts.length - held} alerts`)}${held > 0 ? t(`，存疑 ${held} 条`, `, ${held} in doubt`) : ""}</h2>
        ${alerts.length === 0 ? html`<p class="empty">${t("到此为止没有预警", "No alerts up to here")}</p>` : null}
        <ol class="alerts">${alerts.map((alert) => html`<${Alert} key=${alert.alert_id} alert=${alert} isSelected=${alert.alert_id === selected} select=${select} me=${me} started=${detail.started_at} onReview=${reload} onClip=${mayMark ? () => setClipped(alert.alert_id) : null} />`)}</ol>
      </section>
      <div class="rest stack"><${Score} detail=${detail} />
        ${isOver ? html`<${CallForms} detail=${detail} me=${me} may=${mayMark} onShow=${select} />` : null}</div>
    </div>
    ${clipped === null || !record.alerts.has(clipped) ? null : html`<${ClipDialog} alert=${{ ...record.alerts.get(clipped), call_id: detail.call_id, started_at: detail.started_at }} me=${me}
      onClose=${() => setClipped(null)} onKept=${(/** @type {any} */ kept) => { setClipped(null); setKeptIn(kept); }} />`}
    ${keptIn === null ? null : html`<p class="notice" role="status">${t("已收进片段集：", "Put into ")}<a href=${`/clips/${keptIn.clip_no}`}>${keptIn.title}</a></p>`}
    ${isMarking ? html`<${MarkDialog} detail=${detail} said=${record.said()} place=${isMarking.place} me=${me} onClose=${() => setMarking(false)}
      onMarked=${(/** @type {string} */ alertId) => { setMarking(false); getSelection()?.removeAllRanges(); setSelected(alertId); reload(); }} />` : null}
  `;
}

/** What supervisors did in the call, and what they may do while it is in progress.
 * @param {{detail: any, clockMs: number | null, me: import("../shared/ui.js").Me | undefined, onDone: () => void}} properties
 */
function Supervised({ detail, clockMs, me, onDone }) {
  const [isOpen, setOpen] = useState(false);
  const isLive = clockMs !== null;
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const { help, taken, flag, monitor } = detail.supervision;
  const isFlagged = flag !== null && flag.done_at === null;
  const last = help.at(-1) ?? null;
  const settle = () => {
    setError(null);
    post(`/v1/flags/${flag.flag_no}`, me?.open ? { by: reviewer() } : {}).then(onDone, setError);
  };
  if (!isLive && !isOpen && help.length === 0 && flag === null) {
    return null;
  }
  const customer = detail.events.find((/** @type {any} */ event) => event.type === "call.start")?.customer_name;
  const place = { call_id: callId, started_at: detail.started_at, agent: detail.agent_name ?? detail.agent_id, customer, queue: detail.queue };
  return html`<section class="panel supervised" aria-labelledby="supervised"><div class="row"><h2 id="supervised" class="flat">${t("督导", "Supervision")}</h2>
      ${taken === null ? null : html`<span class="tag neutral">${takenName(taken.by)}</span>`}
      ${isLive ? html`<button class="small" aria-haspopup="dialog" title=${t("写一句、接手、旁听、标记", "a word, take it, listen in, flag it")} onClick=${() => setOpen(true)}>${t("帮一把…", "Help…")}</button>` : null}</div>
    ${help.length === 0 ? null : html`<${Helped} help=${help} />`}
    ${flag === null ? null : html`<div class="row"><span class=${`tag ${isFlagged ? "warning" : "good"}`}>${isFlagged ? t("待复核", "to be reviewed") : t("已复核", "reviewed")}</span>
      <span>${t(`${upright(flag.by)} 标记`, `flagged by ${upright(flag.by)}`)}${flag.note ? html`：<bdi>${flag.note}</bdi>` : ""}</span>
      ${isFlagged ? html`<button class="small" onClick=${settle}>${t("复核完了", "It is reviewed")}</button>` : html`<span class="quiet small"><bdi>${flag.done_by}</bdi></span>`}</div>`}
    ${error === null ? null : html`<${Fault} error=${error} />`}
    ${isOpen ? html`<${HandDialog} place=${place} hand=${{ taken, help: last, flagged: isFlagged }} modes=${monitor} me=${me} clockMs=${clockMs} isOver=${!isLive} onClose=${() => setOpen(false)} onDone=${onDone} />` : null}
  </section>`;
}

/** A call that was drawn, to be read whole. @param {{me: import("../shared/ui.js").Me}} properties */
function ToRead({ me }) {
  const [state, setState] = useState(/** @type {"open" | "busy" | "done"} */ ("open"));
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const read = () => {
    setState("busy");
    setError(null);
    post(`/v1/assignments/${sampleNo}`, { verdict: "read", ...(me.open ? { by: reviewer() } : {}) }).then(
      () => setState("done"),
      (fault) => { setError(fault); setState("open"); },
    );
  };
  useKeys({ r: () => state === "open" && read() });
  return html`<div class="notice row spread" role="status">
    ${state === "done" ? html`<span>${t("已记下：这通读完了。", "Kept: this call is read.")}</span>`
      : html`<span>${t("抽检：读完整通，判定每条预警，选中漏报的话标出来。", "A sample: read all of it, judge each alert, mark what the rules missed.")}</span>`}
    <span class="row">${state === "done" ? null : html`<button class="primary" disabled=${state === "busy"} onClick=${read} aria-keyshortcuts="r">${t("读完了", "It is read")} <kbd aria-hidden="true">r</kbd></button>`}
      <a class="button" href="/qa?view=mine">${t("回到我的任务", "Back to my samples")}</a></span>
  </div>
  ${error === null ? null : html`<${Fault} error=${error} />`}`;
}

/** The utterance that the address names. */
function linkedSaid() {
  return location.hash.startsWith("#said-") ? decodeURIComponent(location.hash.slice(6)) : null;
}

/** The alert that the address names. */
function linkedAlert() {
  return location.hash.startsWith("#alert-") ? decodeURIComponent(location.hash.slice(7)) : null;
}

/** Brings an alert and its words into sight; without words, what was said then. @param {string} alertId @param {any} alert */
function showAlert(alertId, alert) {
  center(document.getElementById(`alert-${alertId}`));
  const hit = [...document.querySelectorAll(".transcript .hit")].find((one) => one.getAttribute("data-alerts")?.split(" ").includes(alertId));
  const said = [...document.querySelectorAll(".transcript [data-at]")];
  center(hit ?? said.findLast((one) => alert !== undefined && Number(one.getAttribute("data-at")) <= alert.at_ms) ?? null);
}

/** Scrolls the box of an element, and the page only as far as is needed. @param {Element | null | undefined} element */
function center(element) {
  const box = element?.closest(".transcript, .alerts");
  if (element && box) {
    const [inner, outer] = [element.getBoundingClientRect(), box.getBoundingClientRect()];
    box.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
    element.scrollIntoView({ block: "nearest" });
  }
}

/** @param {any} properties */
function Head({ detail, live, link, now }) {
  const start = detail.events.find((/** @type {any} */ event) => event.type === "call.start") ?? {};
  const facts = [
    [t("坐席", "Agent"), detail.agent_name ? `${detail.agent_name} · ${detail.agent_id}` : detail.agent_id],
    ...(detail.team ? [[t("班组", "Team"), detail.team]] : []),
    [t("队列", "Queue"), detail.queue],
    [t("客户", "Customer"), start.customer_name],
    [t("接通", "Answered"), moment(detail.started_at)],
    [t("挂断", "Hung up"), live === null && detail.ended_by ? roleName(detail.ended_by) : null],
  ].filter(([, value]) => value);
  return html`
    <div class="head row spread">
      <div class="row">
        <h1>${t("通话", "Call")} <bdi class="call-id">${callId}</bdi></h1>
        ${live === null
          ? html`<span class="tag neutral">${t("已结束", "over")}</span>`
          : html`<span class="tag good">${t("进行中", "live")}</span><span class="now" role="timer">${clock(now)}</span>
              ${link === "open" || link === "over" ? null : html`<span class="tag critical" role="status">${t("断线，正在重连", "connection lost, retrying")}</span>`}`}
      </div>
      <dl>${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd><bdi>${value}</bdi></dd></div>`)}</dl>
    </div>
  `;
}

/**
 * Plays a call of `length` milliseconds, by its words or, where there is one, with its sound; null: it goes on.
 * @param {number | null} length @param {import("../shared/sound.js").Sound | null} sound
 */
function usePlayer(length, sound) {
  const audio = useRef(/** @type {HTMLAudioElement | null} */ (null));
  const cued = useRef(/** @type {number | null} */ (null));
  const [heard, setHeard] = useState(0);
  const [isUnheard, setUnheard] = useState(false);
  const [at, setAt] = useState(/** @type {number | null} */ (null));
  const [speed, setSpeed] = useState(1);
  const [isPlaying, setPlaying] = useState(false);
  const whole = Math.max(length ?? 0, heard);
  const place = at === null ? whole : Math.min(at, whole);
  useEffect(() => {
    if (!isPlaying || length === null) {
      return undefined;
    }
    const element = sound === null || isUnheard ? null : audio.current;
    if (element !== null && sound !== null) {
      element.playbackRate = speed;
      element.play().catch(() => element.isConnected && element.paused && setPlaying(false));
      let frame = requestAnimationFrame(function step() {
        if (element.ended) {
          setAt(whole);
          setPlaying(false);
          return;
        }
        // A place that was just chosen is not heard yet.
        if (!element.seeking) {
          setAt(Math.max(0, callMsOf(sound, element.currentTime)));
        }
        frame = requestAnimationFrame(step);
      });
      return () => {
        cancelAnimationFrame(frame);
        element.pause();
      };
    }
    let last = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      const passed = (now - last) * speed;
      last = now;
      setAt((before) => {
        const after = Math.min(whole, (before ?? whole) + passed);
        if (after >= whole) {
          setPlaying(false);
        }
        return after;
      });
      frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  }, [isPlaying, speed, length, sound?.url, isUnheard]);
  const seek = (/** @type {number} */ to) => {
    cued.current = null;
    setAt(to);
    if (sound !== null && audio.current !== null) {
      audio.current.currentTime = secondsOf(sound, to);
    }
  };
  return {
    place: audio,
    isUnheard,
    fail: () => setUnheard(true),
    measure: () => sound !== null && Number.isFinite(audio.current?.duration) && setHeard(Math.max(0, callMsOf(sound, audio.current?.duration ?? 0))),
    /** Where the sound begins when it is next played; null: where it stands. @param {number | null} to */
    cue(to) {
      cued.current = sound === null ? null : to;
    },
    at: place,
    isAtEnd: place >= whole,
    isPlaying,
    speed,
    setSpeed,
    seek,
    toggle() {
      if (!isPlaying && cued.current !== null) {
        seek(cued.current);
      } else if (!isPlaying && place >= whole) {
        seek(0);
      }
      setPlaying(!isPlaying);
    },
  };
}

/** @param {{player: ReturnType<typeof usePlayer>, hasSound: boolean}} properties */
function Controls({ player, hasSound }) {
  const faster = (/** @type {number} */ by) => {
    const next = SPEEDS[SPEEDS.indexOf(player.speed) + by];
    if (next !== undefined) {
      player.setSpeed(next);
    }
  };
  useKeys({
    p: player.toggle,
    "-": () => faster(-1),
    "+": () => faster(1),
    "=": () => faster(1),
  });
  return html`<div class="controls row" role="group" aria-label=${t("回放", "Replay")}>
    <button class="primary" onClick=${player.toggle}>${player.isPlaying ? t("暂停", "Pause") : t("播放", "Play")} <kbd aria-hidden="true">P</kbd></button>
    <span class="speeds" role="group" aria-label=${t("速度", "Speed")}>${SPEEDS.map((speed) => html`
      <button aria-pressed=${speed === player.speed} onClick=${() => player.setSpeed(speed)}>${speed}×</button>`)}</span>
    <span class="place" role="status" aria-live="off">${clock(player.at)}</span>
    ${hasSound ? html`<span class="tag neutral">${t("录音", "sound")}</span>` : null}
    <span class="small quiet hint">${t("时间线：←→ 5 秒，PageUp/PageDown 30 秒，Home/End", "timeline: ←→ 5 s, PageUp/PageDown 30 s, Home/End")}</span>
  </div>`;
}

/**
 * The lines of the transcript at a moment.
 * @param {Record} record @param {any[]} alerts @param {number | null} at
 * @returns {import("../shared/transcript.js").Item[]}
 */
function items(record, alerts, at) {
  const standing = alerts.filter(stands);
  /** @type {import("../shared/transcript.js").Item[]} */
  const lines = record.said()
    .filter((utterance) => at === null || utterance.start <= at)
    .map((utterance) => {
      const isSpeaking = at !== null && utterance.end > at;
      return { key: utterance.id, at: utterance.start, utterance, isSpeaking, hits: isSpeaking ? [] : hitsIn(utterance, standing) };
    });
  const until = at ?? Infinity;
  const happened = /** @type {{[kind: string]: string}} */ ({
    "call.hold": t("保持", "on hold"), "call.resume": t("恢复通话", "resumed"), "call.transfer": t("转接", "transferred"),
    "call.transfer_answered": t("转接已应答", "transfer answered"), "call.end": t("通话结束", "ended"),
  });
  for (const mark of record.marks(until)) {
    if (mark.kind in happened) {
      const who = mark.by ? t(`（${roleName(mark.by)}）`, ` (${roleName(mark.by)})`) : mark.to ? ` → ${mark.to}` : "";
      lines.push({ key: `${mark.kind} ${mark.at}`, at: mark.at, hits: [], isSpeaking: false, text: `${happened[mark.kind]}${who}` });
    }
  }
  return lines.sort((a, b) => a.at - b.at);
}

/** @param {any} properties */
function Alert({ alert, isSelected, select, me, started, onReview, onClip }) {
  const { alert_id: id, state, transitions } = alert;
  return html`
    <li class=${`alert ${alert.severity} ${state} ${alert.display === "held" ? "held" : ""} ${isSelected ? "selected" : ""}`} id=${`alert-${id}`} data-alert-id=${id} data-state=${state}>
      <div class="row">
        <${Severity} severity=${alert.severity} />
        <b>${stateName(state)}</b>
        ${alert.display === "marked" ? html`<span class="tag neutral" title=${t("规则没有发现，由质检标出", "missed by the rules, marked by a reviewer")}>${t("人工标出", "marked")}</span>` : null}
        ${alert.display === "held" ? html`<span class="tag neutral" title=${t("把握不足，没有给坐席看，不扣分", "too unsure: not shown to the agent, deducts nothing")}>${t("存疑", "in doubt")}</span>` : null}
        <span class="quiet small">${kindName(alert.kind)}</span>
        <span class="time quiet small">${clock(alert.at_ms)}</span>
      </div>
      <p class="message"><button class="link" aria-pressed=${isSelected} onClick=${() => select(id)}><bdi>${alert.message}</bdi></button></p>
      ${alert.suggestion ? html`<p class="small">${t("请说：", "Say: ")}${alert.suggestion}</p>` : null}
      <p class="small quiet">${alert.rule_name}${alert.deduct > 0 && state === "confirmed" && alert.review?.counts !== false ? t(` · 扣 ${alert.deduct} 分`, ` · −${alert.deduct}`) : ""}
        ${transitions.length > 1 ? html`<span class="states"> · ${transitions.map((/** @type {any} */ one) => `${clock(one.at)} ${stateName(one.state)}`).join(" → ")}</span>` : null}</p>
      <${ReviewState} alert=${alert} me=${me} started=${started} isSelected=${isSelected} onReview=${onReview} />
      ${isSelected && onClip ? html`<button class="small no-print" aria-keyshortcuts="s" onClick=${onClip}>${t("收进培训片段…", "Put into training clips…")}</button>` : null}
    </li>
  `;
}

/** The score and what it is made of. @param {{detail: any}} properties */
function Score({ detail }) {
  const { scoring } = detail;
  return html`
    <section class="panel score-panel" aria-labelledby="score">
      <h2 id="score">${t("得分", "Score")}</h2>
      <p class="value">${detail.score}<span class="quiet small"> / ${scoring.base}</span></p>
      ${scoring.vetoed_by.length > 0 ? html`<p class="notice critical">${t(`一票否决：${scoring.vetoed_by.join("、")}`, `vetoed by ${scoring.vetoed_by.join(", ")}`)}</p>` : null}
      ${detail.live ? html`<p class="small quiet">${t("通话还没有结束，这是到打开本页时为止的。", "The call goes on; this is as of when the page was opened.")}</p>` : null}
      <${Parts} scoring=${scoring} />
    </section>
  `;
}

/** @param {any} properties */
function Parts({ scoring }) {
  const { packs } = scoring;
  const { value } = useAnswer((signal) => (packs.length > 0 ? get("/v1/rules/packs", {}, signal) : Promise.resolve(null)), [packs.length > 0]);
  const titles = new Map((value?.packs ?? []).map((/** @type {any} */ one) => [one.pack, one.title]));
  if (packs.length === 0) {
    return html`<p class="small quiet">${t("没有扣分。", "Nothing was deducted.")}</p>`;
  }
  return html`<table><thead><tr><th>${t("规则包", "Pack")}</th><th class="number">${t("扣分", "Deducted")}</th></tr></thead>
    <tbody>${packs.map((/** @type {any} */ pack) => html`<tr><td title=${pack.pack}>${titles.get(pack.pack) ?? pack.pack} <span class="small quiet">${t(`${pack.alerts} 条`, `${pack.alerts} alerts`)}</span></td><td class="number">${pack.counted}${pack.cap !== null && pack.cap < pack.deduct ? t(`（上限 ${pack.cap}）`, ` (cap ${pack.cap})`) : ""}</td></tr>`)}</tbody></table>`;
}

show(CallPage);

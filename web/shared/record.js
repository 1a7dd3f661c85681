// One call as the API tells it, put together from what was (`GET /v1/calls/{id}`)
// and what comes (`/v1/calls/{id}/watch`), and how it stood at any moment of its
// clock. It draws nothing, asks nothing and reads no clock.

/**
 * @typedef {object} Utterance
 * @property {string} id
 * @property {string} role
 * @property {string} text
 * @property {number} start
 * @property {number} end
 * @property {boolean} isFinal
 * @property {boolean} isCorrected a later final replaced an earlier one
 */
/**
 * @typedef {object} Transition
 * @property {string} state
 * @property {number} at of the call's clock, when it was told
 */
/**
 * An alert with its states; the fields are those of the API.
 * @typedef {any} Alert
 */
/** @typedef {{from: number, until: number | null}} Span */
/** @typedef {{at: number, text: string, kind: string, by?: string, to?: string}} Mark something that happened */

export class Record {
  /** @param {any} detail what `GET /v1/calls/{id}` answers */
  constructor(detail) {
    this.detail = detail;
    this.started = Date.parse(detail.started_at);
    /** @type {Map<string, Utterance>} */
    this.utterances = new Map();
    /** @type {Map<string, Alert & {transitions: Transition[]}>} */
    this.alerts = new Map();
    /** Holds, transfers and the end, each once. @type {Map<string, any>} */
    this.happened = new Map();
    /** @type {Span[]} */
    this.holds = [];
    /** @type {Span[]} */
    this.silences = [];
    this.pauses(detail);
    for (const event of [...detail.events, ...detail.hypotheses]) {
      this.take(event);
    }
    for (const { transitions, ...alert } of detail.alerts) {
      if (alert.display !== "shadow") {
        // What was marked afterwards stands where it was said.
        const told = transitions.map((/** @type {any} */ one) => ({ state: one.state, at: alert.display === "marked" ? alert.at_ms : this.#since(one.emitted_at) }));
        this.alerts.set(alert.alert_id, { ...alert, transitions: told });
      }
    }
  }

  /** Takes the holds and silences of an answer: the engine measures them. @param {any} detail */
  pauses({ holds, silences }) {
    const span = (/** @type {any} */ one) => ({ from: one.from_ms, until: one.until_ms });
    this.holds = holds.map(span);
    this.silences = silences.map(span);
  }

  /** Takes what supervisors did of an answer. @param {any} answer */
  supervised({ supervision }) {
    this.detail = { ...this.detail, supervision };
  }

  /** @param {string} emittedAt */
  #since(emittedAt) {
    return Date.parse(emittedAt) - this.started;
  }

  /** An event or an alert; one that is known already changes nothing. @param {any} message */
  take(message) {
    if (message.type === "help") {
      const { supervision } = this.detail;
      const others = supervision.help.filter((/** @type {any} */ one) => one.help_id !== message.help_id);
      const help = [...others, message].sort((a, b) => Number(a.help_id) - Number(b.help_id));
      this.supervised({ supervision: { ...supervision, help } });
    } else if (message.type === "utterance") {
      const before = this.utterances.get(message.utterance_id);
      // What was settled is only changed by a further final.
      if (before?.isFinal && !message.final) {
        return;
      }
      this.utterances.set(message.utterance_id, {
        id: message.utterance_id,
        role: message.role,
        text: message.text,
        start: message.start_ms,
        end: message.end_ms,
        isFinal: message.final,
        isCorrected: before !== undefined && before.isFinal && (before.isCorrected || before.text !== message.text),
      });
    } else if (message.type === "alert") {
      this.#alert(message);
    } else if (message.type === "feedback") {
      const alert = this.alerts.get(message.alert_id);
      if (alert !== undefined) {
        const { action, reason, by, given_at } = message;
        this.alerts.set(message.alert_id, { ...alert, feedback: { action, reason, by, given_at } });
      }
    } else if (typeof message.type === "string" && message.type.startsWith("call.") && message.type !== "call.start") {
      this.happened.set(`${message.type} ${message.at_ms}`, message);
    }
  }

  /** @param {any} message */
  #alert(message) {
    const before = this.alerts.get(message.alert_id);
    const told = { state: message.state, at: this.#since(message.emitted_at) };
    const transitions = before?.transitions ?? [];
    const isKnown = transitions.some((/** @type {Transition} */ one) => one.state === told.state && one.at === told.at);
    if (isKnown && transitions.at(-1).state !== told.state) {
      return;
    }
    this.alerts.set(message.alert_id, { ...before, ...message, transitions: isKnown ? transitions : [...transitions, told] });
  }

  /** Everything that was told, up to here. */
  get end() {
    let end = 0;
    for (const one of this.utterances.values()) {
      end = Math.max(end, one.end);
    }
    for (const one of this.happened.values()) {
      end = Math.max(end, one.at_ms);
    }
    for (const { transitions } of this.alerts.values()) {
      for (const { at } of transitions) {
        end = Math.max(end, at);
      }
    }
    return end;
  }

  /** In the order in which it was said. @returns {Utterance[]} */
  said() {
    return [...this.utterances.values()].sort((a, b) => a.start - b.start || (a.id < b.id ? -1 : 1));
  }

  /** Transfers and the end. @param {number} until @returns {Mark[]} */
  marks(until) {
    return [...this.happened.values()]
      .filter((event) => event.at_ms <= until)
      .sort((a, b) => a.at_ms - b.at_ms)
      .map((event) => ({ at: event.at_ms, kind: event.type, text: "", by: event.by, to: event.to ?? event.agent_id }));
  }

  /**
   * Alerts as they stood at `at`, in the order in which they were raised;
   * `null` is now.
   * @param {number | null} at
   * @returns {(Alert & {transitions: Transition[]})[]}
   */
  alertsAt(at) {
    const found = [];
    for (const alert of this.alerts.values()) {
      const told = at === null ? alert.transitions : alert.transitions.filter((/** @type {Transition} */ one) => one.at <= at);
      if (told.length > 0) {
        found.push({ ...alert, state: told.at(-1).state, transitions: told });
      }
    }
    return found.sort((a, b) => a.transitions[0].at - b.transitions[0].at);
  }
}

/** What there was of these stretches until then. @param {Span[]} spans @param {number} at @returns {Span[]} */
export function spansUntil(spans, at) {
  return spans.filter(({ from }) => from <= at).map(({ from, until }) => ({ from, until: until !== null && until <= at ? until : null }));
}

/** Whether an alert counts, or may yet. @param {Alert} alert */
export function stands(alert) {
  return alert.state !== "retracted" && alert.state !== "resolved";
}

/**
 * The places in an utterance that alerts point at. An alert may rest on an
 * earlier text of it; a place where the words are others now is left out.
 * @param {Utterance} utterance @param {Alert[]} alerts
 */
export function hitsIn(utterance, alerts) {
  const characters = Array.from(utterance.text);
  const hits = [];
  for (const alert of alerts) {
    for (const { utterance_id: id, text, start, end, offset = 0 } of alert.evidence) {
      // Evidence of a whole utterance marks nothing: all of it would be yellow.
      const isPart = end - start < Array.from(text).length || end - start <= 12;
      const words = Array.from(text).slice(start, end).join("");
      if (id === utterance.id && isPart && characters.slice(offset + start, offset + end).join("") === words) {
        hits.push({ start: offset + start, end: offset + end, alert });
      }
    }
  }
  return hits;
}

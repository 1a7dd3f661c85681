// The public API, as any client uses it: questions over HTTP, streams over
// WebSockets that come back by themselves. It shows nothing.

import { told, token } from "./settings.js";

const RETRY_MS_FIRST = 250;
const RETRY_MS_MAX = 10_000;
/** How the server ends a stream that is complete. */
const NORMAL_CLOSURE = 1_000;
/** How it refuses one: 4000 plus the HTTP status that says why. */
const isRefusal = (/** @type {number} */ code) => code >= 4_400 && code < 4_600;
/** Asked again, it refuses again: the address, the token or the call is wrong. */
const isFinal = (/** @type {number} */ code) => isRefusal(code) && code < 4_500;

/** Why a question has no answer. */
export class ApiError extends Error {
  /** @param {number} status @param {string} code @param {string} message @param {string} [field] */
  constructor(status, code, message, field) {
    super(message);
    this.status = status;
    this.code = code;
    this.field = field;
  }

  /** In the reader's language. */
  get text() {
    return told(this.message);
  }
}

/** @param {Record<string, string | number | boolean | null | undefined>} parameters */
export function queryOf(parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== undefined && value !== "") {
      query.set(name, String(value));
    }
  }
  const text = query.toString();
  return text === "" ? "" : `?${text}`;
}

/** @param {string} path @param {RequestInit} options @returns {Promise<Response>} */
async function request(path, options) {
  const headers = new Headers(options.headers);
  const mine = token();
  if (mine !== null) {
    headers.set("authorization", `Bearer ${mine}`);
  }
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") {
      throw error;
    }
    throw new ApiError(0, "unreachable", "连不上服务 / the server cannot be reached");
  }
  if (!response.ok) {
    const fault = await response.json().catch(() => ({}));
    throw new ApiError(response.status, fault.code ?? "failed", fault.message ?? `HTTP ${response.status}`, fault.field);
  }
  return response;
}

/**
 * Asks. Paths are written as they are; parameters without a value are left out.
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} [parameters]
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function get(path, parameters = {}, signal) {
  const response = await request(path + queryOf(parameters), { signal });
  return response.json();
}

/**
 * Asks for a text.
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} parameters
 * @param {AbortSignal} [signal]
 */
export async function getText(path, parameters, signal) {
  const response = await request(path + queryOf(parameters), { signal });
  return response.text();
}

/**
 * @param {string} path
 * @param {unknown} body
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 */
export async function post(path, body, signal) {
  const headers = { "content-type": "application/json" };
  const response = await request(path, { method: "POST", headers, body: JSON.stringify(body), signal });
  const text = await response.text();
  return text === "" ? null : JSON.parse(text);
}

/** @param {string} path */
export async function remove(path) {
  await request(path, { method: "DELETE" });
}

/** A file, kept by the browser under `name`. @param {string} path @param {string} name */
export async function download(path, name) {
  const response = await request(path, {});
  keepFile(await response.blob(), name);
}

/** @param {Blob} blob @param {string} name */
export function keepFile(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

/**
 * What a stream calls back.
 * @typedef {object} StreamEvents
 * @property {(message: any) => void} onMessage one message
 * @property {(state: "connecting" | "open" | "closed" | "over" | "refused", why?: string) => void} onState
 *   what became of the connection; "over" (there is nothing more to come) and "refused" are final
 */

/**
 * Listens to a stream until the returned `close` is called. A connection that
 * breaks is made anew, later each time; `path` is asked for each of them, so
 * that a stream with a cursor goes on where it was.
 * @param {() => string} path
 * @param {StreamEvents} events
 * @param {{server?: string, token?: string | null, ends?: boolean}} [where] another server, another token than the
 *   tab's; whether the server may say that it is complete
 */
export function stream(path, events, where = {}) {
  let pause = RETRY_MS_FIRST;
  /** @type {WebSocket | null} */
  let socket = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let stopped = false;

  function connect() {
    events.onState("connecting");
    const address = new URL(path(), where.server ?? location.origin);
    const mine = where.token === undefined ? token() : where.token;
    address.protocol = address.protocol.replace("http", "ws");
    socket = mine === null ? new WebSocket(address) : new WebSocket(address, ["bearer", mine]);
    let wasOpen = false;
    socket.onopen = () => {
      wasOpen = true;
      events.onState("open");
    };
    socket.onmessage = ({ data }) => events.onMessage(JSON.parse(data));
    socket.onclose = ({ code, reason }) => {
      if (stopped) {
        return;
      }
      if (where.ends && code === NORMAL_CLOSURE) {
        stopped = true;
        events.onState("over");
        return;
      }
      if (isFinal(code)) {
        stopped = true;
        events.onState("refused", told(reason));
        return;
      }
      if (wasOpen && !isRefusal(code)) {
        pause = RETRY_MS_FIRST;
      }
      events.onState("closed");
      // All browsers of a floor must not come back at once.
      timer = setTimeout(connect, pause * (0.5 + Math.random()));
      pause = Math.min(pause * 2, RETRY_MS_MAX);
    };
  }

  connect();
  return {
    close() {
      stopped = true;
      clearTimeout(timer);
      socket?.close();
    },
    /** False while there is no connection. @param {unknown} message */
    send(message) {
      if (socket?.readyState !== WebSocket.OPEN) {
        return false;
      }
      socket.send(JSON.stringify(message));
      return true;
    },
  };
}

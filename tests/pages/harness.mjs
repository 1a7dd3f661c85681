// What the tests of the pages share: the real binary on a port and a store of
// its own, a headless Chromium, a producer of calls. What goes wrong in a page
// (an error on its console, a request against its policy) fails the test that
// opened it. Nothing here sleeps.
//
// A file stops what it started when its tests are done, however they ended; and
// a file that does not come to its end is ended, with all that it started.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath } from "node:url";

/** Installed there by scripts/test. */
const require = createRequire(new URL("../../target/pages/", import.meta.url));
const { chromium } = require("playwright-core");
const WebSocket = require("ws");
const AXE = require.resolve("axe-core/axe.min.js");

const root = fileURLToPath(new URL("../../", import.meta.url));
const BINARY = process.env.TINGJIAN ?? join(root, "target/debug/tingjian");
/** A folder to take scripts and styles from instead of those in the binary: pages are tried without building it. */
const ASSETS = process.env.ASSETS;
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };
/** Where screenshots go when they are asked for. */
const SCREENSHOTS = process.env.SCREENSHOTS;
/** Longer than any step takes; a test that waits for it has failed. */
export const PATIENCE = Number(process.env.PATIENCE ?? 60_000);
/** Longer than the tests of any file take. */
const FILE_MS_MAX = 15 * 60_000;

/** @type {Set<() => unknown>} each stops something that was started, once or again */
const stops = new Set();

/** Has `stop` called when the tests of the file are done. @param {() => unknown} stop */
export function atEnd(stop) {
  stops.add(stop);
}

after(() => Promise.all([...stops].map(async (stop) => stop())));

setTimeout(() => {
  console.error(`the tests of this file are not done after ${FILE_MS_MAX} ms`);
  process.exit(1);
}, FILE_MS_MAX).unref();
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => process.exit(1));
}

/**
 * Fails when `coming` has not come about in time.
 * @template T @param {Promise<T>} coming @param {string} what @returns {Promise<T>}
 */
export function patiently(coming, what) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain: ${what}`)), PATIENCE);
  });
  return Promise.race([coming, late]).finally(() => clearTimeout(timer));
}

/** A server in a process of its own. */
export class Server {
  /** @param {{config?: string, rules?: Record<string, string>}} [options] text of the configuration; rule files by name */
  static async start({ config = "", rules } = {}) {
    const server = new Server();
    server.directory = mkdtempSync(join(tmpdir(), "tingjian-pages-"));
    writeFileSync(join(server.directory, "config.toml"), config);
    server.rules = [];
    if (rules) {
      for (const [name, text] of Object.entries(rules)) {
        writeFileSync(join(server.directory, name), text);
      }
      server.rules = ["--rules", server.directory];
    }
    server.port = 0;
    atEnd(() => server.stop());
    await server.run();
    return server;
  }

  async run() {
    const server = spawn(BINARY, [
      "serve", "--listen", `127.0.0.1:${this.port}`, "--data", join(this.directory, "data"),
      "--config", join(this.directory, "config.toml"), ...this.rules,
    ], { cwd: this.directory, stdio: ["ignore", "pipe", "pipe"] });
    this.process = server;
    const kill = () => server.kill("SIGKILL");
    process.once("exit", kill);
    this.exited = once(server, "exit").finally(() => process.off("exit", kill));
    this.log = "";
    server.stderr.on("data", (piece) => (this.log += piece));
    const first = await patiently(Promise.race([
      once(createInterface(server.stdout), "line").then(([line]) => line),
      this.exited.then(() => { throw new Error(`the server ended: ${this.log}`); }),
    ]), "the server's address");
    this.url = first.replace("listening on ", "");
    this.port = Number(new URL(this.url).port);
  }

  /** As a loss of power would end it. */
  async kill() {
    this.process.kill("SIGKILL");
    await patiently(this.exited, "the server's end");
  }

  /** Again, on the same port and store. */
  async restart() {
    await this.run();
  }

  /** For good; its store goes with it. */
  async stop() {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** @param {string} path @param {string} [token] */
  async get(path, token) {
    const response = await fetch(this.url + path, { headers: token ? { authorization: `Bearer ${token}` } : {} });
    return response.json();
  }

  /** @param {string} path @param {unknown} body @param {string} [token] */
  async post(path, body, token) {
    const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
    const response = await fetch(this.url + path, { method: "POST", headers, body: JSON.stringify(body) });
    return { status: response.status, body: await response.json().catch(() => null) };
  }
}

/** A producer of calls that knows what is acknowledged. */
export class Producer {
  /** @param {Server} server @param {string} [token] */
  static async connect(server, token) {
    const producer = new Producer();
    const address = server.url.replace("http", "ws") + "/v1/ingest";
    producer.socket = new WebSocket(address, token ? ["bearer", token] : []);
    atEnd(() => producer.socket.terminate());
    // A server that is killed breaks the connection; what is waited for then does not come.
    producer.socket.on("error", () => {});
    /** The highest number acknowledged, by call. */
    producer.acks = new Map();
    producer.waiting = new Set();
    producer.sequence = new Map();
    producer.socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.type === "ack") {
        producer.acks.set(message.call_id, Math.max(producer.acks.get(message.call_id) ?? 0, message.seq));
      } else {
        producer.fault = message;
      }
      for (const check of producer.waiting) {
        check();
      }
    });
    await patiently(once(producer.socket, "open"), "the producer's connection");
    return producer;
  }

  /** Sends an event of a call; `seq` is given. @param {Record<string, unknown>} event */
  send(event) {
    const seq = (this.sequence.get(event.call_id) ?? 0) + 1;
    this.sequence.set(event.call_id, seq);
    this.socket.send(JSON.stringify({ ...event, seq }));
  }

  /** Waits until all that was sent is acknowledged. */
  settled() {
    const isSettled = () => [...this.sequence].every(([callId, seq]) => (this.acks.get(callId) ?? 0) >= seq);
    const settled = new Promise((resolve, reject) => {
      const check = () => {
        if (this.fault || isSettled()) {
          this.waiting.delete(check);
          this.fault ? reject(new Error(JSON.stringify(this.fault))) : resolve(undefined);
        }
      };
      this.waiting.add(check);
      check();
    });
    return patiently(settled, "acknowledgements");
  }

  /** @param {Record<string, unknown>[]} events */
  async tell(...events) {
    for (const event of events) {
      this.send(event);
    }
    await this.settled();
  }

  close() {
    this.socket.close();
  }
}

export const start = (callId, agentId = "a7", more = {}) => ({
  type: "call.start", call_id: callId, agent_id: agentId, started_at: "2026-11-21T10:00:00+08:00", ...more,
});
export const says = (callId, id, role, text, startMs, final = true, endMs = startMs + 1_500) => ({
  type: "utterance", call_id: callId, utterance_id: id, role, text, start_ms: startMs, end_ms: endMs, final,
});
export const hold = (callId, atMs) => ({ type: "call.hold", call_id: callId, at_ms: atMs });
export const resume = (callId, atMs) => ({ type: "call.resume", call_id: callId, at_ms: atMs });
export const end = (callId, atMs, by = "customer") => ({ type: "call.end", call_id: callId, at_ms: atMs, by });

/** Has a context take its scripts and styles from `ASSETS`. @param {any} context */
export async function fresh(context) {
  if (ASSETS) {
    await context.route("**/assets/**", (route) => {
      const path = join(ASSETS, new URL(route.request().url()).pathname.replace("/assets/", ""));
      return route.fulfill({ path, headers: { "access-control-allow-origin": "*", "content-type": TYPES[extname(path)] ?? "text/plain" } });
    });
  }
}

let browser;

/** Chromium as Debian has it; one for all tests of a file. */
export async function launch() {
  if (browser === undefined) {
    browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-dev-shm-usage"],
    });
    atEnd(() => browser.close());
  }
  return browser;
}

/**
 * A page whose faults count. `allowed` are patterns of console errors that the
 * test brings about itself (a server that is killed).
 * @param {Server} server @param {string} path
 * @param {{width?: number, height?: number, dark?: boolean, allowed?: RegExp[], language?: string, zone?: string}} [options]
 */
export async function open(server, path, { width = 1280, height = 800, dark = false, allowed = [], language = "zh", zone } = {}) {
  const context = await (await launch()).newContext({
    viewport: { width, height }, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce",
    ...(zone ? { timezoneId: zone } : {}),
  });
  await context.addInitScript(`localStorage.setItem("tingjian.language", ${JSON.stringify(language)})`);
  await fresh(context);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  /** @type {string[]} */
  const faults = [];
  const note = (text) => allowed.some((pattern) => pattern.test(text)) || faults.push(text);
  page.on("console", (message) => message.type() === "error" && note(`${message.text()} ${message.location().url}`));
  page.on("pageerror", (error) => note(String(error)));
  await page.goto(server.url + path);
  /** Fails on whatever went wrong so far. */
  const clean = () => {
    if (faults.length > 0) {
      throw new Error(`the page had faults:\n${faults.join("\n")}`);
    }
  };
  const close = async () => {
    clean();
    await context.close();
  };
  return { page, clean, close };
}

/** What axe-core finds serious or critical, as text; empty if nothing. @param {any} page */
export async function accessibilityFaults(page) {
  // The page's policy forbids scripts from elsewhere; the debugger's are not the page's.
  const { readFileSync } = await import("node:fs");
  await page.evaluate(readFileSync(AXE, "utf8"));
  const { violations } = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })");
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join("\n  ")}`)
    .join("\n");
}

/** Keeps a picture of the page if pictures are wanted. @param {any} page @param {string} name */
export async function screenshot(page, name) {
  if (SCREENSHOTS) {
    await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
  }
}

/** Every page is looked at in these: narrow, usual, wide; light and dark. */
export const LOOKS = [360, 1280, 1920].flatMap((width) => [false, true].map((dark) => ({ width, dark })));

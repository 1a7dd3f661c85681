// From an event to the card on an agent's screen, beside live calls of others: in
// a browser, and at a bare socket of the same agent in the same run. Times count
// from the moment at which the event was sent; what the generator itself was late
// is told. It judges no figure, and fails if an alert did not come at all.
//
//   TINGJIAN=target/release/tingjian node benches/panel.mjs [CALLS] [ALERTS]
//
// after `cargo build --release`, with what scripts/test installs for the pages
// (target/pages); Chromium is /usr/bin/chromium or CHROMIUM.

import { setTimeout as pause } from "node:timers/promises";
import { createRequire } from "node:module";
import { Producer, Server, open, says, start } from "../tests/pages/harness.mjs";

const require = createRequire(new URL("../target/pages/", import.meta.url));
const WebSocket = require("ws");
const [calls, alerts] = [Number(process.argv[2] ?? 1_000), Number(process.argv[3] ?? 300)];
/** Each of the other calls says something so often. */
const EVERY_MS = 1_000;
const TICK_MS = 10;

const now = () => performance.timeOrigin + performance.now();
const rules = {
  "panel.yaml": "pack: panel\ntitle: 面板\nrules:\n  - { id: panel.unknown, name: 不知道, severity: critical, forbid: { any: [不知道] }, message: 不要说, suggestion: '我帮您确认一下，请您稍等。' }\n",
};
const server = await Server.start({ rules, config: "[alerts]\ncards_per_minute_max = 100000\n" });
const others = await Producer.connect(server);
await others.tell(...Array.from({ length: calls }, (_, n) => start(`b${n}`, `b${n}`)));
let said = 0;
let late = 0;
const began = now();
const talking = setInterval(() => {
  late = Math.max(late, now() - began - (said / calls) * EVERY_MS - EVERY_MS / calls);
  for (const due = ((now() - began) / EVERY_MS) * calls; said < due; said += 1) {
    const at = Math.floor(now() - began);
    others.send(says(`b${said % calls}`, `u${said}`, said % 2 === 0 ? "agent" : "customer", "好的，我看一下您这边的情况。", at));
  }
}, TICK_MS);

const mine = await Producer.connect(server);
const { page } = await open(server, "/agent/a7", { width: 360, height: 800 });
await page.locator('[data-link="open"]').waitFor();
const heard = new Map();
const bare = new WebSocket(`${server.url.replace("http", "ws")}/v1/agents/a7/alerts`);
bare.on("message", (data) => {
  const alert = JSON.parse(String(data));
  if (alert.type === "alert") {
    heard.set(alert.evidence[0].utterance_id, now());
  }
});
await mine.tell(start("p1", "a7"));
await page.locator(".clock").waitFor();
await page.evaluate(() => {
  const root = document.querySelector("tingjian-alerts").shadowRoot;
  const moment = () => performance.timeOrigin + performance.now();
  globalThis.seen = [];
  globalThis.last = null;
  new MutationObserver(() => {
    const card = root.querySelector("article.card");
    if (card && card.dataset.alertId !== globalThis.last) {
      globalThis.last = card.dataset.alertId;
      const times = { inDocument: moment(), onScreen: 0 };
      globalThis.seen.push(times);
      // The message comes after the frame in which the card is.
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => {
          times.onScreen = moment();
          card.querySelector(".actions .primary").click();
        };
        port2.postMessage(null);
      });
    }
  }).observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-alert-id"] });
});
const sent = [];
for (let n = 0; n < alerts; n += 1) {
  sent.push(now());
  mine.send(says("p1", `u${n}`, "agent", "这个我不知道。", 1_000 + n * 400, true, 1_300 + n * 400));
  await page.waitForFunction((n) => globalThis.seen.length > n && globalThis.seen[n].onScreen > 0, n);
  await pause(20 + Math.random() * 80);
}
const seen = await page.evaluate("seen");
clearInterval(talking);
const report = (name, times, since = sent) => {
  const taken = times.map((time, n) => time - since[n]).sort((a, b) => a - b);
  const at = (share) => taken[Math.min(taken.length - 1, Math.floor(share * taken.length))].toFixed(1);
  console.log(`${name}: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, worst ${at(1)} ms`);
};
console.log(`${alerts} alerts beside ${calls} calls, ${Math.round((said / (now() - began)) * 1_000)} events/s, the generator late by ${late.toFixed(0)} ms at worst`);
const bareSocket = sent.map((_, n) => heard.get(`u${n}`) ?? Number.NaN);
const missing = bareSocket.filter(Number.isNaN).length;
if (missing > 0) {
  console.error(`${missing} alerts did not come to the bare socket`);
  process.exit(1);
}
report("bare socket", bareSocket);
report("card in the document", seen.map(({ inDocument }) => inDocument));
report("card on the screen", seen.map(({ onScreen }) => onScreen));
report("card on the screen, behind the bare socket", seen.map(({ onScreen }) => onScreen), bareSocket);
process.exit(0);

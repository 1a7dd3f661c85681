// How smoothly the wall draws: so many calls in progress, words in some hundred of them a second, in Chromium, scrolled
// all the time. It tells frames a second and the longest ones, and judges nothing: that depends on the machine.
//
//   node benches/wall.mjs [calls] [seconds]     after `cargo build`, with what scripts/test installs for the pages

import { Producer, Server, open, says, start } from "../tests/pages/harness.mjs";
import { RULES } from "../tests/pages/rules.mjs";

const CALLS = Number(process.argv[2] ?? 2_000);
const SECONDS = Number(process.argv[3] ?? 20);
/** Calls that somebody speaks in, every hundred milliseconds. */
const SPOKEN = 20;

const server = await Server.start({ rules: RULES });
const producer = await Producer.connect(server);
for (let number = 0; number < CALLS; number += 1) {
  producer.send(start(`call-${number}`, `a${number}`, { queue: `队列 ${number % 5}` }));
  producer.send(says(`call-${number}`, "u1", "agent", number % 40 === 0 ? "我不清楚。" : number % 11 === 0 ? "我不知道。" : "您好。", 500));
}
await producer.settled();
for (const path of ["/live", "/live?tv=1"]) {
  const { page, close } = await open(server, path, { width: 1920, height: 1080 });
  await page.locator(".call-row, .tv-row").first().waitFor();
  let at = 0;
  const talking = setInterval(() => {
    for (let count = 0; count < SPOKEN; count += 1) {
      at += 1;
      const id = `call-${(at * 37) % CALLS}`;
      producer.send(says(id, `u${at + 2}`, at % 2 === 0 ? "agent" : "customer", at % 50 === 0 ? "我不清楚。" : "请您稍等。", 5_000 + at));
    }
  }, 100);
  const told = await page.evaluate(async (seconds) => {
    const grid = document.querySelector(".scroller");
    const frames = [];
    let last = performance.now();
    const end = last + seconds * 1_000;
    await new Promise((resolve) => requestAnimationFrame(function step(now) {
      frames.push(now - last);
      last = now;
      if (grid !== null) {
        grid.scrollTop = (grid.scrollTop + 30) % (grid.scrollHeight - grid.clientHeight);
      }
      now < end ? requestAnimationFrame(step) : resolve(undefined);
    }));
    frames.sort((a, b) => a - b);
    const part = (share) => frames[Math.min(frames.length - 1, Math.floor(frames.length * share))].toFixed(1);
    return { rate: (frames.length / seconds).toFixed(1), median: part(0.5), p95: part(0.95), p99: part(0.99), longest: part(1), rows: document.querySelectorAll(".call-row, .tv-row").length };
  }, SECONDS);
  clearInterval(talking);
  await producer.settled();
  console.log(`${path}: ${CALLS} calls, ${told.rows} rows drawn: ${told.rate} frames a second; a frame takes ${told.median} ms (median), ${told.p95} (p95), ${told.p99} (p99), ${told.longest} (longest)`);
  await close();
}
producer.close();
await server.stop();
process.exit(0);

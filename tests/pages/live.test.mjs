// The wall: all calls, the worst first, a thousand of them.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { LOOKS, Producer, Server, accessibilityFaults, end, hold, open, says, screenshot, start } from "./harness.mjs";
import { HOSTILE, RULES } from "./rules.mjs";

const CALLS = 1_000;
const QUEUES = ["宽带报修", "账单咨询", "投诉专线"];
/** More rows than are in sight at any height that the tests use. */
const ROWS_MAX = 60;

const idOf = (number) => `call-${String(number).padStart(4, "0")}`;
const agentOf = (number) => `a${1_000 + number}`;
const row = (page, callId) => page.locator(`.call-row[data-call-id="${callId}"]`);
const order = (page) => page.locator(".call-row").evaluateAll((rows) =>
  rows.sort((a, b) => Number(a.ariaRowIndex) - Number(b.ariaRowIndex)).map((element) => element.dataset.callId));
/** Waits until a count above the list is `value`. */
const count = (page, name, value) => page.locator(`[data-count="${name}"]`).and(page.getByText(value, { exact: true })).waitFor();

let server;
let producer;

before(async () => {
  server = await Server.start({ rules: RULES, config: "call_linger_ms = 500\n" });
  producer = await Producer.connect(server);
  for (let number = 0; number < CALLS; number += 1) {
    const id = idOf(number);
    producer.send(start(id, agentOf(number), { queue: QUEUES[number % 3] }));
    producer.send(says(id, "u1", "agent", number === 500 ? "这个我不清楚。" : number % 100 === 7 ? "我不知道。" : "您好。", 500));
  }
  producer.send(hold(idOf(3), 4_000));
  await producer.settled();
});

test("a thousand calls: the worst first, few rows in the document, search, keys, changes", async () => {
  const { page, close } = await open(server, "/live");
  await page.evaluate(`globalThis.longest = 0; new PerformanceObserver((list) => {
    for (const task of list.getEntries()) longest = Math.max(longest, task.duration);
  }).observe({ type: "longtask" })`);
  await count(page, "通话", "1,000");
  await count(page, "严重", "1");
  await count(page, "警告", "10");
  await count(page, "保持中", "1");
  const grid = page.getByRole("grid");
  assert.equal(await grid.getAttribute("aria-rowcount"), String(CALLS + 1));
  assert.equal((await order(page))[0], idOf(500));
  assert.ok((await page.locator(".call-row").count()) <= ROWS_MAX);

  // Anywhere in the list there are few.
  await grid.evaluate((element) => (element.scrollTop = element.scrollHeight));
  await page.locator(`.call-row[aria-rowindex="${CALLS + 1}"]`).waitFor();
  assert.ok((await page.locator(".call-row").count()) <= ROWS_MAX);
  await grid.evaluate((element) => (element.scrollTop = 0));

  // Search over agent, queue, call and rule; filters.
  const search = page.getByRole("searchbox");
  await search.fill(agentOf(777));
  await page.getByText("1 通", { exact: true }).waitFor();
  assert.deepEqual(await order(page), [idOf(777)]);
  await search.fill("投诉专线");
  await page.getByText("333 通").waitFor();
  await search.fill("不清楚");
  await row(page, idOf(500)).waitFor();
  assert.deepEqual(await order(page), [idOf(500)]);
  await search.fill("");
  await page.getByRole("button", { name: /保持中/ }).click();
  await page.getByText("1 通", { exact: true }).waitFor();
  assert.deepEqual(await order(page), [idOf(3)]);
  assert.match(page.url(), /state=hold/);
  await page.getByRole("button", { name: /^通话/ }).click();
  await page.getByText("1,000 通").waitFor();

  // What changes comes up by itself.
  await producer.tell(says(idOf(900), "u2", "agent", "我也不清楚。", 9_000), says(idOf(900), "u3", "agent", "真的不清楚。", 12_000));
  await row(page, idOf(900)).waitFor();
  assert.deepEqual((await order(page)).slice(0, 2), [idOf(900), idOf(500)]);

  // Pointed at, the order is held, though the row itself changes.
  await row(page, idOf(500)).hover();
  await producer.tell(says(idOf(901), "u2", "agent", "不清楚，不清楚，还是不清楚。", 9_000), says(idOf(900), "u9", "customer", "喂", 20_000));
  await count(page, "严重", "3");
  await row(page, idOf(900)).getByText("客户说").waitFor();
  assert.deepEqual((await order(page)).slice(0, 2), [idOf(900), idOf(500)]);
  await page.mouse.move(2, 2);
  await row(page, idOf(901)).waitFor();
  assert.equal((await order(page))[0], idOf(901));

  // Keys: down, to the end, back, and into the call.
  await grid.focus();
  await page.keyboard.press("ArrowDown");
  await page.locator(".call-row.active").and(row(page, idOf(900))).waitFor();
  await page.keyboard.press("End");
  await page.locator(`.call-row.active[aria-rowindex="${CALLS + 1}"]`).waitFor();
  await page.keyboard.press("Home");
  await page.locator(".call-row.active").and(row(page, idOf(901))).waitFor();
  assert.ok(await grid.evaluate((element) => document.getElementById(element.getAttribute("aria-activedescendant"))?.classList.contains("active")));
  // Told, not judged: how long it takes depends on the machine.
  console.log(`the longest task with ${CALLS} calls: ${Math.round(await page.evaluate("longest"))} ms`);
  assert.equal(await accessibilityFaults(page), "");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/call\/call-0901\?started_at=/);
  await page.getByRole("heading", { name: /call-0901/ }).waitFor();
  await close();
});

test("calls that end go, and those that are pointed at stay until they are left", async () => {
  const { page, close } = await open(server, "/live?words=a9998");
  await page.getByText("没有符合条件的通话").waitFor();
  await producer.tell(start("ending-1", "a9998"), start("ending-2", "a9998"));
  await row(page, "ending-1").hover();
  await producer.tell(end("ending-1", 3_000));
  await row(page, "ending-1").getByText("已结束").waitFor();
  await row(page, "ending-1").and(page.locator(".over")).waitFor();
  await page.mouse.move(2, 2);
  await row(page, "ending-1").waitFor({ state: "detached" });
  await row(page, "ending-2").waitFor();
  await close();
});

test("hostile text is shown as text", async () => {
  const { page, close } = await open(server, `/live?words=${encodeURIComponent("onerror")}`);
  await producer.tell(start(HOSTILE, HOSTILE, { queue: HOSTILE, customer_name: HOSTILE }), says(HOSTILE, "u1", "agent", `不清楚${HOSTILE}`, 500));
  await page.locator(".call-row .agent").getByText(HOSTILE).waitFor();
  assert.equal(await page.locator(".call-row img").count(), 0);
  await producer.tell(end(HOSTILE, 3_000));
  await close();
});

test("the server is killed and started again: the wall says so and comes back", async () => {
  const mine = await Server.start({ rules: RULES });
  const first = await Producer.connect(mine);
  const { page, close } = await open(mine, "/live", { allowed: [/WebSocket connection to .* failed/, /ERR_CONNECTION/] });
  await first.tell(start("k1", "a1"), start("k2", "a2"));
  await row(page, "k2").waitFor();
  await mine.kill();
  await page.getByText("连接断开，正在重连").waitFor();
  await mine.restart();
  const second = await Producer.connect(mine);
  await second.tell(start("k3", "a3"));
  await row(page, "k3").waitFor();
  await count(page, "通话", "3");
  second.close();
  await close();
  await mine.stop();
});

for (const { width, dark } of LOOKS) {
  test(`the wall at ${width} px, ${dark ? "dark" : "light"}`, async () => {
    const { page, close } = await open(server, "/live", { width, dark });
    await page.locator(".call-row").first().waitFor();
    assert.equal(await accessibilityFaults(page), "");
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
    await screenshot(page, `live-${width}-${dark ? "dark" : "light"}`);
    await close();
  });
}

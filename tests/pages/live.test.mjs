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
  const shrugs = ["不清楚。", "也不清楚。", "还是不清楚。"].map((text, ix) => says(idOf(901), `u${ix + 2}`, "agent", text, 9_000 + 3_000 * ix));
  await producer.tell(...shrugs, says(idOf(900), "u9", "customer", "喂", 20_000));
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

test("the latest alert is the one that came out last, whatever is weighed anew", async () => {
  const { page, close } = await open(server, "/live?words=a9997");
  await producer.tell(start("latest-1", "a9997"), says("latest-1", "u1", "agent", "我不清楚。", 1_000), says("latest-1", "u2", "agent", "我不知道。", 14_000));
  await row(page, "latest-1").getByText("0:14 不要对客户说“不知道”").waitFor();
  await producer.tell(says("latest-1", "u3", "agent", "我不清楚", 20_000, false));
  await row(page, "latest-1").getByText("0:20").waitFor();
  await producer.tell(says("latest-1", "u3", "agent", "我清楚。", 20_000));
  await row(page, "latest-1").getByText("0:14 不要对客户说“不知道”").waitFor();
  await producer.tell(end("latest-1", 30_000));
  await close();
});

test("a pointer at rest holds the order for a while only, and new critical calls are told meanwhile", async () => {
  const { page, close } = await open(server, "/live?words=a998");
  await producer.tell(start("rest-1", "a9981"), start("rest-2", "a9982"), says("rest-1", "u1", "agent", "我不知道。", 1_000));
  await row(page, "rest-1").hover();
  await producer.tell(says("rest-2", "u1", "agent", "我不清楚。", 2_000));
  await page.getByRole("button", { name: "1 通有新的严重预警" }).waitFor();
  assert.deepEqual(await order(page), ["rest-1", "rest-2"]);
  // By itself, though the pointer is where it was.
  await page.waitForFunction(() => document.querySelector(".call-row[aria-rowindex='2']").dataset.callId === "rest-2");
  // At once, when it is asked for.
  await page.mouse.move(300, 500);
  await row(page, "rest-1").hover();
  await producer.tell(says("rest-1", "u2", "agent", "我不清楚，不清楚。", 5_000));
  await page.getByRole("button", { name: "1 通有新的严重预警" }).click();
  await page.waitForFunction(() => document.querySelector(".call-row[aria-rowindex='2']").dataset.callId === "rest-1");
  await producer.tell(end("rest-1", 9_000), end("rest-2", 9_000));
  await close();
});

test("a row is as red as the alert that it names, and English has room", async () => {
  const { page, close } = await open(server, "/live", { width: 1366, height: 768, language: "en" });
  await producer.tell(start("why", "a-why", { queue: "投诉专线" }), says("why", "u1", "agent", "我不清楚。", 1_000));
  await producer.tell(says("why", "u2", "agent", "我不知道。", 3_000), says("why", "u3", "agent", "哎呀", 5_000));
  await row(page, "why").locator(".alert-counts .warning").waitFor();
  // The latest one stands behind it, for whoever followed the call.
  assert.match(await row(page, "why").locator(".last").innerText(), /^0:01 不要说“不清楚” latest 0:05 不必说/);
  const cut = await page.locator(".call-row > .now, .call-row > .worst, .call-row > .state, .call-row > .hands button, .heads > span")
    .evaluateAll((cells) => cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1).map((cell) => cell.textContent));
  assert.deepEqual(cut, []);
  await screenshot(page, "live-english");
  await producer.tell(end("why", 9_000));
  await close();
});

test("a call from which nothing has come for a minute stands behind those that go on", async () => {
  const { page, close } = await open(server, "/live");
  const order = await page.evaluate(async () => {
    const { Wall } = await import("/assets/live/wall.js");
    const wall = new Wall();
    const call = (call_id, more) => ({
      call_id, agent_id: "a", queue: null, started_at: "2026-11-21T10:00:00+08:00", clock_ms: 0, running: true, state: "silent", state_ms: 0, speaker: null,
      asr_silent: false, alerts: { critical: 0, warning: 0, info: 0 }, worst: null, last_alert: null, owed: 0, ...more,
    });
    const critical = { alerts: { critical: 3, warning: 0, info: 0 }, worst: "critical" };
    wall.take({ snapshot: true, more: false, gone: [], calls: [call("dead", { ...critical, asr_silent: true, state_ms: 90_000 }), call("short", { ...critical, asr_silent: true, state_ms: 20_000 }), call("alive", {})] }, 0);
    return wall.arrange(() => true, false, 0).map((row) => row.call_id);
  });
  assert.deepEqual(order, ["short", "alive", "dead"]);
  await close();
});

test("a call that has ended is no call in progress, though late words are awaited", async () => {
  const mine = await Server.start({ rules: RULES });
  const first = await Producer.connect(mine);
  const { page, close } = await open(mine, "/live");
  await first.tell(start("e1", "a1"), start("e2", "a2"), says("e1", "u1", "agent", "我不清楚。", 1_000), says("e2", "u1", "agent", "您好。", 1_000));
  await count(page, "通话", "2");
  await count(page, "严重", "1");
  await first.tell(end("e1", 5_000));
  await count(page, "通话", "1");
  await count(page, "严重", "0");
  await row(page, "e1").waitFor({ state: "detached" });
  await page.getByLabel("状态").selectOption("ended");
  await row(page, "e1").waitFor();
  first.close();
  await close();
  await mine.stop();
});

test("calls without words are told, and a lost connection is not to be overlooked", async () => {
  const mine = await Server.start({ rules: RULES, config: "asr_silent_ms = 1000\n" });
  const first = await Producer.connect(mine);
  const allowed = [/WebSocket connection to .* failed/, /ERR_CONNECTION/];
  const wall = await open(mine, "/live", { allowed });
  await first.tell(start("s1", "a1"), says("s1", "u1", "agent", "我不清楚。", 1_000));
  const call = await open(mine, "/call/s1", { allowed });
  await row(wall.page, "s1").getByText("无识别结果").waitFor();
  await count(wall.page, "无识别结果", "1");
  await call.page.getByRole("alert").filter({ hasText: "检查能力下降" }).waitFor();
  await screenshot(wall.page, "live-unheard");
  // Who opens the call later is told as well.
  const later = await open(mine, "/call/s1", { allowed });
  await later.page.getByRole("alert").filter({ hasText: "检查能力下降" }).waitFor();
  await later.close();
  const shown = row(wall.page, "s1").locator("> .clock").first();
  await mine.kill();
  await wall.page.getByRole("alert").filter({ hasText: "连接断开，正在重连" }).waitFor();
  await call.page.getByRole("alert").filter({ hasText: "连接断开" }).waitFor();
  assert.equal(await accessibilityFaults(wall.page), "");
  await screenshot(wall.page, "live-lost");
  // What nobody knows does not run on.
  const stood = await shown.innerText();
  await wall.page.waitForFunction(() => /[3-9] 之前/.test(document.querySelector(".notice").textContent));
  assert.equal(await shown.innerText(), stood);
  await mine.restart();
  await wall.page.getByRole("alert").filter({ hasText: "连接断开" }).waitFor({ state: "detached" });
  const seconds = (text) => text.split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
  assert.ok(seconds(await shown.innerText()) >= seconds(stood), "the clock went back");
  await wall.close();
  await call.close();
  await mine.stop();
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

const QA = { li: "lijing-0123456789", wang: "wangfang-0123456789" };
const CENTRE = `call_linger_ms = 500
[tokens]
ingest = ["ingest-0123456789"]
qa = { "李静" = "${QA.li}", "王芳" = "${QA.wang}" }
agents = { "a1" = ["agent-0123456789ab"] }
[supervision]
monitor_url = "http://127.0.0.1:9/{mode}/{call_id}?by={supervisor}"
monitor_modes = ["listen", "barge"]
[[thresholds]]
name = "投诉告急"
count = "alerts"
at_least = 2
within_s = 3600
queue = "投诉专线"
`;

test("a word, taking a call, the way in and a flag: from the wall to the panel, the other wall, the call and the queue of QA", async () => {
  const mine = await Server.start({ rules: RULES, config: CENTRE });
  const first = await Producer.connect(mine, "ingest-0123456789");
  const wall = await open(mine, `/live#token=${QA.li}`);
  const other = await open(mine, `/live#token=${QA.wang}`);
  const panel = await open(mine, "/agent/a1#token=agent-0123456789ab", { width: 360 });
  await first.tell(start("h1", "a1", { queue: "投诉专线", customer_name: "吴女士", attributes: { agent_name: "陈露", team: "二组" } }), says("h1", "u1", "agent", "我不清楚。", 1_000));
  await row(wall.page, "h1").getByText("陈露").waitFor();
  // My team: the filter under a name, chosen again from any address.
  await wall.page.getByLabel("班组").selectOption("二组");
  await wall.page.getByRole("button", { name: "视图" }).click();
  const views = wall.page.getByRole("dialog", { name: "保存的视图" });
  await views.getByLabel("名称").fill("我的班组");
  const box = await views.getByRole("checkbox").boundingBox();
  assert.ok(box.width < 24 && box.height < 24, JSON.stringify(box));
  await views.getByRole("button", { name: "保存" }).click();
  await views.getByRole("link", { name: "我的班组" }).waitFor();
  await wall.page.keyboard.press("Escape");
  await wall.page.getByLabel("班组").selectOption("");
  await wall.page.getByRole("button", { name: "视图" }).click();
  await views.getByRole("link", { name: "我的班组" }).click();
  await wall.page.waitForURL(/team=%E4%BA%8C%E7%BB%84/);
  await row(wall.page, "h1").waitFor();
  // By keyboard: to the row, and its dialog.
  await wall.page.getByRole("grid").focus();
  await wall.page.keyboard.press("h");
  const dialog = wall.page.getByRole("dialog", { name: "坐席 陈露 的通话" });
  // Whose call it is stands above what is done in it.
  assert.match(await dialog.locator(".which").innerText(), /客户 吴女士\s+队列 投诉专线\s+0:\d\d/);
  await dialog.getByLabel("写一句给坐席").fill("先道歉，再核实");
  await dialog.getByLabel("写一句给坐席").press("Control+Enter");
  await dialog.getByText("已发到坐席的面板").waitFor();
  const card = panel.page.locator("tingjian-alerts .help");
  await card.getByText("帮你", { exact: true }).waitFor();
  await card.getByText("先道歉，再核实").waitFor();
  assert.equal(await accessibilityFaults(panel.page), "");
  await screenshot(panel.page, "help-card-360");
  // A reload does not lose it, and one key tells the supervisor that it was read.
  await panel.page.reload();
  await card.getByRole("button", { name: "知道了" }).click();
  await card.waitFor({ state: "detached" });
  await dialog.getByText("坐席已读").waitFor();
  await dialog.getByRole("button", { name: "我来处理" }).click();
  await dialog.getByRole("button", { name: "放开这通" }).waitFor();
  await row(other.page, "h1").getByRole("button", { name: "李静 在处理 · 话已读" }).waitFor();
  const [way] = await Promise.all([wall.page.context().waitForEvent("page"), dialog.getByRole("button", { name: "插话" }).click()]);
  await way.waitForURL(/127\.0\.0\.1:9\/barge\/h1\?by=%E6%9D%8E%E9%9D%99/, { waitUntil: "commit" }).catch(() => {});
  assert.match(way.url() === "chrome-error://chromewebdata/" ? "barge/h1" : way.url(), /barge\/h1/);
  await way.close();
  await dialog.getByLabel("标记给质检复核").fill("客户说要投诉");
  await dialog.getByRole("button", { name: "标记", exact: true }).click();
  await dialog.getByText("在质检的待复核里").waitFor();
  assert.equal(await accessibilityFaults(wall.page), "");
  await screenshot(wall.page, "hand-dialog");
  await wall.page.keyboard.press("Escape");
  // The other one takes over, and it shows on this wall.
  await row(other.page, "h1").getByRole("button").click();
  await other.page.getByRole("button", { name: "从 李静 接过来" }).click();
  await row(wall.page, "h1").getByRole("button", { name: /^王芳 在处理/ }).waitFor();
  // A threshold over all calls stands above the list, whose rows stay where they are.
  const place = await row(wall.page, "h1").boundingBox();
  await first.tell(says("h1", "u2", "agent", "真的不清楚。", 5_000));
  await wall.page.locator('[data-threshold="投诉告急"]').getByText("投诉专线：1 小时内严重预警 2 条").waitFor();
  assert.deepEqual(await row(wall.page, "h1").boundingBox(), place, "the row moved");
  await wall.page.getByRole("button", { name: "全部 1 条" }).click();
  assert.deepEqual(await row(wall.page, "h1").boundingBox(), place, "the row moved");
  await wall.page.getByRole("button", { name: "收起" }).click();
  await screenshot(wall.page, "wall-hands");
  // The call ends under an open dialog: it says so, and all that is left is a flag.
  await row(wall.page, "h1").getByRole("button").click();
  await dialog.getByLabel("写一句给坐席").fill("再说一句");
  await first.tell(end("h1", 9_000));
  await dialog.getByText("这通已经结束").waitFor();
  assert.equal(await dialog.getByLabel("写一句给坐席").inputValue(), "再说一句", "what was written is not lost");
  assert.ok(await dialog.getByRole("button", { name: "发给坐席" }).isDisabled());
  assert.equal(await dialog.getByRole("button", { name: /放开|接手|来处理|旁听|插话/ }).count(), 0);
  assert.equal(await accessibilityFaults(wall.page), "");
  await screenshot(wall.page, "hand-dialog-over");
  await wall.page.keyboard.press("Escape");
  // Kept with the call, and reviewed by QA.
  await row(wall.page, "h1").waitFor({ state: "detached" });
  const queue = await open(mine, `/qa?view=mine#token=${QA.wang}`);
  const flagged = queue.page.locator('.flagged [data-call-id="h1"]');
  await flagged.getByText("李静：客户说要投诉").waitFor();
  await screenshot(queue.page, "flagged");
  await flagged.getByRole("link").click();
  await queue.page.locator(".helped").getByText("先道歉，再核实").waitFor();
  await screenshot(queue.page, "call-supervised");
  assert.equal(await accessibilityFaults(queue.page), "");
  await queue.page.getByRole("button", { name: "复核完了" }).click();
  await queue.page.getByText("已复核").waitFor();
  for (const one of [wall, other, panel, queue]) {
    await one.close();
  }
  first.close();
  await mine.stop();
});

test("the worst now decays, and what was worst since the beginning stands beside it", async () => {
  const { page, close } = await open(server, "/live");
  const [states, orders] = await page.evaluate(async () => {
    const { Wall, worstNow } = await import("/assets/live/wall.js");
    const wall = new Wall();
    const call = (call_id, worst, heat) => ({
      call_id, agent_id: "a", queue: null, started_at: "2026-11-21T10:00:00+08:00", clock_ms: 0, running: true, state: "talking", state_ms: 0, speaker: null,
      asr_silent: false, alerts: { critical: worst === "critical" ? 1 : 0, warning: worst === "warning" ? 1 : 0, info: 0 }, worst, heat, last_alert: null, owed: 0,
    });
    wall.take({ snapshot: true, more: false, gone: [], calls: [call("old", "critical", 1), call("new", "warning", 3), call("calm", null, 0)] }, 0);
    const names = (now, by) => wall.arrange(() => true, false, now, by).map((one) => `${one.call_id} ${worstNow(one, now) ?? "-"}`);
    const reason = (severity) => ({ reason: { rule_name: "r", severity, message: "m", at_ms: 0 } });
    const many = [{ ...call("many", "critical", 9), ...reason("warning") }, { ...call("one", "critical", 9), ...reason("critical") }].map((row) => worstNow({ ...row, told: 0 }, 0));
    return [[names(0, "now"), names(61_000, "now"), names(200_000, "now"), many], names(0, "ever")];
  });
  assert.deepEqual(states, [["new warning", "old info", "calm -"], ["new info", "old -", "calm -"], ["old -", "new -", "calm -"], ["warning", "critical"]], "the last: many warnings are no critical alert");
  assert.deepEqual(orders, ["old info", "new warning", "calm -"]);
  await close();
});

for (const { width, height, dark } of [{ width: 1920, height: 1080, dark: false }, { width: 1920, height: 1080, dark: true }, { width: 3840, height: 2160, dark: false }, { width: 3840, height: 2160, dark: true }]) {
  test(`on a television of ${width} px, ${dark ? "dark" : "light"}: rows of 20 minutes of arc, coloured, changes marked, a sound`, async () => {
    const { page, close } = await open(server, "/live?tv=1", { width, height, dark });
    await page.evaluate("globalThis.sounds = 0; const start = OscillatorNode.prototype.start; OscillatorNode.prototype.start = function (...at) { globalThis.sounds += 1; return start.apply(this, at); }");
    const rows = page.locator(".tv-row");
    await rows.first().waitFor();
    await page.getByRole("button", { name: "声音：关" }).click();
    const id = `tv-${width}-${dark}`;
    const before = await page.evaluate("globalThis.sounds");
    await producer.tell(start(id, `tv-${width}`, { queue: "投诉专线", attributes: { agent_name: `赵敏${width}`, team: "一组" } }));
    await producer.tell(says(id, "u1", "agent", "我不清楚，我也不知道。", 2_000), says(id, "u2", "agent", "不清楚。", 6_000));
    const fresh = page.locator(`.tv-row.critical.fresh[data-call-id="${id}"]`);
    await fresh.getByText("新", { exact: true }).waitFor();
    assert.ok((await page.evaluate("globalThis.sounds")) > before, "a new critical alert sounds");
    // 27.5 of 1 920 pixels are 20 minutes of arc on a 55-inch screen at 3 metres; ink fills 92 % of a character.
    const least = (27.5 / 1920) * width;
    const sizes = await page.locator(".tv-row > span").evaluateAll((cells) => cells.map((cell) => parseFloat(getComputedStyle(cell).fontSize)));
    assert.ok(sizes.every((px) => px * 0.92 >= least), `${Math.min(...sizes)} px`);
    assert.ok(await rows.count() >= 8);
    assert.ok(await page.evaluate("document.documentElement.scrollHeight <= innerHeight && document.documentElement.scrollWidth <= innerWidth"), "all of it is on the screen");
    assert.equal(await accessibilityFaults(page), "");
    await screenshot(page, `tv-${width}-${dark ? "dark" : "light"}`);
    await page.getByRole("button", { name: "全屏" }).click();
    await page.getByRole("button", { name: "退出全屏" }).click();
    await page.getByRole("button", { name: "回到列表" }).click();
    await page.getByRole("grid").waitFor();
    await producer.tell(end(id, 9_000));
    await close();
  });
}

// The call page: a call in progress as its words come, a call that is over along
// its timeline.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { before, test } from "node:test";

import { LOOKS, Producer, Server, accessibilityFaults, atEnd, end, hold, open, resume, says, screenshot, start } from "./harness.mjs";
import { HOSTILE, RULES } from "./rules.mjs";

const QA = "qa-token-of-the-tests";
/** Forbidden words in the midst of harmless ones: of some the second look is not sure. */
const DOUBTFUL = ["我不知道您说的是哪个", "我不知道您指的是哪一项", "您不知道的话我也不知道怎么讲", "我不清楚您说的是哪个"];
let server;
let producer;
let calls = 0;

before(async () => {
  server = await Server.start({ rules: RULES, config: "call_linger_ms = 300\n" });
  producer = await Producer.connect(server);
});

const line = (page, id) => page.locator(`.said[data-utterance-id="${id}"]`);
const alert = (page, state) => page.locator(`.alert[data-state="${state}"]`);

/** A call with a bit of everything that is over. */
async function recorded(callId, more = {}) {
  await producer.tell(
    start(callId, "a7", { queue: "投诉专线", customer_name: "王女士", ...more }),
    says(callId, "u1", "agent", "您好，很高兴为您服务。", 500, true, 2_500),
    says(callId, "c1", "customer", "我的宽带三天了还没修好。", 3_000, true, 6_000),
    says(callId, "u2", "agent", "这个我不清楚", 7_000, false, 8_000),
    says(callId, "u2", "agent", "这个我不清楚。", 7_000, true, 9_000),
    says(callId, "u3", "agent", "我不知道", 10_000, false, 11_000),
    says(callId, "u3", "agent", "我知道了。", 10_000, true, 12_000),
    hold(callId, 14_000),
    resume(callId, 24_000),
    says(callId, "c2", "customer", "那什么时候能好？", 31_000, true, 33_000),
    says(callId, "u4", "agent", "今天就给您修好。", 34_000, true, 37_000),
    end(callId, 40_000, "customer"),
  );
  const { page, close } = await open(server, "/");
  await page.waitForFunction(async (id) => !(await (await fetch(`/v1/calls/${encodeURIComponent(id)}`)).json()).live, callId);
  await close();
}

test("a call in progress: hypotheses are replaced in place, corrected, marked; alerts change; nothing comes twice", async () => {
  const id = `live-${(calls += 1)}`;
  await producer.tell(start(id), says(id, "u0", "agent", "您好。", 200), says(id, "u1", "agent", "这个", 3_000, false));
  const { page, close } = await open(server, `/call/${id}`);
  await line(page, "u0").waitFor();
  await page.getByText("进行中").waitFor();
  await line(page, "u1").and(page.locator('[data-final="false"]')).getByText("这个", { exact: true }).waitFor();
  await producer.tell(says(id, "u1", "agent", "这个我不清楚", 3_000, false));
  await alert(page, "provisional").waitFor();
  await line(page, "u1").locator("mark").getByText("不清楚", { exact: true }).waitFor();
  await producer.tell(says(id, "u1", "agent", "这个我不清楚。", 3_000));
  await alert(page, "confirmed").waitFor();
  assert.equal(await line(page, "u1").getAttribute("data-final"), "true");
  assert.match(await alert(page, "confirmed").locator(".states").innerText(), /疑似 → .*确认/);
  assert.equal(await accessibilityFaults(page), "");
  // The mark leads to its alert.
  await line(page, "u1").locator(".hit").click();
  await page.locator(".alert.selected").waitFor();
  // A second final corrects the first.
  await producer.tell(says(id, "u1", "agent", "这个我清楚。", 3_000));
  await line(page, "u1").getByText("（已更正）").waitFor();
  await alert(page, "retracted").waitFor();
  assert.equal(await line(page, "u1").locator("mark").count(), 0);
  await producer.tell(hold(id, 8_000));
  await page.locator(".happened").getByText("保持").waitFor();
  assert.equal(await page.locator(".said").count(), 2);
  // It ends under the reader's eyes.
  await producer.tell(end(id, 12_000));
  await page.getByRole("button", { name: "播放" }).waitFor();
  assert.equal(await page.locator(".said").count(), 2);
  await close();
});

test("what supervisors do takes a line; an agent's answer is told while the call goes on, with who and when", async () => {
  const id = `hand-${(calls += 1)}`;
  await producer.tell(start(id, `a-${id}`, { queue: "投诉专线", customer_name: "王女士" }), says(id, "u1", "agent", "这个我不清楚。", 3_000));
  for (const text of ["第一句", "第二句\n换行", "第三句"]) {
    assert.equal((await server.post(`/v1/calls/${id}/help`, { text, by: "李静" })).status, 201);
  }
  assert.equal((await server.post(`/v1/calls/${id}/take`, { by: "李静" })).status, 200);
  const { page, close } = await open(server, `/call/${id}`, { width: 1366, height: 768 });
  const block = page.locator(".supervised");
  await block.getByText("李静 在处理").waitFor();
  await block.getByText("更早的 1 句").waitFor();
  assert.ok((await block.boundingBox()).height < 180);
  await screenshot(page, "call-supervision");
  await block.getByRole("button", { name: "帮一把" }).click();
  const dialog = page.getByRole("dialog", { name: `坐席 a-${id} 的通话` });
  await dialog.getByLabel("你的姓名").fill("王芳");
  await dialog.getByLabel("写一句给坐席").fill("我来接");
  await dialog.getByRole("button", { name: "发给坐席" }).click();
  await dialog.getByText("已发到坐席的面板").waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await page.keyboard.press("Escape");
  const { alerts } = await server.get(`/v1/alerts?call_id=${id}`);
  assert.equal((await server.post(`/v1/agents/a-${id}/alerts`, { type: "dismiss", alert_id: alerts[0].alert_id, reason: "念的" })).status, 200);
  await page.locator(".alert").getByText(/^坐席：不对 \(念的\) · \d\d:\d\d:\d\d$/).waitFor();
  await producer.tell(end(id, 9_000));
  await page.getByRole("button", { name: "播放" }).waitFor();
  await close();
});

test("the transcript follows the end, unless the reader scrolled up", async () => {
  const id = `scroll-${(calls += 1)}`;
  await producer.tell(start(id), ...Array.from({ length: 40 }, (_, n) => says(id, `u${n}`, n % 2 ? "agent" : "customer", `第 ${n} 句话。`, n * 2_000)));
  const { page, close } = await open(server, `/call/${id}`);
  await line(page, "u39").waitFor();
  const log = page.getByRole("log");
  const fromEnd = () => log.evaluate((element) => element.scrollHeight - element.scrollTop - element.clientHeight);
  assert.ok((await fromEnd()) < 2);
  await producer.tell(says(id, "v1", "agent", "新的一句。", 90_000));
  await line(page, "v1").waitFor();
  assert.ok((await fromEnd()) < 2);
  await log.evaluate((element) => new Promise((resolve) => {
    element.addEventListener("scroll", () => requestAnimationFrame(resolve), { once: true });
    element.scrollTop = 0;
  }));
  await producer.tell(says(id, "v2", "agent", "又一句。", 95_000));
  await line(page, "v2").waitFor();
  assert.equal(await log.evaluate((element) => element.scrollTop), 0);
  await close();
});

test("the server is killed and started again: the call goes on, each line once", async () => {
  const mine = await Server.start({ rules: RULES });
  const first = await Producer.connect(mine);
  await first.tell(start("k1"), says("k1", "u1", "agent", "我不清楚。", 1_000));
  const { page, close } = await open(mine, "/call/k1", { allowed: [/WebSocket connection to .* failed/, /ERR_CONNECTION/] });
  await line(page, "u1").waitFor();
  await mine.kill();
  await page.getByText("断线，正在重连").waitFor();
  await mine.restart();
  const second = await Producer.connect(mine);
  second.sequence.set("k1", first.sequence.get("k1"));
  await second.tell(says("k1", "u2", "agent", "我也不知道。", 4_000));
  await line(page, "u2").waitFor();
  assert.equal(await page.locator(".said").count(), 2);
  assert.equal(await page.locator(".alert").count(), 2);
  second.close();
  await close();
  await mine.stop();
});

test("a call that ends while the page has no connection is shown as it ended", async () => {
  const mine = await Server.start({ rules: RULES, config: "call_linger_ms = 1\n" });
  const first = await Producer.connect(mine);
  await first.tell(start("k1"), says("k1", "u1", "agent", "我不清楚。", 1_000));
  const { page, close } = await open(mine, "/call/k1", { allowed: [/WebSocket connection to .* failed/, /ERR_CONNECTION/] });
  await line(page, "u1").waitFor();
  await mine.kill();
  await page.getByText("断线，正在重连").waitFor();
  // Where the page does not look for it.
  const { port } = mine;
  mine.port = 0;
  await mine.restart();
  const second = await Producer.connect(mine);
  second.sequence.set("k1", first.sequence.get("k1"));
  await second.tell(end("k1", 9_000));
  while ((await mine.get("/v1/calls/k1")).live) {
    // The store learns of the end a moment later.
  }
  await mine.kill();
  mine.port = port;
  await mine.restart();
  await page.getByRole("button", { name: "播放" }).waitFor();
  assert.equal(await page.locator(".said").count(), 1);
  await close();
  await mine.stop();
});

test("a call that is over is played again: words and alerts as they stood", async () => {
  const id = `over-${(calls += 1)}`;
  await recorded(id);
  const { page, close } = await open(server, `/call/${id}`);
  await line(page, "u4").waitFor();
  await page.locator(".score-panel .value").getByText("95").waitFor();
  const slider = page.getByRole("slider", { name: "时间线" });
  const place = () => slider.getAttribute("aria-valuenow").then(Number);
  assert.ok((await place()) >= 40);
  // The state that each alert ended in.
  assert.deepEqual([await alert(page, "confirmed").count(), await alert(page, "retracted").count()], [1, 1]);
  // To the beginning, then by keys: 5 s, 30 s.
  await slider.focus();
  await page.keyboard.press("Home");
  await page.getByText("到此为止没有预警").waitFor();
  await page.keyboard.press("ArrowRight");
  await line(page, "c1").getByText("正在说话…").waitFor();
  assert.equal(await place(), 5);
  assert.equal(await line(page, "u2").count(), 0);
  await page.keyboard.press("ArrowRight");
  await alert(page, "confirmed").waitFor();
  await page.keyboard.press("PageUp");
  await line(page, "u4").getByText("今天就给您修好。").waitFor();
  assert.equal(await place(), 40);
  // By mouse, to the middle: the customer is on hold.
  const box = await slider.boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height - 4);
  await page.locator(".happened").getByText("保持").waitFor();
  await line(page, "u4").waitFor({ state: "detached" });
  assert.equal(await accessibilityFaults(page), "");
  // And on by itself, quickly, to the end.
  await page.getByRole("button", { name: "16×" }).click();
  await page.getByRole("button", { name: "播放" }).click();
  await page.getByRole("button", { name: "暂停" }).waitFor();
  await line(page, "u4").getByText("今天就给您修好。").waitFor();
  await page.getByRole("button", { name: "播放" }).waitFor();
  // The same as text.
  await page.getByText("时间线的文字版").click();
  await page.getByText("保持：0:14–0:24").waitFor();
  await page.getByText("静默：0:12–0:14、0:24–0:31、0:37–0:40").waitFor();
  await close();
});

test("an alert of a call that is over is reviewed on its page", async () => {
  const id = `review-${(calls += 1)}`;
  await recorded(id);
  const { page, close } = await open(server, `/call/${id}`);
  const confirmed = alert(page, "confirmed");
  await confirmed.getByText("未复核").waitFor();
  await confirmed.locator(".message button").click();
  await confirmed.getByRole("button", { name: "属实" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.locator("input[name=by]").fill("李静");
  assert.equal(await accessibilityFaults(page), "");
  await dialog.locator("button.primary").click();
  await confirmed.getByText("李静").waitFor();
  const { alerts } = await server.get(`/v1/alerts?call_id=${id}&state=confirmed`);
  assert.equal(alerts[0].review.verdict, "confirmed");
  await close();
});

/** A call of 40 utterances with hits in the midst of it. */
async function long(callId) {
  await producer.tell(start(callId), ...Array.from({ length: 40 }, (_, n) => says(callId, `u${n}`, n % 2 ? "agent" : "customer", n === 15 ? "这个我不清楚。" : n === 31 ? "我不知道。" : `第 ${n} 句话，说得长一点，好让一行放不下它，免得一屏就看完了。`, n * 4_000)), end(callId, 170_000));
  while ((await server.get(`/v1/calls/${callId}`)).live);
}
/** Waits until an element is in sight, in its box and in the window. */
const inSight = (page, selector) => page.waitForFunction((wanted) => {
  const one = document.querySelector(wanted);
  const [inner, outer] = [one.getBoundingClientRect(), one.closest(".transcript, .alerts").getBoundingClientRect()];
  return inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1 && inner.top >= 0 && inner.top < innerHeight;
}, selector);

test("a call that is over opens at its first hit, and a link at the alert that it names", async () => {
  const id = `long-${(calls += 1)}`;
  await long(id);
  const first = await open(server, `/call/${id}`);
  await line(first.page, "u15").waitFor();
  await inSight(first.page, '[data-utterance-id="u15"]');
  // Who chooses another has it in the address.
  await alert(first.page, "confirmed").filter({ hasText: "不知道" }).locator(".message button").click();
  assert.match(first.page.url(), /#alert-/);
  const address = new URL(first.page.url());
  await first.close();
  const second = await open(server, address.pathname + address.hash);
  await second.page.locator(".alert.selected", { hasText: "不知道" }).waitFor();
  await second.page.locator(".hit.selected").waitFor();
  await inSight(second.page, '[data-utterance-id="u31"]');
  await inSight(second.page, ".alert.selected");
  await second.close();
});

test("a call is printed whole, with its marks", async () => {
  const id = `print-${(calls += 1)}`;
  await long(id);
  const { page, close } = await open(server, `/call/${id}`);
  await line(page, "u39").waitFor();
  await page.emulateMedia({ media: "print" });
  const printed = await page.evaluate(() => {
    const box = document.querySelector(".transcript");
    const mark = document.querySelector(".transcript mark");
    return { cut: box.scrollHeight - box.clientHeight, colours: getComputedStyle(mark).printColorAdjust, background: getComputedStyle(mark).backgroundColor, controls: document.querySelector(".controls").getClientRects().length };
  });
  assert.deepEqual({ ...printed, background: printed.background !== "rgba(0, 0, 0, 0)" }, { cut: 0, colours: "exact", background: true, controls: 0 });
  const pdf = await page.pdf({ format: "A4" });
  assert.ok(pdf.length > 1_000);
  await close();
});

test("words that turn the line round turn their own only", async () => {
  const id = `bidi-${(calls += 1)}`;
  await producer.tell(start(id, "a7", { customer_name: "王\u202e士" }), says(id, "u1", "customer", "我\u202e要退款", 1_000), says(id, "u2", "agent", "\u202e我不清楚。", 3_000));
  const { page, close } = await open(server, `/call/${id}`);
  await line(page, "u2").locator("mark").waitFor();
  const stray = await page.evaluate(() => {
    const walk = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const found = [];
    while (walk.nextNode()) {
      if (walk.currentNode.data.includes("\u202e") && walk.currentNode.parentElement.closest("bdi, title") === null) {
        found.push(walk.currentNode.parentElement.outerHTML.slice(0, 80));
      }
    }
    return found;
  });
  assert.deepEqual(stray, []);
  await producer.tell(end(id, 9_000));
  await close();
});

test("what was held back as too unsure is shown to reviewers, and to nobody else", async () => {
  // With the packs of the program: only they have a model that doubts.
  const own = await Server.start({ config: "call_linger_ms = 50\n" });
  const mine = await Producer.connect(own);
  await mine.tell(start("h1"), ...DOUBTFUL.flatMap((text, n) => [says("h1", `c${n}`, "customer", "请问这个怎么办", n * 8_000), says("h1", `u${n}`, "agent", text, n * 8_000 + 4_000)]), end("h1", 40_000));
  while ((await own.get("/v1/calls/h1")).live);
  const { alerts } = await own.get("/v1/alerts?display=held&call_id=h1");
  assert.equal(alerts.length > 0, true, "the model holds nothing back here");
  const { page, close } = await open(own, `/call/h1#alert-${encodeURIComponent(alerts[0].alert_id)}`);
  await page.locator(".alert.held.selected").getByText("存疑").waitFor();
  await page.getByRole("heading", { name: /存疑 \d 条/ }).waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "call-held");
  await page.goto(`${own.url}/qa?days=&from=2026-11-21&to=2026-11-21&view=review&display=held`);
  await page.locator(".items .item").first().waitFor();
  assert.equal(await page.locator(".items .item").count(), alerts.length);
  await page.locator(".detail").getByText("存疑").waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "qa-held");
  await page.goto(`${own.url}/agent/a7`);
  await page.locator('[data-link="open"]').waitFor();
  const { alerts: own7 } = await own.get("/v1/agents/a7/history");
  assert.deepEqual(own7.filter(({ display }) => display === "held"), []);
  mine.close();
  await close();
  await own.stop();
});

test("hostile text is shown as text", async () => {
  const id = `${HOSTILE}/${(calls += 1)}`;
  await producer.tell(
    start(id, HOSTILE, { queue: HOSTILE, customer_name: HOSTILE }),
    says(id, "u1", "agent", `${HOSTILE}我不清楚${HOSTILE}`, 1_000),
    says(id, HOSTILE, "customer", HOSTILE, 4_000, false),
  );
  const { page, close } = await open(server, `/call/${encodeURIComponent(id)}`);
  await alert(page, "confirmed").waitFor();
  const text = await page.locator("main").innerText();
  assert.ok(text.split(HOSTILE).length >= 7, text);
  assert.equal(await page.locator("main img").count(), 0);
  await producer.tell(end(id, 9_000));
  await page.getByRole("button", { name: "播放" }).waitFor();
  assert.equal(await page.locator("main img").count(), 0);
  await close();
});

test("a call that is not there is told, and without the token nothing is shown", async () => {
  const { page, close } = await open(server, "/call/none-such", { allowed: [/404/] });
  await page.getByRole("alert").waitFor();
  await close();
  const locked = await Server.start({ config: `[tokens]\nqa = ["${QA}"]\n` });
  const second = await open(locked, "/call/none-such", { allowed: [/401/, /404/] });
  await second.page.getByRole("heading", { name: "需要令牌" }).waitFor();
  await second.page.getByLabel("令牌").fill(QA);
  await second.page.getByRole("button", { name: "进入" }).click();
  await second.page.getByText("没有这通通话").waitFor();
  await second.close();
  await locked.stop();
});

for (const { width, dark } of LOOKS) {
  test(`the call page at ${width} px, ${dark ? "dark" : "light"}`, async () => {
    const id = `look-${(calls += 1)}`;
    await recorded(id);
    const { page, close } = await open(server, `/call/${id}`, { width, dark });
    await line(page, "u4").waitFor();
    assert.equal(await accessibilityFaults(page), "");
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
    await screenshot(page, `call-${width}-${dark ? "dark" : "light"}`);
    await close();
  });
}

/** Selects a piece of an utterance, as a drag does. */
const drag = (page, id, from, to) => line(page, id).locator(".words bdi").evaluate((words, [from, to]) => {
  const range = document.createRange();
  const text = words.firstChild;
  range.setStart(text, from);
  range.setEnd(text, to);
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}, [from, to]);

test("what the rules missed is marked in the transcript, and counts", async () => {
  const id = `missed-${(calls += 1)}`;
  await recorded(id, { started_at: "2026-11-21T11:00:00+08:00" });
  const before = await server.get(`/v1/calls/${id}`);
  const { page, close } = await open(server, `/call/${id}`, { width: 1366, height: 768 });
  await page.getByRole("button", { name: /标出漏报/ }).waitFor();
  await drag(page, "u4", 4, 8);
  await page.getByRole("button", { name: /把选中的话标为漏报/ }).waitFor();
  await page.keyboard.press("m");
  const dialog = page.getByRole("dialog", { name: "标出漏报" });
  assert.equal(await dialog.getByLabel("违规的话").inputValue(), "您修好。");
  await dialog.getByLabel("违反什么").selectOption("承诺");
  await dialog.getByLabel("级别").selectOption("critical");
  await dialog.getByLabel("说明").fill(`没有把握的承诺 ${HOSTILE}`);
  await dialog.getByLabel("您的姓名").fill("李静");
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "call-mark-1366x768");
  await dialog.getByRole("button", { name: "标出" }).click();
  const marked = page.locator(".alert.selected", { hasText: "人工标出：您修好。" });
  await marked.locator(".tag", { hasText: "人工标出" }).waitFor();
  await marked.getByText(`没有把握的承诺 ${HOSTILE}`).waitFor();
  assert.equal(await line(page, "u4").locator("mark").innerText(), "您修好。");
  // A mark of today lengthens no call of yesterday.
  assert.equal(await page.getByRole("slider").getAttribute("aria-valuemax"), String(Math.round(40)));
  const after = await server.get(`/v1/calls/${id}`);
  assert.deepEqual([after.score, after.confirmed], [before.score - 5, before.confirmed + 1]);
  await screenshot(page, "call-marked-1366x768");
  // Without a selection, by keys: the utterance and its words are chosen.
  await page.keyboard.press("m");
  await dialog.getByLabel("哪一句").selectOption("u3");
  await dialog.getByLabel("违规的话").fill("没有的话");
  await dialog.getByLabel("违反什么").selectOption("panel.unclear");
  await dialog.getByRole("button", { name: "标出" }).click();
  await dialog.getByText("这句话里没有这些字。").waitFor();
  await dialog.getByLabel("违规的话").fill("知道了");
  await dialog.getByRole("button", { name: "标出" }).click();
  await page.locator(".alert", { hasText: "人工标出：知道了" }).waitFor();
  await close();
});

/** Silence of so many seconds, served by range to those who have a good address. */
async function recordings(key, seconds) {
  const rate = 8_000;
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + rate * seconds, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate, 28);
  head.writeUInt16LE(1, 32);
  head.writeUInt16LE(8, 34);
  head.write("data", 36);
  head.writeUInt32LE(rate * seconds, 40);
  const sound = Buffer.concat([head, Buffer.alloc(rate * seconds, 128)]);
  const asked = [];
  const site = createServer((request, response) => {
    const [path, signature] = request.url.split("&sig=");
    const signed = createHmac("sha256", key).update(`${path}&sig=`).digest("hex");
    const isGood = signature === signed && Number(/expires=(\d+)/.exec(path)[1]) > Date.now() / 1_000;
    asked.push({ path, isGood, range: request.headers.range, origin: request.headers.origin, referer: request.headers.referer });
    if (!isGood) {
      response.writeHead(403).end();
      return;
    }
    const [, from, to] = /bytes=(\d+)-(\d*)/.exec(request.headers.range ?? "bytes=0-");
    const end = to === "" ? sound.length - 1 : Number(to);
    response.writeHead(206, {
      "content-type": "audio/wav", "accept-ranges": "bytes", "content-range": `bytes ${from}-${end}/${sound.length}`, "content-length": end - Number(from) + 1,
    });
    response.end(sound.subarray(Number(from), end + 1));
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  atEnd(() => site.close());
  return { url: `http://127.0.0.1:${site.address().port}`, asked };
}

test("a call is heard along its words and its timeline, both ways, from the place of an alert", async () => {
  const key = "key-of-the-recordings-for-these-tests";
  const { url, asked } = await recordings(key, 50);
  const own = await Server.start({
    rules: RULES,
    config: `call_linger_ms = 50\n[recording]\nurl = "${url}/{date}/{call_id}.wav?agent={agent_id}&expires={expires}&sig={signature}"\nkey = "${key}"\nstarts_before_ms = 5000\n`,
  });
  const mine = await Producer.connect(own);
  await mine.tell(
    start("r 1"), says("r 1", "u1", "agent", "您好，工号一。", 500, true, 2_500), says("r 1", "c1", "customer", "什么时候修好？", 10_000, true, 12_000),
    says("r 1", "u2", "agent", "这个我不清楚。", 20_000, true, 23_000), says("r 1", "u3", "agent", "再见", 38_000, true, 39_000), end("r 1", 40_000),
  );
  while ((await own.get("/v1/calls?live=true")).calls.length > 0);
  const { alerts } = await own.get("/v1/calls/r%201");
  const told = alerts.find(({ kind }) => kind === "forbidden");
  const policy = (await fetch(`${own.url}/call/x`)).headers.get("content-security-policy");
  assert.match(policy, new RegExp(`; media-src ${url}$`));
  assert.doesNotMatch((await fetch(`${own.url}/rules`)).headers.get("content-security-policy"), /media-src/);
  // From the queue: one click opens the call at the alert, the second one plays it.
  const { page, close } = await open(own, `/call/r%201#alert-${told.alert_id}`, { width: 1366, height: 768 });
  await page.locator(".alert.selected").waitFor();
  const audio = () => page.locator("audio").evaluate((element) => ({ at: element.currentTime, paused: element.paused }));
  assert.equal(asked.length, 0, "nothing is fetched before it is wanted");
  await page.getByRole("button", { name: "播放" }).click();
  await page.waitForFunction(() => document.querySelector("audio").currentTime > 22);
  // 20 s of the call less 2 s, and the sound begins 5 s before the call.
  assert.ok((await audio()).at < 27, JSON.stringify(await audio()));
  assert.deepEqual([asked[0].isGood, asked[0].path.split("?")[0], asked[0].range], [true, "/2026-11-21/r%201.wav", "bytes=0-"]);
  assert.deepEqual([asked[0].origin, asked[0].referer], [undefined, undefined]);
  // What is heard is marked in the words and on the timeline; all of the words stay.
  await page.locator('.said.now[data-utterance-id="u2"]').waitFor();
  const slider = page.getByRole("slider");
  const place = async () => Number(await slider.getAttribute("aria-valuenow"));
  assert.ok((await place()) >= 18 && (await place()) <= 23, String(await place()));
  assert.equal(await page.locator(".said").count(), 4);
  await screenshot(page, "call-sound-1366x768");
  // The words lead to the sound, and the timeline does.
  await line(page, "u3").getByRole("button", { name: "跳到" }).click();
  await page.waitForFunction(() => Math.abs(document.querySelector("audio").currentTime - 43) < 2);
  await page.keyboard.press("p");
  await page.getByRole("button", { name: "播放" }).waitFor();
  assert.equal((await audio()).paused, true);
  await slider.press("Home");
  await page.waitForFunction(() => Math.abs(document.querySelector("audio").currentTime - 5) < 0.5);
  await slider.press("PageUp");
  await page.waitForFunction(() => Math.abs(document.querySelector("audio").currentTime - 35) < 0.5);
  await page.getByRole("button", { name: "2×" }).click();
  await page.keyboard.press("p");
  await page.waitForFunction(() => document.querySelector("audio").playbackRate === 2 && !document.querySelector("audio").paused);
  await page.waitForFunction(() => document.querySelector("audio").ended);
  await page.getByRole("button", { name: "播放" }).waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await close();
  // In the queue one key plays it.
  const queue = await open(own, "/qa?view=review&days=&from=2026-11-21&to=2026-11-21", { width: 1366, height: 768 });
  await queue.page.getByRole("button", { name: /听这里/ }).waitFor();
  await queue.page.locator(".item", { hasText: "不清楚" }).first().click();
  await queue.page.keyboard.press("p");
  await queue.page.waitForFunction(() => document.querySelector("audio").currentTime > 22);
  await queue.page.getByRole("button", { name: /停/ }).waitFor();
  await screenshot(queue.page, "qa-sound-1366x768");
  await queue.close();
  mine.close();
  await own.stop();
});

test("a call without its sound is told so and played by its words", async () => {
  const own = await Server.start({ rules: RULES, config: `call_linger_ms = 50\n[recording]\nurl = "${(await recordings("x", 1)).url}/{call_id}.wav?expires={expires}&sig=none"\n` });
  const mine = await Producer.connect(own);
  await mine.tell(start("s1"), says("s1", "u1", "agent", "您好", 500), end("s1", 40_000));
  while ((await own.get("/v1/calls?live=true")).calls.length > 0);
  const { page, close } = await open(own, "/call/s1", { allowed: [/403/] });
  await page.getByRole("button", { name: "播放" }).click();
  await page.getByText("录音放不出来").waitFor();
  await page.getByRole("button", { name: "播放" }).click();
  await page.waitForFunction(() => document.querySelector(".place").textContent !== "0:00");
  await page.getByRole("button", { name: "暂停" }).waitFor();
  mine.close();
  await close();
  await own.stop();
});

// The agent's panel: cards and their life, what the call owes, answers by key,
// what happens when the connection goes.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { LOOKS, Producer, Server, accessibilityFaults, end, hold, open, says, screenshot, start } from "./harness.mjs";
import { HOSTILE, RULES } from "./rules.mjs";

let server;
let producer;
let calls = 0;

before(async () => {
  server = await Server.start({ rules: RULES, config: "call_linger_ms = 500\n" });
  producer = await Producer.connect(server);
});

/** A panel of an agent of its own, connected, and a call of that agent. */
async function panelWithCall(options = {}) {
  calls += 1;
  const agent = options.agent ?? `坐席 ${calls}/a`;
  const call = options.call ?? `panel-${calls}`;
  const opened = await open(server, `/agent/${encodeURIComponent(agent)}`, { width: 360, height: 800, ...options });
  await linked(opened.page, "open");
  await producer.tell(start(call, agent, { queue: "宽带报修", customer_name: options.customer ?? "王女士" }));
  await opened.page.locator(".clock").waitFor();
  return { ...opened, agent, call };
}

const linked = (page, state) => page.locator(`[data-link="${state}"]`).waitFor();
const cards = (page, ruleId) => page.locator(`article.card[data-rule-id="panel.${ruleId}"]`);
const inState = (page, ruleId, state) => page.locator(`article.card[data-rule-id="panel.${ruleId}"][data-state="${state}"]`);
const asked = async (agent) => (await server.get(`/v1/alerts?agent_id=${encodeURIComponent(agent)}`)).alerts;

/** What the server keeps of the answer to the agent's only alert, once there is one. */
async function answered(page, agent) {
  await page.waitForFunction(async (address) => {
    const { alerts } = await (await fetch(address)).json();
    return alerts[0]?.feedback;
  }, `/v1/alerts?agent_id=${encodeURIComponent(agent)}`);
  return (await asked(agent))[0].feedback;
}

test("a provisional card turns confirmed in place, with the better wording and the hit marked", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "u1", "agent", "这个我不清楚", 3_000, false));
  const card = inState(page, "unclear", "provisional");
  await card.waitFor();
  assert.equal(await card.locator(".word").innerText(), "疑似");
  const before = await card.boundingBox();
  await producer.tell(says(call, "u1", "agent", "𠮷这个我不清楚啊。", 3_000));
  const settled = inState(page, "unclear", "confirmed");
  await settled.waitFor();
  assert.equal(await settled.locator(".word").innerText(), "确认");
  assert.equal(await settled.locator(".tag").innerText(), "严重");
  assert.match(await settled.locator(".say").innerText(), /我帮您确认一下，请您稍等。/);
  assert.equal(await settled.locator("mark").innerText(), "不清楚");
  assert.equal(await settled.locator(".at").innerText(), "0:03");
  assert.deepEqual(await settled.boundingBox(), before, "the card moved");
  assert.equal(await page.locator("article.card").count(), 1);
  await close();
});

test("a retracted card says why, then leaves, and the other card stays where it is", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "u1", "agent", "这个我不清楚", 3_000, false));
  await cards(page, "unclear").waitFor();
  await producer.tell(says(call, "u2", "agent", "我不知道。", 6_000));
  const other = inState(page, "unknown", "confirmed");
  await other.waitFor();
  const place = await other.boundingBox();
  await producer.tell(says(call, "u1", "agent", "这个我清楚。", 3_000));
  const gone = inState(page, "unclear", "retracted");
  await gone.waitFor();
  assert.equal(await gone.locator(".gone").innerText(), "识别已更正，没有这样说");
  await gone.waitFor({ state: "detached" });
  assert.deepEqual(await other.boundingBox(), place, "the other card moved");
  await close();
});

test("a reminder counts down on the call's clock and is resolved", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "c1", "customer", "我要投诉。", 1_000), says(call, "c2", "customer", "你们听着吗", 14_000));
  const reminder = inState(page, "apologise", "reminder");
  await reminder.waitFor();
  const leftIsBelow = (seconds) => page.waitForFunction(
    (bound) => Number(document.querySelector("tingjian-alerts").shadowRoot.querySelector(".due").dataset.left) < bound, seconds);
  await leftIsBelow(50);
  await leftIsBelow(Number(await reminder.locator(".due").getAttribute("data-left")));
  await producer.tell(says(call, "u1", "agent", "非常抱歉。", 16_000));
  const resolved = inState(page, "apologise", "resolved");
  await resolved.waitFor();
  assert.equal(await resolved.locator(".word").innerText(), "已说到");
  await resolved.waitFor({ state: "detached" });
  await close();
});

test("a reminder that nobody heeds turns into what is missing", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "c1", "customer", "我要投诉。", 1_000), says(call, "c2", "customer", "你们听着吗", 14_000));
  await inState(page, "apologise", "reminder").waitFor();
  await producer.tell(says(call, "c3", "customer", "喂", 70_000));
  const missing = inState(page, "apologise", "confirmed");
  await missing.waitFor();
  assert.equal(await missing.locator(".word").innerText(), "未说");
  await close();
});

test("the checklist goes from 1/3 to 3/3, and the meters and the clock show the call", async () => {
  const { page, close, call } = await panelWithCall();
  const duty = page.locator('.duty[data-rule-id="panel.opening"]');
  await producer.tell(says(call, "u1", "agent", "您好。", 500));
  await duty.getByText("已说 1/3").waitFor();
  assert.deepEqual(await duty.locator(".parts > span").allInnerTexts(), ["✓ 问候", "○ 工号", "○ 询问需求"]);
  await producer.tell(says(call, "u2", "agent", "工号八零二一，请问有什么可以帮您？", 2_500));
  await duty.getByText("✓ 已说 3/3").waitFor();
  assert.equal(await duty.getAttribute("data-state"), "said");
  await producer.tell(hold(call, 30_000));
  await page.getByText("保持中").waitFor();
  await page.getByText("宽带报修").waitFor();
  assert.match(await page.locator(".clock").innerText(), /^0:3\d$/);
  const held = page.getByRole("meter", { name: "保持" });
  await page.waitForFunction((element) => /^[1-9]/.test(element.getAttribute("aria-valuetext")), await held.elementHandle());
  await producer.tell(end(call, 90_000));
  await page.locator(".waiting").waitFor();
  await close();
});

test("seen and dismissed by one key are kept", async () => {
  const first = await panelWithCall();
  await producer.tell(says(first.call, "u1", "agent", "不知道。", 1_000));
  await inState(first.page, "unknown", "confirmed").waitFor();
  await first.page.keyboard.press("Space");
  await cards(first.page, "unknown").waitFor({ state: "detached" });
  assert.equal((await answered(first.page, first.agent)).action, "seen");
  // Nothing that was answered comes back with a reload.
  await first.page.reload();
  await linked(first.page, "open");
  await first.page.locator('.line[data-handled="seen"]').waitFor({ state: "attached" });
  assert.equal(await first.page.locator("article.card").count(), 0);
  await first.close();

  const second = await panelWithCall();
  await producer.tell(says(second.call, "u1", "agent", "不知道。", 1_000));
  await inState(second.page, "unknown", "confirmed").waitFor();
  await second.page.keyboard.press("x");
  await second.page.getByRole("button", { name: "误报" }).waitFor();
  assert.equal(await accessibilityFaults(second.page), "");
  await second.page.keyboard.press("1");
  await cards(second.page, "unknown").waitFor({ state: "detached" });
  const { action, reason } = await answered(second.page, second.agent);
  assert.deepEqual({ action, reason }, { action: "dismiss", reason: "误报" });
  await second.close();

  const third = await panelWithCall();
  await producer.tell(says(third.call, "u1", "agent", "不知道。", 1_000));
  await inState(third.page, "unknown", "confirmed").waitFor();
  await third.page.keyboard.press("x");
  await third.page.keyboard.press("3");
  await third.page.getByRole("textbox", { name: "理由" }).fill("客户让我念这句 1 2 x");
  await third.page.keyboard.press("Enter");
  assert.equal((await answered(third.page, third.agent)).reason, "客户让我念这句 1 2 x");
  await third.close();
});

test("after the call a confirmed alert can be appealed against", async () => {
  const { page, close, call, agent } = await panelWithCall();
  await producer.tell(says(call, "u1", "agent", "不知道。", 1_000), end(call, 5_000));
  await page.locator(".waiting").waitFor();
  const line = page.locator(".last .line").filter({ hasText: "不要对客户说" });
  await line.getByRole("button", { name: "申诉" }).click();
  await page.getByRole("textbox", { name: "申诉理由" }).fill("这是念给客户听的条款");
  assert.equal(await accessibilityFaults(page), "");
  await page.getByRole("button", { name: "提交" }).click();
  await line.getByText("申诉中").waitFor();
  await page.waitForFunction(async (address) => {
    const { alerts } = await (await fetch(address)).json();
    return alerts.some(({ review }) => review.appeal === "pending");
  }, `/v1/alerts?agent_id=${encodeURIComponent(agent)}`);
  await close();
});

test("a reload in the midst of a call brings its cards back, each once", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "u1", "agent", "不知道。", 1_000), says(call, "u2", "agent", "我不清楚。", 4_000));
  await inState(page, "unclear", "confirmed").waitFor();
  await inState(page, "unknown", "confirmed").waitFor();
  await page.reload();
  await inState(page, "unclear", "confirmed").waitFor();
  await inState(page, "unknown", "confirmed").waitFor();
  assert.equal(await page.locator("article.card").count(), 2);
  await close();
});

test("two agents' panels don't mix", async () => {
  const one = await panelWithCall();
  const two = await panelWithCall();
  await producer.tell(says(one.call, "u1", "agent", "不知道。", 1_000), says(two.call, "u1", "agent", "我不清楚。", 1_000));
  await inState(one.page, "unknown", "confirmed").waitFor();
  await inState(two.page, "unclear", "confirmed").waitFor();
  assert.deepEqual([await cards(one.page, "unclear").count(), await cards(two.page, "unknown").count()], [0, 0]);
  await one.close();
  await two.close();
});

test("hostile text is shown as text", async () => {
  const { page, close, call } = await panelWithCall({ agent: HOSTILE, call: `${HOSTILE}-call`, customer: HOSTILE });
  await producer.tell(says(call, "u1", "agent", `我不清楚${HOSTILE}`, 1_000));
  const card = inState(page, "unclear", "confirmed");
  await card.waitFor();
  assert.ok((await card.locator(".heard").innerText()).includes(HOSTILE.slice(0, 8)));
  assert.equal(await page.evaluate("document.querySelectorAll('img').length + document.querySelector('tingjian-alerts').shadowRoot.querySelectorAll('img').length"), 0);
  await producer.tell(end(call, 5_000));
  await page.locator(".last").waitFor();
  assert.match(await page.locator(".strip").innerText(), /<img src=x/);
  await close();
});

for (const { width, dark } of LOOKS) {
  test(`the panel at ${width} px, ${dark ? "dark" : "light"}, in a call and between two`, async () => {
    const { page, close, call } = await panelWithCall({ width, dark, height: 860 });
    await page.locator(".clock").waitFor();
    await producer.tell(
      says(call, "u0", "agent", "您好，请问有什么可以帮您？", 800),
      says(call, "c1", "customer", "我要投诉，宽带三天了还没修好。", 3_000, true, 6_000),
      says(call, "u1", "agent", "这个我不知道，得问装维。", 8_000, true, 11_000),
      says(call, "u2", "agent", "为什么会这样我也不清楚", 12_000, false),
    );
    await inState(page, "unknown", "confirmed").waitFor();
    await inState(page, "unclear", "provisional").waitFor();
    await page.locator('.duty[data-rule-id="panel.opening"]').waitFor();
    assert.equal(await accessibilityFaults(page), "");
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
    await screenshot(page, `agent-${width}-${dark ? "dark" : "light"}`);
    await producer.tell(end(call, 30_000, "agent"));
    await page.locator(".waiting").waitFor();
    assert.equal(await accessibilityFaults(page), "");
    await screenshot(page, `agent-after-${width}-${dark ? "dark" : "light"}`);
    await close();
  });
}

test("the server is killed and started again: no card is lost and none comes twice", async () => {
  // A server of its own: the others' panels live through theirs.
  const mine = await Server.start({ rules: RULES });
  const first = await Producer.connect(mine);
  const allowed = [/WebSocket connection to .* failed/, /ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/];
  const { page, close } = await open(mine, "/agent/a7", { width: 400, height: 900, allowed });
  await linked(page, "open");
  await first.tell(start("k1"), says("k1", "u1", "agent", "我不清楚。", 1_000), says("k1", "u2", "agent", "不知道", 3_000, false));
  await inState(page, "unclear", "confirmed").waitFor();
  await inState(page, "unknown", "provisional").waitFor();
  await mine.kill();
  await linked(page, "closed");
  await page.getByText("断线期间的预警会在重连后补上").waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await page.keyboard.press("Space");
  await mine.restart();
  const second = await Producer.connect(mine);
  second.sequence.set("k1", first.sequence.get("k1"));
  await second.tell(says("k1", "u2", "agent", "不知道。", 3_000), says("k1", "u3", "agent", "哎呀", 5_000));
  await linked(page, "open");
  await inState(page, "unknown", "confirmed").waitFor();
  await inState(page, "chatty", "confirmed").waitFor();
  const ids = await page.locator("[data-alert-id]").evaluateAll((elements) => elements.map((element) => element.dataset.alertId));
  assert.equal(new Set(ids).size, ids.length, "an alert is there twice");
  assert.equal(ids.length, 3);
  // What was answered while there was no connection is known by now.
  await page.waitForFunction(async () => {
    const { alerts } = await (await fetch("/v1/alerts?agent_id=a7")).json();
    return alerts.find(({ rule_id: rule }) => rule === "panel.unclear").feedback?.action === "seen";
  });
  second.close();
  await close();
  await mine.stop();
});

test("a wrong token is told in words, and a right one opens the panel", async () => {
  const locked = await Server.start({ config: '[tokens]\ningest = ["ingest-token-of-the-tests"]\nqa = ["qa-token-of-the-tests"]\n[tokens.agents]\na7 = ["agent-token-of-the-tests"]\n' });
  const { page, close } = await open(locked, "/agent/a7", { width: 360, allowed: [/401/] });
  await page.getByRole("heading", { name: "需要令牌" }).waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await page.getByLabel("令牌").fill("agent-token-of-the-tests");
  await page.getByRole("button", { name: "进入" }).click();
  await linked(page, "open");
  await close();
  await locked.stop();
});

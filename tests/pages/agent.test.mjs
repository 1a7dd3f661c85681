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
/** An alert wherever it stands: large, or a line. */
const alertOf = (page, ruleId, state) => page.locator(`[data-alert-id][data-rule-id="panel.${ruleId}"]${state ? `[data-state="${state}"]` : ""}`);
/** A large card whose keys act. */
const armed = (page, ruleId) => page.locator(`article.card[data-rule-id="panel.${ruleId}"][data-armed="true"]`);
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

test("one card is large: the gravest of the latest; it says why it goes, and the next one follows", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "u1", "agent", "这个我不清楚", 3_000, false));
  await cards(page, "unclear").waitFor();
  const place = await page.locator(".place").boundingBox();
  await producer.tell(says(call, "u2", "agent", "我不知道。", 6_000));
  // A lesser one is a line below; nothing moves.
  await page.locator('.short.open[data-rule-id="panel.unknown"]').waitFor();
  assert.equal(await page.locator("article.card").count(), 1);
  await producer.tell(says(call, "u1", "agent", "这个我清楚。", 3_000));
  const gone = inState(page, "unclear", "retracted");
  await gone.waitFor();
  assert.equal(await gone.locator(".gone").innerText(), "识别已更正，没有这样说");
  await inState(page, "unknown", "confirmed").waitFor();
  await page.locator('.short[data-rule-id="panel.unclear"][data-state="retracted"]').waitFor();
  assert.deepEqual(await page.locator(".place").boundingBox(), place, "the place moved");
  await close();
});

test("what was said a minute ago steps back, but not what is still owed; a line brings it back", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "c1", "customer", "我要投诉。", 1_000), says(call, "u1", "agent", "我不清楚。", 3_000));
  await inState(page, "unclear", "confirmed").waitFor();
  // The words to say are on the checklist, with the time that is left.
  const duty = page.locator('.duty[data-rule-id="panel.apologise"]');
  await duty.getByText("非常抱歉给您带来不便。").waitFor();
  assert.match(await duty.locator(".left").innerText(), /^0:\d\d 内$/);
  // A later key is not to act on what came in its place at that moment.
  await producer.tell(says(call, "c2", "customer", "你们听着吗", 70_000));
  await inState(page, "apologise", "confirmed").waitFor();
  const old = page.locator('.short.past[data-rule-id="panel.unclear"]');
  await old.waitFor();
  assert.equal(await page.locator('.card[data-rule-id="panel.apologise"]').getAttribute("data-state"), "confirmed");
  await old.getByRole("button").click();
  await armed(page, "unclear").waitFor();
  await page.keyboard.press("Space");
  await page.locator('.short[data-rule-id="panel.unclear"][data-handled="seen"]').waitFor();
  await inState(page, "apologise", "confirmed").waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await close();
});

test("one key never surprises: it answers no card that has just become large, and a held key answers one", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "u1", "agent", "我不清楚。", 1_000), says(call, "u2", "agent", "我不知道。", 2_000));
  await armed(page, "unclear").waitFor();
  // Twice in one go: the second is for the card that was large, and that has gone.
  await page.keyboard.press("Space");
  await page.keyboard.press("Space");
  await inState(page, "unknown", "confirmed").waitFor();
  assert.equal(await alertOf(page, "unknown").getAttribute("data-handled"), null);
  await armed(page, "unknown").waitFor();
  assert.equal(await page.locator('.short[data-handled="seen"]').count(), 1);
  await close();
});

test("the steps of a complaint: the next one with its words, ticked off as they are said", async () => {
  const { page, close, call } = await panelWithCall({ width: 320, height: 760 });
  await producer.tell(says(call, "c1", "customer", "我要退货。", 1_000));
  const duty = page.locator('.duty[data-rule-id="panel.steps"]');
  await duty.locator('[aria-current="step"]', { hasText: "致歉" }).waitFor();
  await page.locator(".calm.next", { hasText: "退货三步" }).waitFor();
  await producer.tell(says(call, "u1", "agent", "非常抱歉。", 3_000));
  await duty.locator('[aria-current="step"]', { hasText: "确认问题" }).waitFor();
  assert.deepEqual(await duty.locator(".parts > span").allInnerTexts(), ["✓ 致歉", "○ 确认问题", "○ 给出方案"]);
  assert.match(await duty.locator(".words").innerText(), /下一步.*您是说收到的货不对吗？/);
  assert.match(await page.locator(".calm.next .say").innerText(), /您是说收到的货不对吗？/);
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "agent-steps-320");
  await producer.tell(says(call, "u2", "agent", "您是说收到的货不对吗？", 6_000), says(call, "u3", "agent", "今天之内给您答复。", 9_000));
  await duty.getByText("✓ 已说 3/3").waitFor();
  await page.locator(".calm", { hasText: "开场白" }).or(page.locator(".calm", { hasText: "目前没有要改的" })).waitFor();
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
  await armed(first.page, "unknown").waitFor();
  await first.page.keyboard.press("Space");
  await cards(first.page, "unknown").waitFor({ state: "detached" });
  assert.equal((await answered(first.page, first.agent)).action, "seen");
  // Nothing that was answered comes back with a reload.
  await first.page.reload();
  await linked(first.page, "open");
  await first.page.locator('.short[data-handled="seen"]').waitFor();
  assert.equal(await first.page.locator("article.card").count(), 0);
  await first.close();

  const second = await panelWithCall();
  await producer.tell(says(second.call, "u1", "agent", "不知道。", 1_000));
  await armed(second.page, "unknown").waitFor();
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
  await armed(third.page, "unknown").waitFor();
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
  await alertOf(page, "unclear", "confirmed").waitFor();
  await alertOf(page, "unknown", "confirmed").waitFor();
  await page.reload();
  await alertOf(page, "unclear", "confirmed").waitFor();
  await alertOf(page, "unknown", "confirmed").waitFor();
  assert.equal(await page.locator("[data-alert-id]").count(), 2);
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

test("the checklist says what was missed, too", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "c1", "customer", "我要投诉。", 1_000), says(call, "u1", "agent", "您好，工号八零二一，请问什么事？", 3_000));
  await page.getByText("还欠 1 项").waitFor();
  await producer.tell(says(call, "c2", "customer", "喂", 70_000));
  await page.locator('.duty[data-state="missed"]').waitFor();
  await page.getByRole("heading", { name: "1 项没说" }).waitFor();
  await page.locator('.duty[data-state="missed"]').getByText("没有说", { exact: true }).waitFor();
  assert.equal(await page.getByText("该说的都说了").count(), 0);
  await close();
});

for (const width of [320, 360]) {
  test(`two calls at a time at ${width} px: a tab each with the customer's name, and no wording is cut`, async () => {
    const { page, close, call, agent } = await panelWithCall({ width, height: 900, call: `7f0c1a52-9d0e-4a6f-8a61-0f6f0c9b51d${width % 7}` });
    // Its id stands before the other's; the tab that was there keeps its place, and stays shown.
    const other = `2b1d7c1e-6f53-4f0b-9d0c-5a3f1d2e8c9${width % 7}`;
    await producer.tell(start(other, agent, { queue: "账单咨询", customer_name: "李先生" }));
    const tab = (name) => page.getByRole("button", { name });
    await tab("李先生").waitFor();
    assert.deepEqual(await page.locator(".tab .name").allInnerTexts(), ["王女士", "李先生"]);
    await producer.tell(says(call, "u1", "agent", "我不知道。", 1_000), says(other, "u1", "agent", "我不清楚。", 65_000));
    await inState(page, "unknown", "confirmed").waitFor();
    await tab("李先生").locator('.unread[aria-label="1 条未看，最重的是严重"]').waitFor();
    assert.equal(await page.locator("article.card").count(), 1);
    const cut = () => page.evaluate(() => [...document.querySelector("tingjian-alerts").shadowRoot.querySelectorAll(".card, .say, .actions button")]
      .filter((element) => element.getBoundingClientRect().right > innerWidth - 4 || element.scrollWidth > element.clientWidth + 1).map(({ className }) => className));
    assert.deepEqual(await cut(), []);
    assert.equal(await accessibilityFaults(page), "");
    await screenshot(page, `agent-two-calls-${width}`);
    // Whose card, clock, meters and checklist are shown is the agent's choice; what was looked at is no longer unread.
    await tab("李先生").click();
    await page.locator(".what .queue", { hasText: "账单咨询" }).waitFor();
    await page.locator(".clock", { hasText: /^1:0\d$/ }).waitFor();
    await inState(page, "unclear", "confirmed").waitFor();
    assert.equal(await page.locator(".unread").count(), 0);
    assert.deepEqual(await cut(), []);
    await producer.tell(end(other, 80_000));
    await page.locator(".what .queue", { hasText: "宽带报修" }).waitFor();
    assert.equal(await page.locator(".tab").count(), 0);
    await close();
  });
}

test("the buttons of a card are in sight in a low panel, whatever it says and however many others there are", async () => {
  const { page, close, call, agent } = await panelWithCall({ width: 320, height: 500 });
  for (let n = 0; n < 4; n += 1) {
    await producer.tell(says(call, `c${n}`, "customer", "你们到底什么时候能给我一个明确的说法，我已经等了整整三天了。", n * 9_000, true, n * 9_000 + 3_000),
      says(call, `u${n}`, "agent", "您说的这个情况我真的也不清楚，我这边也没有办法帮您查到具体的时间。", n * 9_000 + 4_000, true, n * 9_000 + 8_000));
  }
  await page.getByText("本通另有 3 条").waitFor();
  const inSight = () => page.evaluate(() => {
    const root = document.querySelector("tingjian-alerts").shadowRoot;
    const card = root.querySelector("article.card").getBoundingClientRect();
    return [...root.querySelectorAll("article.card .actions button")].map((button) => {
      const box = button.getBoundingClientRect();
      return box.height > 20 && box.bottom <= card.bottom && box.right <= card.right && box.bottom <= innerHeight && root.elementFromPoint(box.left + 4, box.top + box.height / 2) !== null;
    });
  });
  assert.deepEqual(await inSight(), [true, true]);
  /** What says something and stands half in sight. */
  const halved = () => page.evaluate(() => {
    const root = document.querySelector("tingjian-alerts").shadowRoot;
    const within = (inner, outer) => [...root.querySelectorAll(inner)].filter((element) => {
      const [box, frame] = [element.getBoundingClientRect(), element.closest(outer).getBoundingClientRect()];
      return box.height > 0 && box.top < frame.bottom - 1 && box.bottom > frame.bottom + 1;
    });
    return [...within(".card .say, .card .quote", ".body"), ...within(".duty .words, .duty .name", ".checklist")].map(({ className }) => className);
  });
  assert.deepEqual(await halved(), []);
  await screenshot(page, "agent-low");
  // As it is with the largest letters.
  await page.getByLabel("设置").click();
  await page.getByRole("button", { name: "大一点" }).click();
  await page.getByRole("button", { name: "大一点" }).click();
  await page.getByLabel("设置").click();
  assert.deepEqual([await inSight(), await halved()], [[true, true], []]);
  await page.getByText("本通另有 3 条").waitFor();
  await screenshot(page, "agent-low-large");
  await page.setViewportSize({ width: 320, height: 600 });
  for (let smaller = 0; smaller < 3; smaller += 1) {
    assert.deepEqual([await inSight(), await halved()], [[true, true], []]);
    await page.getByLabel("设置").click();
    await page.getByRole("button", { name: "小一点" }).click();
    await page.getByLabel("设置").click();
  }
  // With a second call's tab there is less room still.
  await producer.tell(start(`${call}-other`, agent, { customer_name: "李先生" }));
  await page.locator(".tab", { hasText: "李先生" }).waitFor();
  await page.setViewportSize({ width: 320, height: 500 });
  assert.deepEqual([await inSight(), await halved()], [[true, true], []]);
  await close();
});

test("out of sight: the title of the page tells what came, and is itself again when it is seen", async () => {
  const { page, close, call } = await panelWithCall();
  const name = await page.title();
  const see = (isHidden) => page.evaluate((isHidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isHidden);
  await page.evaluate(() => {
    globalThis.notices = [];
    globalThis.Notification = class {
      static permission = "default";
      static requestPermission = async () => (this.permission = "granted");
      constructor(title, { body }) {
        globalThis.notices.push(`${title} ${body}`);
      }
    };
  });
  await page.getByLabel("设置").click();
  await page.getByRole("button", { name: "关", exact: true }).click();
  await page.getByRole("button", { name: "开", exact: true }).waitFor();
  await see(true);
  await producer.tell(says(call, "u1", "agent", "我不知道。", 1_000), says(call, "u2", "agent", "我不清楚。", 2_000));
  await page.waitForFunction(() => document.title.startsWith("（1）不清楚"));
  assert.deepEqual(await page.evaluate("notices"), ["听检：严重预警 王女士 · 不清楚"], "no words of the call");
  await see(false);
  await page.waitForFunction((name) => document.title === name, name);
  await close();
});

test("over 2 000 alerts the panel stays as small as it is", async () => {
  const mine = await Server.start({ rules: RULES, config: "[alerts]\ncards_per_minute_max = 10000\n" });
  const first = await Producer.connect(mine);
  const { page, close } = await open(mine, "/agent/a7", { width: 360, height: 800 });
  await linked(page, "open");
  const session = await page.context().newCDPSession(page);
  const size = async () => {
    await session.send("HeapProfiler.collectGarbage");
    const { usedSize } = await session.send("Runtime.getHeapUsage");
    return { bytes: usedSize, elements: await page.evaluate("document.querySelector('tingjian-alerts').shadowRoot.querySelectorAll('*').length") };
  };
  const sizes = [];
  for (let round = 0; round < 11; round += 1) {
    const events = Array.from({ length: 200 }, (_, n) => says(`h${round}`, `u${n}`, "agent", "我不知道。", n * 3_000));
    await first.tell(start(`h${round}`), ...events);
    const last = (200 - 1) * 3_000;
    await page.waitForFunction((clock) => document.querySelector("tingjian-alerts").shadowRoot.querySelector(".lines .at")?.textContent === clock || document.querySelector("tingjian-alerts").shadowRoot.querySelector(".card .at")?.textContent === clock,
      `${Math.floor(last / 60_000)}:${String(Math.floor(last / 1_000) % 60).padStart(2, "0")}`);
    await first.tell(end(`h${round}`, 610_000));
    sizes.push(await size());
  }
  console.log(`# heap over 2 200 alerts: ${sizes.map(({ bytes }) => (bytes / 1e6).toFixed(1)).join(" ")} MB, elements ${sizes.map(({ elements }) => elements).join(" ")}`);
  const [, second] = sizes;
  const lastly = sizes.at(-1);
  assert.ok(lastly.bytes < second.bytes * 1.5 + 1_000_000 && lastly.elements < 6_000, JSON.stringify(sizes));
  first.close();
  await close();
  await mine.stop();
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
    await alertOf(page, "unclear", "provisional").waitFor();
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

test("a supervisor's word is a card before all others, until it is read here or elsewhere", async () => {
  const { page, close, call } = await panelWithCall();
  /** @type {any} */
  let feed;
  const answers = [];
  await page.routeWebSocket(/\/alerts\?/, (socket) => {
    const server = socket.connectToServer();
    feed = socket;
    socket.onMessage((message) => (JSON.parse(String(message)).type === "read" ? answers.push(JSON.parse(String(message))) : server.send(message)));
  });
  await page.reload();
  await page.locator(".clock").waitFor();
  await producer.tell(says(call, "u1", "agent", "我不清楚。", 2_000));
  await inState(page, "unclear", "confirmed").waitFor();
  const help = (id, text, more = {}) => ({ type: "help", help_id: id, call_id: call, started_at: "2026-11-21T10:00:00+08:00", agent_id: "a", by: "李静", text, at_ms: 3_000, at: "2026-11-21T10:00:03+08:00", read_at: null, ...more });
  feed.send(JSON.stringify(help("7", "先道歉，再说补发。")));
  const card = page.locator("article.help");
  await card.getByText("先道歉，再说补发。").waitFor();
  // It is told again with every connection, and shown once.
  feed.send(JSON.stringify(help("7", "先道歉，再说补发。")));
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "agent-help");
  await page.locator('article.help[data-armed="true"]').waitFor();
  await page.keyboard.press("x");
  await page.keyboard.press("Space");
  await inState(page, "unclear", "confirmed").waitFor();
  assert.deepEqual(answers, [{ type: "read", help_id: "7" }]);
  // Lines are kept, and nothing of a long one is cut off.
  feed.send(JSON.stringify(help("8", `我来接。\n${"先稳住客户，".repeat(32)}`)));
  const words = card.locator(".say");
  await words.getByText("我来接。").waitFor();
  assert.match(await words.innerText(), /^我来接。\n先稳住/);
  assert.ok(await words.evaluate((element) => element.scrollHeight <= element.clientHeight + 1), "all of it is there to be scrolled to");
  await screenshot(page, "agent-help-long");
  feed.send(JSON.stringify(help("8", "我来接。", { read_at: "2026-11-21T10:00:09+08:00" })));
  await inState(page, "unclear", "confirmed").waitFor();
  await close();
});

test("no critical alert waits unseen: behind an unread word, behind a warning of its moment, in calls that were there before the page", async () => {
  const { page, close } = await open(server, "/agent/a-board", { width: 360 });
  const told = await page.evaluate(async () => {
    const { Board } = await import("/assets/element/board.js");
    const alert = (alert_id, call_id, severity, kind = "forbidden") => ({
      alert_id, state: "confirmed", call_id, rule_id: "r", rule_name: "r", kind, severity, at_ms: 1_000, message: "", evidence: [],
    });
    const call = (call_id) => ({
      call_id, started_at: "2026-11-28T10:00:00+08:00", clock_ms: 3_000, running: true, state: "talking", silence_ms: 0, hold_ms: 0, speech_rate: null, checklist: [],
    });
    const reloaded = new Board();
    ["x1", "x2", "x3"].forEach((id, at) => reloaded.take(alert(id, id, "critical"), at));
    reloaded.desk(["x1", "x2", "x3"].map(call), 10);
    const kept = [...reloaded.cards.keys()].map((id) => [id, reloaded.unread(id).count]);
    // The connection broke before the desk listed the first call.
    const broken = new Board();
    broken.desk([], 0);
    broken.take(alert("x1", "x1", "critical"), 10);
    broken.take(alert("x2", "x2", "critical"), 500);
    broken.desk(["x1", "x2"].map(call), 900);
    const behind = broken.unread("x2").count;
    const spoken = new Board();
    spoken.desk([call("x1")], 0);
    spoken.take(alert("word", "x1", "info", "help"), 100);
    spoken.take(alert("critical", "x1", "critical"), 3_000);
    const large = [4_000, 6_200].map((now) => (spoken.tick(now), spoken.focus));
    spoken.handle("critical", "seen", null, 7_000);
    const together = new Board();
    together.desk([call("x1")], 0);
    together.take(alert("warning", "x1", "warning"), 5_000);
    together.take(alert("critical", "x1", "critical"), 5_000);
    together.tick(7_000);
    return { kept, behind, large: [...large, spoken.focus], together: together.focus };
  });
  assert.deepEqual(told, { kept: [["x1", 0], ["x2", 1], ["x3", 1]], behind: 1, large: ["word", "critical", "word"], together: "critical" });
  await close();
});

test("a call from which no words come steps back for one that goes on, unless the agent insists; a chat has no meters", async () => {
  const mine = await Server.start({ rules: RULES, config: "asr_silent_ms = 1000\n" });
  const first = await Producer.connect(mine);
  const { page, close } = await open(mine, "/agent/a7", { width: 320, height: 600 });
  await linked(page, "open");
  await first.tell(start("dead", "a7", { queue: "宽带报修", customer_name: "王女士\u202e" }), says("dead", "u1", "agent", "我不清楚。", 1_000));
  await page.getByText("检查能力下降").waitFor();
  await page.locator(".meters").waitFor();
  await first.tell(start("alive", "a7", { queue: "在线咨询", customer_name: "李先生", channel: "chat" }), says("alive", "u1", "customer", "在吗", 1_000));
  await page.locator(".what .queue", { hasText: "李先生 · 在线咨询" }).waitFor();
  await page.locator(".what", { hasText: "文字会话" }).waitFor();
  assert.equal(await page.locator(".meters").count(), 0);
  assert.equal(await page.getByText("检查能力下降").count(), 0, "it is the other call's");
  const dead = page.locator(".tab", { hasText: "王女士" });
  await dead.getByText("无识别").waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "agent-dead-320");
  await dead.click();
  await inState(page, "unclear", "confirmed").waitFor();
  await first.tell(says("alive", "u2", "customer", "还在吗", 3_000));
  await page.getByText("检查能力下降").waitFor();
  assert.equal(await page.locator(".what .queue bdi").first().innerText(), "王女士\u202e", "each of its parts stands by itself");
  first.close();
  await close();
  await mine.stop();
});

test("with high contrast, and in colours of the system, what matters has an edge", async () => {
  const { page, close, call } = await panelWithCall();
  await producer.tell(says(call, "u1", "agent", "我不知道。", 1_000), says(call, "u2", "agent", "我不清楚。", 2_000));
  await armed(page, "unclear").or(armed(page, "unknown")).waitFor();
  const edge = () => page.locator("article.card").evaluate((card) => getComputedStyle(card).borderTopWidth);
  for (const [name, media] of Object.entries({ contrast: { contrast: "more" }, forced: { forcedColors: "active", contrast: null } })) {
    await page.emulateMedia(media);
    assert.equal(await edge(), "2px", name);
    assert.equal(await accessibilityFaults(page), "");
    await screenshot(page, `agent-${name}`);
  }
  await close();
});

test("the server is killed and started again: no card is lost and none comes twice", async () => {
  // A server of its own: the others' panels live through theirs.
  const mine = await Server.start({ rules: RULES });
  const first = await Producer.connect(mine);
  const allowed = [/WebSocket connection to .* failed/, /ERR_CONNECTION_REFUSED/, /ERR_CONNECTION_RESET/];
  const { page, close } = await open(mine, "/agent/a7", { width: 400, height: 900, allowed });
  await linked(page, "open");
  await first.tell(start("k1"), says("k1", "u1", "agent", "我不清楚。", 1_000), says("k1", "u2", "agent", "不知道", 3_000, false));
  await armed(page, "unclear").waitFor();
  await alertOf(page, "unknown", "provisional").waitFor();
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
  await alertOf(page, "unknown", "confirmed").waitFor();
  await alertOf(page, "chatty", "confirmed").waitFor();
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

const QA = "qa-token-of-the-tests";
const OTHER_QA = "other-qa-token-of-the-tests";
const INGEST = "ingest-token-of-the-tests";
const A7 = "agent-token-of-the-tests";
const TOKENS = `call_linger_ms = 300
[alerts]
cards_per_minute_max = 1
[tokens]
ingest = ["${INGEST}"]
[tokens.qa]
"李静" = "${QA}"
"王磊" = "${OTHER_QA}"
[tokens.agents]
a7 = ["${A7}"]
a8 = ["token-of-another-agent-for-the-tests"]
`;

test("whoever is not the agent looks on: no key and no request answers in the agent's name", async () => {
  const mine = await Server.start({ config: TOKENS, rules: RULES });
  const first = await Producer.connect(mine, INGEST);
  const { page, close } = await open(mine, `/agent/a7#token=${QA}`, { width: 360 });
  await linked(page, "open");
  await page.getByText("旁观：只有坐席 a7 本人能答复").waitFor();
  await first.tell(start("w1"), says("w1", "u1", "agent", "我不清楚。", 1_000));
  await inState(page, "unclear", "confirmed").waitFor();
  assert.equal(await page.getByRole("button", { name: "知道了" }).count(), 0);
  await page.keyboard.press("Space");
  await page.keyboard.press("x");
  await page.keyboard.press("1");
  await inState(page, "unclear", "confirmed").waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "agent-watched");
  const [alert] = (await mine.get("/v1/alerts?call_id=w1", QA)).alerts;
  const refused = await mine.post("/v1/agents/a7/alerts", { type: "seen", alert_id: alert.alert_id }, QA);
  assert.deepEqual([refused.status, refused.body.code], [403, "agents_only"]);
  assert.equal((await mine.get("/v1/alerts?call_id=w1", QA)).alerts[0].feedback, null);
  const own = await mine.post("/v1/agents/a7/alerts", { type: "dismiss", alert_id: alert.alert_id, reason: "念的" }, A7);
  assert.equal(own.status, 200);
  const { feedback } = (await mine.get("/v1/alerts?call_id=w1", QA)).alerts[0];
  assert.deepEqual([feedback.action, feedback.by], ["dismiss", "a7"]);
  // Who looks on sees what was answered, by whom and when.
  const line = page.locator('.short[data-handled="dismiss"]');
  assert.match(await line.locator(".word").innerText(), /^已标不对：念的 · a7 · \d\d:\d\d:\d\d$/);
  await inState(page, "unclear", "confirmed").waitFor({ state: "detached" });
  first.close();
  await close();
  await mine.stop();
});

test("alerts that were folded are listed, can be appealed from any tab for days, and decisions are told", async () => {
  const mine = await Server.start({ config: TOKENS, rules: RULES });
  const first = await Producer.connect(mine, INGEST);
  const one = await open(mine, `/agent/a7#token=${A7}`, { width: 400, height: 900 });
  await linked(one.page, "open");
  await first.tell(start("f1", "a7", { queue: "宽带报修" }), says("f1", "u1", "agent", "我不知道。", 1_000), says("f1", "u2", "agent", "真不知道。", 5_000), says("f1", "u3", "agent", "就是不知道。", 9_000));
  await one.page.getByText("另有 2 条未逐一显示").waitFor();
  await one.page.getByText("本通另有 2 条").waitFor();
  assert.equal(await one.page.locator(".short", { hasText: "没有单独显示" }).count(), 2);
  await first.tell(end("f1", 20_000));
  await one.page.getByText("上一通的 3 条预警").waitFor();
  await one.close();

  // Another tab, which knows nothing of the call.
  const two = await open(mine, `/agent/a7#token=${A7}`, { width: 400, height: 900 });
  const folded = two.page.locator(".before .line", { hasText: "没有单独显示" }).first();
  await folded.getByRole("button", { name: "申诉" }).click();
  await two.page.getByRole("textbox", { name: "申诉理由" }).fill("我在念条款");
  await two.page.getByRole("button", { name: "提交" }).click();
  await folded.getByText("申诉中").waitFor();
  assert.equal(await accessibilityFaults(two.page), "");
  await screenshot(two.page, "agent-history");
  const id = await folded.getAttribute("data-alert-id");
  const granted = await mine.post(`/v1/alerts/${id}/reviews`, { action: "grant", reason: "确实是条款" }, QA);
  assert.equal(granted.status, 201, JSON.stringify(granted.body));
  await two.page.locator(".strip", { hasText: "申诉成立" }).waitFor();
  await folded.getByText("申诉成立：确实是条款").waitFor();
  await two.close();
  const three = await open(mine, `/agent/a7#token=${A7}`, { width: 400, height: 900 });
  await three.page.getByText("申诉成立：确实是条款").waitFor();
  await three.page.locator(".outcomes", { hasText: "申诉成立 1" }).waitFor();
  await three.close();
  first.close();
  await mine.stop();
});

test("what a server said of itself is forgotten when it goes, and no clock goes back", async () => {
  const mine = await Server.start({ rules: RULES, config: "asr_silent_ms = 1000\n" });
  const first = await Producer.connect(mine);
  const { page, close } = await open(mine, "/agent/a7", { width: 400, height: 900, allowed: [/WebSocket connection to .* failed/, /ERR_CONNECTION/] });
  await linked(page, "open");
  await first.tell(start("d1"), says("d1", "u1", "agent", "您好。", 1_000));
  await page.getByText("检查能力下降").waitFor();
  const seconds = async () => Number((await page.locator(".clock").innerText()).split(":").reduce((sum, part) => sum * 60 + Number(part), 0));
  await page.waitForFunction(() => document.querySelector("tingjian-alerts").shadowRoot.querySelector(".clock").textContent >= "0:06");
  const before = await seconds();
  await mine.kill();
  await linked(page, "closed");
  assert.equal(await page.getByText("检查能力下降").count(), 0);
  await mine.restart();
  const second = await Producer.connect(mine);
  second.sequence.set("d1", first.sequence.get("d1"));
  await linked(page, "open");
  // The words are still missing: the desk says so to whoever comes later.
  await page.getByText("检查能力下降").waitFor();
  assert.ok((await seconds()) >= before, `${await seconds()} after ${before}`);
  await second.tell(says("d1", "u2", "agent", "您好，请问。", 12_000));
  await page.getByText("检查能力下降").waitFor({ state: "detached" });
  assert.ok((await seconds()) >= before);
  second.close();
  await close();
  await mine.stop();
});

test("a token that the panel is refused with can be changed for another", async () => {
  const mine = await Server.start({ config: TOKENS, rules: RULES });
  const { page, close } = await open(mine, "/agent/a7#token=token-of-another-agent-for-the-tests", { width: 360 });
  await page.getByText("这个令牌属于别的坐席").waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await page.getByLabel("令牌").fill(A7);
  await page.getByRole("button", { name: "进入" }).click();
  await linked(page, "open");
  // And who leaves comes to the same place.
  await page.getByRole("button", { name: "退出" }).click();
  await page.getByLabel("令牌").waitFor();
  await close();
  await mine.stop();
});

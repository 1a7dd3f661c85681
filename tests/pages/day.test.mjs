// An agent's own day: how it went, what was said, every alert with its words,
// appeals from there, and nothing of others.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { LOOKS, Producer, Server, accessibilityFaults, end, open, says, screenshot, start } from "./harness.mjs";
import { RULES } from "./rules.mjs";

const [QA, INGEST, A7, A8] = ["qa", "ingest", "a7", "a8"].map((name) => `${name}-token-of-the-tests`);
const CONFIG = `call_linger_ms = 200
utc_offset = "+08:00"
[alerts]
cards_per_minute_max = 1
[tokens]
ingest = ["${INGEST}"]
qa = { "李静" = "${QA}" }
[tokens.agents]
a7 = ["${A7}"]
a8 = ["${A8}"]
`;
const HOUR_MS = 3_600_000;
let server;

/** So many days and hours before ten o'clock of the centre's today. */
function ago(days, hours = 0) {
  const midnight = Math.floor((Date.now() + 8 * HOUR_MS) / (24 * HOUR_MS)) * 24 * HOUR_MS;
  return `${new Date(midnight + 10 * HOUR_MS - days * 24 * HOUR_MS - hours * HOUR_MS).toISOString().slice(0, 19)}+08:00`;
}

before(async () => {
  server = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(server, INGEST);
  const call = (id, at, agent, ...events) => producer.tell(start(id, agent, { started_at: at, queue: "宽带报修", customer_name: "王女士" }), ...events, end(id, 700_000));
  const opening = (id) => says(id, "u0", "agent", "您好，工号八零二一，请问有什么可以帮您？", 500);
  // Earlier weeks were worse.
  for (let week = 1; week < 7; week += 1) {
    for (let n = 0; n < 2; n += 1) {
      const id = `w${week}.${n}`;
      const faults = Array.from({ length: week }, (_, at) => says(id, `u${at + 1}`, "agent", "我不清楚。", 3_000 + at * 5_000));
      await call(id, ago(week * 7, n), "a7", opening(id), ...(n === 0 ? faults : []));
    }
  }
  await call("d1", ago(0, 3), "a7", opening("d1"), says("d1", "c1", "customer", "我要投诉。", 3_000), says("d1", "u1", "agent", "非常抱歉。", 6_000));
  await call("d2", ago(0, 2), "a7", opening("d2"),
    says("d2", "c1", "customer", "网又断了，什么时候能修好？", 4_000), says("d2", "u1", "agent", "这个我不知道，您再等等。", 8_000),
    says("d2", "c2", "customer", "已经等了三天。", 12_000), says("d2", "u2", "agent", "我也不清楚。", 16_000), says("d2", "u3", "agent", "真不知道。", 20_000));
  await call("d3", ago(0, 1), "a7", opening("d3"));
  await call("d4", ago(0, 0), "a7", opening("d4"));
  await producer.tell(start("d5", "a7", { started_at: ago(0, 0) }), says("d5", "u1", "agent", "真不知道。", 1_000));
  const helped = await server.post("/v1/calls/d5/help", { text: "先道歉\n再核实" }, QA);
  if (helped.status !== 201) {
    throw new Error(JSON.stringify(helped));
  }
  await call("of-another", ago(0, 0), "a8", says("of-another", "u1", "agent", "我不清楚，别人的话。", 1_000));
  producer.close();
});

test("an agent's day: the score against their own weeks, what was said, every alert in its context, an appeal and its decision", async () => {
  const { page, close } = await open(server, `/agent/a7/day#token=${A7}`, { width: 360, height: 900 });
  await page.getByRole("heading", { name: "我的一天" }).waitFor();
  await page.getByText("比自己前几周").waitFor();
  assert.match(await page.locator(".headline").innerText(), /97\.8\s*分\s*▲ \d/);
  await page.getByText("3 通没有预警").waitFor();
  await page.getByText("2 通连续没有预警").waitFor();
  await page.getByRole("heading", { name: "该说的话说到了 5/5 次" }).waitFor();
  assert.equal(await page.locator(".weeks li").count(), 8);
  await page.getByRole("heading", { name: "预警 4 条" }).waitFor();
  await page.getByText("其中 1 条不在上面的计分里").waitFor();
  await page.getByRole("heading", { name: "督导写来的 1 句" }).waitFor();
  assert.match(await page.locator(".helps li").innerText(), /李静\s+先道歉\n再核实/);
  await page.locator(".alert", { hasText: "当时没有单独显示" }).first().waitFor();
  assert.equal(await page.getByText("别人的话").count(), 0);
  assert.equal(await accessibilityFaults(page), "");

  await page.locator(".call", { hasText: "宽带报修" }).getByRole("button", { name: "看前后文" }).click();
  const alert = page.locator(".alert", { hasText: "不要说“不清楚”" });
  await alert.getByText("已经等了三天。").waitFor();
  assert.equal(await alert.locator(".cited mark").innerText(), "不清楚");
  assert.match(await alert.locator(".appeal").innerText(), /可申诉至 \d\d-\d\d \d\d:\d\d/);
  await alert.getByRole("button", { name: "申诉" }).click();
  await page.getByRole("textbox", { name: "申诉理由" }).fill("我在念条款");
  assert.equal(await accessibilityFaults(page), "");
  await page.getByRole("button", { name: "提交" }).click();
  await alert.getByText("申诉中").waitFor();
  const id = await alert.getAttribute("data-alert-id");
  const granted = await server.post(`/v1/alerts/${id}/reviews`, { action: "grant", reason: "确实是条款" }, QA);
  assert.equal(granted.status, 201, JSON.stringify(granted.body));
  await page.reload();
  await alert.getByText("申诉成立").waitFor();
  await alert.getByText("确实是条款").waitFor();
  assert.match(await page.locator(".headline").innerText(), /99\.0/);

  // The day before has its own address; the way back leads to the day.
  await page.getByRole("button", { name: "前一天" }).click();
  await page.getByText("还没有结束的通话").waitFor();
  await page.getByRole("link", { name: /^\d\d-\d\d/ }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "预警 4 条" }).waitFor();
  assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
  await close();
});

test("another agent's token opens nothing, and QA looks on", async () => {
  const other = await open(server, `/agent/a7/day#token=${A8}`, { width: 360 });
  await other.page.getByRole("heading", { name: "需要令牌" }).waitFor();
  assert.equal(await other.page.getByText("不知道").count(), 0);
  await other.close();
  const qa = await open(server, `/agent/a7/day#token=${QA}`, { width: 360 });
  await qa.page.getByRole("heading", { name: "坐席 a7 的一天" }).waitFor();
  await qa.page.getByRole("heading", { name: "预警 4 条" }).waitFor();
  assert.equal(await qa.page.getByRole("button", { name: "申诉" }).count(), 0);
  await qa.close();
});

for (const { width, dark } of LOOKS) {
  test(`the day at ${width} px, ${dark ? "dark" : "light"}`, async () => {
    const { page, close } = await open(server, `/agent/a7/day#token=${A7}`, { width, dark, height: 900 });
    await page.getByRole("heading", { name: "预警 4 条" }).waitFor();
    await page.locator(".call", { hasText: "宽带报修" }).getByRole("button", { name: "看前后文" }).click();
    await page.locator(".cited").first().waitFor();
    assert.equal(await accessibilityFaults(page), "");
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
    await screenshot(page, `day-${width}-${dark ? "dark" : "light"}`);
    await close();
  });
}

// `/qa` against the real server: figures, drill-down, review and appeal by
// keyboard, export. What the page did is asked of the API.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, test } from "node:test";

import { LOOKS, Producer, Server, accessibilityFaults, end, open, says, screenshot, start } from "./harness.mjs";

const LI = "token-of-li-jing-for-the-tests";
const WANG = "token-of-wang-lei-for-the-tests";
const AGENT = "token-of-agent-for-the-tests";
const INGEST = "token-of-ingest-for-the-tests";
const CONFIG = `call_linger_ms = 200
[tokens]
ingest = ["${INGEST}"]
[tokens.qa]
"李静" = "${LI}"
"王磊" = "${WANG}"
[tokens.agents]
a7 = ["${AGENT}"]
`;
const RULES = {
  "test.yaml": `pack: test
title: 测试
rules:
  - { id: test.warning, name: 不说不知道, severity: warning, deduct: 2, forbid: { any: [不知道] }, message: '不要说“{phrase}”', suggestion: 我帮您查一下 }
  - { id: test.critical, name: 不说不清楚, severity: critical, deduct: 5, forbid: { any: [不清楚] }, message: '不要说“{phrase}”' }
`,
};
const HOSTILE = "<img src=x onerror=document.title='hacked'>";
/** Days of the calls below, as the page's filters have them. */
const SPAN = "days=&from=2026-11-20&to=2026-11-21";
let server;

/** A call in which the agent says these sentences. */
function call(callId, agentId, startedAt, queue, ...said) {
  return [
    start(callId, agentId, { started_at: startedAt, queue }),
    ...said.flatMap((text, at) => [
      says(callId, `c${at}`, "customer", "请帮我看看", 6_000 * at),
      says(callId, `u${at}`, "agent", text, 6_000 * at + 3_000),
    ]),
    end(callId, 6_000 * said.length + 3_000),
  ];
}

before(async () => {
  server = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(server, INGEST);
  await producer.tell(
    ...call("c1", "a7", "2026-11-20T09:00:00+08:00", "售后", "我不知道", "我不清楚"),
    ...call("c2", "a7", "2026-11-21T09:30:00+08:00", "售后", "这个我不知道"),
    ...call("c3", "a8", "2026-11-21T14:00:00+08:00", "续费", "不知道", "您好", "真不知道"),
    ...call("c4", "a8", "2026-11-21T15:00:00+08:00", "续费", "您好"),
    ...call("c5", HOSTILE, "2026-11-21T16:00:00+08:00", HOSTILE, `${HOSTILE}我不知道`),
  );
  producer.close();
  // Scores are of calls that are over.
  while ((await server.get("/v1/calls?live=true", LI)).calls.length > 0);
});

const qa = (query, options = {}) => open(server, `/qa?${query}#token=${options.token ?? LI}`, options);
/** The alerts as they stand, by what was said. */
async function alertOf(callId, ruleId = "test.warning") {
  const { alerts } = await server.get(`/v1/alerts?call_id=${callId}&rule_id=${ruleId}`, LI);
  return alerts;
}
const numbers = async (page, label) => {
  const rows = await page.getByRole("region", { name: label, exact: true }).locator("tbody tr").all();
  return Promise.all(rows.map(async (row) => (await row.locator("td, th").allInnerTexts()).map((text) => text.trim())));
};

test("the page asks for a token, and tells when one is of another role", async () => {
  const { page, close } = await open(server, "/qa", { allowed: [/401|403/] });
  await page.getByLabel("令牌").fill(AGENT);
  await page.getByRole("button", { name: "进入" }).click();
  await page.getByText("这个令牌不能打开本页").waitFor();
  await page.getByLabel("令牌").fill(LI);
  await page.getByRole("button", { name: "进入" }).click();
  await page.getByText("李静").waitFor();
  await close();
});

test("trends show what was counted", async () => {
  const { page, close } = await qa(SPAN);
  await page.getByText("数据表").first().click();
  const days = await numbers(page, "每日预警数和每百通预警");
  assert.deepEqual(days, [["2026-11-20 周五", "2", "200.0"], ["2026-11-21 周六", "4", "100.0"]]);
  await page.getByText("数据表").nth(1).click();
  const hours = await numbers(page, "各小时预警数和每百通预警");
  assert.deepEqual(hours.filter(([, alerts]) => alerts !== "0").map(([hour, alerts]) => [hour, alerts]), [["09:00–10:00", "3"], ["14:00–15:00", "2"], ["16:00–17:00", "1"]]);
  assert.deepEqual((await numbers(page, "预警最多的规则")).map((row) => [row[0], row[2], row[4]]), [["不说不知道", "5", "10"], ["不说不清楚", "1", "5"]]);
  assert.deepEqual((await numbers(page, "预警最多的队列")).map((row) => [row[0], row[2]]), [["售后", "3"], ["续费", "2"], [HOSTILE, "1"]]);
  const heat = await numbers(page, "规则和小时的预警数");
  assert.deepEqual([heat[0][0], heat[0][10], heat[0][15], heat[0][25]], ["不说不知道", "2", "2", "5"]);
  // Sorting by another column turns the table round.
  await page.getByRole("region", { name: "预警最多的坐席" }).getByRole("button", { name: "坐席" }).click();
  await page.getByRole("region", { name: "预警最多的坐席" }).locator("th[aria-sort]", { hasText: "坐席" }).waitFor();
  await close();
});

test("a figure leads to what it counts, and the address says so", async () => {
  const { page, close } = await qa(SPAN);
  await page.getByRole("region", { name: "预警最多的坐席" }).getByRole("button", { name: "a8" }).click();
  await page.waitForURL(/agent_id=a8/);
  assert.equal(await page.getByLabel("坐席", { exact: true }).inputValue(), "a8");
  await page.getByRole("region", { name: "预警最多的队列" }).getByText("续费").waitFor();
  await page.getByRole("region", { name: "规则和小时的预警数" }).getByRole("button", { name: "不说不知道" }).click();
  await page.waitForURL(/rule_id=test.warning/);
  const list = page.getByRole("region", { name: "预警", exact: true });
  await list.locator("tbody tr").nth(1).waitFor();
  assert.equal(await list.locator("tbody tr").count(), 2);
  assert.deepEqual(await list.locator("mark").allInnerTexts(), ["不知道", "不知道"]);
  const link = await list.getByRole("link", { name: "c3" }).first().getAttribute("href");
  assert.ok(link.startsWith("/call/c3?started_at=2026-11-21T14"), link);
  // Whoever gets the address sees the same.
  const again = await open(server, new URL(page.url()).pathname + new URL(page.url()).search + `#token=${LI}`);
  await again.page.getByRole("region", { name: "预警", exact: true }).locator("tbody tr").nth(1).waitFor();
  await again.close();
  await page.getByRole("button", { name: "清除筛选" }).click();
  await list.locator("tbody tr").nth(5).waitFor();
  await close();
});

test("a review by keyboard is kept, and the next one is at hand", async () => {
  const { page, close } = await qa(`${SPAN}&view=review&agent_id=a8`);
  const detail = page.getByRole("article");
  await detail.getByText("真不知道").first().waitFor();
  await page.getByText("今天已复核 0 / 还有 2").waitFor();
  assert.equal(await detail.locator(".said mark").innerText(), "不知道");
  await detail.getByText("我帮您查一下").waitFor();
  await page.keyboard.press("j");
  await page.locator("[aria-current=true] .snippet", { hasText: /^不知道$/ }).waitFor();
  await page.keyboard.press("k");
  await page.locator("[aria-current=true] .snippet", { hasText: "真不知道" }).waitFor();
  await page.keyboard.press("c");
  // The next one is selected by itself.
  await page.locator("[aria-current=true] .snippet", { hasText: /^不知道$/ }).waitFor();
  await page.getByText("今天已复核 1 / 还有 1").waitFor();
  await page.keyboard.press("d");
  await page.getByLabel("理由", { exact: true }).fill(`听错了 ${HOSTILE}`);
  await page.keyboard.press("Control+Enter");
  await page.getByText("今天已复核 2 / 还有 0").waitFor();
  await page.locator(".items .tag.good", { hasText: "误报" }).waitFor();
  await page.getByText(`听错了 ${HOSTILE}`).waitFor();
  const reviews = (await alertOf("c3")).map(({ review }) => [review.verdict, review.steps[0].by, review.steps[0].reason]);
  assert.deepEqual(reviews, [["confirmed", "李静", null], ["dismissed", "李静", `听错了 ${HOSTILE}`]]);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "快捷键" }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.title(), "质检 · 听检");
  await close();
});

test("an appeal is decided by somebody else, and a refusal is told", async () => {
  const [alert] = await alertOf("c2");
  const review = await server.post(`/v1/alerts/${encodeURIComponent(alert.alert_id)}/reviews`, { action: "confirm" }, LI);
  assert.equal(review.status, 201);
  const appeal = await server.post("/v1/agents/a7/alerts", { type: "appeal", alert_id: alert.alert_id, reason: "我在念客户的话" }, AGENT);
  assert.ok(appeal.status < 300, JSON.stringify(appeal));
  const decide = async (page, key, reason) => {
    await page.getByText("我在念客户的话").waitFor();
    await page.keyboard.press(key);
    await page.getByLabel("理由", { exact: true }).fill(reason);
    await page.getByRole("button", { name: /提交/ }).click();
  };
  const mine = await qa(`${SPAN}&view=appeal`);
  await mine.page.getByText("申诉要由另一个人裁定").waitFor();
  assert.equal(await mine.page.getByRole("button", { name: /驳回/ }).count(), 0);
  await mine.close();
  const hers = await qa(`${SPAN}&view=appeal`, { token: WANG, allowed: [/409/] });
  await hers.page.getByText("我在念客户的话").waitFor();
  // Meanwhile the reviewer changes their mind: what was dismissed is not rejected.
  const dismissal = await server.post(`/v1/alerts/${encodeURIComponent(alert.alert_id)}/reviews`, { action: "dismiss", reason: "看错了" }, LI);
  assert.equal(dismissal.status, 201);
  await decide(hers.page, "r", "录音证实");
  await hers.page.getByRole("alert").getByText("不能驳回申诉").waitFor();
  await hers.page.locator(".items .tag", { hasText: "申诉中" }).waitFor();
  assert.equal((await alertOf("c2"))[0].review.appeal, "pending");
  await decide(hers.page, "g", "确实是复述");
  await hers.page.getByText("今天已裁定 1 / 还有 0").waitFor();
  await hers.page.locator(".items .tag", { hasText: "申诉成立" }).waitFor();
  const [{ review: stands }] = await alertOf("c2");
  assert.deepEqual([stands.appeal, stands.counts, stands.steps.at(-1).by], ["granted", false, "王磊"]);
  await hers.close();
});

test("what is shown is what is exported", async () => {
  const { page, close } = await qa(`${SPAN}&agent_id=a7&severity=critical`);
  for (const [name, ending] of [["CSV", "csv"], ["Excel", "xlsx"], ["JSON Lines", "jsonl"], ["Parquet", "parquet"]]) {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name, exact: true }).click()]);
    assert.equal(file.suggestedFilename(), `tingjian-alerts-2026-11-20_2026-11-21.${ending}`);
    const bytes = readFileSync(await file.path());
    if (ending === "jsonl") {
      const rows = bytes.toString().trim().split("\n").map((line) => JSON.parse(line));
      assert.deepEqual(rows.map((row) => [row.call_id, row.rule_id]), [["c1", "test.critical"]]);
    }
    assert.ok(bytes.length > 0, ending);
    await page.getByRole("button", { name, exact: true }).and(page.locator(":enabled")).waitFor();
  }
  await close();
});

test("whatever is said or named stays text", async () => {
  for (const view of ["overview", "review", "alerts", "calls", "scores", "quality"]) {
    const { page, close } = await qa(`${SPAN}&view=${view}&agent_id=${encodeURIComponent(HOSTILE)}`);
    await page.getByText(view === "quality" ? "不说不知道" : HOSTILE).and(page.locator(":visible")).first().waitFor();
    assert.equal(await page.locator("img:not(.brand img)").count(), 0, view);
    assert.equal(await page.title(), "质检 · 听检");
    await close();
  }
});

for (const { width, dark } of LOOKS) {
  test(`every view at ${width} px, ${dark ? "dark" : "light"}`, async () => {
    const { page, close } = await qa(SPAN, { width, dark });
    const more = page.getByRole("button", { name: "更多筛选" });
    await page.getByRole("button", { name: "近30天" }).waitFor();
    assert.equal(await more.isVisible(), width < 600, "narrow pages fold their filters");
    if (width < 600) {
      assert.equal(await page.getByLabel("队列", { exact: true }).isVisible(), false);
      await more.click();
    }
    await page.getByLabel("队列", { exact: true }).waitFor();
    for (const [view, name] of [["overview", "概览"], ["review", "复核"], ["appeal", "申诉"], ["alerts", "预警"], ["calls", "通话"], ["scores", "评分"], ["quality", "规则质量"]]) {
      await page.getByRole("navigation", { name: "质检视图" }).getByRole("button", { name }).click();
      await page.waitForLoadState("networkidle");
      assert.equal(await accessibilityFaults(page), "", view);
      assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), `${view} scrolls sideways`);
      await screenshot(page, `qa-${view}-${width}-${dark ? "dark" : "light"}`);
    }
    await close();
  });
}

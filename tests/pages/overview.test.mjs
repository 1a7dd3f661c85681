// The comparison on `/qa` against the real server: the worst of the week and why, in counted clicks; the matrix; saved views.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { LOOKS, Server, accessibilityFaults, end, open, says, screenshot, start } from "./harness.mjs";

const LI = "token-of-li-jing-for-the-tests";
const WANG = "token-of-wang-lei-for-the-tests";
const ZHAO = "token-of-zhao-min-for-the-tests";
const CONFIG = `call_linger_ms = 50
[tokens]
ingest = ["token-of-ingest-for-the-tests"]
[tokens.qa]
"李静" = "${LI}"
"王磊" = "${WANG}"
[tokens.admin]
"赵敏" = "${ZHAO}"
`;
const RULES = {
  "test.yaml": `pack: test
title: 测试
rules:
  - { id: test.warning, name: 不说不知道, severity: warning, deduct: 2, forbid: { any: [不知道] }, message: '不要说“{phrase}”' }
  - { id: test.critical, name: 不说不清楚, severity: critical, deduct: 5, forbid: { any: [不清楚] }, message: '不要说“{phrase}”' }
`,
};
const WEEK = "days=&from=2026-11-16&to=2026-11-22";
let server;

before(async () => {
  server = await Server.start({ config: CONFIG, rules: RULES });
  // Twelve agents, the later ones worse; nobody had an alert the week before. a99 has the highest rate, in two calls.
  const calls = [];
  for (let agent = 0; agent < 12; agent += 1) {
    for (const [day, many, faulty] of [["2026-11-11", 10, 0], ["2026-11-18", 12, agent]]) {
      for (let n = 0; n < many; n += 1) {
        calls.push([`a${agent}-${day}-${n}`, `a${agent}`, day, n < faulty ? ["这个我不知道", ...(agent % 2 ? ["我不清楚"] : [])] : ["您好"]]);
      }
    }
  }
  calls.push(...[0, 1].map((n) => [`few-${n}`, "a99", "2026-11-18", ["我不知道", "我不清楚", "不知道"]]));
  const lines = calls.flatMap(([id, agent, day, said]) =>
    [start(id, agent, { started_at: `${day}T10:00:00+08:00`, queue: "售后", attributes: { agent_name: `坐席${agent.slice(1)}`, team: agent === "a9" ? "二组" : "一组" } }), ...said.map((text, at) => says(id, `u${at}`, "agent", text, 4_000 * at + 1_000)), end(id, 30_000)]
      .map((event, at) => JSON.stringify({ ...event, seq: at + 1 })));
  const answer = await fetch(`${server.url}/v1/events`, { method: "POST", headers: { authorization: "Bearer token-of-ingest-for-the-tests" }, body: lines.join("\n") });
  assert.equal(answer.status, 200, await answer.text());
  while ((await server.get("/v1/calls?live=true", LI)).calls.length > 0);
});

/** A page whose clicks count. @param {string} path @param {string} token */
async function counted(path, token = LI, options = {}) {
  const opened = await open(server, `${path}#token=${token}`, options);
  const clicks = { count: 0 };
  await opened.page.exposeFunction("clicked", () => (clicks.count += 1));
  await opened.page.evaluate(() => addEventListener("click", () => window.clicked(), true));
  return { ...opened, clicks };
}

test("the worst ten agents of the week and why take three clicks at most", async () => {
  const { page, clicks, close } = await counted(`/qa?${WEEK}`);
  const worst = page.getByRole("region", { name: "最差的坐席" });
  await worst.locator("tbody tr").nth(9).waitFor();
  const agents = await worst.locator("tbody tr td:first-child").allInnerTexts();
  assert.deepEqual(agents.map((text) => text.trim()), ["11", "9", "7", "10", "5", "8", "3", "6", "4", "1"].map((one) => `坐席${one} a${one}`));
  // Who, how bad, whether it is more than chance, and why: all of it without a click.
  const first = worst.getByRole("row", { name: /a11/ });
  assert.match(await first.innerText(), /183\.3.*▲ \+183\.3.*11\s+22\s+12/s);
  assert.deepEqual(await first.locator(".reasons button").allInnerTexts(), ["不说不清楚 11", "不说不知道 11"]);
  // One click to the words that show it.
  await first.locator(".reasons").getByRole("button", { name: /不说不清楚/ }).click();
  const list = page.getByRole("region", { name: "预警", exact: true });
  await list.locator("tbody tr").nth(10).waitFor();
  assert.equal(await list.locator("tbody tr").count(), 11);
  assert.ok(clicks.count <= 3, `${clicks.count} clicks`);
  await page.goBack();
  // Criticals apart, and few calls last however high their rate.
  await worst.getByRole("button", { name: "9 条严重" }).click();
  await list.locator("tbody tr").nth(8).waitFor();
  assert.match(page.url(), /agent_id=a9.*severity=critical|severity=critical.*agent_id=a9/);
  await page.goBack();
  await page.getByText("不足 10 通的排在最后（1 个）").waitFor();
  await page.getByLabel("至少").fill("2");
  await page.getByLabel("至少").press("Enter");
  await worst.locator("tbody tr").first().getByText("a99").waitFor();
  assert.match(page.url(), /calls_min=2/);
  await close();
});

test("each cell of the matrix opens what it counts, by agent and by queue", async () => {
  const { page, close } = await counted(`/qa?${WEEK}`);
  const matrix = page.getByRole("region", { name: "坐席 × 规则" });
  const list = page.getByRole("region", { name: "预警", exact: true });
  await matrix.getByRole("button", { name: "坐席7，不说不知道，条数和每百通：7 58.3" }).click();
  await list.locator("tbody tr").nth(6).waitFor();
  assert.equal(await list.locator("tbody tr").count(), 7);
  await page.goBack();
  await matrix.locator("tfoot tr").first().waitFor();
  const totals = await matrix.locator("tfoot tr").first().locator("td").allInnerTexts();
  const { total } = await server.get("/v1/statistics?group=rule&from=2026-11-16&to=2026-11-22&counts=true", LI);
  assert.equal(Number(totals.at(-1)), total.alerts);
  await page.getByRole("button", { name: "班组", exact: true }).first().click();
  await page.getByRole("region", { name: "班组 × 规则" }).getByRole("button", { name: "二组，不说不知道，条数和每百通：9 75.0" }).click();
  await list.locator("tbody tr").nth(8).waitFor();
  assert.equal(await list.locator("tbody tr").count(), 9);
  await page.goBack();
  await page.getByRole("button", { name: "队列", exact: true }).first().click();
  await page.getByRole("region", { name: "队列 × 规则" }).getByRole("row", { name: /售后/ }).waitFor();
  await close();
});

test("a row of the scores opens as many calls as it counts, and what the address says in vain is told", async () => {
  const { page, close } = await counted(`/qa?view=scores&${WEEK}`);
  const scores = page.getByRole("region", { name: "评分" });
  await scores.getByRole("button", { name: /坐席7/ }).click();
  await page.getByRole("heading", { name: "已结束的通话" }).waitFor();
  const calls = page.getByRole("region", { name: "通话", exact: true });
  await calls.locator("tbody tr").nth(11).waitFor();
  assert.equal(await calls.locator("tbody tr").count(), 12);
  await page.getByRole("button", { name: "进行中的和已结束的都看" }).click();
  await page.getByRole("heading", { name: "通话", exact: true }).waitFor();
  for (const [path, told] of [["/qa?view=scoers&foo=1", "foo=、view=scoers"], ["/qa#view=scores", "#view=scores"], ["/rules?view=nope", "view=nope"], ["/qa?view=alerts", null]]) {
    await page.goto(server.url + path);
    await page.getByRole("navigation", { name: path.startsWith("/qa") ? "质检视图" : "规则视图" }).waitFor();
    const notice = page.getByText("地址里有本页不认识的");
    assert.equal(told === null ? await notice.count() : (await notice.innerText()).split("：")[1], told ?? 0, path);
  }
  await close();
});

test("twelve rules beside each other are in sight on a desk's screen", async () => {
  const { page, close } = await counted(`/qa`, LI, { width: 1366, height: 768 });
  await page.route("**/v1/overview*", async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    const rules = Array.from({ length: 12 }, (_, at) => ({ ...answer.rules[at % 2], rule_id: `rule.${at}`, rule_name: `不能说的话第${at}种` }));
    await route.fulfill({ response, json: { ...answer, rules } });
  });
  await page.goto(`${server.url}/qa?${WEEK}`);
  const matrix = page.getByRole("region", { name: "坐席 × 规则" });
  await matrix.getByRole("button", { name: "不能说的话第11种" }).waitFor();
  await screenshot(page, "qa-matrix-1366");
  assert.deepEqual(await matrix.evaluate((region) => [region.scrollWidth - region.clientWidth, ...[...region.querySelectorAll("*")].filter((one) => one.getBoundingClientRect().right > region.getBoundingClientRect().right).map((one) => one.outerHTML.slice(0, 80))]), [0], "nothing is cut");
  await close();
});

test("a view is saved with its filters and columns, shared, and opened by another", async () => {
  const { page, close } = await counted(`/qa?${WEEK}&view=alerts&severity=critical`);
  const list = page.getByRole("region", { name: "预警", exact: true });
  await list.locator("tbody tr").first().waitFor();
  await page.getByText("列", { exact: true }).click();
  await page.locator(".columns").getByLabel("队列").uncheck();
  await page.waitForURL(/hide=queue/);
  assert.ok(!(await list.locator("thead").innerText()).includes("队列"));
  await page.getByRole("button", { name: "视图", exact: true }).click();
  await page.getByLabel("名称").fill("严重的，不看队列");
  await page.getByLabel("共享给质检和管理员").check();
  await page.getByRole("button", { name: "保存", exact: true }).click();
  await page.getByRole("link", { name: "严重的，不看队列" }).waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "qa-views");
  await close();

  const other = await counted("/qa", WANG);
  await other.page.getByRole("button", { name: "视图", exact: true }).click();
  await other.page.getByText("李静").waitFor();
  assert.equal(await other.page.getByRole("button", { name: /删除视图/ }).count(), 0, "it is not theirs");
  await other.page.getByRole("link", { name: "严重的，不看队列" }).click();
  await other.page.getByRole("region", { name: "预警", exact: true }).locator("tbody tr").first().waitFor();
  assert.match(other.page.url(), /severity=critical.*hide=queue|hide=queue.*severity=critical/);
  assert.equal(await other.page.getByLabel("从", { exact: true }).inputValue(), "2026-11-16");
  await other.close();
});

test("the report is shown as it is mailed, of any week, and an admin sends it", async () => {
  const { page, close } = await counted(`/qa?${WEEK}&view=report`, ZHAO, { allowed: [/409/] });
  const mail = page.locator(".mail");
  await mail.getByText("最差的坐席，和原因").waitFor();
  assert.match(await mail.innerText(), /听检周报 2026-11-16 – 2026-11-22/);
  assert.match(await mail.getByRole("row", { name: /坐席11 a11/ }).innerText(), /183\.3.*▲ \+183\.3.*11\s+12\s+不说不清楚 11、不说不知道 11/s);
  // Styles came along, though the page's policy forbids them in markup.
  assert.equal(await mail.getByRole("heading", { level: 1 }).evaluate((one) => getComputedStyle(one).fontSize), "20px");
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "qa-report");
  await page.getByRole("button", { name: "前一周" }).click();
  await mail.getByText("听检周报 2026-11-09 – 2026-11-15").first().waitFor();
  await page.getByRole("button", { name: "发送…" }).click();
  await page.getByRole("button", { name: "发送", exact: true }).click();
  await page.getByText("没有收件人").waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "下载 Excel" }).click()]);
  assert.equal(file.suggestedFilename(), "tingjian-alerts-2026-11-09_2026-11-15.xlsx");
  await close();
  const narrow = await counted(`/qa?${WEEK}&view=report`, LI, { width: 320, dark: true });
  await narrow.page.locator(".mail").getByText("最差的坐席，和原因").waitFor();
  assert.equal(await narrow.page.getByRole("button", { name: "发送…" }).count(), 0, "admins send");
  assert.ok(await narrow.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await screenshot(narrow.page, "qa-report-320");
  await narrow.close();
});

test("the comparison fits every width, light and dark, and is free of serious faults", async () => {
  for (const { width, dark } of [...LOOKS, { width: 320, dark: false }]) {
    const { page, close } = await counted(`/qa?${WEEK}`, LI, { width, dark });
    await page.getByRole("region", { name: "坐席 × 规则" }).waitFor();
    const beyond = await page.evaluate(() => (document.documentElement.scrollWidth <= innerWidth ? "" : [...document.querySelectorAll("main *")].filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest(".table")).map((one) => one.outerHTML.slice(0, 120)).join("\n")));
    assert.equal(beyond, "", `${width} ${dark}`);
    assert.equal(await accessibilityFaults(page), "", `${width} ${dark}`);
    await screenshot(page, `qa-overview-${width}-${dark ? "dark" : "light"}`);
    await close();
  }
});

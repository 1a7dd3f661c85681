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
  await page.getByRole("region", { name: label, exact: true }).locator("tbody tr").first().waitFor();
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

test("every figure, bar and cell opens exactly what it counts, and back leads to where it was", async () => {
  const { page, close } = await qa(SPAN);
  const list = page.getByRole("region", { name: "预警", exact: true });
  const rows = async (count) => {
    await list.locator("tbody tr").nth(count - 1).waitFor();
    assert.equal(await list.locator("tbody tr").count(), count);
  };
  const back = async () => {
    await page.goBack();
    await page.getByRole("region", { name: "规则和小时的预警数" }).waitFor();
  };
  const heat = page.getByRole("region", { name: "规则和小时的预警数" });
  await heat.getByRole("row", { name: /不说不知道/ }).getByRole("button", { name: "14:00–15:00，2 条" }).click();
  await rows(2);
  assert.match(page.url(), /hour=14/);
  await back();
  await page.getByText("数据表").nth(1).click();
  await page.getByRole("region", { name: "各小时预警数和每百通预警" }).getByRole("button", { name: "09:00–10:00" }).click();
  await rows(3);
  await back();
  await page.getByText("数据表").first().click();
  await page.getByRole("region", { name: "每日预警数和每百通预警" }).getByRole("button", { name: /2026-11-21/ }).click();
  await rows(4);
  await back();
  await page.getByRole("region", { name: "预警最多的坐席" }).getByRole("row", { name: /a8/ }).getByRole("button", { name: "2", exact: true }).click();
  await rows(2);
  await back();
  // Calls with alerts: c4 has none.
  await page.getByRole("button", { name: /有预警的通话/ }).click();
  const calls = page.getByRole("region", { name: "通话", exact: true });
  await calls.locator("tbody tr").nth(3).waitFor();
  assert.deepEqual((await calls.locator("tbody tr td:nth-child(2)").allInnerTexts()).sort(), ["c1", "c2", "c3", "c5"]);
  await back();
  await page.getByRole("button", { name: /扣分合计/ }).click();
  await rows(6);
  // A filter is a step of its own.
  await list.getByRole("button", { name: "a8" }).first().click();
  await rows(2);
  await page.goBack();
  await rows(6);
  await close();
});

test("what is shown in a view is what its export has", async () => {
  const saved = async (page, name) => {
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name, exact: true }).click()]);
    return { name: file.suggestedFilename(), text: readFileSync(await file.path()).toString() };
  };
  for (const [view, table, columns, count] of [["calls", "calls", "started_at,call_id", 5], ["scores", "scores", "key,agent_name,team,mean", 3], ["quality", "rules", "rule_id,rule_name", 2]]) {
    const { page, close } = await qa(`${SPAN}&view=${view}`);
    await page.getByRole("button", { name: "CSV", exact: true }).and(page.locator(":enabled")).waitFor();
    const { name, text } = await saved(page, "CSV");
    assert.equal(name, `tingjian-${table}-2026-11-20_2026-11-21.csv`);
    const lines = text.trim().split("\r\n");
    assert.ok(lines[0].includes(columns), lines[0]);
    assert.equal(lines.length - 1, count, text);
    const json = await saved(page, "JSON Lines");
    assert.equal(json.text.trim().split("\n").length, count, json.text);
    assert.ok((await saved(page, "Excel")).text.startsWith("PK") && (await saved(page, "Parquet")).text.startsWith("PAR1"));
    await close();
  }
  const { page, close } = await qa(`${SPAN}&view=review&agent_id=a7&severity=critical&state=retracted&appeal=pending`);
  await page.getByText("还有 1").waitFor();
  await page.getByRole("button", { name: "更多筛选" }).click();
  const { text } = await saved(page, "JSON Lines");
  assert.deepEqual(text.trim().split("\n").map((line) => JSON.parse(line).rule_id), ["test.critical"]);
  await close();
});

test("days and times are those of the centre, wherever the reader is", async () => {
  const now = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10);
  for (const zone of ["America/New_York", "Asia/Shanghai", "Pacific/Kiritimati"]) {
    const { page, close } = await open(server, `/qa?days=1#token=${LI}`, { zone });
    await page.getByText("UTC+08:00").waitFor();
    assert.equal(await page.getByLabel("到", { exact: true }).inputValue(), now, zone);
    await page.goto(`${server.url}/qa?${SPAN}&view=calls`);
    await page.getByRole("region", { name: "通话", exact: true }).getByText("2026-11-21 09:30:00").waitFor();
    await close();
  }
});

test("an axis has room for its labels, however many alerts there are", async () => {
  const { page, close } = await qa(SPAN);
  await page.locator(".uplot canvas").first().waitFor();
  const widths = await page.evaluate(async () => {
    const { h, render } = await import("/assets/vendor/preact.js");
    const { BarChart } = await import("/assets/shared/charts.js");
    const place = document.createElement("div");
    place.style.width = "600px";
    document.body.append(place);
    const bars = [12, 1_234_567].map((count, at) => ({ label: String(at), short: String(at), count, rate: 1 }));
    render(h(BarChart, { title: "t", bars, countName: "n", rateName: "r", placeName: "p" }), place);
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
    const context = document.createElement("canvas").getContext("2d");
    context.font = `12px ${getComputedStyle(document.body).fontFamily}`;
    return { room: parseFloat(place.querySelector(".u-over").style.left), label: context.measureText("1,250,000").width };
  });
  assert.ok(widths.room > widths.label + 10, JSON.stringify(widths));
  await close();
});

test("the overview is printed without its controls, and whole", async () => {
  const { page, close } = await qa(SPAN, { width: 720 });
  await page.getByRole("region", { name: "规则和小时的预警数" }).waitFor();
  await page.emulateMedia({ media: "print" });
  // The views lay themselves out anew for the paper.
  await page.waitForFunction(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector(".heat").getBoundingClientRect().right <= innerWidth);
  const printed = await page.evaluate(() => ({
    controls: [...document.querySelectorAll(".filters, .tabs, .bar")].filter((one) => one.getClientRects().length > 0).length,
    colour: getComputedStyle(document.querySelector(".heat td.hot")).printColorAdjust,
  }));
  assert.equal(printed.controls, 0);
  assert.equal(printed.colour, "exact");
  await screenshot(page, "qa-print");
  await close();
});

test("rates of few calls do not lead, and say how sure they are", async () => {
  const many = await Server.start({ rules: RULES, config: "call_linger_ms = 50\n" });
  const producer = await Producer.connect(many);
  await producer.tell(...call("one", "lonely", "2026-11-21T09:00:00+08:00", "q", "我不知道", "不知道"));
  for (let n = 0; n < 12; n += 1) {
    await producer.tell(...call(`m${n}`, "busy", "2026-11-21T10:00:00+08:00", "q", n < 6 ? "我不知道" : "您好"));
  }
  while ((await many.get("/v1/calls?live=true")).calls.length > 0);
  const { page, close } = await open(many, `/qa?${SPAN}`);
  const agents = page.getByRole("region", { name: "预警最多的坐席" });
  await agents.getByRole("button", { name: "每百通" }).click();
  const first = agents.locator("tbody tr").first();
  await first.getByText("busy").waitFor();
  assert.match(await first.innerText(), /50\.0\s*18–109/);
  await page.goto(`${many.url}/qa?${SPAN}&view=scores`);
  const scores = page.getByRole("region", { name: "评分", exact: true });
  await scores.locator("tbody tr").first().getByText("busy").waitFor();
  assert.match(await scores.locator("tbody tr").first().innerText(), /99\.00 ±0\.66/);
  producer.close();
  await close();
  await many.stop();
});

test("verdict, words and context are in sight on the screens of desks", async () => {
  for (const [width, height] of [[1366, 768], [1280, 900]]) {
    const { page, close } = await qa(`${SPAN}&view=review&agent_id=a7`, { width, height });
    await page.locator(".around li.hit").waitFor();
    for (const element of [page.getByRole("button", { name: /属实/ }), page.getByRole("button", { name: /误报/ }), page.locator(".around li.hit"), page.locator(".item[aria-current]")]) {
      const box = await element.first().boundingBox();
      assert.ok(box.y + box.height <= height, `${await element.first().innerText()} ends at ${box.y + box.height} of ${height}`);
    }
    await screenshot(page, `qa-review-${width}x${height}`);
    await close();
  }
});

test("of two who judge one alert, the second is told of the first", async () => {
  const own = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(own, INGEST);
  await producer.tell(...call("t1", "a7", "2026-11-21T09:00:00+08:00", "q", "我不知道", "我不清楚", "真不知道"));
  const at = (token, options) => open(own, `/qa?${SPAN}&view=review#token=${token}`, options);
  const [hers, his] = [await at(LI), await at(WANG, { allowed: [/409/] })];
  for (const { page } of [hers, his]) {
    await page.locator(".around li.hit").waitFor();
  }
  await hers.page.keyboard.press("c");
  await hers.page.getByText("今天已复核 1 / 还有 2").waitFor();
  await his.page.keyboard.press("c");
  await his.page.getByRole("alert").getByText("李静 刚刚判定属实，您的这一步没有记下。").waitFor();
  const steps = (await own.get("/v1/alerts?call_id=t1&review=confirmed", LI)).alerts.flatMap(({ review }) => review.steps);
  assert.deepEqual(steps.map(({ by }) => by), ["李静"]);
  // A false alarm takes two keys.
  await his.page.keyboard.press("d");
  await his.page.getByRole("dialog").waitFor();
  await screenshot(his.page, "qa-reasons");
  await his.page.keyboard.press("2");
  await his.page.getByRole("dialog").waitFor({ state: "detached" });
  await his.page.waitForFunction(async (token) => {
    const { alerts } = await (await fetch("/v1/alerts?call_id=t1&review=dismissed", { headers: { authorization: `Bearer ${token}` } })).json();
    return alerts[0]?.review.steps[0].reason === "引用客户的话";
  }, WANG);
  // Who comes back from a call is where they were.
  await his.page.keyboard.press("j");
  const current = await his.page.locator(".item[aria-current]").innerText();
  await his.page.getByRole("link", { name: /看整通通话/ }).click();
  await his.page.locator(".alert.selected").waitFor();
  await his.page.goBack();
  await his.page.locator(".item[aria-current]").waitFor();
  assert.equal((await his.page.locator(".item[aria-current]").innerText()).split("\n")[0], current.split("\n")[0]);
  producer.close();
  await hers.close();
  await his.close();
  await own.stop();
});

test("fifty alerts are judged with at most seventy keys, and all that is needed is in sight", async () => {
  const own = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(own, INGEST);
  // 50 alerts in 10 calls. Ten are false: the agent repeats what an advertisement says. Their sentences differ.
  for (let n = 0; n < 10; n += 1) {
    const said = Array.from({ length: 5 }, (_, at) => (at === 4 ? `广告${n}说的是不清楚` : `第${n}${at}件事我不知道${"，您先听我说完".repeat(at * 4)}`));
    await producer.tell(...call(`k${n}`, `a${n}`, "2026-11-21T09:00:00+08:00", "q", ...said));
  }
  while ((await own.get("/v1/calls?live=true", LI)).calls.length > 0);
  const { page, close } = await open(own, `/qa?${SPAN}&view=review#token=${LI}`, { width: 1366, height: 768 });
  let keys = 0;
  const press = async (key) => {
    keys += 1;
    await page.keyboard.press(key);
  };
  const inSight = () => page.evaluate(() => {
    const whole = (element) => {
      const box = element?.getBoundingClientRect();
      const clip = element?.closest(".reading")?.getBoundingClientRect() ?? { top: 0, bottom: innerHeight };
      // Of words that are longer than the screen, the beginning.
      return box !== undefined && box.top >= clip.top - 1 && Math.min(box.bottom, box.top + 40) <= Math.min(clip.bottom, innerHeight) + 1;
    };
    const wanted = { ".detail .said mark": document.querySelector(".detail .said mark"), ".around .hit": document.querySelector(".around .hit") };
    for (const button of document.querySelectorAll(".decide button")) {
      wanted[button.textContent] = button;
    }
    return Object.entries(wanted).filter(([, element]) => !whole(element)).map(([name]) => name).join(" ");
  });
  for (let n = 0; n < 50; n += 1) {
    await page.locator(`.item[aria-current]:not(.settled)`).waitFor();
    await page.locator(".around .hit").waitFor();
    assert.equal(await inSight(), "", `alert ${n}`);
    const text = await page.locator(".detail .said").first().innerText();
    if (n === 20) {
      await screenshot(page, "qa-fifty-1366x768");
    }
    const before = await page.locator(".detail .case").innerText();
    await press(text.includes("广告") ? "2" : "c");
    if (n < 49) {
      await page.waitForFunction((was) => document.querySelector(".detail .case").innerText !== was, before);
    }
  }
  await page.getByText("今天已复核 50 / 还有 0").waitFor();
  assert.ok(keys <= 70, `${keys} keys`);
  assert.equal(keys, 50);
  const verdicts = async (verdict) => (await own.get(`/v1/alerts?review=${verdict}&limit=100`, LI)).alerts;
  while ((await verdicts("unreviewed")).length > 0);
  assert.equal((await verdicts("confirmed")).length, 40);
  const dismissed = await verdicts("dismissed");
  assert.deepEqual([dismissed.length, ...new Set(dismissed.map(({ review }) => review.steps[0].reason))], [10, "引用客户的话"]);
  producer.close();
  await close();
  await own.stop();
});

test("a slip is undone, like alerts are judged together, and who else looks is shown", async () => {
  const own = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(own, INGEST);
  for (let n = 0; n < 6; n += 1) {
    await producer.tell(...call(`g${n}`, `a${n}`, "2026-11-21T09:00:00+08:00", "q", n < 4 ? "这个我不知道" : "我真不知道", "不清楚"));
  }
  const at = (token) => open(own, `/qa?${SPAN}&view=review#token=${token}`, { width: 1366, height: 768 });
  const verdicts = async (verdict) => (await own.get(`/v1/alerts?review=${verdict}&limit=100`, LI)).alerts;
  const hers = await at(LI);
  await hers.page.locator(".around .hit").waitFor();
  const first = await hers.page.locator(".item[aria-current] .snippet").innerText();
  await hers.page.keyboard.press("2");
  await hers.page.getByText("今天已复核 1 / 还有 11").waitFor();
  await hers.page.getByRole("button", { name: /撤销/ }).getByText("误报").waitFor();
  await hers.page.keyboard.press("u");
  await hers.page.getByText("今天已复核 0 / 还有 12").waitFor();
  assert.equal(await hers.page.locator(".item[aria-current] .snippet").innerText(), first);
  assert.equal((await verdicts("unreviewed")).length, 12);
  // What she has open he sees, and is not led to.
  const his = await at(WANG);
  await his.page.getByText("李静 也打开着这条。").waitFor();
  await his.page.locator(".item .tag", { hasText: "李静 在看" }).waitFor();
  await screenshot(his.page, "qa-others-1366x768");
  await his.close();
  // The group is shown, one kind of sentence is left out, one key judges the rest.
  await hers.page.locator(".item", { hasText: "不说不知道" }).first().click();
  await hers.page.keyboard.press("a");
  const dialog = hers.page.getByRole("dialog", { name: "同类一起判" });
  await dialog.getByText("共 6 条，2 种说法").waitFor();
  await screenshot(hers.page, "qa-alike-1366x768");
  assert.equal(await accessibilityFaults(hers.page), "");
  await dialog.getByRole("checkbox", { name: /我真不知道/ }).uncheck();
  await hers.page.keyboard.press("c");
  await dialog.waitFor({ state: "detached" });
  await hers.page.getByText("今天已复核 4 / 还有 8").waitFor();
  assert.deepEqual((await verdicts("confirmed")).map(({ evidence }) => evidence[0].text), Array(4).fill("这个我不知道"));
  await hers.page.keyboard.press("u");
  await hers.page.getByText("今天已复核 0 / 还有 12").waitFor();
  assert.equal((await verdicts("confirmed")).length, 0);
  // A digit makes false alarms of a group.
  await hers.page.locator(".item", { hasText: "不说不清楚" }).first().click();
  await hers.page.keyboard.press("a");
  await dialog.getByText("共 6 条，1 种说法").waitFor();
  await hers.page.keyboard.press("4");
  await hers.page.getByText("今天已复核 6 / 还有 6").waitFor();
  assert.deepEqual([...new Set((await verdicts("dismissed")).map(({ review }) => review.steps.at(-1).reason))], ["规则太宽"]);
  producer.close();
  await hers.close();
  await own.stop();
});

test("what was drawn is done in turn, a second look is blind, calls are read whole, and recall is told with its interval", async () => {
  const admin = "token-of-the-admin-for-the-tests";
  const own = await Server.start({
    config: `${CONFIG}[tokens.admin]\n"赵敏" = "${admin}"\n[[review.plans]]\nname = "每周抽检"\nalerts = 4\ncalls = 2\nreviewers = ["李静", "王磊"]\nsecond = 1.0\n`,
    rules: RULES,
  });
  const producer = await Producer.connect(own, INGEST);
  for (let n = 0; n < 4; n += 1) {
    await producer.tell(...call(`w${n}`, "a7", "2025-01-08T09:00:00+08:00", "q", `第${n}次我不知道`, "您真是没救了"));
  }
  while ((await own.get("/v1/calls?live=true", LI)).calls.length > 0);
  assert.equal((await own.post("/v1/sampling/draws", { plan: "每周抽检", week: "2025-01-08" }, admin)).body.samples, 10);
  const { page, close } = await open(own, `/qa?view=mine#token=${LI}`, { width: 1366, height: 768 });
  await page.locator(".items .item").nth(4).waitFor();
  assert.equal(await page.locator(".items .item").count(), 5, "two alerts, two second looks, a call");
  // First looks and second ones, one key each.
  for (let n = 0; n < 4; n += 1) {
    await page.locator(".items .item", { hasText: "不说不知道" }).first().click();
    await page.locator(".around .hit").waitFor();
    if (n === 0) {
      await screenshot(page, "qa-mine-1366x768");
      assert.equal(await accessibilityFaults(page), "");
    }
    const isSecond = (await page.locator(".case .notice", { hasText: "盲评" }).count()) === 1;
    assert.equal(await page.locator(".case .tag", { hasText: "未复核" }).count(), 1);
    const left = await page.locator(".items .item").count();
    await page.keyboard.press(isSecond ? "2" : "c");
    await page.waitForFunction((before) => document.querySelectorAll(".items .item").length === before - 1, left);
  }
  // The whole call: marked, and read.
  await page.getByRole("link", { name: /打开通话/ }).click();
  await page.locator(".said .words", { hasText: "您真是没救了" }).waitFor();
  await page.locator('.said[data-utterance-id="u1"] .words bdi').evaluate((words) => {
    const range = document.createRange();
    range.selectNodeContents(words);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  });
  await page.keyboard.press("m");
  await page.getByRole("dialog").getByLabel("违反什么").selectOption("test.warning");
  await page.getByRole("dialog").getByRole("button", { name: "标出" }).click();
  await page.locator(".alert", { hasText: "人工标出" }).waitFor();
  await screenshot(page, "call-sample-1366x768");
  await page.keyboard.press("r");
  await page.getByText("已记下：这通读完了。").waitFor();
  await page.getByRole("link", { name: "回到我的任务" }).click();
  await page.getByText("没有要做的任务。").waitFor();
  await page.getByText("近六周").waitFor();
  await close();
  // His second looks agree with her first ones.
  for (const one of (await own.get("/v1/assignments?done=false", WANG)).assignments) {
    const answer = one.second ? await own.post(`/v1/assignments/${one.sample_no}`, { verdict: "confirm" }, WANG)
      : one.kind === "call" ? await own.post(`/v1/assignments/${one.sample_no}`, { verdict: "read" }, WANG)
      : await own.post(`/v1/alerts/${one.alert.alert_id}/reviews?call_id=${one.call_id}`, { action: "confirm" }, WANG);
    assert.ok(answer.status < 300, JSON.stringify(answer));
  }
  const quality = await open(own, `/qa?view=quality&days=&from=2025-01-01&to=2025-01-31#token=${LI}`, { width: 1366, height: 768 });
  await quality.page.getByRole("region", { name: "抽检的规则" }).waitFor();
  const row = (await numbers(quality.page, "抽检的规则"))[0];
  // Two calls of four were read: two found, one missed. All four alerts were judged.
  assert.deepEqual([row[0], row[1], row[2], row[4], row[5]], ["不说不知道", "100.0 %100–100", "4", "2", "1"]);
  assert.match(row[3], /^66\.7 %\d+–\d+$/);
  await quality.page.getByRole("region", { name: "复核人一致性" }).waitFor();
  assert.equal(await accessibilityFaults(quality.page), "");
  await screenshot(quality.page, "qa-recall-1366x768");
  await quality.close();
  for (const { width, dark } of [{ width: 360, dark: true }, { width: 360, dark: false }]) {
    const narrow = await open(own, `/qa?view=quality&days=&from=2025-01-01&to=2025-01-31#token=${LI}`, { width, dark });
    await narrow.page.getByRole("region", { name: "抽检的规则" }).waitFor();
    assert.ok(await narrow.page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
    await screenshot(narrow.page, `qa-recall-${width}-${dark ? "dark" : "light"}`);
    await narrow.page.goto(`${own.url}/qa?view=mine`);
    await narrow.page.getByText("没有要做的任务。").waitFor();
    assert.ok(await narrow.page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
    await screenshot(narrow.page, `qa-mine-${width}-${dark ? "dark" : "light"}`);
    await narrow.close();
  }
  producer.close();
  await own.stop();
});

test("what was said is searched as rules hear it, and leads to its place in the call", async () => {
  const own = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(own, INGEST);
  await producer.tell(...call("s1", "a7", "2026-11-20T09:00:00+08:00", "q", `这个满意渡 ${HOSTILE}`, "好的"), ...call("s2", "a8", "2026-11-21T09:00:00+08:00", "q", "您的满意度很重要"));
  while ((await own.get("/v1/calls?live=false", LI)).calls.length < 2 || (await own.get("/v1/search?phrase=您好", LI)).waiting > 0);
  const { page, close } = await open(own, `/qa?${SPAN}&view=search#token=${LI}`, { width: 1366, height: 768 });
  await page.getByLabel(/说过的话/).fill("满意度");
  await page.keyboard.press("Enter");
  await page.getByText("2 处").waitFor();
  assert.deepEqual(await page.locator(".hits mark").allInnerTexts(), ["满意度", "满意渡"]);
  assert.match(page.url(), /phrase=/);
  assert.equal(await page.getByRole("group", { name: "导出本页所列" }).count(), 0);
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "qa-search-1366x768");
  await page.locator("select[name=homophone]").selectOption("off");
  await page.getByRole("button", { name: "搜索" }).and(page.locator(".primary")).click();
  await page.getByText("1 处").waitFor();
  await page.goBack();
  await page.getByText("2 处").waitFor();
  await page.locator(".hits a").nth(1).click();
  await page.locator('.said.now[data-utterance-id="u0"]').waitFor();
  assert.equal(await page.title(), "通话 s1 · 听检");
  await page.goBack();
  await page.getByText("2 处").waitFor();
  await close();
  for (const dark of [false, true]) {
    const narrow = await open(own, `/qa?${SPAN}&view=search&phrase=${encodeURIComponent("满意度")}#token=${LI}`, { width: 360, dark });
    await narrow.page.getByText("2 处").waitFor();
    assert.ok(await narrow.page.evaluate("document.documentElement.scrollWidth <= innerWidth"));
    assert.equal(await accessibilityFaults(narrow.page), "");
    await screenshot(narrow.page, `qa-search-360-${dark ? "dark" : "light"}`);
    await narrow.close();
  }
  producer.close();
  await own.stop();
});

test("figures agree wherever they stand: only what counts is counted", async () => {
  const own = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(own, INGEST);
  await producer.tell(...call("f1", "a7", "2026-11-21T09:00:00+08:00", "q", "我不知道", "我不清楚", "真不知道"), ...call("f2", "a7", "2026-11-21T10:00:00+08:00", "q", "我不知道", "我不清楚"));
  while ((await own.get("/v1/calls?live=true", LI)).calls.length > 0);
  const { alerts } = await own.get("/v1/alerts?call_id=f1&state=confirmed", LI);
  const step = (alert, action, token) => own.post(`/v1/alerts/${alert.alert_id}/reviews`, { action, reason: "听错了" }, token);
  const [dismissed, granted] = [alerts.find(({ rule_id: rule }) => rule === "test.critical"), alerts.find(({ rule_id: rule }) => rule === "test.warning")];
  assert.equal((await step(dismissed, "dismiss", LI)).status, 201);
  assert.equal((await own.post("/v1/agents/a7/alerts", { type: "appeal", alert_id: granted.alert_id, reason: "念的" }, AGENT)).status, 200);
  assert.equal((await step(granted, "grant", LI)).status, 201);
  // Of 5 alerts with 16 points there are 3 with 9: 不知道 twice, 不清楚 once.
  const { page, close } = await open(own, `/qa?${SPAN}#token=${LI}`);
  const total = async (name) => (await page.locator(".total", { hasText: name }).first().locator("strong").innerText()).trim();
  await page.getByRole("button", { name: /扣分合计/ }).waitFor();
  assert.deepEqual([await total("预警"), await total("扣分合计")], ["3", "9"]);
  assert.deepEqual((await numbers(page, "预警最多的规则")).map((row) => [row[0], row[2], row[4]]), [["不说不知道", "2", "4"], ["不说不清楚", "1", "5"]]);
  const sumOf = async (name) => (await page.getByRole("region", { name }).locator("tfoot tr").first().locator("td").last().innerText()).trim();
  assert.equal(await sumOf("坐席 × 规则"), "3");
  assert.deepEqual((await numbers(page, "最差的坐席")).map((row) => [row[3], row[4], row[5]]), [["1", "3", "2"]]);
  assert.deepEqual((await numbers(page, "规则和小时的预警数")).map((row) => row[25]), ["2", "1"]);
  await page.goto(`${own.url}/qa?${SPAN}&view=report`);
  await page.locator(".mail").getByText("最差的坐席，和原因").waitFor();
  assert.match(await page.locator(".mail").innerText(), /通话\s+2\s.*预警\s+3\s.*严重\s+1\s/s);
  await page.goto(`${own.url}/qa?${SPAN}&view=scores`);
  await page.getByRole("region", { name: "评分", exact: true }).waitFor();
  assert.deepEqual((await numbers(page, "评分")).map((row) => row[5]), ["3"]);
  await page.goto(`${own.url}/qa?${SPAN}&view=calls`);
  await page.getByRole("region", { name: "通话", exact: true }).waitFor();
  assert.equal((await numbers(page, "通话")).reduce((sum, row) => sum + Number(row[5]), 0), 3);
  await page.goto(`${own.url}/qa?${SPAN}&view=alerts`);
  await page.getByRole("region", { name: "预警", exact: true }).locator("tbody tr").nth(2).waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "JSON Lines", exact: true }).click()]);
  const rows = readFileSync(await file.path()).toString().trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([rows.length, rows.reduce((sum, { deduct }) => sum + deduct, 0)], [3, 9]);
  // Whatever else is listed, only what counts deducts.
  await page.goto(`${own.url}/qa?${SPAN}&state=all`);
  await page.getByRole("button", { name: /扣分合计/ }).waitFor();
  assert.deepEqual([await total("预警"), await total("扣分合计")], ["5", "9"]);
  producer.close();
  await close();
  await own.stop();
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
    for (const [view, name] of [["overview", "概览"], ["review", "复核"], ["appeal", "申诉"], ["mine", "我的任务"], ["alerts", "预警"], ["calls", "通话"], ["scores", "评分"], ["quality", "规则质量"], ["search", "搜索"]]) {
      await page.getByRole("navigation", { name: "质检视图" }).getByRole("button", { name: new RegExp(`^${name}(?!表)`) }).click();
      await page.waitForLoadState("networkidle");
      assert.equal(await accessibilityFaults(page), "", view);
      assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), `${view} scrolls sideways`);
      await screenshot(page, `qa-${view}-${width}-${dark ? "dark" : "light"}`);
    }
    await close();
  });
}

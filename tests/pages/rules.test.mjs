// `/rules` against the real server: packs as written, the try-it box, an edited
// pack checked and backtested, coverage, versions and a reload.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";

import { LOOKS, Producer, Server, accessibilityFaults, end, open, says, screenshot, start } from "./harness.mjs";

const QA = "token-of-qa-for-the-tests-00";
const SECOND = "token-of-second-person-tests";
const ADMIN = "token-of-admin-for-the-tests";
const INGEST = "token-of-ingest-for-the-tests";
const CONFIG = `call_linger_ms = 200
rules_writable = true
[tokens]
ingest = ["${INGEST}"]
[tokens.qa]
"李静" = "${QA}"
"王敏" = "${SECOND}"
[tokens.admin]
"赵明" = "${ADMIN}"
`;
const HOSTILE = "<img src=x onerror=document.title='hacked'>";
const PACK = `pack: manners
title: 礼貌
rules:
  # ${HOSTILE}
  - id: manners.dont-know
    name: 不说不知道
    severity: warning
    deduct: 2
    clauses: [K1]
    forbid:
      any: [不知道]
      unless: [{ question: true }]
    message: 不要说“{phrase}”
    suggestion: 我帮您查一下
    tests:
      - fires: 我不知道
      - silent: 您好
  - id: manners.greeting
    name: 接听问候
    severity: info
    deduct: 1
    require: { any: [您好], after: { event: answered }, within: 10s }
    message: 请先问候
    tests:
      - call: |
          00:02.0 agent 您好
          00:20.0 end by customer
`;
const RULES = {
  "manners.yaml": PACK,
  "clauses.tsv": "clause\tsource\tsignal\trequirement (中文)\tquoted phrases / figures\nK1\t手册\tphrase\t不推脱\t\nK2\t手册\tphrase\t要问候\t\nK3\t手册\tnone\t要微笑\t\n",
  "uncovered.tsv": "clause\treason\nK3\t听不见微笑\n",
};
let server;

before(async () => {
  server = await Server.start({ config: CONFIG, rules: RULES });
  const producer = await Producer.connect(server, INGEST);
  for (const [callId, text] of [["c1", "我不知道"], ["c2", "我不清楚"], ["c3", "好的"]]) {
    await producer.tell(start(callId), says(callId, "u0", "agent", "您好", 1_000), says(callId, "u1", "agent", text, 4_000), end(callId, 9_000));
  }
  producer.close();
  // Backtests are of calls that are over.
  while ((await server.get("/v1/calls?live=true", QA)).calls.length > 0);
});

const rules = (query, options = {}) => open(server, `/rules${query}#token=${options.token ?? QA}`, options);

test("a rule leads to its line, a search to every place", async () => {
  const { page, close } = await rules("");
  await page.getByRole("button", { name: /不说不知道/ }).click();
  const line = page.locator(".line[aria-current]");
  await line.getByText("id: manners.dont-know").waitFor();
  assert.equal(await line.locator(".no").innerText(), "5");
  assert.equal((await page.locator(".source .line").count()), PACK.trimEnd().split("\n").length);
  await page.getByLabel("搜索规则和原文").fill("您好");
  await page.getByText("3 处").waitFor();
  await page.getByRole("button", { name: /manners.yaml:22/ }).click();
  await line.getByText("require").waitFor();
  await page.getByText(HOSTILE).first().waitFor();
  assert.equal(await page.locator("img:not(.brand img)").count(), 0);
  await close();
});

test("the try-it box tells what was heard, and why it counts or not", async () => {
  const { page, close } = await rules("?view=try", { allowed: [/400/] });
  await page.getByLabel(/一行一句/).fill(`坐席：您好\n客户：你不知道吗\n坐席：嗯，我不，知道 ${HOSTILE}\n坐席：您不知道吗？\n挂机：客户`);
  await page.keyboard.press("Control+Enter");
  const card = page.getByRole("article").filter({ hasText: "不要说" });
  await card.locator("mark", { hasText: "不，知道" }).waitFor();
  await card.getByText("我帮您查一下").waitFor();
  await page.getByRole("heading", { name: "必说清单" }).waitFor();
  await page.locator(".windows").getByText("接听问候").waitFor();
  const verdicts = await page.locator(".utterance .candidates tbody tr:visible td:nth-child(2)").allInnerTexts();
  assert.deepEqual(verdicts.map((text) => text.slice(0, 2)), ["不计", "计入", "不计"]);
  assert.match(verdicts[0], /说话人是客户/);
  assert.match(await page.locator(".left-out").first().innerText(), /嗯/);
  await page.getByText(HOSTILE).locator("visible=true").first().waitFor();
  assert.equal(await page.locator("img:not(.brand img)").count(), 0);
  await page.getByLabel(/一行一句/).fill("没有说话人的一行");
  await page.getByRole("button", { name: "试一试", exact: true }).last().click();
  await page.getByRole("alert").waitFor();
  await close();
});

test("an edited pack is checked, backtested and downloaded; the server keeps its own", async () => {
  const { page, close } = await rules("?view=edit");
  const area = page.getByLabel("编辑 manners.yaml");
  const check = page.getByRole("button", { name: "检查并跑单元测试" });
  // A fault leads to its place.
  await area.fill(PACK.replace("severity: info", "severity: loud"));
  await check.click();
  await page.getByText("不可用").waitFor();
  await page.getByRole("button", { name: /manners.yaml:20:\d+/ }).click();
  const selected = await area.evaluate((/** @type {HTMLTextAreaElement} */ field) => field.value.slice(field.selectionStart, field.selectionEnd));
  assert.equal(selected, "loud");
  // A unit test that fails is told.
  await area.fill(PACK.replace("fires: 我不知道", "fires: 我很好"));
  await check.click();
  await page.getByText("单元测试 2 通过，1 失败").waitFor();
  // What would be different.
  const edited = PACK.replace("any: [不知道]", "any: [不清楚]").replace("fires: 我不知道", "fires: 我不清楚");
  await area.fill(edited);
  await check.click();
  await page.getByText("单元测试 3 通过，0 失败").waitFor();
  await page.getByLabel("从").fill("2026-11-21");
  await page.getByLabel("到").fill("2026-11-21");
  await page.getByRole("button", { name: "开始回测" }).click();
  const difference = page.locator(".difference", { hasText: "不说不知道" });
  await difference.getByText("新增 1").waitFor();
  await difference.getByText("消失 1").waitFor();
  assert.deepEqual(await difference.locator("li mark").allInnerTexts(), ["不清楚", "不知道"]);
  assert.deepEqual(await page.locator(".figure strong").allInnerTexts(), ["1 → 1", "333.33 → 333.33", "+1", "−1", "0"]);
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "下载" }).click()]);
  assert.equal(file.suggestedFilename(), "manners.yaml");
  assert.equal(readFileSync(await file.path(), "utf8"), edited);
  assert.equal((await server.get("/v1/rules/packs", QA)).packs[0].text, PACK);
  // It can be tried before anything is put in use.
  await page.getByRole("button", { name: /^试一试/ }).click();
  await page.getByLabel(/用本页改过的规则/).waitFor();
  await page.getByLabel(/一行一句/).fill("坐席：您好，我不清楚");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("article").filter({ hasText: "不要说“不清楚”" }).first().waitFor();
  await close();
});

test("whoever closes the tab with edits is asked, and the address shows no path of the server", async () => {
  const { page, close } = await rules("?view=packs&rule=manners.dont-know");
  await page.getByRole("button", { name: "编辑并回测" }).click();
  await page.getByLabel("编辑 manners.yaml").waitFor();
  assert.ok(!decodeURIComponent(page.url()).includes("/manners.yaml"), page.url());
  await page.getByLabel("编辑 manners.yaml").fill(`${PACK}# 改过`);
  const asked = page.waitForEvent("dialog");
  await page.close({ runBeforeUnload: true });
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload");
  await dialog.accept();
  await close();
});

test("in English the try-it box gives its verdicts in English", async () => {
  const { page, close } = await rules("?view=try", { language: "en" });
  await page.locator("textarea.dialogue").fill("坐席：您好\n客户：你不知道吗\n坐席：我不知道\n挂机：客户");
  await page.keyboard.press("Control+Enter");
  await page.getByText("the speaker is the customer: not for this rule").waitFor();
  assert.equal(await page.getByText("说话人是").count(), 0);
  await close();
});

test("clauses: which rules hold them, and why some have none", async () => {
  const { page, close } = await rules("?view=coverage");
  const rows = page.getByRole("region", { name: "条款覆盖" }).locator("tbody tr");
  await rows.nth(2).waitFor();
  assert.deepEqual(await rows.locator(".tag").allInnerTexts(), ["已覆盖", "未覆盖", "有说明"]);
  await rows.getByText("听不见微笑").waitFor();
  await page.getByRole("button", { name: "未覆盖 1" }).click();
  assert.equal(await rows.count(), 1);
  await page.getByRole("button", { name: "全部" }).click();
  await rows.getByRole("button", { name: "manners.dont-know" }).click();
  await page.locator(".line[aria-current]", { hasText: "manners.dont-know" }).waitFor();
  await close();
});

for (const { width, dark } of LOOKS) {
  test(`every view at ${width} px, ${dark ? "dark" : "light"}`, async () => {
    const { page, close } = await rules("", { width, dark });
    for (const [view, name] of [["packs", "规则包"], ["try", "试一试"], ["edit", "编辑与回测"], ["form", "表单"], ["drafts", "草稿"], ["coverage", "条款覆盖"], ["versions", "版本"]]) {
      await page.getByRole("navigation", { name: "规则视图" }).getByRole("button", { name }).click();
      await page.waitForLoadState("networkidle");
      if (view === "try") {
        await page.getByRole("button", { name: "试一试", exact: true }).last().click();
        await page.getByRole("heading", { name: "逐句分析" }).waitFor();
      }
      if (view === "form") {
        await page.getByLabel("坐席不能说的话").fill("不晓得");
        await page.keyboard.press("Enter");
        await page.getByText(/会报 \d+ 条/).waitFor();
        await page.getByText("通过", { exact: true }).first().waitFor();
      }
      assert.equal(await accessibilityFaults(page), "", view);
      assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), `${view} scrolls sideways`);
      await screenshot(page, `rules-${view}-${width}-${dark ? "dark" : "light"}`);
    }
    await close();
  });
}

test("a newcomer forbids a phrase without YAML and sees last week; a second person brings it into force", async () => {
  const producer = await Producer.connect(server, INGEST);
  const today = { started_at: new Date().toISOString().replace("Z", "+00:00") };
  await producer.tell(start("n1", "a7", today), says("n1", "u0", "customer", "能快点吗", 1_000), says("n1", "u1", "agent", "这个真没办法", 4_000), end("n1", 9_000));
  await producer.tell(start("n2", "a8", today), says("n2", "u0", "agent", "您说的没办法是指什么呢", 4_000), end("n2", 9_000));
  producer.close();
  while ((await server.get("/v1/calls?live=true", QA)).calls.length > 0);
  const writer = await rules("");
  const { page } = writer;
  const began = Date.now();
  await page.getByRole("navigation", { name: "规则视图" }).getByRole("button", { name: "表单" }).click();
  await page.getByLabel("坐席不能说的话").fill("没办法");
  await page.keyboard.press("Enter");
  await page.getByText(/会报 1 条，涉及 1 通、1 名坐席/).waitFor();
  assert.ok(Date.now() - began < 60_000, "last week is seen within a minute");
  await page.getByText(/差一点的例句（共 1 次不算）/).waitFor();
  // Accepted and rejected sentences are tests.
  const look = page.getByRole("region", { name: "在过去的通话里看看" });
  await look.getByRole("button", { name: "该报", exact: true }).first().click();
  await look.getByText("测试：该报").waitFor();
  await look.getByRole("button", { name: "不该报" }).first().click();
  await look.getByText("测试：不该报").waitFor();
  const yaml = page.getByLabel("site.yaml 的 YAML");
  const holds = (/** @type {string} */ text) => page.waitForFunction((text) => [...document.querySelectorAll("textarea")].some((area) => area.value.includes(text)), text);
  await holds("- { fires: 这个真没办法, reply_to: 能快点吗 }");
  await holds("- silent: 您说的没办法是指什么呢");
  // The form writes the YAML, and the YAML the form; what is wrong stands at its field.
  await page.getByLabel(/是在问/).check();
  await holds("        - question: true");
  await page.getByLabel("禁说的话（听到其中一句就算）：加一句").fill("没法子");
  await page.keyboard.press("Enter");
  await holds("        - 没法子");
  await yaml.fill((await yaml.inputValue()).replace("severity: warning", "severity: critical # 客户很在意"));
  await page.waitForFunction(() => [...document.querySelectorAll("select")].some((select) => select.value === "critical"));
  await page.getByLabel("扣分").fill("许多");
  await page.keyboard.press("Tab");
  await page.locator("label", { hasText: "扣分" }).getByRole("alert").waitFor();
  await page.getByLabel("扣分").fill("3");
  await page.keyboard.press("Tab");
  await holds("severity: critical # 客户很在意\n    deduct: 3\n");
  await screenshot(page, "rules-form-written");
  await page.getByRole("button", { name: "保存为草稿" }).click();
  await page.getByRole("button", { name: "检查", exact: true }).click();
  await page.getByText("检查通过", { exact: true }).first().waitFor();
  await page.getByText("写过这份草稿的人不能自己批准").waitFor();
  assert.equal(await page.getByRole("button", { name: "批准" }).count(), 0);
  const draft = new URL(page.url()).searchParams.get("draft");
  await writer.close();
  const file = () => readFileSync(join(server.directory, "site.yaml"), "utf8");
  const second = await rules(`?view=form&draft=${draft}`, { token: SECOND });
  await second.page.getByRole("button", { name: "批准" }).click();
  await second.page.getByRole("button", { name: "试运行", exact: true }).click();
  await second.page.locator(".stages [aria-current]", { hasText: "试运行" }).waitFor();
  assert.ok(file().includes("shadow: true"));
  await second.page.getByRole("button", { name: "启用", exact: true }).click();
  await second.page.locator(".stages [aria-current]", { hasText: "启用" }).waitFor();
  assert.ok(file().includes("# 客户很在意") && !file().includes("shadow"));
  await second.page.getByText("经过（5 步）").click();
  assert.match(await second.page.locator(".steps").innerText(), /李静[^]*王敏/);
  await screenshot(second.page, "rules-form-live");
  await second.page.getByRole("button", { name: "恢复原样" }).click();
  await second.page.getByText("已退回").waitFor();
  await second.page.getByRole("navigation", { name: "规则视图" }).getByRole("button", { name: "草稿" }).click();
  await second.page.getByRole("button", { name: "不说“没办法”" }).waitFor();
  await second.close();
});

test("a draft that somebody overtook shows at once how to catch up", async () => {
  const rule = (id, words) => `  - id: site.${id}\n    name: 不说“${words}”\n    severity: warning\n    forbid: { any: [${words}] }\n    message: 不要说\n    tests:\n      - fires: ${words}\n`;
  const { packs } = await server.get("/v1/rules/packs", QA);
  const site = packs.find((pack) => pack.file?.endsWith("site.yaml"))?.text ?? "pack: site\ntitle: 现场\nrules:\n";
  const draft = async (id, words) => {
    const file = { name: "site.yaml", text: `${site.trimEnd()}\n${rule(id, words)}` };
    const { body: { draft_no: no } } = await server.post("/v1/rules/drafts", { title: words, file, rule_id: `site.${id}` }, QA);
    await server.post(`/v1/rules/drafts/${no}/check`, {}, QA);
    await server.post(`/v1/rules/drafts/${no}`, { action: "approve" }, SECOND);
    return no;
  };
  const [mine, other] = [await draft("mine", "随便你"), await draft("other", "爱咋咋地")];
  const { page, close } = await rules(`?view=form&draft=${mine}`, { token: SECOND, allowed: [/409/] });
  await page.getByRole("button", { name: "启用", exact: true }).waitFor();
  await server.post(`/v1/rules/drafts/${other}`, { action: "live" }, SECOND);
  await page.getByRole("button", { name: "启用", exact: true }).click();
  await page.getByRole("alert").first().waitFor();
  await page.getByRole("button", { name: "跟上文件" }).click();
  await page.getByText("site.yaml 在此期间被改过").waitFor({ state: "detached" });
  const { text } = await server.get(`/v1/rules/drafts/${mine}`, QA);
  assert.ok(text.includes("随便你") && text.includes("爱咋咋地"), text);
  await server.post(`/v1/rules/drafts/${other}`, { action: "roll_back" }, SECOND);
  await close();
});

test("a false alarm leads to its rule with the sentence as a silent test", async () => {
  const { page, close } = await rules(`?view=form&rule=manners.dont-know&test=silent&text=${encodeURIComponent("他不知道")}`);
  const test = page.locator(".tests li", { hasText: "他不知道" });
  await test.getByText("没通过").waitFor();
  await page.getByLabel(/说的是客户或别人/).check();
  await test.getByText("通过", { exact: true }).waitFor();
  await page.reload();
  assert.equal(new URL(page.url()).searchParams.get("test"), null);
  await close();
});

/** Last: it changes what is in use. */
test("a reload is the admin's, tells its faults, and leaves a version", async () => {
  const reader = await rules("");
  await reader.page.getByRole("button", { name: /不说不知道/ }).waitFor();
  assert.equal(await reader.page.getByRole("button", { name: "重新加载" }).count(), 0);
  await reader.close();
  const { page, close } = await rules("", { token: ADMIN, allowed: [/422/] });
  writeFileSync(join(server.directory, "manners.yaml"), PACK.replace("severity: info", "severity: loud"));
  await page.getByRole("button", { name: "重新加载" }).click();
  await page.getByText(/上次重新加载失败/).waitFor();
  await page.getByText(/manners.yaml:\d+:\d+/).first().waitFor();
  writeFileSync(join(server.directory, "manners.yaml"), PACK.replace("deduct: 2", "deduct: 4"));
  await page.getByRole("button", { name: "重新加载" }).click();
  await page.getByText(/上次重新加载成功/).waitFor();
  await page.getByRole("button", { name: "版本", exact: true }).click();
  await page.locator(".diff .added", { hasText: "deduct: 4" }).waitFor();
  await page.locator(".diff .removed", { hasText: "deduct: 2" }).waitFor();
  await page.getByText("赵明").and(page.locator(".contents *")).first().waitFor();
  await close();
});

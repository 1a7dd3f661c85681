// Scoring forms, training clips and calibration, as people do their tasks: a reviewer scores a call, its agent objects and
// signs; an alert is put into a collection and read by a team; two reviewers judge the same call and are compared.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, test } from "node:test";

import { LOOKS, Producer, Server, accessibilityFaults, atEnd, end, open, says, screenshot, start } from "./harness.mjs";
import { RULES } from "./rules.mjs";

const [LI, WANG, A7, A8, INGEST] = ["lijing", "wangfang", "agent-a7", "agent-a8", "ingest"].map((name) => `${name}-0123456789-of-the-tests`);
const FORM = `form: line
title: 热线服务评分表
help: 听完整通再填。
pass: 85
groups:
  - title: 用语
    items:
      - { id: unclear, title: 不说不清楚, help: 要说“我帮您确认”。, points: 6, rules: [panel.unclear] }
      - { id: unknown, title: 不说不知道, points: 4, rules: [panel.unknown] }
      - { id: polite, title: 用敬语, points: 3, scale: 3 }
      - { id: abuse, title: 没有辱骂客户, veto: true, categories: [态度] }
  - title: 工单
    items:
      - { id: ticket, title: 工单记录完整准确, points: 6, scale: 6, not_applicable: true, comment: true }
`;
let server;

before(async () => {
  const forms = mkdtempSync(join(tmpdir(), "tingjian-forms-"));
  atEnd(() => rmSync(forms, { recursive: true, force: true }));
  writeFileSync(join(forms, "line.yaml"), FORM);
  server = await Server.start({
    rules: RULES,
    config: `call_linger_ms = 300\n[forms]\ndirectory = ${JSON.stringify(forms)}\n[tokens]\ningest = ["${INGEST}"]\nqa = { "李静" = "${LI}", "王芳" = "${WANG}" }\n[tokens.agents]\na7 = ["${A7}"]\na8 = ["${A8}"]\n`,
  });
  const producer = await Producer.connect(server, INGEST);
  const names = { a7: { agent_name: "张伟", team: "售后一组" }, a8: { agent_name: "刘洋", team: "售后二组" } };
  for (const [callId, agent] of [["c1", "a7"], ["c2", "a7"], ["c3", "a8"]]) {
    await producer.tell(
      start(callId, agent, { queue: "投诉专线", attributes: names[agent] }),
      says(callId, "u1", "agent", "您好，很高兴为您服务。", 500), says(callId, "c1", "customer", "我的宽带还没修好。", 3_000),
      says(callId, "u2", "agent", "这个我不清楚。", 7_000), says(callId, "u3", "agent", "今天就给您修好。", 10_000), end(callId, 20_000),
    );
  }
  producer.close();
  for (;;) {
    if ((await server.get("/v1/calls?live=true", LI)).calls.length === 0) {
      return;
    }
  }
});

/** A page of somebody with a token. */
async function openAs(token, path, options = {}) {
  const opened = await open(server, "/", options);
  await opened.page.evaluate((value) => sessionStorage.setItem("tingjian.token", value), token);
  await opened.page.goto(server.url + path);
  return opened;
}

/** Free of serious faults and as wide as the screen, in every look. */
async function looksRight(token, path, name, prepare) {
  for (const { width, dark } of LOOKS) {
    const { page, close } = await openAs(token, path, { width, dark });
    await prepare(page);
    assert.equal(await accessibilityFaults(page), "", `${name} ${width} ${dark ? "dark" : "light"}`);
    const [content, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= screen, `${name} at ${width}: ${content} wide`);
    await screenshot(page, `${name}-${width}-${dark ? "dark" : "light"}`);
    await close();
  }
}

test("a reviewer scores a call, its agent objects, the score is changed and signed", async () => {
  const { page, close } = await openAs(LI, "/call/c1");
  await page.getByRole("heading", { name: "评分表" }).waitFor();
  await page.keyboard.press("f");
  const sheet = page.getByRole("dialog", { name: "热线服务评分表" });
  await sheet.waitFor();
  const answer = (item, name) => sheet.locator(`fieldset[data-item="${item}"]`).getByRole("radio", { name, exact: true }).check();
  // What the rules answer is filled in, with what they found; the rest is asked.
  const isChosen = (item, value) => sheet.locator(`fieldset[data-item="${item}"] input[value="${value}"]`).isChecked();
  assert.deepEqual([await isChosen("unclear", "no"), await isChosen("unknown", "yes"), await isChosen("abuse", "yes")], [true, true, false]);
  await sheet.locator('fieldset[data-item="unclear"] .evidence').getByText("这个我不清楚。").waitFor();
  const left = sheet.getByRole("status");
  await left.getByText("还有 3 项没答").waitFor();
  await answer("polite", "3");
  await answer("abuse", "是");
  await answer("ticket", "5");
  await left.getByText("都答了").waitFor();
  await sheet.getByLabel("工单记录完整准确：评语").fill("地址没写");
  await sheet.getByRole("button", { name: "提交评分" }).click();
  // 12 of 19 points.
  await page.locator(".filled-form .form-score", { hasText: "63.16" }).waitFor();
  await page.getByText("地址没写").waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".filled").getByText("待签收").waitFor();
  await close();

  const agent = await openAs(A7, "/agent/a7/forms", { width: 360 });
  await agent.page.getByRole("button", { name: "签收，有异议…" }).click();
  await agent.page.getByLabel("哪里不同意").fill("地址在备注里");
  await agent.page.getByRole("button", { name: "签收并提出异议" }).click();
  await agent.page.getByText("坐席的异议：").waitFor();
  await agent.close();

  const again = await openAs(WANG, "/qa?view=forms&days=all");
  await again.page.getByText("地址在备注里").waitFor();
  await again.page.getByRole("link", { name: "c1" }).click();
  await again.page.getByRole("button", { name: "改分…" }).click();
  await again.page.locator('fieldset[data-item="ticket"]').getByRole("radio", { name: "6", exact: true }).check();
  await again.page.getByLabel("为什么改（坐席看得到）").fill("备注里有地址");
  await again.page.getByRole("button", { name: "改分", exact: true }).click();
  await again.page.locator(".filled-form").getByText("待签收").waitFor();
  await again.close();

  const signing = await openAs(A7, "/agent/a7/forms");
  await signing.page.getByRole("button", { name: "签收", exact: true }).click();
  await signing.page.locator(".filled-form").getByText("已签收").waitFor();
  await signing.page.getByText("经过（4）").click();
  await signing.page.getByText("备注里有地址").waitFor();
  await signing.close();

  await looksRight(LI, "/call/c2#form", "form-sheet", (look) => look.getByRole("dialog").getByRole("button", { name: "提交评分" }).waitFor());
  await looksRight(A7, "/agent/a7/forms", "form-own", (look) => look.locator(".filled-form").waitFor());
  await looksRight(LI, "/qa?view=forms&days=all&group=agent", "form-trend", (look) => look.getByRole("heading", { name: "评分走势" }).waitFor());
});

test("of two who fill one form the second is told, and what she entered goes into a change of it", async () => {
  const fill = async (page, polite) => {
    const sheet = page.getByRole("dialog", { name: "热线服务评分表" });
    for (const [item, name] of [["polite", polite], ["abuse", "是"], ["ticket", "6"]]) {
      await sheet.locator(`fieldset[data-item="${item}"]`).getByRole("radio", { name, exact: true }).check();
    }
    await sheet.getByLabel("总评（可不写）").fill(`礼貌 ${polite}`);
    return sheet;
  };
  const first = await openAs(LI, "/call/c3#form");
  const one = await fill(first.page, "3");
  const second = await openAs(WANG, "/call/c3#form", { allowed: [/409/] });
  await second.page.getByText(/李静 也打开着这份表/).waitFor();
  const other = await fill(second.page, "1");
  await one.getByRole("button", { name: "提交评分" }).click();
  await first.page.locator(".filled-form").waitFor();
  await other.getByRole("button", { name: "提交评分" }).click();
  await other.getByRole("alert").getByText(/李静 在 .* 已经用这份表给这位坐席评过分/).waitFor();
  await screenshot(second.page, "form-second");
  await second.page.getByRole("button", { name: "打开那一份，带上我的答案…" }).click();
  await second.page.getByLabel("为什么改（坐席看得到）").fill("复听");
  const sheet = second.page.getByRole("dialog");
  assert.deepEqual([await sheet.locator('fieldset[data-item="polite"] input[value="1"]').isChecked(), await sheet.getByLabel("总评（可不写）").inputValue()], [true, "礼貌 1"]);
  // Somebody changes it once more meanwhile: her answers stay, and are sent again knowingly.
  const { forms } = await server.get("/v1/forms/filled?agent_id=a8", LI);
  const { answers, revision } = await server.get(`/v1/forms/filled/${forms[0].form_no}`, LI);
  await server.post(`/v1/forms/filled/${forms[0].form_no}`, { answers, revision, reason: "再听" }, LI);
  await sheet.getByRole("button", { name: "改分", exact: true }).click();
  await sheet.getByRole("alert").getByText(/李静 在 .* 改过/).waitFor();
  await sheet.getByRole("button", { name: "改分", exact: true }).click();
  await second.page.locator(".filled-form").getByText("礼貌 1").waitFor();
  const { steps } = await server.get(`/v1/forms/filled/${forms[0].form_no}`, LI);
  assert.deepEqual(steps.map((step) => `${step.step} ${step.by}`), ["fill 李静", "change 李静", "change 王芳"]);
  await first.close();
  await second.close();
});

test("an alert goes into a collection by two keys, is shared with a team and read there", async () => {
  const { page, close } = await openAs(LI, "/qa?view=review&days=all&rule_id=panel.unclear", { allowed: [/409/] });
  await page.locator(".detail").getByText("这个我不清楚。").first().waitFor();
  await page.keyboard.press("s");
  const dialog = page.getByRole("dialog", { name: "收进培训片段" });
  await dialog.getByLabel("标题").fill("不清楚怎么说");
  await page.keyboard.press("Enter");
  await page.getByText("已收进“不清楚怎么说”").waitFor({ state: "attached" });
  await dialog.waitFor({ state: "detached" });
  // The collection of last time is chosen.
  await page.keyboard.press("j");
  await page.keyboard.press("s");
  await dialog.locator("input[name=note]:focus").waitFor();
  await page.keyboard.press("Enter");
  await dialog.waitFor({ state: "detached" });
  const [collection] = (await server.get("/v1/clips", LI)).collections;
  assert.equal(collection.count, 2);
  await page.goto(`${server.url}/clips/${collection.clip_no}`);
  await page.locator(".clip mark").first().waitFor();
  await page.getByRole("button", { name: "标题和共享…" }).click();
  await page.getByLabel("共享给班组（逗号分开）").fill("售后二组");
  await page.getByRole("button", { name: "保存" }).click();
  await page.getByText("共享给：班组 售后二组").waitFor();
  // Somebody else changes it while it is edited: that is told, and what was typed stays.
  await page.getByRole("button", { name: "标题和共享…" }).click();
  await page.getByLabel("说明").fill("十一月的");
  await server.post(`/v1/clips/${collection.clip_no}`, { share: { teams: ["售后二组", "售后一组"] } }, WANG);
  await page.getByRole("button", { name: "保存" }).click();
  await page.getByRole("alert").getByText(/王芳 在 .* 改过这个片段集/).waitFor();
  assert.equal(await page.getByLabel("说明").inputValue(), "十一月的");
  await page.waitForFunction(() => document.querySelector("input[name=teams]")?.value.includes("售后一组"));
  await page.getByRole("button", { name: "保存" }).click();
  await page.getByText("十一月的").waitFor();
  await page.getByText("共享给：班组 售后一组、班组 售后二组").waitFor();
  await close();
  const others = await openAs(WANG, `/clips/${collection.clip_no}`);
  await others.page.getByRole("button", { name: "标题和共享…" }).click();
  await others.page.getByText("只有 李静 或管理员能删除").waitFor();
  await others.close();

  const agent = await openAs(A8, `/clips/${collection.clip_no}`, { width: 360 });
  await agent.page.getByRole("heading", { name: "不清楚怎么说" }).waitFor();
  assert.equal(await agent.page.getByRole("link", { name: /通话/ }).count(), 0, "whose call it was is left out");
  await agent.close();
  await looksRight(LI, `/clips/${collection.clip_no}`, "clips", (look) => look.locator(".clip").first().waitFor());
  await looksRight(LI, "/qa?view=clips", "clips-list", (look) => look.getByRole("link", { name: "不清楚怎么说" }).waitFor());
});

test("two reviewers score the same call blind and are compared item by item", async () => {
  const { page, close } = await openAs(LI, "/qa?view=calibration");
  await page.getByRole("button", { name: "发起校准…" }).click();
  await page.getByLabel("标题").fill("十一月校准");
  await page.getByLabel("评分人（姓名，逗号分开，至少两位）").fill("李静，王芳");
  await page.getByRole("group", { name: "选通话" }).getByRole("checkbox").first().check();
  await page.getByRole("button", { name: "发起", exact: true }).click();
  await page.getByText("进行中，互不可见").waitFor();
  const address = new URL(page.url());
  await close();
  for (const [token, tone] of [[LI, "3"], [WANG, "1"]]) {
    const reviewer = await openAs(token, address.pathname + address.search);
    await reviewer.page.getByRole("button", { name: "评分…" }).click();
    const sheet = reviewer.page.getByRole("dialog", { name: "热线服务评分表" });
    for (const [item, best] of [["unclear", "否"], ["unknown", "是"], ["polite", tone], ["abuse", "是"], ["ticket", "6"]]) {
      await sheet.locator(`fieldset[data-item="${item}"]`).getByRole("radio", { name: best, exact: true }).check();
    }
    await sheet.getByRole("button", { name: "提交评分" }).click();
    await sheet.waitFor({ state: "detached" });
    if (token === LI) {
      await reviewer.page.getByText("进行中，互不可见：李静 1/1，王芳 0/1").waitFor();
      assert.equal(await reviewer.page.getByText("逐项一致性").count(), 0);
    } else {
      await reviewer.page.getByRole("heading", { name: "答案不同的项" }).waitFor();
      await reviewer.page.getByRole("region", { name: "答案不同的项" }).getByText("3 / 3 分").waitFor();
    }
    await reviewer.close();
  }
  await looksRight(LI, address.pathname + address.search, "calibration", (look) => look.getByRole("region", { name: "逐项一致性" }).waitFor());
});

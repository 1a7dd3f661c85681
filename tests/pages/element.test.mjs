// The element on a page of another origin: the sample CRM, two lines, a token
// that was signed for the agent.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { PATIENCE, Producer, Server, accessibilityFaults, atEnd, end, fresh, launch, says, screenshot, start } from "./harness.mjs";
import { RULES } from "./rules.mjs";

const root = fileURLToPath(new URL("../../", import.meta.url));
const INGEST = "ingest-token-of-the-tests";
const QA = "qa-token-of-the-tests";
let crm;
/** A page of two lines under the strictest policy, and one of another origin that has it in a frame. */
let strict;
let outer;
let server;
let producer;

/** A site that serves one page under a strict policy of its own, and a style sheet where there is one. */
async function site(text, policy, style) {
  const http = createServer((request, response) => {
    if (request.url === "/style.css" && style) {
      response.writeHead(200, { "content-type": "text/css" }).end(style);
      return;
    }
    if (request.url !== "/") {
      response.writeHead(204).end();
      return;
    }
    response.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": policy() }).end(text());
  });
  atEnd(() => {
    http.close();
    http.closeAllConnections();
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  return { origin: `http://127.0.0.1:${http.address().port}` };
}

before(async () => {
  const example = readFileSync(join(root, "examples/crm/index.html"), "utf8");
  let token = "";
  const text = () => example.replace("http://127.0.0.1:8787", server.url).replace('agent="a1003"', `agent="a7" token="${token}"`);
  // The sample has a style sheet of its own inline; nothing of the panel needs that.
  const policy = () => `default-src 'none'; style-src 'unsafe-inline'; script-src ${server.url}; connect-src ${server.url} ${server.url.replace("http", "ws")}`;
  crm = await site(text, policy);
  strict = await site(
    () => `<!doctype html><meta charset="utf-8"><title>CRM</title><link rel="stylesheet" href="/style.css">
      <script type="module" src="${server.url}/assets/element/tingjian-alerts.js"></script><tingjian-alerts agent="a7" token="${token}"></tingjian-alerts>`,
    () => `default-src 'none'; style-src 'self'; script-src ${server.url}; connect-src ${server.url} ${server.url.replace("http", "ws")}; require-trusted-types-for 'script'; trusted-types 'none'`,
    // The letters of the page around are none of the panel's business.
    "html { font-size: 10px; } html, body { height: 100%; margin: 0; }",
  );
  outer = await site(
    () => `<!doctype html><meta charset="utf-8"><title>outer</title><iframe title="panel" width="320" height="700" src="${strict.origin}"></iframe>`,
    () => `default-src 'none'; frame-src ${strict.origin}`,
  );
  const config = `allowed_origins = ["${crm.origin}", "${strict.origin}"]\n[tokens]\ningest = ["${INGEST}"]\nqa = ["${QA}"]\nagent_secret = "a-secret-of-the-tests-that-is-long-enough"\n`;
  server = await Server.start({ rules: RULES, config });
  const binary = process.env.TINGJIAN ?? join(root, "target/debug/tingjian");
  token = execFileSync(binary, ["token", "--agent", "a7", "--config", join(server.directory, "config.toml")], { encoding: "utf8" }).trim();
  producer = await Producer.connect(server, INGEST);
});

test("the sample CRM page shows its agent's alerts, keeps to its policy, and is left as it is", async () => {
  const context = await (await launch()).newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", reducedMotion: "reduce" });
  await fresh(context);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
  await page.addInitScript(`globalThis.heard = []; addEventListener("DOMContentLoaded", () =>
    document.querySelector("tingjian-alerts").addEventListener("tingjian-alert", ({ detail }) => heard.push(detail.state)))`);
  await page.goto(crm.origin);
  await page.locator('[data-link="open"]').waitFor();
  assert.equal(sockets.length, 2, `alerts and desk, once each: ${sockets}`);
  await producer.tell(start("e1", "a7", { queue: "投诉专线" }), says("e1", "u1", "agent", "我不清楚", 2_000, false), says("e1", "u1", "agent", "我不清楚。", 2_000));
  const card = page.locator('article.card[data-rule-id="panel.unclear"][data-state="confirmed"]');
  await card.waitFor();
  await page.locator(".clock").waitFor();
  assert.deepEqual(await page.evaluate("heard"), ["provisional", "confirmed"]);
  assert.equal(await accessibilityFaults(page), "");
  await screenshot(page, "crm-1280-light");

  // The CRM's own keys are its own until the panel has the focus.
  await page.getByLabel("处理记录").fill("");
  await page.keyboard.type("x 不对 ");
  assert.equal(await page.getByLabel("处理记录").inputValue(), "x 不对 ");
  await page.locator("main").click({ position: { x: 5, y: 5 } });
  await page.keyboard.press("x");
  assert.equal(await card.getByRole("button", { name: "误报" }).count(), 0);
  await page.locator('article.card[data-armed="true"]').waitFor();
  await card.getByRole("button", { name: "知道了" }).focus();
  await page.keyboard.press("x");
  await card.getByRole("button", { name: "误报" }).waitFor();
  await page.keyboard.press("Escape");
  await card.getByRole("button", { name: "知道了" }).click();
  await card.waitFor({ state: "detached" });
  await page.locator('.short[data-handled="seen"]').waitFor();

  // The page's language, colours and storage of tokens are none of the element's business.
  assert.equal(await page.evaluate("document.documentElement.lang"), "zh-CN");
  assert.equal(await page.evaluate("document.documentElement.dataset.theme ?? null"), null);
  assert.equal(await page.evaluate("sessionStorage.getItem('tingjian.token')"), null);
  assert.deepEqual(faults, []);
  await producer.tell(end("e1", 30_000));
  await context.close();
});

for (const dark of [false, true]) {
  test(`two lines in a frame of another origin, under the strictest policy, with two calls at 320 px, ${dark ? "dark" : "light"}`, async () => {
    const context = await (await launch()).newContext({ viewport: { width: 360, height: 720 }, colorScheme: dark ? "dark" : "light", reducedMotion: "reduce" });
    await fresh(context);
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const faults = [];
    page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
    page.on("pageerror", (error) => faults.push(String(error)));
    await page.goto(outer.origin);
    const panel = page.frameLocator("iframe");
    await panel.locator('[data-link="open"]').waitFor();
    const [one, two] = ["x", "y"].map((name) => `${name}-${dark}`);
    await producer.tell(start(one, "a7", { queue: "宽带报修", customer_name: "王女士" }), start(two, "a7", { queue: "账单咨询", customer_name: "李先生" }));
    const tab = (name) => panel.getByRole("button", { name });
    await tab("王女士").waitFor();
    await tab("王女士").click();
    await producer.tell(
      says(one, "c1", "customer", "我要投诉，宽带三天了还没修好。", 1_000), says(one, "u1", "agent", "哎呀。", 4_000),
      says(one, "u2", "agent", "为什么会这样我也不清楚。", 8_000), says(two, "u1", "agent", "我不清楚。", 3_000),
    );
    await panel.locator('article.card[data-rule-id="panel.unclear"][data-armed="true"]').waitFor();
    await tab("李先生").locator(".unread").waitFor();
    await panel.locator('.duty[data-rule-id="panel.apologise"] .words').waitFor();
    const cut = await page.frames()[1].evaluate(() => [...document.querySelector("tingjian-alerts").shadowRoot.querySelectorAll(".card, .say, .actions button, .tab, .duty")]
      .filter((element) => element.getBoundingClientRect().right > innerWidth || element.scrollWidth > element.clientWidth + 1).map(({ className }) => className));
    assert.deepEqual(cut, []);
    // Ordinary letters are 16 px, whatever a `rem` of the page is.
    assert.equal(await panel.locator(".panel").evaluate((element) => getComputedStyle(element).fontSize), "16px");
    await screenshot(page, `frame-320-${dark ? "dark" : "light"}`);
    assert.deepEqual(faults, []);
    await producer.tell(end(one, 20_000), end(two, 20_000));
    await context.close();
  });
}

test("a page that is not allowed gets nothing, and says so", async () => {
  const other = await site(
    () => `<!doctype html><title>x</title><script type="module" src="${server.url}/assets/element/tingjian-alerts.js"></script><tingjian-alerts agent="a7"></tingjian-alerts>`,
    () => `default-src 'none'; script-src ${server.url}; connect-src ${server.url}`,
  );
  const context = await (await launch()).newContext();
  const page = await context.newPage();
  const failed = page.waitForEvent("console", (message) => /CORS|403/.test(message.text()));
  await page.goto(other.origin);
  await failed;
  assert.equal(await page.evaluate("customElements.get('tingjian-alerts') === undefined"), true);
  await context.close();
});

test("another agent's token is refused in words", async () => {
  const path = join(server.directory, "other.toml");
  writeFileSync(path, readFileSync(join(server.directory, "config.toml")));
  const binary = process.env.TINGJIAN ?? join(root, "target/debug/tingjian");
  const wrong = execFileSync(binary, ["token", "--agent", "a8", "--config", path], { encoding: "utf8" }).trim();
  const context = await (await launch()).newContext();
  await fresh(context);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(crm.origin);
  await page.evaluate(() => {
    globalThis.links = [];
    document.querySelector("tingjian-alerts").addEventListener("tingjian-link", ({ detail }) => globalThis.links.push(detail));
  });
  await page.evaluate((token) => document.querySelector("tingjian-alerts").setAttribute("token", token), wrong);
  await page.locator('[data-link="refused"]').waitFor();
  await page.getByText("这个令牌属于别的坐席").waitFor();
  // The page that embeds it can ask for another token.
  assert.deepEqual(await page.evaluate("links.at(-1)"), { state: "refused", why: "这个令牌属于别的坐席" });
  await context.close();
});

test("with keys of the page, the CRM's own controls keep theirs", async () => {
  const context = await (await launch()).newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  await fresh(context);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  await page.goto(crm.origin);
  await page.evaluate(() => {
    document.querySelector("tingjian-alerts").setAttribute("keys", "page");
    const main = document.querySelector("main");
    globalThis.pressed = [];
    for (const role of ["button", "listbox"]) {
      const control = Object.assign(document.createElement("div"), { tabIndex: 0, textContent: role, onkeydown: ({ key }) => globalThis.pressed.push(key) });
      control.setAttribute("role", role);
      main.append(control);
    }
  });
  await page.locator('[data-link="open"]').waitFor();
  await producer.tell(start("e2", "a7"), says("e2", "u1", "agent", "我不清楚。", 2_000));
  const card = page.locator('article.card[data-rule-id="panel.unclear"]').last();
  await card.getByRole("button", { name: "知道了" }).waitFor();
  await page.locator('article.card[data-armed="true"]').waitFor();
  const shown = await page.locator("article.card").count();
  await page.getByRole("button", { name: "button", exact: true }).focus();
  await page.keyboard.press("Space");
  await page.getByRole("listbox").focus();
  await page.keyboard.press("x");
  assert.deepEqual(await page.evaluate("pressed"), [" ", "x"]);
  assert.equal(await page.getByRole("button", { name: "误报" }).count(), 0);
  assert.equal(await page.locator("article.card").count(), shown);
  // While nothing has the focus, they are the panel's.
  await page.evaluate("document.activeElement.blur()");
  await page.keyboard.press("x");
  await page.getByRole("button", { name: "误报" }).waitFor();
  await context.close();
});

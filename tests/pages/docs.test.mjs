// The documentation as pages: in both languages, with and without scripts, from this server alone.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { LOOKS, Server, accessibilityFaults, launch, open, screenshot } from "./harness.mjs";

let server;

before(async () => {
  server = await Server.start();
});

for (const { width, dark } of LOOKS) {
  test(`a page at ${width} px, ${dark ? "dark" : "light"}`, async () => {
    const { page, close } = await open(server, "/docs/zh/config", { width, dark });
    await page.getByRole("heading", { level: 1 }).waitFor();
    assert.equal(await page.evaluate("document.documentElement.dataset.theme"), dark ? "dark" : "light");
    assert.equal(await accessibilityFaults(page), "");
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
    await screenshot(page, `docs-${width}-${dark ? "dark" : "light"}`);
    await close();
  });
}

test("every page of both languages is there, and none asks another server", async () => {
  const { page, close } = await open(server, "/docs");
  /** @type {string[]} */
  const foreign = [];
  page.on("request", (/** @type {any} */ request) => new URL(request.url()).origin === new URL(server.url).origin || foreign.push(request.url()));
  for (const language of ["zh", "en"]) {
    await page.goto(`${server.url}/docs/${language}/start`);
    const links = await page.locator(".chapters nav a").evaluateAll((/** @type {any[]} */ all) => all.map((link) => link.getAttribute("href")));
    assert.ok(links.length > 15, String(links.length));
    for (const link of links) {
      assert.equal((await page.goto(server.url + link)).status(), 200, link);
      await page.getByRole("heading", { level: 1 }).waitFor();
    }
  }
  assert.deepEqual(foreign, []);
  assert.equal((await fetch(`${server.url}/docs/zh/none`)).status, 404);
  assert.equal((await fetch(`${server.url}/docs/fr/start`)).status, 404);
  await close();
});

test("a search finds sections and leads to them", async () => {
  const { page, close } = await open(server, "/docs/zh/start");
  await page.keyboard.press("/");
  await page.keyboard.type("令牌 CRM");
  await page.locator(".found a").first().click();
  await page.waitForURL(/\/docs\/zh\/\w+#/);
  assert.ok(await page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1))) !== null"));
  await page.getByRole("searchbox").fill("沒有這樣的詞");
  await page.getByText("没有找到").waitFor();
  await close();
});

test("the switch of language keeps the section", async () => {
  const { page, close } = await open(server, `/docs/zh/config#${encodeURIComponent("令牌")}`);
  await page.getByRole("link", { name: "English" }).click();
  await page.waitForURL(/\/docs\/en\/config#tokens$/);
  assert.equal(await page.evaluate("document.documentElement.lang"), "en");
  await close();
});

test("an example is copied whole", async () => {
  const { page, close } = await open(server, "/docs/en/start");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const example = page.locator("article pre").first();
  await example.getByRole("button", { name: "Copy" }).click();
  await example.getByRole("button", { name: "Copied" }).waitFor();
  assert.equal(await page.evaluate("navigator.clipboard.readText()"), await example.locator("code").textContent());
  await close();
});

test("without scripts the pages are all there", async () => {
  const context = await (await launch()).newContext({ javaScriptEnabled: false, locale: "en-US" });
  const page = await context.newPage();
  await page.goto(`${server.url}/docs`);
  assert.match(page.url(), /\/docs\/en\/start$/);
  await page.getByRole("link", { name: "Security" }).first().click();
  await page.getByRole("heading", { level: 1, name: "Security" }).waitFor();
  assert.equal(await page.getByRole("searchbox").count(), 0);
  await context.close();
});

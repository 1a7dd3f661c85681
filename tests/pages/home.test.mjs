// The front door, and what holds for every page.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import { LOOKS, Server, accessibilityFaults, open, screenshot } from "./harness.mjs";

const PAGES = ["/", "/agent/a7", "/live", "/call/none", "/qa", "/rules", "/docs/zh/start", "/docs/en/start"];
let server;

before(async () => {
  server = await Server.start({ config: '[tokens]\nqa = ["qa-token-of-the-tests"]\nadmin = ["admin-token-of-the-tests"]\n' });
});

for (const path of PAGES) {
  test(`${path} has a strict policy and no inline script`, async () => {
    const response = await fetch(server.url + path);
    assert.equal(response.status, 200);
    const policy = response.headers.get("content-security-policy");
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'self'"]) {
      assert.ok(policy.includes(part), `${part} is missing in ${policy}`);
    }
    assert.ok(!policy.includes("unsafe"), policy);
    const body = await response.text();
    assert.ok(!/<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=/.test(body), body);
    const again = await fetch(server.url + path, { headers: { "if-none-match": response.headers.get("etag") } });
    assert.equal(again.status, 304);
  });
}

test("what is no asset is not served", async () => {
  for (const path of ["/assets/pages/home.html", "/assets/shared/none.js", "/assets/vendor/preact.d.ts", "/assets/..%2Fshared/api.js"]) {
    assert.equal((await fetch(server.url + path)).status, 404, path);
  }
});

for (const { width, dark } of LOOKS) {
  test(`the front door at ${width} px, ${dark ? "dark" : "light"}`, async () => {
    const { page, close } = await open(server, "/", { width, dark });
    await page.getByRole("heading", { level: 1 }).waitFor();
    assert.equal(await accessibilityFaults(page), "");
    assert.ok(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways");
    await screenshot(page, `home-${width}-${dark ? "dark" : "light"}`);
    await close();
  });
}

test("language and theme are kept", async () => {
  const { page, close } = await open(server, "/");
  await page.getByRole("button", { name: "外观" }).click();
  await page.getByRole("button", { name: "外观" }).click();
  assert.equal(await page.evaluate("document.documentElement.dataset.theme"), "dark");
  await page.getByRole("button", { name: "English" }).click();
  await page.getByRole("heading", { name: /warns the agent/ }).waitFor();
  assert.equal(await page.evaluate("document.documentElement.lang"), "en");
  await close();
});

test("an agent's panel is one field away", async () => {
  const { page, close } = await open(server, "/");
  await page.getByLabel("坐席编号").fill("a 7/坐席");
  await page.getByRole("button", { name: "打开" }).click();
  await page.waitForURL((url) => decodeURIComponent(url.pathname) === "/agent/a 7/坐席");
  await close();
});

test("an address that there is not is told in words to people and in JSON to programs", async () => {
  const { page, close } = await open(server, "/nowhere/at/all", { allowed: [/404/] });
  await page.getByRole("heading", { name: "没有这个页面" }).waitFor();
  assert.equal(await accessibilityFaults(page), "");
  await page.getByRole("link", { name: "回到首页" }).click();
  await page.getByRole("heading", { name: /听检/ }).waitFor();
  await close();
  assert.equal((await server.get("/nowhere")).code, "not_found");
});

test("in English no Chinese mark is left in the frame", async () => {
  const { page, close } = await open(server, "/", { language: "en" });
  await page.getByRole("button", { name: "Theme: system" }).waitFor();
  await close();
});

// The documentation, read in comfort: a search over all pages, and examples that can be copied. Without it the
// pages are all there.

import { begin, chooseLanguage } from "../shared/settings.js";

/** @typedef {{page: string, title: string, heading: string, anchor: string, text: string}} Section */

const FOUND_MAX = 20;
/** Characters that are shown before and behind what was looked for. */
const AROUND = 30;

const body = document.body;
const language = body.dataset.language === "en" ? "en" : "zh";

begin();
// The page speaks the language of its address, whatever the others speak.
document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
for (const link of document.querySelectorAll("[data-switch]")) {
  link.addEventListener("click", () => chooseLanguage(language === "zh" ? "en" : "zh"));
  // The same place in the other language: the sections are in the same order.
  link.addEventListener("click", (event) => {
    const headings = [...document.querySelectorAll("article :is(h2, h3, h4)")];
    const place = headings.findIndex((heading) => heading.id === decodeURIComponent(location.hash.slice(1)));
    if (place >= 0 && link instanceof HTMLAnchorElement) {
      event.preventDefault();
      location.assign(`${link.getAttribute("href")}?section=${place}`);
    }
  });
}
const section = new URLSearchParams(location.search).get("section");
if (section !== null) {
  const heading = document.querySelectorAll("article :is(h2, h3, h4)")[Number(section)];
  history.replaceState(null, "", location.pathname);
  if (heading) {
    location.replace(`#${encodeURIComponent(heading.id)}`);
  }
}
if (matchMedia("(max-width: 760px)").matches) {
  document.querySelector(".chapters details")?.removeAttribute("open");
}
document.querySelector(".chapters [aria-current]")?.scrollIntoView({ block: "nearest" });

for (const example of document.querySelectorAll("article pre")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = body.dataset.copy ?? "";
  button.addEventListener("click", async () => {
    const text = example.querySelector("code")?.textContent ?? "";
    if (await copy(text)) {
      button.textContent = body.dataset.copied ?? "";
      setTimeout(() => (button.textContent = body.dataset.copy ?? ""), 2_000);
    }
  });
  example.append(button);
}

/** Browsers have a clipboard for pages over TLS and of this machine; others have a selection. @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

const search = document.querySelector(".search");
const input = search?.querySelector("input");
const list = search?.querySelector("ol");
/** @type {Promise<Section[]> | undefined} */
let sections;

if (search instanceof HTMLElement && input && list) {
  search.hidden = false;
  input.addEventListener("input", async () => {
    const words = input.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    sections ??= fetch(`/docs/${language}/search.json`).then((answer) => answer.json());
    const all = await sections;
    const wanted = input.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    // What was typed since has an answer of its own.
    if (wanted.join(" ") === words.join(" ")) {
      show(list, words, find(all, words));
    }
  });
  addEventListener("keydown", (event) => {
    const target = event.target;
    const writes = target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
    if (event.key === "/" && !writes && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      input.focus();
    }
  });
}

/** Sections that have all the words, those with more of them in their headings first.
 * @param {Section[]} all @param {string[]} words
 */
function find(all, words) {
  if (words.length === 0) {
    return [];
  }
  const rated = all.map((found) => {
    const head = `${found.title} ${found.heading}`.toLowerCase();
    const text = `${head} ${found.text.toLowerCase()}`;
    const has = words.every((word) => text.includes(word));
    return { found, rate: has ? 1 + words.filter((word) => head.includes(word)).length : 0 };
  });
  return rated.filter(({ rate }) => rate > 0).sort((a, b) => b.rate - a.rate).slice(0, FOUND_MAX).map(({ found }) => found);
}

/** @param {HTMLElement} place @param {string[]} words @param {Section[]} found */
function show(place, words, found) {
  const items = found.map(({ page, title, heading, anchor, text }) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `/docs/${language}/${page}${anchor === "" ? "" : `#${encodeURIComponent(anchor)}`}`;
    link.textContent = heading === "" ? title : `${title} › ${heading}`;
    const at = text.toLowerCase().indexOf(words[0]);
    const small = document.createElement("small");
    small.textContent = text.slice(Math.max(0, at - AROUND), Math.max(0, at) + AROUND * 2);
    link.append(small);
    item.append(link);
    return item;
  });
  if (items.length === 0 && words.length > 0) {
    const none = document.createElement("li");
    none.textContent = body.dataset.nothing ?? "";
    items.push(none);
  }
  place.replaceChildren(...items);
}

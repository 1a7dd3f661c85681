// What the reader chose and this browser keeps: language, light or dark. The
// token is kept for the tab only, and goes with it.

const LANGUAGE = "tingjian.language";
const THEME = "tingjian.theme";
const TOKEN = "tingjian.token";

/** @typedef {"zh" | "en"} Language */
/** @typedef {"system" | "light" | "dark"} Theme */

/** A store that a browser may forbid, or not have. */
function read(/** @type {() => Storage} */ store, /** @type {string} */ key) {
  try {
    return store().getItem(key);
  } catch {
    return null;
  }
}

function write(/** @type {() => Storage} */ store, /** @type {string} */ key, /** @type {string | null} */ value) {
  try {
    if (value === null) {
      store().removeItem(key);
    } else {
      store().setItem(key, value);
    }
  } catch {
    // Then it is as it was on the next visit.
  }
}

const lasting = () => localStorage;
const ofTab = () => sessionStorage;

/** @type {Language} */
let language = read(lasting, LANGUAGE) === "en" ? "en" : "zh";
/** @type {Set<() => void>} */
const listeners = new Set();

/** Calls back whenever a setting changes. @param {() => void} listener */
export function onSettings(listener) {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

function changed() {
  for (const listener of listeners) {
    listener();
  }
}

/** Of the centre, in minutes east of Greenwich; until the server told, there is none. @type {number | null} */
let zone = null;
let zoneText = "";

/** Keeps the offset in which the centre's days begin. @param {string} offset `+08:00` */
export function keepZone(offset) {
  const found = /^([+-])(\d\d):(\d\d)/.exec(offset);
  if (found !== null) {
    zone = (found[1] === "-" ? -1 : 1) * (Number(found[2]) * 60 + Number(found[3]));
    zoneText = `UTC${offset.slice(0, 6)}`;
  }
}

/** What to call the zone in which all times of the page are; empty while it is not known. */
export function zoneName() {
  return zoneText;
}

/** Day and time in the centre's zone, as `2026-11-21T10:00:00…`. @param {number} ms since 1970 */
export function inZone(ms) {
  return new Date(ms + (zone ?? -new Date(ms).getTimezoneOffset()) * 60_000).toISOString();
}

/** The same in the reader's language. @param {string} zh @param {string} en */
export function t(zh, en) {
  return language === "zh" ? zh : en;
}

/** What the server says in both languages ("中文 / English"), in the reader's. @param {string} message */
export function told(message) {
  const at = message.indexOf(" / ");
  if (at < 0) {
    return message;
  }
  return language === "zh" ? message.slice(0, at) : message.slice(at + 3);
}

export function currentLanguage() {
  return language;
}

/** Speaks this language from now on, without keeping it. @param {Language} chosen */
export function speak(chosen) {
  language = chosen;
}

/** @param {Language} chosen */
export function chooseLanguage(chosen) {
  language = chosen;
  write(lasting, LANGUAGE, chosen);
  document.documentElement.lang = chosen === "zh" ? "zh-CN" : "en";
  changed();
}

/** @returns {Theme} */
export function currentTheme() {
  const theme = read(lasting, THEME);
  return theme === "light" || theme === "dark" ? theme : "system";
}

/** @param {Theme} chosen */
export function chooseTheme(chosen) {
  write(lasting, THEME, chosen === "system" ? null : chosen);
  applyTheme();
  changed();
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export function isDark() {
  const theme = currentTheme();
  return theme === "dark" || (theme === "system" && dark.matches);
}

function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
}

/** The token of this tab. */
export function token() {
  return read(ofTab, TOKEN);
}

/** @param {string | null} value */
export function keepToken(value) {
  write(ofTab, TOKEN, value);
  changed();
}

/**
 * Puts the settings to work on a page of our own: its language and colours, and
 * the token that `#token=…` brings along, as a link out of a CRM does; it does
 * not stay in the address. A page that only embeds an element is left as it is.
 */
export function begin() {
  const brought = new URLSearchParams(location.hash.slice(1)).get("token");
  if (brought !== null) {
    keepToken(brought);
    history.replaceState(null, "", location.pathname + location.search);
  }
  keepZone(document.querySelector('meta[name="utc-offset"]')?.getAttribute("content") ?? "");
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  applyTheme();
  dark.addEventListener("change", () => {
    applyTheme();
    changed();
  });
}

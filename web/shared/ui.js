// What all pages are made of: the frame around them, the way to sign in, and
// small parts. Text reaches the page as text only; nothing here sets markup.

import { Component, h, render } from "../vendor/preact.js";
import { useCallback, useEffect, useRef, useState } from "../vendor/hooks.js";
import htm from "../vendor/htm.js";
import { ApiError, get } from "./api.js";
import {
  begin, chooseLanguage, chooseTheme, currentLanguage, currentTheme, keepToken, onSettings, t, token, zoneName,
} from "./settings.js";
import { severityName } from "./format.js";

export const html = htm.bind(h);

/** Draws a page into its place, again whenever a setting changes. @param {() => any} Page */
export function show(Page) {
  const place = document.getElementById("page");
  begin();
  if (place !== null) {
    render(html`<${Live} page=${Page} />`, place);
  }
}

/** @param {{page: any}} properties */
function Live({ page: Page }) {
  const [, setRound] = useState(0);
  useEffect(() => onSettings(() => setRound((round) => round + 1)), []);
  return html`<${Page} />`;
}

/**
 * Who the reader is: what `GET /v1/me` says.
 * @typedef {import("../shapes.js").Me} Me
 */

/** A question and its answer; asked anew when `key` changes or `reload` is called.
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} ask
 * @param {unknown[]} key
 * @returns {{value: T | undefined, error: ApiError | undefined, loading: boolean, reload: () => void}}
 */
export function useAnswer(ask, key) {
  const [state, setState] = useState(/** @type {any} */ ({ loading: true }));
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    setState((/** @type {any} */ before) => ({ ...before, loading: true }));
    ask(abort.signal).then(
      (value) => abort.signal.aborted || setState({ value, loading: false }),
      (error) => abort.signal.aborted || setState({ error, loading: false }),
    );
    return () => abort.abort();
  }, [...key, round]);
  const reload = useCallback(() => setRound((before) => before + 1), []);
  return { value: state.value, error: state.error, loading: state.loading, reload };
}

/** Calls back on keys that are pressed outside of fields, without Ctrl, Alt or Meta.
 * @param {Record<string, (event: KeyboardEvent) => void>} keys by `event.key`
 */
export function useKeys(keys) {
  const latest = useRef(keys);
  latest.current = keys;
  useEffect(() => {
    const listener = (/** @type {KeyboardEvent} */ event) => {
      const target = event.target;
      const writes = target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
      const action = latest.current[event.key];
      if (action && !writes && !event.ctrlKey && !event.altKey && !event.metaKey && !document.querySelector("dialog[open]")) {
        event.preventDefault();
        action(event);
      }
    };
    addEventListener("keydown", listener);
    return () => removeEventListener("keydown", listener);
  }, []);
}

/** The filters of a page, kept in its address, so that it can be sent to a colleague and the way back leads through
 * them. What is only typed (`typed`), or changed with `replace`, makes no step of its own.
 * @param {Record<string, string>} defaults @param {string[]} [typed]
 * @returns {[Record<string, string>, (changes: Record<string, string>, replace?: boolean) => void]}
 */
export function useFilters(defaults, typed = []) {
  const read = () => {
    const query = new URLSearchParams(location.search);
    return Object.fromEntries(Object.entries(defaults).map(([name, value]) => [name, query.get(name) ?? value]));
  };
  const [filters, setFilters] = useState(read);
  useEffect(() => {
    const back = () => setFilters(read());
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  const change = useCallback((/** @type {Record<string, string>} */ changes, replace = false) => {
    const before = read();
    const after = { ...before, ...changes };
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(after)) {
      if (value === defaults[name]) {
        query.delete(name);
      } else {
        query.set(name, value);
      }
    }
    const text = query.toString();
    const address = location.pathname + (text === "" ? "" : `?${text}`) + location.hash;
    const isStep = !replace && Object.keys(changes).some((name) => changes[name] !== before[name] && !typed.includes(name));
    history[isStep ? "pushState" : "replaceState"](null, "", address);
    setFilters(after);
  }, []);
  return [filters, change];
}

/** What the address says that the page does not know: names, choices, and what stands behind `#` instead of `?`.
 * @param {{defaults: Record<string, string>, filters: Record<string, string>, choices?: Record<string, string[]>}} properties */
export function Strange({ defaults, filters, choices = {} }) {
  const names = [...new URLSearchParams(location.search).keys()].filter((name) => !(name in defaults));
  const values = Object.entries(choices).filter(([name, known]) => filters[name] !== defaults[name] && !known.includes(filters[name])).map(([name]) => `${name}=${filters[name]}`);
  const behind = /^#[\w-]+=/.test(location.hash) ? [location.hash] : [];
  const strange = [...names.map((name) => `${name}=`), ...values, ...behind];
  return strange.length === 0 ? null : html`<p class="notice warning flat" role="status">${t("地址里有本页不认识的，没有理会：", "The address says what this page does not know, and does not heed: ")}${strange.map((one, at) => html`${at > 0 ? t("、", ", ") : ""}<bdi><code>${one}</code></bdi>`)}</p>`;
}

/** A page within its frame. `role` is what the reader needs; a page for everybody has none.
 * @param {{title: string, current: string, role?: string[], children?: any}} properties
 */
export function Frame({ title, current, role, children }) {
  // A page for everybody need not know who reads it, and must not be refused.
  const asks = role !== undefined || token() !== null;
  const { value: me, error, reload } = useAnswer((signal) => (asks ? get("/v1/me", {}, signal) : Promise.resolve(undefined)), [token()]);
  useEffect(() => {
    document.title = `${title} · ${t("听检", "tingjian")}`;
  });
  const may = !role || (me !== undefined && role.some((name) => me.roles.includes(name)));
  const refused = error instanceof ApiError && error.status === 401;
  return html`
    <a class="skip" href="#main">${t("跳到正文", "Skip to content")}</a>
    <header class="bar">
      <a class="brand" href="/"><img src="/assets/shared/icon.svg" alt="" />${t("听检", "tingjian")}</a>
      <nav aria-label=${t("页面", "Pages")}>
        ${links().map(
          ([path, name]) => html`<a href=${path} aria-current=${path === current ? "page" : undefined}>${name}</a>`,
        )}
      </nav>
      <div class="tools">
        ${zoneName() ? html`<span class="small quiet zone" title=${t("本页所有时间的时区", "the zone of all times on this page")}>${zoneName()}</span>` : null}
        <${SignOut} me=${me} />
        <${Settings} />
      </div>
    </header>
    <main id="main" tabindex="-1">
      ${role && me === undefined && !refused && error ? html`<${Fault} error=${error} retry=${reload} />` : null}
      ${role && (refused || (me !== undefined && !may)) ? html`<${SignIn} wrong=${!refused || token() !== null} role=${role} />` : null}
      ${may ? children : null}
    </main>
  `;
}

/** @returns {[string, string][]} */
function links() {
  return [
    ["/live", t("实时", "Live")],
    ["/qa", t("质检", "Quality")],
    ["/rules", t("规则", "Rules")],
    [t("/docs/zh/start", "/docs/en/start"), t("文档", "Docs")],
  ];
}

/** Who the reader is, and the way out. @param {{me: Me | undefined}} properties */
export function SignOut({ me }) {
  if (me === undefined || me.open) {
    return null;
  }
  const leave = () => keepToken(null);
  return html`<span class="small quiet">${me.name ?? ""}</span>
    <button class="plain small" onClick=${leave}>${t("退出", "Sign out")}</button>`;
}

/** Language, light or dark. */
export function Settings() {
  const next = { system: "light", light: "dark", dark: "system" };
  const theme = currentTheme();
  const names = { system: t("跟随系统", "system"), light: t("浅色", "light"), dark: t("深色", "dark") };
  return html`
    <button class="plain small" onClick=${() => chooseTheme(/** @type {any} */ (next[theme]))}>
      ${t("外观：", "Theme: ")}${names[theme]}
    </button>
    <button class="plain small" lang=${currentLanguage() === "zh" ? "en" : "zh-CN"}
      onClick=${() => chooseLanguage(currentLanguage() === "zh" ? "en" : "zh")}>
      ${currentLanguage() === "zh" ? "English" : "中文"}
    </button>
  `;
}

/** Asks for a token. `why`: the server's word on the one there is. @param {{wrong: boolean, why?: string, role: string[]}} properties */
export function SignIn({ wrong, why, role }) {
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const value = field.current?.value.trim();
    if (value) {
      keepToken(value);
    }
  };
  return html`
    <form class="panel stack" onSubmit=${submit}>
      <h1>${t("需要令牌", "A token is needed")}</h1>
      ${wrong ? html`<p class="notice warning" role="alert">${t("这个令牌不能打开本页。", "This token does not open this page.")}${why ? ` ${why}` : ""}</p>` : null}
      <p class="quiet">
        ${t("请向管理员索取令牌，角色：", "Ask your administrator for a token of role ")}${role.map(roleOfToken).join(t("、", ", "))}${t("。", ".")}
        ${t("它只保存在这个标签页里，关闭即忘。", " It is kept in this tab only.")}
      </p>
      <label><span>${t("令牌", "Token")}</span>
        <input ref=${field} type="password" autocomplete="off" required />
      </label>
      <div><button class="primary">${t("进入", "Enter")}</button></div>
    </form>
  `;
}

/** @param {string} role as the configuration has it */
function roleOfToken(role) {
  return { agents: t("坐席", "agent"), qa: t("质检", "QA"), admin: t("管理员", "admin") }[role] ?? role;
}

/** What went wrong, and the way to try again. @param {{error: unknown, retry?: () => void}} properties */
export function Fault({ error, retry }) {
  const text = error instanceof ApiError ? error.text : String(error);
  return html`
    <div class="notice critical row spread" role="alert">
      <span>${text}</span>
      ${retry ? html`<button onClick=${retry}>${t("重试", "Try again")}</button>` : null}
    </div>
  `;
}

/** @param {{severity: string}} properties */
export function Severity({ severity }) {
  return html`<span class=${`tag ${severity}`}>${severityName(severity)}</span>`;
}

/** A dialog that is open as long as it is drawn. @param {{title: string, onClose: () => void, children?: any}} properties */
export function Dialog({ title, onClose, children }) {
  const place = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    const dialog = place.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) {
        before.focus();
      }
    };
  }, []);
  return html`
    <dialog ref=${place} aria-label=${title} onCancel=${(/** @type {Event} */ event) => {
      event.preventDefault();
      onClose();
    }}>
      <div class="stack"><h2>${title}</h2>${children}</div>
    </dialog>
  `;
}

/** Keeps one part's failure from taking the page along. */
export class Guard extends Component {
  /** @param {any} properties */
  constructor(properties) {
    super(properties);
    this.state = { error: null };
  }

  /** @param {unknown} error */
  static getDerivedStateFromError(error) {
    return { error };
  }

  /** @param {any} properties @param {any} state */
  render({ children }, { error }) {
    return error === null ? children : html`<${Fault} error=${error} />`;
  }
}

// What a form shows of a rule and how its fields are written: names, places and
// examples. No DOM: the views are in `form.js`.

import { roleName } from "../shared/format.js";
import { t } from "../shared/settings.js";

/** The way from a rule to one of its values. @typedef {(string | number)[]} Path */
/** @typedef {{set?: Path, append?: Path, remove?: Path, value?: unknown}} Change */

/** The kinds of rules, each under its key. */
export const KINDS = ["forbid", "require", "sequence", "timing", "event"];

/** The kind of a rule. @param {any} rule */
export function kindOf(rule) {
  return KINDS.find((kind) => rule[kind] !== undefined);
}

/** The value at a path. @param {any} rule @param {Path} path */
export function at(rule, path) {
  return path.reduce((value, step) => (value === undefined || value === null ? undefined : value[step]), rule);
}

/** A list, where one alone may stand for it. @param {any} value @returns {any[]} */
export function listOf(value) {
  return value === undefined || value === "" ? [] : Array.isArray(value) ? value : [value];
}

/** One phrase as it is shown: its words, and what is special about it. @param {any} phrase */
export function phraseOf(phrase) {
  if (typeof phrase === "string") {
    return phrase.startsWith("$") ? { words: phrase, sort: t("词表", "list") }
      : phrase.startsWith("/") ? { words: phrase, sort: t("正则", "regex") } : { words: phrase, sort: "" };
  }
  if (phrase.act !== undefined) {
    return { words: phrase.act, sort: t("动作", "act") };
  }
  return { words: phrase.phrase ?? "", sort: phrase.homophone ?? phrase.boundary ?? "" };
}

/** The first phrase that is words and nothing else, for examples. @param {any} rule */
export function sample(rule) {
  const any = listOf(at(rule, ["forbid", "any"])).map((phrase) => phraseOf(phrase).words);
  return any.find((words) => !/[{}()|$/]/.test(words)) ?? t("不知道", "I don't know");
}

/**
 * Exceptions that are a tick each, with a sentence that they spare.
 * @param {string} words @returns {{name: string, value: any, example: string, is: (context: any) => boolean}[]}
 */
export function exceptions(words) {
  const flag = (/** @type {string} */ key) => (/** @type {any} */ context) => Object.keys(context).length === 1 && context[key] === "true";
  const others = (/** @type {any} */ context) => Object.keys(context).length === 1 && ["customer", "other"].every((who) => listOf(context.subject).includes(who)) && listOf(context.subject).length === 2;
  return [
    { name: t("引述别人的话", "quoted"), value: { quoted: true }, example: `您说的“${words}”是指哪一项呢？`, is: flag("quoted") },
    { name: t("被否定", "negated"), value: { negated: true }, example: `我没有说${words}`, is: flag("negated") },
    { name: t("是在问", "a question"), value: { question: true }, example: `${words}是吗？`, is: flag("question") },
    { name: t("在假设里", "a condition"), value: { conditional: true }, example: `如果${words}的话，您再打给我`, is: flag("conditional") },
    { name: t("说的是客户或别人", "about others"), value: { subject: ["customer", "other"] }, example: `他${words}`, is: others },
  ];
}

/** Who may say it. */
export const SPEAKERS = () => /** @type {[string, string][]} */ ([["agent", roleName("agent")], ["customer", roleName("customer")]]);

/** What the fields that are a word or a number mean, by their key. */
export const SCALARS = () => /** @type {Record<string, string>} */ ({
  over: t("超过", "more than"), below: t("低于", "below"), above: t("高于", "above"), within: t("时限", "within"),
  window: t("看最近多久", "window"), at_least: t("至少", "at least"), overlap: t("两人同时说了多久", "overlap"), after: t("起点", "from"),
  before: t("到哪里为止", "up to"), min_chars: t("最少几个字", "fewest characters"), times: t("几次", "times"), of: t("谁不说话", "who is silent"),
  by: t("谁", "who"), role: t("谁", "who"), remind: t("到期前多久提醒", "reminded before"), reminder: t("提醒时说什么", "reminder"),
  hangup_by: t("谁先挂断", "who hangs up"), event: t("事件", "event"), transfer_unanswered: t("转接没有人接", "unanswered transfer"),
  count_hold: t("等待也计时", "holds count"), even_if_cut_short: t("提前结束也算", "even if cut short"),
});

/** What a timing measures, and the other kinds that have several forms. */
export const FORMS = () => /** @type {Record<string, string>} */ ({
  silence: t("没有人说话", "silence"), listening: t("听对方说了很久，一声不应", "listening without a word"), hold: t("等待过长", "hold"),
  rate: t("语速（字每分钟）", "rate (characters a minute)"), interruption: t("打断对方", "interruption"), monologue: t("一直说个不停", "monologue"),
  reply: t("回复过慢", "slow reply"), rings: t("振铃过多", "rings"), repeat: t("同一个问题问了又问", "repeated question"),
  volume: t("音量（分贝）", "volume (dB)"), pitch: t("音高（赫兹）", "pitch (Hz)"), hangup_by: t("先挂断", "hanging up first"),
  without: t("没有先说某句话", "without words before"), greeting: t("问候不合时段", "greeting at the wrong hour"), transfer_unanswered: t("转接没有人接", "unanswered transfer"),
});

/** The keys that the form shows, by what they stand in. What is not here is only in the YAML. */
const SHOWN = new Set(["id", "name", "severity", "deduct", "message", "suggestion", "clauses", "confidence", "shadow", "limit", "tests", ...KINDS]);

/** What a rule has that only its YAML shows, as keys. @param {any} rule @returns {string[]} */
export function onlyInYaml(rule) {
  const kind = kindOf(rule);
  const own = Object.keys(rule).filter((key) => !SHOWN.has(key) || (key === "limit" && typeof rule.limit !== "string"));
  const inside = kind === undefined || typeof rule[kind] !== "object" ? [] : Object.keys(rule[kind])
    .filter((key) => ["only", "homophone", "boundary", "all"].includes(key) || (["after", "before"].includes(key) && typeof rule[kind][key] === "object")
      || (key === "window" && windowOf(rule) === null))
    .map((key) => `${kind}.${key}`);
  return [...own, ...inside];
}

/** The part of a call that words are forbidden in: `all`, `first` or `last` and how long; null where only the YAML can say it. @param {any} rule */
export function windowOf(rule) {
  const window = at(rule, ["forbid", "window"]);
  if (window === undefined) {
    return { where: "all", length: "" };
  }
  const [where, ...others] = Object.keys(window);
  return others.length === 0 && (where === "first" || where === "last") ? { where, length: window[where] } : null;
}

/** A rule for one forbidden phrase. @param {string} id @param {string} words */
export function forbidding(id, words) {
  return {
    id,
    name: t(`不说“${words}”`, `Not “${words}”`).slice(0, 60),
    severity: "warning",
    deduct: 2,
    // A firm's own words are told whatever the second look makes of them.
    confidence: 0,
    forbid: { any: [words], unless: [{ quoted: true }, { negated: true }] },
    message: "不要说“{phrase}”",
    tests: [{ fires: words }],
  };
}

/** A file for a site's own rules, without any yet. */
export const SITE_FILE = "site.yaml";
export const SITE_TEXT = "# 本公司的规则：在页面上写的放在这里，也可以直接改这个文件。\npack: site\ntitle: 本公司规则\nrules:\n";

/** An id that no rule has yet. @param {Set<string>} taken */
export function freeId(taken) {
  for (let number = 1; ; number += 1) {
    if (!taken.has(`site.rule-${number}`)) {
      return `site.rule-${number}`;
    }
  }
}

/** Whether a remark is about a value or something in it. @param {Path} path @param {Path} place */
export function concerns(path, place) {
  return place.every((step, depth) => path[depth] === step) || (path.length > 0 && path.length < place.length && path.every((step, depth) => place[depth] === step));
}

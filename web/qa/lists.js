// What was narrowed down to: alerts, calls, scores, the quality of rules.

import { useEffect, useState } from "../vendor/hooks.js";
import { get } from "../shared/api.js";
import { callAddress, count, moment, percent, stateName } from "../shared/format.js";
import { Marked } from "../shared/marked.js";
import { Agent, Bar, Choices, SortedTable } from "../shared/parts.js";
import { ReviewTags } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Fault, Severity, html, useAnswer } from "../shared/ui.js";
import { callsMin, ofAlerts, ofCallList, ofCalls, ofQuality } from "./filters.js";

/** @typedef {Record<string, string>} Filters */
/** @typedef {(changes: Filters) => void} Change */

const PAGE = 50;

/** Pages of a list, one after the other. @param {string} path @param {string} name @param {Record<string, any>} parameters */
export function usePages(path, name, parameters) {
  const key = JSON.stringify([path, parameters, token()]);
  const [pages, setPages] = useState(/** @type {{key: string, rows: any[], next: string | null}} */ ({ key: "", rows: [], next: null }));
  const [more, setMore] = useState(/** @type {{error: unknown, loading: boolean}} */ ({ error: null, loading: false }));
  const first = useAnswer((signal) => get(path, { limit: PAGE, ...parameters }, signal), [key]);
  useEffect(() => {
    if (first.value !== undefined && !first.loading) {
      setPages({ key, rows: first.value[name], next: first.value.next_cursor });
    }
  }, [first.value, first.loading]);
  const loadMore = () => {
    if (more.loading || pages.next === null) {
      return;
    }
    setMore({ error: null, loading: true });
    get(path, { limit: PAGE, ...parameters, cursor: pages.next }).then(
      (answer) => {
        setPages((before) => (before.key === key ? { key, rows: [...before.rows, ...answer[name]], next: answer.next_cursor } : before));
        setMore({ error: null, loading: false });
      },
      (error) => setMore({ error, loading: false }),
    );
  };
  const current = pages.key === key;
  return {
    rows: current ? pages.rows : [], hasMore: current && pages.next !== null, loadMore, loadingMore: more.loading,
    loading: first.loading || !current, error: first.error ?? more.error, reload: first.reload,
  };
}

/** @param {{list: ReturnType<typeof usePages>, empty: string, children?: any}} properties */
export function Listed({ list, empty, children }) {
  return html`
    ${list.error ? html`<${Fault} error=${list.error} retry=${list.reload} />` : null}
    ${list.loading && list.rows.length === 0 && !list.error ? html`<p class="empty">${t("正在读取…", "Loading…")}</p>` : null}
    ${!list.loading && !list.error && list.rows.length === 0 ? html`<p class="empty">${empty}</p>` : null}
    ${list.rows.length > 0 ? children : null}
    ${list.hasMore ? html`<div class="row"><button onClick=${list.loadMore} disabled=${list.loadingMore}>${list.loadingMore ? t("正在读取…", "Loading…") : t("更多", "More")}</button></div>` : null}
  `;
}

/**
 * A column of a list: its id and heading, and how a cell is drawn.
 * @typedef {{id: string, name: string, cell: (row: any) => any, number?: boolean, className?: string}} ListColumn
 */

/** Which columns a list shows; the address keeps those that are hidden. @param {{columns: ListColumn[], filters: Filters, change: Change}} properties */
function ColumnChoice({ columns, filters, change }) {
  const hidden = new Set(filters.hide.split(","));
  const turn = (/** @type {string} */ id) => {
    hidden.has(id) ? hidden.delete(id) : hidden.add(id);
    change({ hide: [...hidden].filter(Boolean).join(",") });
  };
  return html`<details class="columns"><summary class="small">${t("列", "Columns")}</summary>
    <div class="row">${columns.map(({ id, name }) => html`<label key=${id} class="inline small"><input type="checkbox" checked=${!hidden.has(id)} onChange=${() => turn(id)} /><span>${name}</span></label>`)}</div>
  </details>`;
}

/** @param {{label: string, columns: ListColumn[], rows: any[], rowKey: (row: any) => string, filters: Filters}} properties */
function ListTable({ label, columns, rows, rowKey, filters }) {
  const hidden = filters.hide.split(",");
  const shown = columns.filter(({ id }) => !hidden.includes(id));
  return html`<div class="table" tabindex="0" role="region" aria-label=${label}>
    <table class="listed">
      <thead><tr>${shown.map(({ id, name, number }) => html`<th key=${id} scope="col" class=${number ? "number" : undefined}>${name}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr key=${rowKey(row)}>${shown.map(({ id, cell, number, className }) => html`<td key=${id} class=${number ? "number" : className}>${cell(row)}</td>`)}</tr>`)}</tbody>
    </table>
  </div>`;
}

/** A button that narrows the filters. @param {string} name @param {Change} change @returns {(row: any) => any} */
const narrowing = (name, change) => (row) =>
  row[name] === null ? html`<span class="quiet">—</span>` : html`<button class="link" onClick=${() => change({ [name]: row[name] })}><bdi>${row[name]}</bdi></button>`;

/** @param {{filters: Filters, change: Change}} properties */
export function AlertList({ filters, change }) {
  const list = usePages("/v1/alerts", "alerts", ofAlerts(filters));
  /** @type {ListColumn[]} */
  const columns = [
    { id: "time", name: t("时间", "Time"), className: "time", cell: (alert) => moment(alert.emitted_at) },
    { id: "agent", name: t("坐席", "Agent"), cell: (row) => html`<button class="link" onClick=${() => change({ agent_id: row.agent_id })}><${Agent} row=${row} /></button>` },
    { id: "queue", name: t("队列", "Queue"), cell: narrowing("queue", change) },
    { id: "severity", name: t("级别", "Severity"), cell: (alert) => html`<${Severity} severity=${alert.severity} />` },
    {
      id: "rule", name: t("规则", "Rule"), className: "name",
      cell: (alert) => html`<button class="link" title=${alert.rule_id} onClick=${() => change({ rule_id: alert.rule_id })}>${alert.rule_name}</button>
        <${Standing} display=${alert.display} />
        ${alert.state === "confirmed" ? null : html` <span class="tag neutral">${stateName(alert.state)}</span>`}`,
    },
    { id: "words", name: t("原话", "Words"), className: "words", cell: (alert) => html`<bdi><${Words} alert=${alert} /></bdi>` },
    { id: "review", name: t("复核", "Review"), cell: (alert) => html`<${ReviewTags} review=${alert.review} />` },
    { id: "call", name: t("通话", "Call"), cell: (alert) => html`<a href=${callAddress(alert.call_id, alert.started_at, alert.alert_id)}><bdi>${alert.call_id}</bdi></a>` },
  ];
  return html`<section class="panel stack">
    <div class="row spread"><h2>${t("预警", "Alerts")}</h2><${ColumnChoice} columns=${columns} filters=${filters} change=${change} /></div>
    <${Listed} list=${list} empty=${t("没有符合条件的预警。", "No alerts of this kind.")}>
      <${ListTable} label=${t("预警", "Alerts")} columns=${columns} rows=${list.rows} filters=${filters}
        rowKey=${(/** @type {any} */ alert) => `${alert.call_id} ${alert.started_at} ${alert.alert_id}`} />
    </${Listed}>
  </section>`;
}

/** What keeps an alert from counting, though it is confirmed. @param {{display: string}} properties */
export function Standing({ display }) {
  const name = { shadow: t("试运行", "on trial"), held: t("存疑", "in doubt"), marked: t("人工标出", "marked") }[display];
  return name === undefined ? null : html` <span class="tag neutral">${name}</span>`;
}

/** The first words that an alert rests on. @param {{alert: any}} properties */
function Words({ alert }) {
  const [first] = alert.evidence;
  return first === undefined
    ? html`<span class="quiet">${alert.message}</span>`
    : html`<${Marked} text=${first.text} ranges=${alert.evidence.filter((/** @type {any} */ one) => one.utterance_id === first.utterance_id && one.offset === first.offset)} />`;
}

/** @param {{filters: Filters, change: Change}} properties */
export function CallList({ filters, change }) {
  const list = usePages("/v1/calls", "calls", ofCallList(filters));
  const withAlerts = filters.with === "alerts";
  const parties = /** @type {Record<string, string>} */ ({ agent: t("坐席", "agent"), customer: t("客户", "customer"), system: t("系统", "system") });
  /** @type {ListColumn[]} */
  const columns = [
    { id: "time", name: t("接通", "Answered"), className: "time", cell: (call) => moment(call.started_at) },
    {
      id: "call", name: t("通话", "Call"),
      cell: (call) => html`<a href=${callAddress(call.call_id, call.started_at)}><bdi>${call.call_id}</bdi></a>${call.live ? html` <span class="tag good">${t("进行中", "live")}</span>` : null}`,
    },
    { id: "agent", name: t("坐席", "Agent"), cell: (row) => html`<button class="link" onClick=${() => change({ agent_id: row.agent_id })}><${Agent} row=${row} /></button>` },
    { id: "queue", name: t("队列", "Queue"), cell: narrowing("queue", change) },
    { id: "ended", name: t("挂机", "Ended by"), cell: (call) => parties[call.ended_by] ?? "—" },
    { id: "alerts", name: t("预警", "Alerts"), number: true, cell: (call) => call.confirmed },
    { id: "score", name: t("得分", "Score"), number: true, cell: (call) => html`<strong>${call.score}</strong>` },
  ];
  return html`<section class="panel stack">
    <div class="row spread"><h2>${withAlerts ? t("有这些预警的通话", "Calls with these alerts") : filters.live === "false" ? t("已结束的通话", "Calls that are over") : filters.live === "true" ? t("进行中的通话", "Calls in progress") : t("通话", "Calls")}</h2>
      ${filters.live === "" ? null : html`<button class="plain small" onClick=${() => change({ live: "" })}>${t("进行中的和已结束的都看", "In progress and over")}</button>`}
      ${withAlerts ? html`<button class="plain small" onClick=${() => change({ with: "" })}>${t("看全部通话", "All calls")}</button>` : null}
      <${ColumnChoice} columns=${columns} filters=${filters} change=${change} /></div>
    ${withAlerts ? null : html`<p class="small quiet">${t("只按时间、时段、坐席、班组和队列筛选。坐席和班组的通话：接的，和接手后有计入得分的预警的。", "Filtered by span, hour, agent, team and queue only. Calls of an agent or team: those answered, and those taken over with an alert of theirs that counts.")}</p>`}
    <${Listed} list=${list} empty=${t("没有符合条件的通话。", "No calls of this kind.")}>
      <${ListTable} label=${t("通话", "Calls")} columns=${columns} rows=${list.rows} filters=${filters} rowKey=${(/** @type {any} */ call) => `${call.call_id} ${call.started_at}`} />
    </${Listed}>
  </section>`;
}

/** @param {{filters: Filters, change: Change}} properties */
export function Scores({ filters, change }) {
  const least = callsMin(filters);
  const asked = { group: filters.group, ...ofCalls(filters) };
  const { value, error, reload } = useAnswer((signal) => get("/v1/scores", asked, signal), [JSON.stringify(asked), token()]);
  const groups = /** @type {[string, string][]} */ ([["agent", t("坐席", "Agent")], ["team", t("班组", "Team")], ["queue", t("队列", "Queue")], ["day", t("日期", "Day")]]);
  const column = groups.find(([id]) => id === filters.group)?.[1] ?? "";
  // What a row counts is what its list shows: calls that are over.
  const choose = (/** @type {any} */ { key, is_queue: isQueue }) => {
    /** @type {Filters} */
    const narrowed = filters.group === "agent" ? { agent_id: key } : isQueue ? { queue: key } : ["team", "queue"].includes(filters.group) ? { [filters.group]: key } : { days: "", from: key, to: key };
    change({ ...narrowed, view: "calls", with: "", live: "false" });
  };
  const columns = [
    {
      id: "key", name: column, value: (/** @type {any} */ row) => row.key,
      cell: (/** @type {any} */ row) =>
        row.key === null ? html`<span class="quiet">${t("未指定", "none")}</span>` : html`<button class="link" onClick=${() => choose(row)}>${filters.group === "agent" ? html`<${Agent} row=${{ ...row, agent_id: row.key }} />` : html`<bdi>${row.key}</bdi>`}</button>${row.is_queue ? html` <span class="tag neutral" title=${t("没有班组的坐席按队列算", "of agents without a team, by queue")}>${t("队列", "queue")}</span>` : null}`,
    },
    {
      id: "mean", name: t("平均分", "Mean"), number: true, value: (/** @type {any} */ row) => (row.calls < least ? null : row.mean),
      title: t(`平均分和 95% 区间；不足 ${least} 通的排在最后`, `the mean, and within what it lies in 95 of 100 cases; fewer than ${least} calls come last`),
      cell: (/** @type {any} */ row) => html`<strong class=${row.calls < least ? "quiet" : ""}>${row.mean.toFixed(2)}</strong>${row.margin === null ? null : html` <span class="small quiet">±${row.margin.toFixed(2)}</span>`}`,
    },
    { id: "bar", name: html`<span class="visually-hidden">${t("平均分图示", "Mean as a bar")}</span>`, cell: (/** @type {any} */ row) => html`<${Bar} part=${row.mean} whole=${100} />` },
    { id: "min", name: t("最低分", "Lowest"), number: true, value: (/** @type {any} */ row) => row.min, cell: (/** @type {any} */ row) => row.min },
    { id: "calls", name: t("通话", "Calls"), number: true, value: (/** @type {any} */ row) => row.calls, cell: (/** @type {any} */ row) => count(row.calls) },
    { id: "alerts", name: t("预警", "Alerts"), number: true, value: (/** @type {any} */ row) => row.alerts, cell: (/** @type {any} */ row) => count(row.alerts) },
    { id: "vetoed", name: t("一票否决", "Vetoed"), number: true, value: (/** @type {any} */ row) => row.vetoed, cell: (/** @type {any} */ row) => count(row.vetoed) },
  ];
  return html`<section class="panel stack">
    <div class="row spread"><h2>${t("评分", "Scores")}</h2>
      <${Choices} label=${t("按什么看", "By what")} choices=${groups} current=${filters.group} onChoose=${(/** @type {string} */ group) => change({ group })} /></div>
    <p class="small quiet">${t("已结束的通话；点一行看它的通话。接手的人也算：接的，和有计入得分的预警的，都是自己的通话。", "Calls that are over; a row leads to its calls. Whoever took a call over has it, too: those answered, and those with an alert of one's own that counts.")}
      ${value?.live > 0 ? html` <button class="link" onClick=${() => change({ view: "calls", with: "", live: "true" })}>${t(`另有 ${count(value.live)} 通还没结束，没有计入`, `${count(value.live)} more are in progress and not counted`)}</button>` : null}</p>
    ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
    ${value?.scores.length === 0 ? html`<p class="empty">${t("没有已结束的通话。", "No calls that are over.")}</p>` : null}
    ${value && value.scores.length > 0
      ? html`<${SortedTable} key=${value.group} label=${t("评分", "Scores")} columns=${columns} rows=${value.scores} sort=${value.group === "day" ? "key" : "mean"}
          descending=${value.group === "day"} shown=${100} rowKey=${(/** @type {any} */ row) => `${row.key} ${row.is_queue === true}`} />`
      : null}
  </section>`;
}

/** A share with its interval. @param {{estimate: {share: number, low: number, high: number} | null}} properties */
function Share({ estimate }) {
  return estimate === null ? "—" : html`${percent(estimate.share)}<span class="small quiet interval">${(estimate.low * 100).toFixed(0)}–${(estimate.high * 100).toFixed(0)}</span>`;
}

/** What the samples of the weeks in a span say of the rules: precision and, from calls that were read whole, recall. @param {{filters: Filters, names: Map<string, string>}} properties */
function Sampled({ filters, names }) {
  const { from, to } = ofQuality(filters);
  const { value, error, reload } = useAnswer((signal) => get("/v1/sampling", { from, to }, signal), [from, to, token()]);
  const name = (/** @type {any} */ row) => names.get(row.rule_id) ?? row.rule_id.replace(/^marked\./, "");
  const share = (/** @type {string} */ id, /** @type {string} */ title, /** @type {string} */ about) =>
    ({ id, name: title, title: about, number: true, value: (/** @type {any} */ row) => row[id]?.share ?? null, cell: (/** @type {any} */ row) => html`<${Share} estimate=${row[id]} />` });
  const number = (/** @type {string} */ id, /** @type {string} */ title, /** @type {string} */ about) =>
    ({ id, name: title, title: about, number: true, value: (/** @type {any} */ row) => row[id], cell: (/** @type {any} */ row) => count(row[id]) });
  const kappa = (/** @type {any} */ agreement) => (agreement?.kappa === null || agreement?.kappa === undefined ? "—" : agreement.kappa.toFixed(2));
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (!value || (value.rules.length === 0 && value.reviewers.length === 0 && value.calls_read === 0)) {
    return null;
  }
  return html`<section class="panel stack">
    <h2>${t("抽检", "Samples")}</h2>
    <p class="small quiet">${t(`这段时间里开始的各周。按抽样权重推算，后面是 95% 区间；召回率来自 ${value.calls_read} 通读完的通话，没判为误报的预警按属实算。`,
      `From the weeks that begin in this span, by the weights of the samples, with 95 % intervals; recall rests on ${value.calls_read} calls that were read whole, where an alert that nobody dismissed stands.`)}</p>
    ${value.rules.length === 0 ? null : html`<${SortedTable} label=${t("抽检的规则", "Rules by sample")} rows=${value.rules} sort="judged" shown=${100} rowKey=${(/** @type {any} */ row) => row.rule_id} columns=${[
      { id: "rule", name: t("规则", "Rule"), value: name, cell: (/** @type {any} */ row) => html`<span title=${row.rule_id}>${name(row)}</span>` },
      share("precision", t("准确率", "Precision"), t("提示过的预警里属实的比例", "of told alerts, how many are right")), number("judged", t("判过", "Judged"), t("抽到并判过的预警", "alerts that were drawn and judged")),
      share("recall", t("召回率", "Recall"), t("通话里的违规被规则发现的比例", "of violations in calls, how many the rule found")), number("found", t("发现", "Found"), t("读完的通话里规则发现的", "found in calls that were read")), number("missed", t("漏报", "Missed"), t("读完的通话里人工标出的", "marked in calls that were read")),
      { id: "kappa", name: "κ", title: t("两人一致的程度（Cohen κ），1 为完全一致，0 与碰巧相同", "agreement of two reviewers, Cohen's kappa"), number: true, value: (/** @type {any} */ row) => row.agreement?.kappa ?? null,
        cell: (/** @type {any} */ row) => html`${kappa(row.agreement)}${row.agreement ? html`<span class="small quiet interval">${t(`${row.agreement.pairs} 对`, `${row.agreement.pairs} pairs`)}</span>` : null}` },
    ]} />`}
    ${value.reviewers.length === 0 ? null : html`<${SortedTable} label=${t("复核人一致性", "Agreement of reviewers")} rows=${value.reviewers} sort="pairs" rowKey=${(/** @type {any} */ row) => `${row.first} ${row.second}`} columns=${[
      { id: "first", name: t("初评", "First"), value: (/** @type {any} */ row) => row.first, cell: (/** @type {any} */ row) => row.first },
      { id: "second", name: t("盲评", "Second"), value: (/** @type {any} */ row) => row.second, cell: (/** @type {any} */ row) => row.second },
      number("pairs", t("对数", "Pairs"), t("两人都判过的预警", "alerts that both judged")),
      { id: "agreement", name: t("一致", "Agree"), number: true, value: (/** @type {any} */ row) => row.agreement, cell: (/** @type {any} */ row) => percent(row.agreement) },
      { id: "kappa", name: "κ", number: true, value: (/** @type {any} */ row) => row.kappa, cell: kappa },
    ]} />`}
  </section>`;
}

/** @param {{filters: Filters, change: Change}} properties */
export function Quality({ filters, change }) {
  const asked = ofQuality(filters);
  const { value, error, reload } = useAnswer((signal) => get("/v1/quality", asked, signal), [JSON.stringify(asked), token()]);
  const number = (/** @type {string} */ id, /** @type {string} */ name, /** @type {string} */ title) =>
    ({ id, name, title, number: true, value: (/** @type {any} */ row) => row[id], cell: (/** @type {any} */ row) => count(row[id]) });
  const share = (/** @type {string} */ id, /** @type {string} */ name, /** @type {string} */ title) =>
    ({ id, name, title, number: true, value: (/** @type {any} */ row) => row[id], cell: (/** @type {any} */ row) => percent(row[id]) });
  const columns = [
    {
      id: "rule", name: t("规则", "Rule"), value: (/** @type {any} */ row) => row.rule_name,
      cell: (/** @type {any} */ row) => html`<button class="link" title=${row.rule_id} onClick=${() => change({ rule_id: row.rule_id, view: "alerts", review: "", appeal: "", state: "all", display: "all" })}>${row.rule_name}</button>
        ${row.below ? html` <span class="tag critical">${t("低于门槛", "below the threshold")}</span>` : null}
        ${row.fallen ? html` <span class="tag critical">${t("比改之前低", "less than before it was edited")}</span>` : null}`,
    },
    { id: "version", name: t("版本", "Version"), value: (/** @type {any} */ row) => row.rules_version, cell: (/** @type {any} */ row) => html`<code>${row.rules_version}</code>` },
    share("precision", t("准确率", "Precision"), t("复核中属实的比例", "of those reviewed, how many are upheld")),
    number("reviewed", t("已复核", "Reviewed"), t("有复核结论的预警", "alerts that were judged")),
    number("confirmed", t("属实", "Upheld"), ""),
    number("dismissed", t("误报", "False"), t("误报或申诉成立", "false alarms, and appeals granted")),
    number("alerts", t("预警", "Alerts"), t("任何状态", "in any state")),
    share("override_rate", t("坐席忽略", "Overridden"), t("坐席点了忽略的比例", "of those shown, how many agents dismissed")),
    number("appeals", t("申诉", "Appeals"), ""),
    number("missed", t("漏报", "Missed"), t("质检在通话里标出、规则没有发现的", "violations that reviewers marked and the rules missed")),
    share("appeal_success_rate", t("申诉成立", "Granted"), t("已裁定的申诉中成立的比例", "of appeals decided, how many were granted")),
  ];
  const names = new Map((value?.rules ?? []).map((/** @type {any} */ row) => [row.rule_id, row.rule_name]));
  return html`<${Sampled} filters=${filters} names=${names} /><section class="panel stack">
    <h2>${t("规则质量", "Quality of rules")}</h2>
    ${value ? html`<p class="small quiet">${t(
      `准确率低于 ${percent(value.precision_min)}、且复核满 ${value.reviewed_min} 条的规则标为“低于门槛”。`,
      `Rules with a precision below ${percent(value.precision_min)} over at least ${value.reviewed_min} reviews are marked.`,
    )}</p>` : null}
    ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
    ${value?.rules.length === 0 ? html`<p class="empty">${t("没有预警。", "No alerts.")}</p>` : null}
    ${value && value.rules.length > 0
      ? html`<${SortedTable} label=${t("规则质量", "Quality of rules")} columns=${columns} rows=${value.rules} sort="alerts" shown=${100}
          rowKey=${(/** @type {any} */ row) => `${row.rule_id} ${row.rule_digest ?? row.rules_version}`} rowClass=${(/** @type {any} */ row) => (row.below ? "below" : undefined)} />`
      : null}
  </section>`;
}

// Quality: where the alerts are, what waits for review and appeal, scores, how
// good the rules are. One set of filters for all of it.

import { get } from "../shared/api.js";
import { count } from "../shared/format.js";
import { Tabs } from "../shared/parts.js";
import { t, token } from "../shared/settings.js";
import { Frame, Guard, Strange, html, show, useAnswer, useFilters } from "../shared/ui.js";
import { SavedViews } from "../shared/views.js";
import { DEFAULTS, FilterBar, ofQueue } from "./filters.js";
import { AlertList, CallList, Quality, Scores } from "./lists.js";
import { Overview, useStatistics } from "./overview.js";
import { Forms } from "./forms.js";
import { Mine } from "./mine.js";
import { Queue } from "./queue.js";
import { Report } from "./report.js";
import { Search } from "./search.js";
import { Calibrations, Collections } from "./training.js";

function Page() {
  const [filters, change] = useFilters(DEFAULTS);
  const me = useAnswer((signal) => get("/v1/me", {}, signal), [token()]).value;
  const packs = useAnswer((signal) => get("/v1/rules/packs", {}, signal), [token()]).value;
  // Names to choose from: those of the span, whatever it is narrowed to.
  const span = { ...DEFAULTS, days: filters.days, from: filters.from, to: filters.to };
  const roster = useAnswer((signal) => get("/v1/agents", {}, signal), [token()]).value;
  const agents = useStatistics("agent", span).value;
  const queues = useStatistics("queue", span).value;
  const names = (/** @type {any} */ answer) => (answer?.answered.rows ?? []).map((/** @type {any} */ row) => row.key[0]).filter(Boolean);
  const rules = (packs?.packs ?? []).flatMap((/** @type {any} */ pack) => pack.rules);
  const waiting = useWaiting(filters);
  // What is given to the reader, as far as they have a name.
  const given = useAnswer((signal) => (me && !me.open ? get("/v1/assignments", { done: "false", limit: 100 }, signal) : Promise.resolve(null)), [me?.name, filters.view, token()]).value;
  const mine = filters.view === "mine" ? undefined : given?.assignments.length;
  // The queue that is open counts for itself.
  const badge = (/** @type {"review" | "appeal"} */ view) => (filters.view === view ? undefined : waiting[view]);
  const many = (/** @type {number | undefined} */ waits) => (waits ? count(waits) : undefined);
  const tabs = [
    ["overview", t("概览", "Overview")], ["review", t("复核", "Review"), many(badge("review"))], ["appeal", t("申诉", "Appeals"), many(badge("appeal"))],
    ["mine", t("我的任务", "My samples"), many(mine)],
    ["alerts", t("预警", "Alerts")], ["calls", t("通话", "Calls")], ["scores", t("评分", "Scores")], ["forms", t("评分表", "Forms")], ["clips", t("培训片段", "Clips")], ["calibration", t("校准", "Calibration")], ["quality", t("规则质量", "Rules")], ["search", t("搜索", "Search")], ["report", t("周报", "Report")],
  ];
  return html`
    <div class="stack">
      <h1 class="visually-hidden">${t("质检", "Quality")}</h1>
      <${Strange} defaults=${DEFAULTS} filters=${filters} choices=${{ view: tabs.map(([view]) => String(view)), with: ["alerts"], live: ["true", "false"] }} />
      <${FilterBar} filters=${filters} change=${change} rules=${rules} agents=${names(agents)} queues=${names(queues)} roster=${roster} />
      <div class="row spread tabs-row"><${Tabs} label=${t("质检视图", "Views")} tabs=${tabs} current=${filters.view} onChoose=${(/** @type {string} */ view) => change({ view, with: "", live: "", item: "" })} />
        <${SavedViews} page="qa" admin=${me?.roles.includes("admin")} /></div>
      <${Guard} key=${filters.view}><${View} filters=${filters} change=${change} me=${me} /></${Guard}>
    </div>
  `;
}

/** @param {{filters: Record<string, string>, change: (changes: Record<string, string>, replace?: boolean) => void, me: any}} properties */
function View({ filters, change, me }) {
  switch (filters.view) {
    case "review":
    case "appeal":
      return html`<${Queue} key=${filters.view} kind=${filters.view} filters=${filters} change=${change} me=${me} />`;
    case "mine":
      return html`<${Mine} filters=${filters} change=${change} me=${me} />`;
    case "report":
      return html`<${Report} filters=${filters} change=${change} me=${me} />`;
    case "search":
      return html`<${Search} filters=${filters} change=${change} />`;
    case "alerts":
      return html`<${AlertList} filters=${filters} change=${change} />`;
    case "calls":
      return html`<${CallList} filters=${filters} change=${change} />`;
    case "clips":
      return html`<${Collections} />`;
    case "calibration":
      return html`<${Calibrations} filters=${filters} change=${change} me=${me} />`;
    case "forms":
      return html`<${Forms} filters=${filters} change=${change} />`;
    case "scores":
      return html`<${Scores} filters=${filters} change=${change} />`;
    case "quality":
      return html`<${Quality} filters=${filters} change=${change} />`;
    default:
      return html`<${Overview} filters=${filters} change=${change} />`;
  }
}

/** How much waits in the queues, read anew when another view is opened. @param {Record<string, string>} filters */
function useWaiting(filters) {
  const ask = (/** @type {"review" | "appeal"} */ kind) => {
    const asked = { group: "severity", ...ofQueue(filters, kind) };
    return useAnswer((signal) => get("/v1/statistics", asked, signal), [JSON.stringify(asked), filters.view, token()]).value?.total.alerts;
  };
  const [review, appeal] = [ask("review"), ask("appeal")];
  return { review, appeal };
}

/** The page asks for nothing before its reader may. */
const Shown = () => html`<${Frame} title=${t("质检", "Quality")} current="/qa" role=${["qa", "admin"]}><${Page} /></${Frame}>`;

show(Shown);

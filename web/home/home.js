// The front door: where everything is.

import { Frame, html, show } from "../shared/ui.js";
import { t } from "../shared/settings.js";

/** @returns {[string, string, string][]} */
const cards = () => [
  ["/live", t("实时", "Live"), t("所有进行中的通话，最严重的在前；点开看转写和预警。", "All calls in progress, the worst first; open one for its transcript and alerts.")],
  ["/qa", t("质检", "Quality"), t("趋势、复核与申诉、评分、导出。", "Trends, review and appeal, scores, export.")],
  ["/rules", t("规则", "Rules"), t("规则包原文、条款覆盖、准确率、试一试、回测。", "Packs as written, coverage, precision, a place to try them, backtests.")],
  [t("/docs/zh/start", "/docs/en/start"), t("文档", "Documentation"), t("15 分钟看到第一条自己的预警；规则、对接、运行、常见问题。", "15 minutes to your first alert; rules, connecting, running, questions.")],
  ["/v1/openapi.json", t("接口", "API"), t("给系统对接的接口说明（OpenAPI）。", "The API described, for those who connect systems (OpenAPI).")],
];

function Home() {
  const open = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const id = String(new FormData(/** @type {HTMLFormElement} */ (event.target)).get("agent")).trim();
    if (id !== "") {
      location.assign(`/agent/${encodeURIComponent(id)}`);
    }
  };
  return html`
    <${Frame} title=${t("首页", "Home")} current="/">
      <h1>${t("听检：客户还在线时就提醒坐席", "tingjian: warns the agent while the customer is on the line")}</h1>
      <div class="cards">
        ${cards().map(([path, name, about]) => html`<a class="panel" href=${path}><h2>${name}</h2><p class="quiet">${about}</p></a>`)}
        <form class="panel stack" onSubmit=${open}>
          <h2>${t("坐席面板", "Agent panel")}</h2>
          <label><span>${t("坐席编号", "Agent id")}</span><input name="agent" required maxlength="128" autocomplete="off" /></label>
          <div><button class="primary">${t("打开", "Open")}</button></div>
        </form>
      </div>
    </${Frame}>
  `;
}

show(Home);

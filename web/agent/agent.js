// An agent's panel as a page of its own: the element that a CRM embeds, at full
// height, with what the CRM would otherwise bring: a token, language and colours.

import "../element/tingjian-alerts.js";
import { Settings, SignIn, SignOut, html, show, useAnswer } from "../shared/ui.js";
import { ApiError, get } from "../shared/api.js";
import { upright } from "../shared/format.js";
import { currentLanguage, isDark, t, token } from "../shared/settings.js";
import { useState } from "../vendor/hooks.js";

const agent = decodeURIComponent(location.pathname.split("/")[2] ?? "");

function AgentPage() {
  const { value: me, error } = useAnswer((signal) => get("/v1/me", {}, signal), [token()]);
  const isRefused = error instanceof ApiError && error.status === 401;
  // A token that was good may have expired, or be another agent's.
  const [refused, setRefused] = useState(/** @type {{token: string | null, why: string} | null} */ (null));
  const onLink = (/** @type {CustomEvent} */ { detail: { state, why } }) => state === "refused" && setRefused({ token: token(), why });
  const [attention, setAttention] = useState({ count: 0, text: "" });
  const onAttention = (/** @type {CustomEvent} */ { detail }) => setAttention(detail);
  const may = me !== undefined && (["agents", "qa", "admin"].some((role) => me.roles.includes(role)));
  const name = `${upright(agent)} · ${t("坐席面板", "Agent panel")}`;
  document.title = attention.count > 0 ? `（${attention.count}）${attention.text} · ${name}` : name;
  return html`
    <main id="main">
      <h1 class="visually-hidden">${t(`坐席 ${agent}`, `Agent ${agent}`)}</h1>
      ${isRefused || (me !== undefined && !may) || refused?.token === token()
        ? html`<div class="sign-in"><${SignIn} wrong=${token() !== null} why=${refused?.why} role=${["agents"]} /></div>`
        : me === undefined && !error
          ? null
          : html`<tingjian-alerts key=${token() ?? ""} agent=${agent} token=${token() ?? undefined}
              lang=${currentLanguage() === "zh" ? "zh-CN" : "en"} theme=${isDark() ? "dark" : "light"} keys="page" sound notify
              ontingjian-link=${onLink} ontingjian-attention=${onAttention}></tingjian-alerts>`}
    </main>
    <footer><a class="to-day" href=${`/agent/${encodeURIComponent(agent)}/day`}>${t("我的一天", "My day")}</a><${SignOut} me=${me} /><${Settings} /></footer>
  `;
}

show(AgentPage);

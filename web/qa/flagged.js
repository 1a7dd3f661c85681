// Calls that supervisors flagged, the earliest first, until somebody has reviewed them.

import { get, post } from "../shared/api.js";
import { callAddress, moment } from "../shared/format.js";
import { reviewer } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Fault, html, useAnswer } from "../shared/ui.js";
import { useState } from "../vendor/hooks.js";

/** @param {{me: import("../shared/ui.js").Me}} properties */
export function Flagged({ me }) {
  const { value, error, reload } = useAnswer((signal) => get("/v1/flags", {}, signal), [token()]);
  const [fault, setFault] = useState(/** @type {unknown} */ (null));
  const settle = (/** @type {number} */ flagNo) => {
    setFault(null);
    post(`/v1/flags/${flagNo}`, me.open ? { by: reviewer() } : {}).then(reload, (why) => { setFault(why); reload(); });
  };
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (!value || value.flags.length === 0) {
    return null;
  }
  return html`<section class="panel stack flagged" aria-labelledby="flagged"><h3 class="flat" id="flagged">${t(`待复核的通话 ${value.flags.length}${value.truncated ? "+" : ""}`, `Calls to review: ${value.flags.length}${value.truncated ? "+" : ""}`)}</h3>
    ${fault === null ? null : html`<${Fault} error=${fault} />`}
    <ul class="plain-list">${value.flags.map((/** @type {any} */ flag) => html`<li class="row spread" key=${flag.flag_no} data-call-id=${flag.call_id}>
      <span><a href=${callAddress(flag.call_id, flag.started_at)}>${moment(flag.started_at)} <bdi>${flag.agent_id}</bdi>${flag.queue ? html` · <bdi>${flag.queue}</bdi>` : ""}</a>
        ${flag.live ? html` <span class="tag good">${t("进行中", "live")}</span>` : ""} <span class="quiet small">${flag.by}${flag.note ? html`：<bdi>${flag.note}</bdi>` : ""}</span></span>
      <button class="small" onClick=${() => settle(flag.flag_no)}>${t("复核完了", "It is reviewed")}</button></li>`)}</ul>
  </section>`;
}

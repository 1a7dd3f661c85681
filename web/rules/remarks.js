// What is wrong or doubtful in rule files, with the place of each.

import { baseName } from "../shared/format.js";
import { currentLanguage, t } from "../shared/settings.js";
import { html } from "../shared/ui.js";

/** @typedef {import("../shapes.js").Remark} Remark */
/** @typedef {{file: string, line: number, column: number, length?: number}} Place */

/** @param {{remarks: Remark[], onJump?: (place: Place) => void}} properties */
export function Remarks({ remarks, onJump }) {
  const chinese = currentLanguage() === "zh";
  return html`
    <ul class="remarks">
      ${remarks.map((remark, at) => html`
        <li key=${at}>
          <span class=${`tag ${remark.level === "error" ? "critical" : "warning"}`}>${remark.level === "error" ? t("错误", "error") : t("提醒", "warning")}</span>
          <span class="grow">
            <${PlaceLink} place=${remark} onJump=${onJump} /> ${chinese ? remark.message : remark.message_en}
            ${remark.help ? html`<br /><span class="quiet">${chinese ? remark.help : remark.help_en}</span>` : null}
          </span>
        </li>`)}
    </ul>
  `;
}

/** @param {{place: Place, onJump?: (place: Place) => void}} properties */
export function PlaceLink({ place, onJump }) {
  const name = place.line > 0 ? `${baseName(place.file)}:${place.line}:${place.column}` : baseName(place.file);
  return onJump ? html`<button class="link mono" onClick=${() => onJump(place)}>${name}</button>` : html`<code>${name}</code>`;
}

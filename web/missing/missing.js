// An address that there is not: where everything is.

import { Frame, html, show } from "../shared/ui.js";
import { t } from "../shared/settings.js";

const Missing = () => html`
  <${Frame} title=${t("没有这个页面", "No such page")} current="">
    <h1>${t("没有这个页面", "No such page")}</h1>
    <p><bdi>${decodeURI(location.pathname)}</bdi></p>
    <p><a href="/">${t("回到首页", "To the home page")}</a></p>
  </${Frame}>
`;

show(Missing);

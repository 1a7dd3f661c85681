// What became of an alert: what the agent answered, what QA found, the appeal.

import { html } from "../shared/ui.js";
import { ReviewPanel, ReviewSteps, ReviewTags } from "../shared/review.js";
import { moment } from "../shared/format.js";
import { t } from "../shared/settings.js";

/**
 * All of it, and the next steps for the alert that is selected, once the call is over.
 * @param {{alert: any, me: any, started: string, isSelected: boolean, onReview: () => void}} properties
 */
export function ReviewState({ alert, me, started, isSelected, onReview }) {
  const { feedback, review } = alert;
  const answered = feedback === null || feedback === undefined
    ? null
    : html`<p class="small quiet">${feedback.action === "seen" ? t("坐席：知道了", "agent: seen") : t("坐席：不对", "agent: wrong")}${feedback.reason ? html` (<bdi>${feedback.reason}</bdi>)` : ""}${feedback.by ? html` · <bdi>${feedback.by}</bdi>` : ""}${feedback.given_at ? html` · <span class="number">${moment(feedback.given_at).slice(11, 19)}</span>` : ""}</p>`;
  // Alerts of a call in progress come by the stream, which tells no reviews.
  if (review === undefined || alert.state !== "confirmed") {
    return answered;
  }
  if (isSelected) {
    return html`${answered}<${ReviewPanel} alert=${{ ...alert, started_at: started }} me=${me} onReview=${onReview} />`;
  }
  return html`${answered}<p class="small"><${ReviewTags} review=${review} /></p><${ReviewSteps} review=${review} />`;
}

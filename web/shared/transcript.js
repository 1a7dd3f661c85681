// What was said in a call, with the places that alerts point at. While the call
// goes on it follows the end, as long as the reader looks at the end.

import { Component } from "../vendor/preact.js";
import { html } from "./ui.js";
import { clock, roleName } from "./format.js";
import { pieces } from "./marked.js";
import { t } from "./settings.js";

/** Nearer to the end than this is at the end. */
const END_PX = 48;

/**
 * `items` in their order: utterances with their hits, and what happened between them.
 * @typedef {{key: string, at: number, utterance?: import("./record.js").Utterance, hits: {start: number, end: number, alert: any}[], isSpeaking: boolean, text?: string}} Item
 * @typedef {{items: Item[], selected: string | null, select: (alertId: string) => void, seek: ((at: number) => void) | null, follows: boolean, current?: string | null}} Properties
 */
export class Transcript extends Component {
  /** @type {HTMLElement | null} */
  place = null;
  isAtEnd = true;
  /** The line that is heard. @type {string | null | undefined} */
  shown = null;

  componentDidMount() {
    this.follow();
  }

  componentDidUpdate() {
    this.follow();
    const { current } = /** @type {any} */ (this.props);
    if (current !== this.shown) {
      this.shown = current;
      const line = this.place?.querySelector(".said.now");
      if (line && this.place !== null) {
        // Only the transcript moves, not the page.
        const [inner, outer] = [line.getBoundingClientRect(), this.place.getBoundingClientRect()];
        if (inner.top < outer.top || inner.bottom > outer.bottom) {
          this.place.scrollTop += inner.top - outer.top - outer.height / 3;
        }
      }
    }
  }

  follow() {
    if (this.place !== null && this.isAtEnd && /** @type {any} */ (this.props).follows) {
      this.place.scrollTop = this.place.scrollHeight;
    }
  }

  /** @param {Properties} properties */
  render({ items, selected, select, seek, current }) {
    const onScroll = () => {
      const { place } = this;
      if (place !== null) {
        this.isAtEnd = place.scrollHeight - place.scrollTop - place.clientHeight < END_PX;
      }
    };
    return html`
      <div class="transcript" ref=${(/** @type {HTMLElement | null} */ place) => (this.place = place)} onScroll=${onScroll}
          tabindex="0" role="log" aria-live="off" aria-label=${t("转写", "Transcript")}>
        ${items.length === 0 ? html`<p class="empty">${t("还没有人说话", "Nobody has spoken yet")}</p>` : null}
        ${items.map((item) => html`<${Said} key=${item.key} item=${item} stamp=${`${stampOf(item, selected)}\n${item.key === current}`} isNow=${item.key === current} selected=${selected} select=${select} seek=${seek} />`)}
      </div>
    `;
  }
}

/** What a line looks like; as long as it is the same, the line is not drawn anew. @param {Item} item @param {string | null} selected */
function stampOf({ utterance, hits, isSpeaking, text }, selected) {
  const places = hits.map(({ start, end, alert }) => `${start}-${end}-${alert.alert_id}-${alert.state}-${alert.alert_id === selected}`);
  return [utterance?.text, utterance?.isFinal, utterance?.isCorrected, isSpeaking, text, ...places].join("\n");
}

class Said extends Component {
  /** @param {any} next */
  shouldComponentUpdate(next) {
    return next.stamp !== (/** @type {any} */ (this.props)).stamp;
  }

  /** @param {any} properties */
  render({ item, isNow, selected, select, seek }) {
    const { utterance, hits, isSpeaking, at, text } = /** @type {Item} */ (item);
    const time = seek === null
      ? html`<span class="time">${clock(at)}</span>`
      : html`<button class="time plain" onClick=${() => seek(at)} aria-label=${t(`跳到 ${clock(at)}`, `go to ${clock(at)}`)}>${clock(at)}</button>`;
    if (utterance === undefined) {
      return html`<p class="happened" data-at=${at}>${time}<bdi>${text}</bdi></p>`;
    }
    const words = isSpeaking
      ? html`<span class="speaking">${t("正在说话…", "speaking…")}</span>`
      : pieces(utterance.text, hits).map(({ text: piece, ranges }) => ranges.length === 0
          ? piece
          : html`<a class=${`hit ${ranges[0].alert.severity} ${ranges[0].alert.state} ${ranges[0].alert.display === "held" ? "held" : ""} ${ranges.some((one) => one.alert.alert_id === selected) ? "selected" : ""}`}
              href=${`#alert-${encodeURIComponent(ranges[0].alert.alert_id)}`} data-alerts=${ranges.map((one) => one.alert.alert_id).join(" ")} title=${ranges.map((one) => one.alert.message).join("；")}
              onClick=${(/** @type {Event} */ event) => {
                event.preventDefault();
                select(ranges[0].alert.alert_id);
              }}><mark>${piece}</mark></a>`);
    return html`<p class=${`said ${utterance.role} ${utterance.isFinal ? "" : "open"} ${isNow ? "now" : ""}`} data-utterance-id=${utterance.id} data-final=${utterance.isFinal} data-at=${at}>
      ${time}<span class="role">${roleName(utterance.role)}</span>
      <span class="words"><bdi>${words}</bdi>${utterance.isCorrected && !isSpeaking ? html` <span class="corrected small quiet">${t("（已更正）", "(corrected)")}</span>` : null}</span>
    </p>`;
  }
}

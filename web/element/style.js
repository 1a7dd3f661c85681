// The look of the element: a style sheet of its own, made by script, so that it
// needs no leave of the embedding page's style policy.

const DARK = `
  --ground: #12161c; --surface: #1b222c; --line: #36404d; --line-strong: #7d8998; --text: #e9edf2; --quiet: #a9b4c1;
  --accent: #8db8f5; --accent-text: #10151b;
  --critical: #ff9d94; --critical-ground: #3d1f1f; --warning: #f3c06b; --warning-ground: #38290f;
  --info: #8db8f5; --info-ground: #1d2d45; --good: #86d7a1; --good-ground: #17301f; --mark: #6d5310; --mark-text: #fff3cf;
  color-scheme: dark;`;

/** A length of the element's own, so that neither its reader's text size nor that of the page around is lost. */
const TEXT = `
:host {
  display: block; height: 100%; min-height: 24em; overflow: hidden; contain: content; position: relative;
  font: medium/1.45 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  --tingjian-rem: calc(1em * var(--tingjian-scale, 1));
  --ground: #f6f7f9; --surface: #fff; --line: #d5dae1; --line-strong: #868f9c; --text: #1a1f27; --quiet: #55606e;
  --accent: #1a5ab5; --accent-text: #fff;
  --critical: #b3261e; --critical-ground: #fdf0ef; --warning: #8a5200; --warning-ground: #fdf5e6;
  --info: #1a5ab5; --info-ground: #edf3fc; --good: #1d6b3a; --good-ground: #e6f4ea; --mark: #ffe08a; --mark-text: #1a1f27;
  color-scheme: light;
}
:host([hidden]) { display: none; }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { ${DARK} } }
:host([theme="dark"]) { ${DARK} }

*, *::before, *::after { box-sizing: border-box; }
p, h2, h3, ul { margin: 0; padding: 0; list-style: none; }
.panel { container: panel / size; height: 100%; min-height: inherit; font-size: 1rem; display: flex; flex-direction: column; gap: 6px; padding: 8px 10px 10px; background: var(--ground); color: var(--text); outline: none; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; border-radius: 4px; }

header { position: relative; display: flex; align-items: center; gap: 8px; min-height: 44px; flex: none; }
.clock { font-size: 1.75rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1; }
.what { display: grid; min-width: 0; flex: 1; line-height: 1.3; }
.state { font-weight: 650; white-space: nowrap; }
.state.hold, .state.silent { color: var(--warning); }
.queue { font-size: .8125rem; color: var(--quiet); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.link { font-size: .8125rem; color: var(--quiet); white-space: nowrap; }
.link::before { content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .4em; border-radius: 50%; background: var(--line-strong); }
.link.open::before { background: var(--good); }
.link.closed, .link.refused { color: var(--critical); font-weight: 650; }
.link.closed::before, .link.refused::before { background: var(--critical); }
.link.catching-up, .link.connecting { color: var(--warning); }

.watching { flex: none; padding: 2px 8px; border-radius: 6px; background: var(--info-ground); color: var(--info); font-size: .875rem; font-weight: 600; overflow-wrap: anywhere; }
.calls { flex: none; display: flex; gap: 4px; overflow-x: auto; scrollbar-width: thin; }
.tab { flex: 0 1 auto; min-width: 4.5em; max-width: 12em; min-height: 34px; padding: 2px 10px; font-size: .9375rem; border-color: var(--line); background: transparent; }
.tab .name { min-width: 2.2em; overflow: hidden; text-overflow: ellipsis; }
.tab[aria-pressed="true"] { background: var(--surface); border-color: var(--accent); box-shadow: inset 0 -3px 0 var(--accent); font-weight: 650; }
.tab .held { font-size: .75rem; color: var(--warning); }
.tab.critical, .tab.warning { border-color: var(--tone); background: var(--tone-ground); }
.unread { min-width: 1.5em; padding: 0 5px; border-radius: 999px; font-size: .8125rem; font-weight: 700; text-align: center; background: var(--tone, var(--info)); color: var(--surface); }

.options summary { list-style: none; cursor: pointer; width: 32px; height: 32px; border-radius: 6px; display: grid; place-items: center; font-size: 1.25rem; line-height: 1; color: var(--quiet); }
.options summary::-webkit-details-marker { display: none; }
.options summary:hover, .options[open] summary { background: var(--line); color: var(--text); }
.menu { position: absolute; right: 0; top: 100%; z-index: 2; width: min(20em, 100%); display: grid; gap: 10px; padding: 12px; border: 1px solid var(--line-strong); border-radius: 8px; background: var(--surface); box-shadow: 0 4px 16px #0003; font-size: .9375rem; }
.menu label, .menu .row { display: flex; align-items: center; justify-content: space-between; gap: 10px; }
.menu select { font: inherit; color: var(--text); background: var(--surface); border: 1px solid var(--line-strong); border-radius: 6px; min-height: 32px; }
button:disabled { color: var(--quiet); border-color: var(--line); cursor: not-allowed; }

.strip { flex: none; min-height: 22px; max-height: 44px; overflow: hidden; font-size: .8125rem; line-height: 22px; border-radius: 6px; color: var(--quiet); }
.strip.grave, .strip.mild { padding: 0 8px; }
.strip.grave { background: var(--critical-ground); color: var(--critical); font-weight: 600; }
.strip.mild { background: var(--warning-ground); color: var(--warning); }

.meters { flex: none; display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; }
.meter { display: grid; grid-template-columns: auto 1fr; gap: 2px 6px; font-size: .8125rem; }
.meter .name { color: var(--quiet); }
.meter .value { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.track { grid-column: 1 / -1; height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
.fill { display: block; height: 100%; background: var(--accent); border-radius: 3px; }

/* Nothing here grows or shrinks with what it shows, so nothing moves. */
.place { flex: 3 1 0; min-height: 10.5rem; max-height: 20.5rem; display: grid; grid-template: minmax(0, 1fr) / minmax(0, 1fr); margin: -3px; padding: 3px; container: place / size; }
.rest { flex: 1; min-height: 0; overflow: auto; }

.card {
  min-width: 0; display: flex; flex-direction: column; gap: 6px; padding: 10px 12px; overflow: hidden;
  background: var(--surface); border: 1px solid var(--line); border-left: 6px solid var(--tone); border-radius: 10px;
}
.critical { --tone: var(--critical); --tone-ground: var(--critical-ground); }
.warning { --tone: var(--warning); --tone-ground: var(--warning-ground); }
.info { --tone: var(--info); --tone-ground: var(--info-ground); }
.help { --tone: var(--accent); --tone-ground: var(--info-ground); }
.card[data-state="confirmed"], .card[data-state="reminder"] { background: var(--tone-ground); border-color: var(--tone); }
.card[data-state="provisional"] { border-style: dashed; border-left-style: dashed; border-color: var(--line-strong); }
.card[data-state="retracted"] { color: var(--quiet); border-left-color: var(--line-strong); }
.card[data-state="resolved"] { border-color: var(--good); background: var(--good-ground); }

.calm { max-height: 100%; overflow: auto; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 4px; border: 1px dashed var(--line); border-radius: 10px; color: var(--quiet); font-size: 1.0625rem; padding: 10px 12px; text-align: center; }
.calm .good { color: var(--good); font-size: 1.75rem; line-height: 1; }
.calm.next { align-self: start; align-items: stretch; justify-content: flex-start; text-align: left; gap: 8px; border-style: solid; background: var(--surface); color: var(--text); }
.calm .about { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 6px; font-size: .875rem; color: var(--quiet); }
.calm .about .left { margin-left: auto; }
.left { font-size: .8125rem; font-variant-numeric: tabular-nums; white-space: nowrap; color: var(--quiet); }
.left.soon { color: var(--warning); font-weight: 700; }

.head { display: flex; align-items: center; gap: 6px; font-size: .875rem; flex: none; min-width: 0; }
/* What does not fit is scrolled to; the buttons below are always there. */
.body { flex: 0 1 auto; min-height: 0; overflow: auto; scrollbar-width: thin; display: flex; flex-direction: column; gap: 4px; }
.tag { padding: 0 8px; border-radius: 999px; font-size: .8125rem; font-weight: 650; background: var(--tone); color: var(--surface); white-space: nowrap; }
.card[data-state="provisional"] .tag, .card[data-state="retracted"] .tag { background: transparent; color: var(--quiet); border: 1px solid var(--line-strong); }
.word { font-weight: 600; }
.word { white-space: nowrap; }
.at { margin-left: auto; color: var(--quiet); font-variant-numeric: tabular-nums; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.message { font-weight: 500; flex: none; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; overflow-wrap: anywhere; }
.card[data-state="provisional"] .message { font-weight: 400; }
.due { font-size: 1.25rem; font-weight: 700; color: var(--tone); font-variant-numeric: tabular-nums; flex: none; }
.say { font-size: 1.5rem; font-weight: 650; line-height: 1.35; text-wrap: pretty; overflow-wrap: anywhere; flex: none; }
.say.long { font-size: 1.25rem; }
.say.longest { font-size: 1rem; font-weight: 550; }
.help .say { white-space: pre-line; }
.card[data-state="provisional"] .say { font-size: 1.0625rem; font-weight: 500; color: var(--quiet); }
.lead { display: inline-block; margin-right: 8px; padding: 0 6px; border-radius: 4px; font-size: .8125rem; line-height: 1.5; vertical-align: .2em; background: var(--accent); color: var(--accent-text); }
.card[data-state="provisional"] .lead { background: var(--line); color: var(--text); }
.heard { display: grid; gap: 2px; font-size: .875rem; color: var(--quiet); overflow: hidden; flex: none; }
.quote { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; overflow-wrap: anywhere; }
.role { margin-right: 6px; }
.role::after { content: "："; }
mark { background: var(--mark); color: var(--mark-text); border-radius: 2px; padding: 0 1px; }
.gone { font-weight: 600; }
.card[data-state="retracted"] .gone { color: var(--text); }
.card[data-state="resolved"] .gone { color: var(--good); font-size: 1.125rem; }

.actions { display: flex; gap: 8px; margin-top: auto; flex: none; padding-top: 2px; align-items: center; }
.reasons { flex-wrap: wrap; gap: 4px; }
button, input { font: inherit; font-size: .9375rem; color: inherit; border: 1px solid var(--line-strong); border-radius: 6px; background: var(--surface); min-height: 34px; padding: 2px 10px; }
button { cursor: pointer; display: inline-flex; align-items: center; gap: 6px; white-space: nowrap; color: var(--text); }
button:hover { border-color: var(--accent); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--accent-text); font-weight: 600; }
button.plain { border-color: transparent; background: transparent; padding: 2px 6px; font-size: .8125rem; }
button.small { min-height: 28px; font-size: .875rem; }
.reasons button { padding: 2px 8px; gap: 4px; font-size: .875rem; }
input { flex: 1; min-width: 0; color: var(--text); }
kbd.dim { visibility: hidden; }
kbd { font-family: inherit; font-size: .75rem; padding: 0 5px; border: 1px solid currentColor; border-radius: 4px; opacity: .9; }

.lines { flex: none; height: calc(1.5rem + 3 * 1.9rem); overflow: auto; scrollbar-width: thin; }
.lines h2 { font-size: .8125rem; font-weight: 500; color: var(--quiet); line-height: 1.5rem; position: sticky; top: 0; background: var(--ground); }
.line-button { width: 100%; min-height: 1.8rem; height: 1.8rem; padding: 0 4px; gap: 8px; border: 0; border-radius: 4px; background: transparent; display: grid; grid-template-columns: auto auto minmax(0, 1fr) auto; align-items: center; font-size: .875rem; text-align: left; white-space: nowrap; }
button.line-button:hover { background: var(--surface); }
.short { border-top: 1px solid var(--line); }
.short .at { margin: 0; min-width: 2.4em; font-size: .8125rem; }
.short .text { overflow: hidden; text-overflow: ellipsis; }
.short .word { font-size: .8125rem; font-weight: 400; color: var(--quiet); max-width: 9em; overflow: hidden; text-overflow: ellipsis; }
.short .tag { padding: 0 6px; background: var(--tone-ground); color: var(--tone); }
.short.past .tag { background: transparent; color: var(--quiet); font-weight: 500; padding: 0; }
.short.past .text { color: var(--quiet); }
.short[data-state="resolved"] .text, .short[data-state="retracted"] .text { text-decoration: line-through; }

.line { display: grid; grid-template-columns: auto auto 1fr; gap: 8px; padding: 6px 0; border-top: 1px solid var(--line); align-items: start; font-size: .9375rem; }
.line .at { margin: 0; min-width: 2.6em; font-size: .8125rem; line-height: 1.7; }
.line .tag { background: var(--tone-ground); color: var(--tone); margin-top: 1px; }
.line .text { display: flex; flex-wrap: wrap; gap: 2px 8px; align-items: center; min-width: 0; overflow-wrap: anywhere; }
.line .word { color: var(--quiet); font-weight: 400; font-size: .8125rem; }
.struck { text-decoration: line-through; color: var(--quiet); }
.outcome { font-size: .8125rem; padding: 0 6px; border: 1px solid var(--line-strong); border-radius: 4px; }
.line .why { width: 100%; }
.line button.small { margin-left: auto; }
.rest .waiting { padding: 28px 0; text-align: center; font-size: 1.25rem; color: var(--quiet); }
.rest h2 { font-size: .9375rem; margin: 0 0 6px; }
.rest ul + h2 { margin-top: 18px; }
.rest h3 { font-size: .8125rem; color: var(--quiet); font-weight: 600; margin-top: 8px; }
.outcomes { margin-left: 10px; font-size: .8125rem; font-weight: 500; color: var(--quiet); }

.to-day { text-align: center; padding-bottom: 14px; font-size: .9375rem; }
a { color: var(--accent); }

.checklist { flex: 2 1 0; min-height: 76px; overflow: auto; padding-top: 6px; border-top: 1px solid var(--line); scrollbar-width: thin; }
.checklist h2 { font-size: .875rem; color: var(--quiet); font-weight: 600; margin-bottom: 2px; }
.duty { display: grid; grid-template-columns: 1fr auto auto; gap: 0 10px; padding: 4px 0; font-size: .9375rem; align-items: baseline; }
.duty + .duty { border-top: 1px solid var(--line); }
.duty .name { overflow-wrap: anywhere; font-weight: 550; }
.duty .count { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; font-size: .875rem; }
.duty.said, .duty.said .name { color: var(--quiet); font-weight: 400; }
.duty.said .count { color: var(--good); }
.duty.missed .count { color: var(--critical); }
.parts { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0 12px; font-size: .8125rem; }
.parts .done { color: var(--good); }
.parts .open { color: var(--text); }
.steps { gap: 0; }
.steps > span + span::before { content: "→"; margin: 0 6px; color: var(--quiet); }
.steps .open { color: var(--quiet); }
.steps .next { color: var(--text); font-weight: 700; }
.words { grid-column: 1 / -1; font-size: .9375rem; line-height: 1.45; color: var(--accent); overflow-wrap: anywhere; }
.words b { margin-right: 6px; font-size: .8125rem; font-weight: 600; color: var(--quiet); }
.words q { quotes: "“" "”"; }

/* In a low place the card comes first; what measures the call goes first of all. Heights count in lines, so that large
   letters need as much more room. */
@container panel (max-height: 40em) {
  .lines { height: calc(1.5rem + 2 * 1.9rem); }
  /* The heading and the first item with two lines of its words, none of them cut in half. */
  .checklist { flex: none; height: calc(9px + 1.3rem + 8px + 1.36rem + 2.72rem); min-height: 0; padding-top: 6px; }
  .checklist h2 { line-height: 1.3rem; }
  .duty { font-size: .9375rem; line-height: 1.36rem; }
  .parts { display: none; }
  .words { line-height: 1.36rem; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }
  .rest .waiting { padding: 12px 0; }
  .say { font-size: 1.25rem; }
  .say.long, .say.longest { font-size: 1rem; }
}
@container panel (max-height: 34em) {
  .meters { display: none; }
  .lines { height: calc(1.5rem + 1.9rem); }
  .checklist { height: calc(9px + 1.3rem + 8px + 1.36rem + 1.36rem); }
  .words { -webkit-line-clamp: 1; }
}
@container panel (max-height: 27em) {
  /* How many others there are is always told. */
  .lines { height: 1.5rem; }
  .say { font-size: 1.125rem; }
}
@container panel (max-height: 23em) {
  .checklist { display: none; }
  .message { -webkit-line-clamp: 1; }
  .say, .say.long, .say.longest { font-size: 1rem; }
}
@container panel (min-height: 40.01em) {
  /* What goes on below is seen to go on, instead of a line cut in half. */
  .checklist { padding-bottom: 1rem; mask-image: linear-gradient(#000 calc(100% - 1rem), #0000); }
}
/* What was heard stands where there is room for it behind what to say. */
@container place (max-height: 16em) {
  .quote { -webkit-line-clamp: 1; }
  .quote:not(:last-child) { display: none; }
}
@container place (max-height: 15em) { .body:has(.due) .heard { display: none; } }
@container place (max-height: 12.5em) { .heard { display: none; } }
@container panel (max-width: 16em) { .actions kbd { display: none; } }
@container panel (max-width: 20em) {
  .link.open { font-size: 0; }
  .link.open::before { font-size: .8125rem; margin: 0; }
}

@media (prefers-contrast: more) {
  :host { --line: var(--line-strong); --quiet: var(--text); --critical-ground: var(--surface); --warning-ground: var(--surface); --info-ground: var(--surface); --good-ground: var(--surface); }
  .card { border-width: 2px; border-left-width: 8px; }
  button, .tab { border-width: 2px; }
  .short .tag, .left, .words { font-weight: 700; }
}
@media (forced-colors: active) {
  .card, .calm, .tab, .menu, .strip.grave, .strip.mild, .watching { border: 2px solid CanvasText; }
  .card { border-left-width: 8px; }
  .tag, .unread, .lead { border: 1px solid CanvasText; }
  .tab[aria-pressed="true"], button[aria-pressed="true"] { border-color: Highlight; outline: 2px solid Highlight; }
  .track { border: 1px solid CanvasText; }
  .fill { background: CanvasText; forced-color-adjust: none; }
  .link::before { forced-color-adjust: none; }
  mark { background: Mark; color: MarkText; forced-color-adjust: none; }
}
@media (prefers-reduced-motion: no-preference) {
  .card { animation: come .25s ease-out; transition: background-color .3s, border-color .3s, opacity .6s; }
  @keyframes come { from { opacity: 0; } }
}
`;

// A length that is inherited as it was computed here: `rem` would be of the page around.
try {
  CSS.registerProperty({ name: "--tingjian-rem", syntax: "<length>", inherits: true, initialValue: "16px" });
} catch {
  // It is registered already, by another copy of this module.
}

export const sheet = new CSSStyleSheet();
sheet.replaceSync(TEXT.replace(/([\d.]+)rem\b/g, "calc($1 * var(--tingjian-rem))"));

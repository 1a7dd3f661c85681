// The look of the element: a style sheet of its own, made by script, so that it
// needs no leave of the embedding page's style policy.

const DARK = `
  --ground: #12161c; --surface: #1b222c; --line: #36404d; --line-strong: #7d8998; --text: #e9edf2; --quiet: #a9b4c1;
  --accent: #8db8f5; --accent-text: #10151b;
  --critical: #ff9d94; --critical-ground: #3d1f1f; --warning: #f3c06b; --warning-ground: #38290f;
  --info: #8db8f5; --info-ground: #1d2d45; --good: #86d7a1; --good-ground: #17301f; --mark: #6d5310; --mark-text: #fff3cf;
  color-scheme: dark;`;

const CSS = `
:host {
  display: block; height: 100%; min-height: 24rem; overflow: hidden; contain: content;
  font: 16px/1.45 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  --ground: #f6f7f9; --surface: #fff; --line: #d5dae1; --line-strong: #868f9c; --text: #1a1f27; --quiet: #55606e;
  --accent: #1a5ab5; --accent-text: #fff;
  --critical: #b3261e; --critical-ground: #fceceb; --warning: #8a5200; --warning-ground: #fdf3e0;
  --info: #1a5ab5; --info-ground: #e9f1fc; --good: #1d6b3a; --good-ground: #e6f4ea; --mark: #ffe08a; --mark-text: #1a1f27;
  color-scheme: light;
}
:host([hidden]) { display: none; }
@media (prefers-color-scheme: dark) { :host(:not([theme="light"])) { ${DARK} } }
:host([theme="dark"]) { ${DARK} }

*, *::before, *::after { box-sizing: border-box; }
p, h2, h3, ul { margin: 0; padding: 0; list-style: none; }
.panel { container: panel / size; height: 100%; min-height: inherit; display: flex; flex-direction: column; gap: 6px; padding: 8px 10px 10px; background: var(--ground); color: var(--text); outline: none; }
.unseen { position: absolute; width: 1px; height: 1px; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; border-radius: 4px; }

header { display: flex; align-items: center; gap: 10px; min-height: 44px; flex: none; }
.clock { font-size: 1.75rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1; }
.what { display: grid; min-width: 0; flex: 1; line-height: 1.3; }
.state { font-weight: 650; }
.state.hold, .state.silent { color: var(--warning); }
.queue { font-size: .8125rem; color: var(--quiet); overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.link { font-size: .8125rem; color: var(--quiet); white-space: nowrap; }
.link::before { content: ""; display: inline-block; width: .6em; height: .6em; margin-right: .4em; border-radius: 50%; background: var(--line-strong); }
.link.open::before { background: var(--good); }
.link.closed, .link.refused { color: var(--critical); font-weight: 650; }
.link.closed::before, .link.refused::before { background: var(--critical); }
.link.catching-up, .link.connecting { color: var(--warning); }

.watching { flex: none; padding: 2px 8px; border-radius: 6px; background: var(--info-ground); color: var(--info); font-size: .875rem; font-weight: 600; overflow-wrap: anywhere; }
.calls { flex: none; display: flex; flex-wrap: wrap; gap: 4px; max-height: 68px; overflow: auto; }
.calls button { max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.calls button[aria-pressed="true"] { border-color: var(--accent); background: var(--info-ground); color: var(--info); font-weight: 650; }

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

.cards { flex: 1 1 0; min-height: 0; display: grid; grid-template-columns: minmax(0, 1fr); grid-auto-rows: minmax(0, 1fr); gap: 8px; overflow: hidden; margin: -3px; padding: 3px; }
.slot { min-width: 0; min-height: 0; max-height: 320px; }
.rest { overflow: auto; }

.card {
  height: 100%; min-width: 0; display: flex; flex-direction: column; gap: 4px; padding: 8px 10px; overflow: hidden;
  background: var(--surface); border: 1px solid var(--line); border-left: 6px solid var(--tone); border-radius: 8px;
}
.critical { --tone: var(--critical); --tone-ground: var(--critical-ground); }
.warning { --tone: var(--warning); --tone-ground: var(--warning-ground); }
.info { --tone: var(--info); --tone-ground: var(--info-ground); }
.card[data-state="confirmed"], .card[data-state="reminder"] { background: var(--tone-ground); border-color: var(--tone); }
.card[data-state="provisional"] { border-style: dashed; border-left-style: dashed; border-color: var(--line-strong); }
.card[data-state="retracted"] { color: var(--quiet); border-left-color: var(--line-strong); }
.card[data-state="resolved"] { border-color: var(--good); background: var(--good-ground); }
.card.top { box-shadow: 0 0 0 2px var(--accent); }
.head { display: flex; align-items: center; gap: 6px; font-size: .875rem; flex: none; min-width: 0; }
/* What does not fit is scrolled to; the buttons below are always there. */
.body { flex: 0 1 auto; min-height: 0; overflow: auto; display: flex; flex-direction: column; gap: 4px; }
.tag { padding: 0 8px; border-radius: 999px; font-size: .8125rem; font-weight: 650; background: var(--tone); color: var(--surface); white-space: nowrap; }
.card[data-state="provisional"] .tag, .card[data-state="retracted"] .tag { background: transparent; color: var(--quiet); border: 1px solid var(--line-strong); }
.word { font-weight: 600; }
.word { white-space: nowrap; }
.at { margin-left: auto; color: var(--quiet); font-variant-numeric: tabular-nums; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.message { font-weight: 600; flex: none; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; overflow-wrap: anywhere; }
.card[data-state="provisional"] .message { font-weight: 400; }
.due { font-size: 1.25rem; font-weight: 700; color: var(--tone); font-variant-numeric: tabular-nums; flex: none; }
.say { font-size: 1.375rem; font-weight: 600; line-height: 1.35; overflow: hidden; overflow-wrap: anywhere; flex: none; display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; }
.say.long { font-size: 1.125rem; }
.say.longest { font-size: .9375rem; font-weight: 500; -webkit-line-clamp: 4; }
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
kbd { font-family: inherit; font-size: .75rem; padding: 0 5px; border: 1px solid currentColor; border-radius: 4px; opacity: .9; }

.earlier { flex: none; font-size: .875rem; max-height: 30%; overflow: auto; }
.earlier summary { cursor: pointer; color: var(--quiet); padding: 2px 0; }
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

.checklist { flex: none; height: clamp(104px, 22%, 190px); overflow: auto; padding-top: 6px; border-top: 1px solid var(--line); }
.checklist h2 { font-size: .875rem; color: var(--quiet); font-weight: 600; margin-bottom: 2px; }
.duty { display: grid; grid-template-columns: 1fr auto auto; gap: 0 10px; padding: 3px 0; font-size: .9375rem; align-items: baseline; }
.duty .name { overflow-wrap: anywhere; }
.duty .count { font-variant-numeric: tabular-nums; font-weight: 600; white-space: nowrap; }
.duty .left { font-size: .8125rem; font-variant-numeric: tabular-nums; white-space: nowrap; color: var(--warning); }
.duty.said { color: var(--quiet); }
.duty.said .count { color: var(--good); }
.duty.missed .count { color: var(--critical); }
.parts { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0 12px; font-size: .8125rem; }
.parts .done { color: var(--good); }
.parts .open { color: var(--text); }

/* In a low place the card comes first: the checklist gets a few lines, and none while the list above it is open. */
@container panel (max-height: 620px) {
  .checklist { height: 76px; }
  .earlier[open] + .checklist { display: none; }
  .rest .waiting { padding: 12px 0; }
  .say { font-size: 1.125rem; }
  .say.long, .say.longest { font-size: 1rem; }
}

@media (prefers-reduced-motion: no-preference) {
  .card { animation: come .25s ease-out; transition: background-color .3s, border-color .3s, opacity .6s; }
  @keyframes come { from { opacity: 0; } }
}
`;

export const sheet = new CSSStyleSheet();
sheet.replaceSync(CSS);

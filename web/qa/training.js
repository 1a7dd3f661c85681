// Training clips and calibration sessions: their lists, and the session that is open.

import { get, post, queryOf } from "../shared/api.js";
import { FormSheet, answerName } from "../shared/form.js";
import { callAddress, count, moment, percent } from "../shared/format.js";
import { Agent } from "../shared/parts.js";
import { Evidence, keepReviewer, reviewer, usualReasons } from "../shared/review.js";
import { t, token } from "../shared/settings.js";
import { Dialog, Fault, Severity, html, useAnswer } from "../shared/ui.js";
import { useState } from "../vendor/hooks.js";

/** @typedef {import("../shapes.js").SessionDetail} Session */
/** @typedef {import("../shapes.js").CaseDetail} Case */

/** Collections of training clips. */
export function Collections() {
  const { value, error, reload } = useAnswer((signal) => get("/v1/clips", {}, signal), [token()]);
  const shared = (/** @type {any} */ { everybody, teams, agents }) => (everybody ? t("全部坐席", "all agents") : [...teams, ...agents].join(t("、", ", ")) || t("未共享", "not shared"));
  return html`<section class="panel stack"><h2 class="flat">${t("培训片段", "Training clips")}</h2>
    <p class="small quiet flat">${t("在复核队列或通话页选中预警，按 s 收进片段集；打开片段集可以共享给坐席和班组。", "Choose an alert in the review queue or on a call's page and press s; an open collection can be shared with agents and teams.")}</p>
    ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
    ${value?.collections.length === 0 ? html`<p class="empty">${t("还没有片段集。", "There are no collections yet.")}</p>` : null}
    ${value && value.collections.length > 0 ? html`<div class="table" tabindex="0" role="region" aria-label=${t("培训片段", "Training clips")}><table>
      <thead><tr><th scope="col">${t("标题", "Title")}</th><th scope="col" class="number">${t("片段", "Clips")}</th><th scope="col">${t("共享给", "Shared with")}</th><th scope="col">${t("谁建的", "By")}</th><th scope="col">${t("最近修改", "Changed")}</th></tr></thead>
      <tbody>${value.collections.map((/** @type {any} */ one) => html`<tr key=${one.clip_no}><td><a href=${`/clips/${one.clip_no}`}>${one.title}</a></td><td class="number">${count(one.count)}</td>
        <td>${shared(one.share)}</td><td><bdi>${one.by}</bdi></td><td class="time">${moment(one.changed_at).slice(0, 16)}</td></tr>`)}</tbody></table></div>` : null}
  </section>`;
}

/** Sessions, or the one that the address names. @param {{filters: Record<string, string>, change: (changes: Record<string, string>) => void, me: import("../shared/ui.js").Me | undefined}} properties */
export function Calibrations({ filters, change, me }) {
  const { value, error, reload } = useAnswer((signal) => get("/v1/calibrations", {}, signal), [filters.item, token()]);
  const [isMaking, setMaking] = useState(false);
  if (filters.item !== "") {
    return html`<${OneSession} key=${filters.item} no=${filters.item} me=${me} onBack=${() => change({ item: "" })} />`;
  }
  return html`<section class="panel stack">
    <div class="row spread"><h2 class="flat">${t("校准", "Calibration")}</h2><button class="primary" onClick=${() => setMaking(true)}>${t("发起校准…", "A new session…")}</button></div>
    <p class="small quiet flat">${t("同一批通话和预警分给几个人，各自评、互不可见；都评完（或发起人结束）后逐项比较，一致性用 κ 表示。", "The same calls and alerts go to several reviewers, who do not see each other's answers; once all are done, or its maker closes it, they are compared item by item, with kappa.")}</p>
    ${error ? html`<${Fault} error=${error} retry=${reload} />` : null}
    ${value?.sessions.length === 0 ? html`<p class="empty">${t("还没有校准。", "There are no sessions yet.")}</p>` : null}
    ${value && value.sessions.length > 0 ? html`<div class="table" tabindex="0" role="region" aria-label=${t("校准", "Calibration")}><table>
      <thead><tr><th scope="col">${t("标题", "Title")}</th><th scope="col" class="number">${t("案例", "Cases")}</th><th scope="col">${t("进度", "Progress")}</th><th scope="col">${t("发起", "By")}</th><th scope="col">${t("截止", "Due")}</th></tr></thead>
      <tbody>${value.sessions.map((/** @type {any} */ one) => html`<tr key=${one.calibration_no}><td><button class="link" onClick=${() => change({ item: String(one.calibration_no) })}>${one.title}</button></td>
        <td class="number">${one.cases}</td><td>${one.closed_at ? html`<span class="tag good">${t("已结束", "closed")}</span>` : one.reviewers.map((/** @type {any} */ who) => `${who.reviewer} ${who.done}/${one.cases}`).join(" · ")}</td>
        <td><bdi>${one.by}</bdi></td><td class="time">${moment(one.due_at).slice(0, 10)}</td></tr>`)}</tbody></table></div>` : null}
    ${isMaking ? html`<${Make} me=${me} onClose=${() => setMaking(false)} onMade=${(/** @type {any} */ made) => change({ item: String(made.calibration_no) })} />` : null}
  </section>`;
}

/** @param {{me: import("../shared/ui.js").Me | undefined, onClose: () => void, onMade: (made: Session) => void}} properties */
function Make({ me, onClose, onMade }) {
  const { value: forms } = useAnswer((signal) => get("/v1/forms", {}, signal), []);
  const { value: recent } = useAnswer((signal) => get("/v1/calls", { live: "false", limit: 30 }, signal), []);
  const [error, setError] = useState(/** @type {unknown} */ (null));
  const list = (/** @type {FormDataEntryValue | null} */ text) => [...new Set(String(text ?? "").split(/[,，、\n]+/).map((one) => one.trim()).filter(Boolean))];
  const submit = (/** @type {Event} */ event) => {
    event.preventDefault();
    const entered = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const by = String(entered.get("by") ?? "").trim();
    if (me?.open) {
      keepReviewer(by);
    }
    setError(null);
    const calls = [...entered.getAll("call").map((one) => JSON.parse(String(one))), ...list(entered.get("calls")).map((call_id) => ({ call_id }))];
    post("/v1/calibrations", { title: entered.get("title"), reviewers: list(entered.get("reviewers")), calls, form: entered.get("form"), ...(me?.open ? { by } : {}) }).then(onMade, setError);
  };
  return html`<${Dialog} title=${t("发起校准", "A new session")} onClose=${onClose}>
    <form class="stack" onSubmit=${submit}>
      <label><span>${t("标题", "Title")}</span><input name="title" required maxlength="100" autofocus /></label>
      <label><span>${t("评分人（姓名，逗号分开，至少两位）", "Reviewers (names, commas between, two at least)")}</span><input name="reviewers" required defaultValue=${me?.open ? reviewer() : me?.name ?? ""} /></label>
      <label><span>${t("评分表", "Form")}</span><select name="form">${(forms?.forms ?? []).map((/** @type {any} */ one) => html`<option key=${one.form} value=${one.form}>${one.title}</option>`)}</select></label>
      <fieldset class="question"><legend>${t("最近结束的通话", "Calls that ended last")}</legend><div class="calls-to-choose" tabindex="0" role="group" aria-label=${t("选通话", "Choose calls")}>
        ${(recent?.calls ?? []).map((/** @type {any} */ call) => html`<label key=${`${call.call_id} ${call.started_at}`} class="choice"><input type="checkbox" name="call" value=${JSON.stringify({ call_id: call.call_id, started_at: call.started_at })} />
          <span>${moment(call.started_at).slice(5, 16)} <bdi>${call.agent_name ?? call.agent_id}</bdi> · <bdi>${call.call_id}</bdi></span></label>`)}</div></fieldset>
      <label><span>${t("其他通话（编号，逗号分开）", "Other calls (ids, commas between)")}</span><input name="calls" /></label>
      ${me?.open ? html`<label><span>${t("您的姓名（记入审计）", "Your name (kept in the audit)")}</span><input name="by" required maxlength="64" defaultValue=${reviewer()} /></label>` : null}
      ${error === null ? null : html`<${Fault} error=${error} />`}
      <div class="row"><button class="primary">${t("发起", "Begin")}</button><button type="button" onClick=${onClose}>${t("取消", "Cancel")}</button></div>
    </form></${Dialog}>`;
}

/** @param {{no: string, me: import("../shared/ui.js").Me | undefined, onBack: () => void}} properties */
function OneSession({ no, me, onBack }) {
  const [name, setName] = useState(reviewer());
  const who = me?.open ? name : me?.name;
  const path = `/v1/calibrations/${no}`;
  const { value, error, reload } = useAnswer((signal) => get(path + (me?.open ? queryOf({ reviewer: name }) : ""), {}, signal), [path, name, me?.open, token()]);
  const [open, setOpen] = useState(/** @type {number | null} */ (null));
  const [refused, setRefused] = useState(/** @type {unknown} */ (null));
  if (error) {
    return html`<${Fault} error=${error} retry=${reload} />`;
  }
  if (value === undefined) {
    return html`<p class="empty">${t("正在读取…", "Loading…")}</p>`;
  }
  const session = /** @type {Session} */ (value);
  const isMine = session.reviewers.some((one) => one.reviewer === who);
  const isClosed = session.closed_at !== null && session.closed_at !== undefined;
  const chosen = session.list.find((one) => one.case_no === open);
  const by = me?.open ? { by: who } : {};
  const answer = (/** @type {number} */ caseNo, /** @type {Record<string, unknown>} */ body) => post(`${path}/cases/${caseNo}`, { ...body, ...by }).then(() => { setOpen(null); reload(); });
  const items = new Map((session.form?.groups ?? []).flatMap((group) => group.items).map((item) => [item.item, item]));
  return html`<section class="panel stack">
    <div class="row spread"><h2 class="flat">${session.title}</h2><span class="row">
      ${!isClosed && (session.by === who || me?.roles.includes("admin")) ? html`<button onClick=${() => post(`${path}/close`, by).then(reload, setRefused)}>${t("现在结束并比较", "Close and compare now")}</button>` : null}
      <button onClick=${onBack}>${t("全部校准", "All sessions")}</button></span></div>
    ${me?.open && !name ? html`<label class="inline"><span>${t("您的姓名", "Your name")}</span><input class="name-field" maxlength="64" onChange=${(/** @type {any} */ event) => { keepReviewer(event.target.value.trim()); setName(event.target.value.trim()); }} /></label>` : null}
    <p class="small quiet flat">${isClosed ? t("已结束：下面是各人的答案和一致性。", "Closed: everybody's answers, and how far they agree.")
      : t(`进行中，互不可见：${session.reviewers.map((one) => `${one.reviewer} ${one.done}/${session.cases}`).join("，")}`, `Open, blind: ${session.reviewers.map((one) => `${one.reviewer} ${one.done}/${session.cases}`).join(", ")}`)}</p>
    ${isClosed || session.unknown.length === 0 ? null : html`<p class="notice warning flat">${t(`令牌里没有这些姓名，没法核对：${session.unknown.join("、")}`, `No token names ${session.unknown.join(", ")}: nothing tells a slip of the pen`)}</p>`}
    ${refused === null ? null : html`<${Fault} error=${refused} />`}
    ${isClosed ? html`<${Compared} session=${session} items=${items} />` : null}
    <ol class="cases">${session.list.map((one) => html`<li key=${one.case_no} class="stack">
      <div class="row spread"><span><strong>${one.case_no}. ${one.alert?.rule_name ?? t("整通通话", "Whole call")}</strong> <${Agent} row=${one} /> · <a href=${callAddress(one.call_id, one.started_at, one.alert?.alert_id)}><bdi>${one.call_id}</bdi></a></span>
        ${isClosed || !isMine ? null : one.is_call ? html`<button onClick=${() => setOpen(one.case_no)}>${one.answers.length > 0 ? t("重评…", "Again…") : t("评分…", "Score…")}</button>` : null}</div>
      ${one.alert ? html`<div><${Severity} severity=${one.alert.severity} /></div><${Evidence} alert=${one.alert} />` : null}
      ${!isClosed && isMine && !one.is_call ? html`<${Verdict} onAnswer=${(/** @type {Record<string, unknown>} */ body) => answer(one.case_no, body).catch(setRefused)} />` : null}
      ${one.answers.map((given) => html`<p key=${given.reviewer} class="flat small"><strong>${given.reviewer}</strong>${t("：", ": ")}${given.verdict === "confirm" ? t("属实", "upheld") : given.verdict === "dismiss" ? t("误报", "false alarm") : t(`${given.score} 分`, `${given.score}`)}
        ${given.reason ? html` · <bdi>${given.reason}</bdi>` : null}${given.comment ? html` · <bdi>${given.comment}</bdi>` : null}</p>`)}
    </li>`)}</ol>
    ${chosen === undefined || !session.form ? null : html`<${Dialog} title=${session.form.title} onClose=${() => setOpen(null)}>
      <${FormSheet} definition=${session.form} prefilled=${(chosen.answers[0]?.answers ?? []).map(({ item, answer: given }) => ({ item, answer: given, alerts: [] }))} isPlain=${true} alerts=${new Map()} me=${me} onClose=${() => setOpen(null)}
        onSend=${(/** @type {any} */ body) => answer(chosen.case_no, { answers: body.answers, comment: body.comment })} /></${Dialog}>`}
  </section>`;
}

/** @param {{onAnswer: (body: Record<string, unknown>) => void}} properties */
function Verdict({ onAnswer }) {
  return html`<div class="row quick" role="group" aria-label=${t("判定", "Verdict")}><button class="small" onClick=${() => onAnswer({ verdict: "confirm" })}>${t("属实", "Uphold")}</button>
    ${usualReasons("dismiss").map((reason) => html`<button key=${reason} class="small" onClick=${() => onAnswer({ verdict: "dismiss", reason })}>${t("误报：", "False: ")}${reason}</button>`)}</div>`;
}

/** @param {{session: Session, items: Map<string, any>}} properties */
function Compared({ session, items }) {
  const name = (/** @type {string} */ question) => (question === "verdict" ? t("预警的判定", "Verdict on alerts") : items.get(question)?.title ?? question);
  const kappa = (/** @type {number | null | undefined} */ value) => (value === null || value === undefined ? "—" : value.toFixed(2));
  const of = (/** @type {Case} */ one, /** @type {string} */ who, /** @type {string} */ question) => one.answers.find((given) => given.reviewer === who)?.answers.find(({ item }) => item === question)?.answer;
  const apart = [...(session.questions ?? [])].sort((a, b) => a.agreement - b.agreement);
  const differing = session.list.filter((one) => one.is_call).flatMap((one) => [...items.keys()].map((question) => ({ one, question, given: session.reviewers.map(({ reviewer: who }) => of(one, who, question)) })))
    .filter(({ given }) => new Set(given.filter((answer) => answer !== undefined)).size > 1);
  return html`
    <div class="table" tabindex="0" role="region" aria-label=${t("逐项一致性", "Agreement by item")}><table>
      <thead><tr><th scope="col">${t("项目", "Item")}</th><th scope="col" class="number">${t("对数", "Pairs")}</th><th scope="col" class="number">${t("一致", "Agree")}</th><th scope="col" class="number" title=${t("Cohen κ；多于两人时取各对的平均", "Cohen's kappa; of more than two, the mean of the pairs")}>κ</th></tr></thead>
      <tbody>${apart.map((row) => html`<tr key=${row.question}><td>${name(row.question)}</td><td class="number">${row.pairs}</td><td class="number">${percent(row.agreement)}</td><td class="number">${kappa(row.kappa)}</td></tr>`)}
        ${(session.pairs ?? []).map((row) => html`<tr key=${`${row.first} ${row.second}`}><th scope="row">${row.first} / ${row.second}</th><td class="number">${row.pairs}</td><td class="number">${percent(row.agreement)}</td><td class="number">${kappa(row.kappa)}</td></tr>`)}</tbody></table></div>
    ${differing.length === 0 ? null : html`<h3 class="flat">${t("答案不同的项", "Where the answers differ")}</h3><div class="table" tabindex="0" role="region" aria-label=${t("答案不同的项", "Where the answers differ")}><table>
      <thead><tr><th scope="col">${t("案例", "Case")}</th><th scope="col">${t("项目", "Item")}</th>${session.reviewers.map(({ reviewer: who }) => html`<th key=${who} scope="col">${who}</th>`)}</tr></thead>
      <tbody>${differing.map(({ one, question, given }) => html`<tr key=${`${one.case_no} ${question}`}><td>${one.case_no}</td><td>${name(question)}</td>${given.map((answer, index) => html`<td key=${index}>${answer === undefined ? "—" : answerName(answer, items.get(question))}</td>`)}</tr>`)}</tbody></table></div>`}
  `;
}

// The rules that the tests of the panel, the wall and the call page run on: few,
// so that every card in them is meant.

export const RULES = {
  "panel.yaml": `pack: panel
title: 页面测试
rules:
  - id: panel.unclear
    name: 不清楚
    severity: critical
    deduct: 5
    forbid: { any: [不清楚] }
    message: 不要说“{phrase}”
    suggestion: 我帮您确认一下，请您稍等。
  - id: panel.unknown
    name: 不知道
    severity: warning
    deduct: 2
    forbid: { any: [不知道] }
    message: 不要对客户说“{phrase}”
    suggestion: 这个问题我需要确认一下，稍后给您回复。
  - id: panel.chatty
    name: 闲话
    severity: info
    forbid: { any: [哎呀] }
    message: 不必说“{phrase}”
  - id: panel.opening
    name: 开场白
    severity: info
    require:
      role: agent
      all:
        - { name: 问候, any: [您好] }
        - { name: 工号, any: [工号] }
        - { name: 询问需求, any: [请问] }
      after: { event: answered }
      within: 10m
    message: 开场还缺：{missing}
  - id: panel.apologise
    name: 投诉先致歉
    severity: warning
    require:
      role: agent
      any: [抱歉, 对不起]
      after: { said: { role: customer, any: [投诉] } }
      within: 60s
      remind: 50s
    message: 客户投诉后未致歉
    suggestion: 非常抱歉给您带来不便。
  - id: panel.steps
    name: 退货三步
    severity: info
    sequence:
      after: { said: { role: customer, any: [退货] } }
      steps:
        - { name: 致歉, any: [抱歉] }
        - { name: 确认问题, say: 您是说收到的货不对吗？, any: ["您是说{any:0-20}吗"] }
        - { name: 给出方案, any: [今天之内给您答复] }
      within: 10m
    message: 退货：“{step}”没有做好
`,
};

export const HOSTILE = "<img src=x onerror=alert(1)>";

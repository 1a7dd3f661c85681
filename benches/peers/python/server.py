#!/usr/bin/env python3
"""The peer in Python: what a team would write with FastAPI, pyahocorasick and jieba.

It speaks as much of tingjian's wire shapes as `tingjian bench` needs: events in
at /v1/ingest, cumulative acknowledgements out, alerts at /v1/agents/ID/alerts.
It has phrases and word boundaries and nothing else: no homophones, no context,
no requirements, no deadlines, no journal, no cursor.
"""

import argparse
import asyncio
import json
import itertools
import socket

import ahocorasick
import jieba
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

app = FastAPI()
matcher = ahocorasick.Automaton()
segment_always = False
agents: dict[str, set[WebSocket]] = {}
calls: dict[str, "Call"] = {}


class Call:
    def __init__(self, agent_id: str) -> None:
        self.agent_id = agent_id
        # What was alerted of each utterance that is not settled yet.
        self.provisional: dict[str, set[str]] = {}


def phrases(count: int) -> list[str]:
    first = "别再 少来 懒得 不准 休想 凭啥 谁让 活该 爱咋 随便 没空 不管 少跟 甭想 哪敢 偏要 硬要 赖着 死活 白白".split()
    second = "烦我 催我 理你 多嘴 插话 抱怨 投诉 废话 啰嗦 纠缠 挑刺 吵闹 发火 顶嘴 讲价 磨蹭 装傻 糊弄 推脱 搪塞".split()
    third = ["", "了吧", "去吧", "算了", "好不", "试试", "看看", "没完", "到底", "一天", "半天", "整天"]
    made = ("".join(parts) for parts in itertools.product(first, second, third))
    return ["不知道", *itertools.islice(made, count - 1)]


def matches(text: str) -> set[str]:
    found = {(end - len(phrase) + 1, phrase) for end, phrase in matcher.iter(text)}
    if not found and not segment_always:
        return set()
    # A phrase counts where words begin and end.
    bounds, at = {0}, 0
    for word in jieba.cut(text):
        at += len(word)
        bounds.add(at)
    return {phrase for start, phrase in found if start in bounds and start + len(phrase) in bounds}


async def push(call_id: str, call: Call, event: dict, phrase: str, state: str) -> None:
    text = event["text"]
    start = text.find(phrase)
    evidence = {"utterance_id": event["utterance_id"], "role": event["role"], "text": text,
                "start": start, "end": start + len(phrase), "phrase": phrase}
    alert = {"type": "alert", "alert_id": f"{call_id}/{event['utterance_id']}/{phrase}", "state": state,
             "call_id": call_id, "agent_id": call.agent_id, "rule_id": "peer.forbidden", "kind": "forbidden",
             "severity": "warning", "at_ms": event["end_ms"], "evidence": [evidence],
             "message": f"不要说“{phrase}”"}
    alert_text = json.dumps(alert, ensure_ascii=False)
    for agent in list(agents.get(call.agent_id, ())):
        await agent.send_text(alert_text)


async def utterance(event: dict) -> None:
    call_id = event["call_id"]
    call = calls[call_id]
    if event["role"] != "agent":
        return
    found = matches(event["text"])
    utterance_id = event["utterance_id"]
    if event["final"]:
        before = call.provisional.pop(utterance_id, set())
        for phrase in found:
            await push(call_id, call, event, phrase, "confirmed")
        for phrase in before - found:
            await push(call_id, call, event, phrase, "retracted")
    elif found:
        before = call.provisional.setdefault(utterance_id, set())
        for phrase in found - before:
            await push(call_id, call, event, phrase, "provisional")
        before |= found


@app.websocket("/v1/ingest")
async def ingest(producer: WebSocket) -> None:
    await producer.accept()
    try:
        while True:
            event = json.loads(await producer.receive_text())
            if event["type"] == "call.start":
                calls[event["call_id"]] = Call(event["agent_id"])
            elif event["type"] == "utterance":
                await utterance(event)
            elif event["type"] == "call.end":
                calls.pop(event["call_id"], None)
            await producer.send_text(json.dumps({"type": "ack", "call_id": event["call_id"], "seq": event["seq"]}))
    except WebSocketDisconnect:
        pass


@app.websocket("/v1/agents/{agent_id}/alerts")
async def alerts(agent: WebSocket, agent_id: str) -> None:
    await agent.accept()
    agents.setdefault(agent_id, set()).add(agent)
    try:
        while True:
            await agent.receive_text()
    except WebSocketDisconnect:
        pass
    finally:
        agents[agent_id].discard(agent)


class Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        host, port = self.servers[0].sockets[0].getsockname()
        print(f"listening on http://{host}:{port}", flush=True)


def main() -> None:
    global segment_always
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--phrases", type=int, default=1_000)
    parser.add_argument("--jieba", choices=["hit", "always"], default="hit", help="which messages are cut into words")
    options = parser.parse_args()
    segment_always = options.jieba == "always"
    for phrase in phrases(options.phrases):
        matcher.add_word(phrase, phrase)
    matcher.make_automaton()
    jieba.initialize()
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws_ping_interval=None)
    asyncio.run(Server(config).serve())


if __name__ == "__main__":
    main()

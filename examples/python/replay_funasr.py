#!/usr/bin/env python3
"""Replays a recorded FunASR session as one leg of a call.

    replay_funasr.py ws://127.0.0.1:8787 session.jsonl --call c1 --agent a1001 --role agent

A line of the recording is one message of the recogniser, sent verbatim: that
is all a pipeline in front of tingjian has to do. It prints what the server
answers. It does not convert, number or resend messages.
"""

import argparse
import asyncio
from pathlib import Path
from urllib.parse import urlencode

import websockets


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", help="ws://HOST:PORT or wss://HOST:PORT")
    parser.add_argument("recording", type=Path, help="one message of the recogniser a line")
    parser.add_argument("--call", required=True, help="call_id")
    parser.add_argument("--agent", required=True, help="agent_id")
    parser.add_argument("--role", choices=["agent", "customer"], default="agent")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between messages")
    parser.add_argument("--token", help="bearer token, where the server asks for one")
    return parser.parse_args()


async def print_answers(socket: websockets.ClientConnection) -> None:
    async for text in socket:
        print(text, flush=True)


async def replay(options: argparse.Namespace) -> None:
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    query = urlencode({"call_id": options.call, "agent_id": options.agent, "role": options.role})
    async with websockets.connect(f"{options.server}/v1/ingest/funasr?{query}", additional_headers=headers) as socket:
        answers = asyncio.create_task(print_answers(socket))
        for line in options.recording.read_text(encoding="utf-8").splitlines():
            await socket.send(line)
            await asyncio.sleep(options.pause)
        await socket.close()
        await answers


if __name__ == "__main__":
    asyncio.run(replay(arguments()))

#!/usr/bin/env python3
"""Carries Asterisk's AudioSocket to FunASR through tingjian's relay, one leg a connection.

    audiosocket_funasr.py ws://127.0.0.1:8787 --customer 9019 --agent 9020

Asterisk connects to one port for the customer's leg and to the other for the
agent's; both name the call by the same UUID, which becomes its call_id. The
call itself is started with POST /v1/events. What FunASR answers is read by
tingjian on its way, and dropped here. Sound is neither kept nor looked at.
"""

import argparse
import asyncio
import json
import struct
import sys
import uuid
from urllib.parse import urlencode

import websockets

# The kinds of AudioSocket's messages.
HANGUP, ID, SOUND = 0x00, 0x01, 0x10
# 8 kHz, 16 bits, as AudioSocket sends it; FunASR makes of it what it needs.
BEGIN = {"mode": "2pass", "chunk_size": [5, 10, 5], "wav_format": "pcm", "audio_fs": 8000, "is_speaking": True}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", help="ws://HOST:PORT or wss://HOST:PORT")
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--customer", type=int, required=True, help="port for customers' legs; 0 picks one")
    parser.add_argument("--agent", type=int, required=True, help="port for agents' legs; 0 picks one")
    parser.add_argument("--token", help="bearer token, where the server asks for one")
    return parser.parse_args()


async def message(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BH", await reader.readexactly(3))
    return kind, await reader.readexactly(length)


async def drop(socket: websockets.ClientConnection) -> None:
    try:
        async for _ in socket:
            pass
    except websockets.ConnectionClosed:
        pass


async def carry(options: argparse.Namespace, role: str, reader: asyncio.StreamReader) -> None:
    kind, payload = await message(reader)
    if kind != ID:
        raise ValueError(f"the first message is of kind {kind:#x}, not the id")
    call_id = str(uuid.UUID(bytes=payload))
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    query = urlencode({"call_id": call_id, "role": role})
    async with websockets.connect(f"{options.server}/v1/relay/funasr?{query}", additional_headers=headers) as socket:
        answers = asyncio.create_task(drop(socket))
        await socket.send(json.dumps({**BEGIN, "wav_name": role}))
        while kind != HANGUP:
            try:
                kind, payload = await message(reader)
            except asyncio.IncompleteReadError:
                break
            if kind == SOUND:
                await socket.send(payload)
        await socket.send(json.dumps({"is_speaking": False}))
        # The last sentence comes after the end of the sound.
        await asyncio.wait([answers], timeout=10)


async def serve(options: argparse.Namespace, role: str, port: int) -> None:
    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await carry(options, role, reader)
        except (OSError, ValueError, EOFError, websockets.WebSocketException) as fault:
            print(f"{role}: {fault}", file=sys.stderr, flush=True)
        finally:
            writer.close()

    server = await asyncio.start_server(take, options.listen, port)
    print(f"{role} {server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def main() -> None:
    options = arguments()
    await asyncio.gather(serve(options, "customer", options.customer), serve(options, "agent", options.agent))


if __name__ == "__main__":
    asyncio.run(main())

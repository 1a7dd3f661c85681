#!/usr/bin/env python3
"""Prints an agent's alerts, one JSON line each, as they come.

    agent.py ws://127.0.0.1:8787 a1001

Other messages, such as a status, go to standard error. When the connection breaks it comes back with the cursor of the last alert it
printed (`after`), so that none is lost and none printed twice. It does not
decide what to do with an alert, and keeps no cursor across restarts unless
given one with --after.
"""

import argparse
import asyncio
import json
import sys
from urllib.parse import quote

import websockets

RETRY_SECONDS_FIRST = 0.2
RETRY_SECONDS_MAX = 10.0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("server", help="ws://HOST:PORT or wss://HOST:PORT")
    parser.add_argument("agent_id")
    parser.add_argument("--after", help="cursor to go on from; 0: all that the server remembers")
    parser.add_argument("--count", type=int, help="exit after so many alerts")
    parser.add_argument("--token", help="bearer token, where the server asks for one")
    return parser.parse_args()


async def listen(options: argparse.Namespace) -> None:
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    after, left, pause = options.after, options.count, RETRY_SECONDS_FIRST
    while left is None or left > 0:
        url = f"{options.server}/v1/agents/{quote(options.agent_id, safe='')}/alerts"
        if after is not None:
            url += f"?after={quote(after, safe='')}"
        try:
            async with websockets.connect(url, additional_headers=headers) as socket:
                print("listening", file=sys.stderr, flush=True)
                async for text in socket:
                    message = json.loads(text)
                    is_alert = message["type"] == "alert"
                    print(json.dumps(message, ensure_ascii=False), file=sys.stdout if is_alert else sys.stderr, flush=True)
                    # Only alerts have a place to go on from; a status does not.
                    after = message.get("cursor", after)
                    if is_alert and left is not None:
                        left -= 1
                        if left == 0:
                            return
            pause = RETRY_SECONDS_FIRST
        except websockets.ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else 1006
            # Refused for what it asked, a client would be refused again.
            if 4400 <= code < 4500:
                sys.exit(f"the server refused: {code} {closed.rcvd.reason}")
            # With 45xx the server asks for patience.
            if not 4500 <= code < 4600:
                pause = RETRY_SECONDS_FIRST
            print(f"disconnected: {closed}", file=sys.stderr, flush=True)
        except (OSError, websockets.InvalidHandshake) as error:
            print(f"disconnected: {error}", file=sys.stderr, flush=True)
        await asyncio.sleep(pause)
        pause = min(pause * 2, RETRY_SECONDS_MAX)


if __name__ == "__main__":
    try:
        asyncio.run(listen(arguments()))
    except KeyboardInterrupt:
        pass

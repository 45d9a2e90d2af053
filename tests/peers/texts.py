"""A client of WebSocket: sends texts and bytes, large ones too, and says what came back.

Usage: texts.py URL. Ends with 0 if all of it came back as it was sent.
"""

import asyncio
import os
import sys

import websockets


async def main():
    sent = ["text", "ü" * 70_000, b"", os.urandom(1 << 20), b"\0" * 126]
    async with websockets.connect(sys.argv[1], max_size=None) as socket:
        for message in sent:
            await socket.send(message)
            assert await socket.recv() == message
        pong = await socket.ping()
        await asyncio.wait_for(pong, 10)
        await socket.close(4000, "done")
        assert socket.close_code == 4000, socket.close_code


asyncio.run(main())

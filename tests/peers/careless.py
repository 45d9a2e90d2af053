"""An HTTP/1 server that misbehaves by script: what it does with a request, the request's tag decides.

Usage: careless.py SHARE [CERTIFICATE KEY]. With two files of PEM it speaks TLS. Of a hundred tags SHARE are answered in one of the ways below, the others as
they should be: 200 with `tag:TAG;`. The tag is the last part of the path. It prints its port, and
ends when its standard input does.
"""

import asyncio
import socket
import ssl
import struct
import sys
import zlib

SHARE = int(sys.argv[1])
STRANGER = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nSTRANGER"


def said(tag):
    return b"tag:" + tag + b";"


def framed(body, length=None, status=b"200 OK", more=b""):
    length = len(body) if length is None else length
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, more, length, body)


def chunked(body, end=b"0\r\n\r\n"):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n" % (len(body), body) + end


KEEP, CLOSE, RESET = range(3)

# Each is given what should be said, and returns what is sent and what becomes of the connection.
WAYS = {
    "another response behind it": lambda body: (framed(body) + STRANGER, KEEP),
    "bytes behind it": lambda body: (framed(body) + b"\r\n\r\n  STRANGER", KEEP),
    "more than its length": lambda body: (framed(body + b"STRANGER", len(body)), KEEP),
    "less than its length": lambda body: (framed(body, len(body) + 20), CLOSE),
    "two lengths": lambda body: (framed(body, more=b"Content-Length: 3\r\n") + STRANGER, KEEP),
    "a length and chunks": lambda body: (
        framed(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), 5, more=b"Transfer-Encoding: chunked\r\n")
        + STRANGER,
        KEEP,
    ),
    "chunks cut short": lambda body: (chunked(body, b""), CLOSE),
    "chunks that end in nonsense": lambda body: (chunked(body, b"zz\r\n" + STRANGER), KEEP),
    "chunks with a response behind": lambda body: (chunked(body) + STRANGER, KEEP),
    "no content, and a body": lambda body: (
        framed(b"STRANGER", status=b"204 No Content") + STRANGER,
        KEEP,
    ),
    "not modified, and a body": lambda body: (
        framed(b"STRANGER", status=b"304 Not Modified") + STRANGER,
        KEEP,
    ),
    "hints first": lambda body: (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + framed(body), KEEP),
    "hints without an end": lambda body: (b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50 + framed(body), KEEP),
    "another protocol, unasked": lambda body: (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + STRANGER,
        KEEP,
    ),
    "no HTTP": lambda body: (b"STRANGER\r\n\r\n", CLOSE),
    "a version that is none": lambda body: (framed(body).replace(b"1.1", b"7.7", 1), KEEP),
    "a status that is none": lambda body: (framed(body, status=b"99 Low"), KEEP),
    "a field with a line break": lambda body: (framed(body, more=b"X: a\rSTRANGER\r\n"), KEEP),
    "a field with a zero": lambda body: (framed(body, more=b"X: a\0b\r\n"), KEEP),
    "half a head": lambda body: (b"HTTP/1.1 200 OK\r\nContent-Le", CLOSE),
    "half a head, and a reset": lambda body: (b"HTTP/1.1 200 OK\r\nContent-Le", RESET),
    "a reset": lambda body: (b"", RESET),
    "an end": lambda body: (b"", CLOSE),
    "a body until the end": lambda body: (b"HTTP/1.1 200 OK\r\n\r\n" + body, CLOSE),
    "HTTP/1.0": lambda body: (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n" + body, CLOSE),
}
NAMES = list(WAYS)


def way_of(tag):
    drawn = zlib.crc32(tag)
    if SHARE <= drawn % 100:
        return None
    return NAMES[drawn // 100 % len(NAMES)]


async def request(reader):
    """The target of the next request, once its body is read; None at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    lines = head.split(b"\r\n")
    fields = dict(line.lower().split(b": ", 1) for line in lines[1:] if b": " in line)
    if b"transfer-encoding" in fields:
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            await reader.readexactly(size + 2)
            if size == 0:
                break
    else:
        await reader.readexactly(int(fields.get(b"content-length", 0)))
    return lines[0].split(b" ")[1]


async def serve(reader, writer):
    try:
        while (target := await request(reader)) is not None:
            tag = target.split(b"?")[0].rsplit(b"/", 1)[-1]
            way = way_of(tag)
            sent, then = (framed(said(tag)), KEEP) if way is None else WAYS[way](said(tag))
            writer.write(sent)
            await writer.drain()
            if then == RESET:
                own = writer.get_extra_info("socket")
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if then != KEEP:
                break
    except (ConnectionError, asyncio.IncompleteReadError, ValueError, ssl.SSLError):
        pass
    finally:
        writer.close()


async def main():
    secure = None
    if 2 < len(sys.argv):
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        secure.load_cert_chain(*sys.argv[2:4])
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512, ssl=secure)
    print(server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


asyncio.run(main())

"""Peers in another language, as backends: a server of gRPC (grpcio), a WebSocket that echoes
(websockets), and a source of events that stay open (http.server).

Prints a JSON object with the port of each, and ends when its standard input does.
"""

import asyncio
import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import websockets


def text_of(message):
    """What a `google.protobuf.StringValue` holds: texts below 128 bytes."""
    return message[2:].decode() if message else ""


def message_of(text):
    encoded = text.encode()
    return bytes([10, len(encoded)]) + encoded if encoded else b""


def unary(text, context):
    if text == "fail":
        context.set_trailing_metadata([("x-why", "because")])
        context.abort(grpc.StatusCode.DATA_LOSS, "50% löst")
    if text == "sleep":
        while context.is_active():
            time.sleep(0.05)
    if text == "left":
        return f"{context.time_remaining():.0f}"
    return f"echo {text}"


def gather(texts, context):
    return "".join(texts)


def spell(text, context):
    yield from text


def chat(texts, context):
    for text in texts:
        yield f"re {text}"


def calls():
    kinds = {
        "Unary": (grpc.unary_unary_rpc_method_handler, unary),
        "Gather": (grpc.stream_unary_rpc_method_handler, gather),
        "Spell": (grpc.unary_stream_rpc_method_handler, spell),
        "Chat": (grpc.stream_stream_rpc_method_handler, chat),
    }
    methods = {
        name: make(handler, request_deserializer=text_of, response_serializer=message_of)
        for name, (make, handler) in kinds.items()
    }
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("tests.Echo", methods)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class Events(BaseHTTPRequestHandler):
    """One event each tenth of a second, numbered, until the client leaves."""

    protocol_version = "HTTP/1.1"
    left = threading.Event()

    def do_GET(self):
        if self.path.endswith("/left"):
            body = str(self.left.wait(20)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for number in range(600):
                event = f"id: {number}\ndata: {time.time()}\n\n".encode()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                self.wfile.flush()
                time.sleep(0.1)
        except ConnectionError:
            self.left.set()
            self.close_connection = True

    def log_message(self, *_):
        pass


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def main():
    server, grpc_port = calls()
    events = ThreadingHTTPServer(("127.0.0.1", 0), Events)
    threading.Thread(target=events.serve_forever, daemon=True).start()
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=None) as sockets:
        ports = {
            "grpc": grpc_port,
            "events": events.server_address[1],
            "websocket": sockets.sockets[0].getsockname()[1],
        }
        print(json.dumps(ports), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.stop(None)


asyncio.run(main())

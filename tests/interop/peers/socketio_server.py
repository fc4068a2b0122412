# socketio_server.cpp once more, on python-socketio.
#   python3 socketio_server.py --port N [--ping-interval ms] [--ping-timeout ms] [--max-payload bytes]
#       [--path /socket.io/]
import argparse
import asyncio
import signal

import engineio
import socketio
from aiohttp import web

engineio.payload.Payload.max_decode_packets = 10_000  # it gives up on a POST of more than 16 packets otherwise


class Namespace(socketio.AsyncNamespace):
    async def trigger_event(self, event, sid, *args):
        if event == "connect":
            return await self.connect(sid, *args)
        if event == "message":
            await self.emit("message-back", args, to=sid)
        elif event == "join":
            self.enter_room(sid, args[0])
        elif event == "leave":
            self.leave_room(sid, args[0])
        elif event == "say":
            await self.emit("said", args[1:], room=args[0], skip_sid=sid)
        elif event == "shout":
            await self.emit("shouted", args)
        elif event == "ask":
            await self.emit("question", args, to=sid, callback=self.answered(sid))
        elif event == "kick":
            await self.disconnect(sid)
        return args  # which acknowledges the event

    async def connect(self, sid, environ, auth=None):
        auth = auth or {}
        if self.namespace == "/guarded" and auth.get("token") != "123":
            raise socketio.exceptions.ConnectionRefusedError("not authorized", {"code": 401})
        await self.emit("auth", auth, to=sid)  # which goes before the answer to CONNECT

    def answered(self, sid):
        async def answer(*args):
            await self.emit("answered", args, to=sid)

        return answer


class Body:
    def __init__(self, body):
        self.body = body

    async def read(self, _):
        return self.body


# python-engineio takes for a body what has arrived of it when the request is seen.
@web.middleware
async def with_whole_body(request, handler):
    if request.method == "POST":
        request._payload = Body(await request.content.read())
    return await handler(request)


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--ping-interval", type=int, default=25_000)
    parser.add_argument("--ping-timeout", type=int, default=20_000)
    parser.add_argument("--max-payload", type=int, default=1_000_000)
    parser.add_argument("--path", default="/socket.io/")
    return parser.parse_args()


async def main():
    options = read_options()
    sio = socketio.AsyncServer(
        async_mode="aiohttp",
        async_handlers=False,  # one event of a client after the other
        ping_interval=options.ping_interval / 1000,
        ping_timeout=options.ping_timeout / 1000,
        max_http_buffer_size=options.max_payload,
    )
    for nsp in ["/", "/custom", "/guarded"]:
        sio.register_namespace(Namespace(nsp))
    app = web.Application(middlewares=[with_whole_body])
    sio.attach(app, socketio_path=options.path.strip("/"))

    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", options.port, shutdown_timeout=1).start()
    print(f"listening on {runner.addresses[0][1]}", flush=True)

    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await runner.cleanup()


asyncio.run(main())

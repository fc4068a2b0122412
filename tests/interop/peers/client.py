# Clients of python-socketio, as many as are asked for, driven by lines of JSON. Binary values are {"$binary": hex}.
#   in:   {"client", "op": "connect", "url", "transports", "nsps", "auth"}   {"client", "op": "close"}
#         {"client", "op": "emit", "nsp", "event", "args", "ack": its name or null}
#   out:  {"client", "on": "connect", "nsp", "sid", "engine", "transport"}   {"client", "on": "disconnect", "nsp"}
#         {"client", "on": "connect_error", "nsp", "args"}   {"client", "on": "event", "nsp", "event", "args"}
#         {"client", "on": "ack", "ack", "args"}
# An event that asks for an acknowledgement is acknowledged with its arguments.
import asyncio
import json
import sys

import engineio
import socketio

engineio.payload.Payload.max_decode_packets = 10_000  # it gives up on a poll of more than 16 packets otherwise


def pack(value):
    return {"$binary": value.hex()}


def unpack(value):
    return bytes.fromhex(value["$binary"]) if "$binary" in value else value


def say(**line):
    print(json.dumps(line, default=pack), flush=True)


class Namespace(socketio.AsyncClientNamespace):
    def __init__(self, nsp, client, sio):
        super().__init__(nsp)
        self.about = {"client": client, "nsp": nsp}
        self.sio = sio

    async def trigger_event(self, event, *args):
        if event == "connect":
            eio = self.sio.eio
            sid = self.sio.get_sid(self.namespace)
            say(**self.about, on=event, sid=sid, engine=eio.sid, transport=eio.transport())
        elif event == "disconnect":
            say(**self.about, on=event)
        elif event == "connect_error":
            say(**self.about, on=event, args=args)
        else:
            say(**self.about, on="event", event=event, args=args)
        return args


async def handle(clients, line):
    client, op = line["client"], line["op"]
    if op == "connect":
        sio = socketio.AsyncClient(reconnection_delay=0.1, randomization_factor=0, handle_sigint=False)
        clients[client] = sio
        for nsp in line["nsps"]:
            sio.register_namespace(Namespace(nsp, client, sio))
        await sio.connect(line["url"], auth=line["auth"], transports=line["transports"], wait=False)
    elif op == "emit":
        name = line["ack"]
        callback = name and (lambda *args: say(client=client, on="ack", ack=name, args=args))
        await clients[client].emit(line["event"], tuple(line["args"]), namespace=line["nsp"], callback=callback)
    elif op == "close" and client in clients:
        await clients.pop(client).disconnect()


async def main():
    clients = {}
    lines = asyncio.StreamReader(limit=sys.maxsize)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        try:
            await handle(clients, json.loads(line, object_hook=unpack))
        except socketio.exceptions.SocketIOError as error:  # as where it is not connected
            print(error, file=sys.stderr, flush=True)


asyncio.run(main())

# What Python's websockets does at an Engine.IO server: websockets_client.py URL WHAT. Prints what came of it.
import asyncio
import json
import sys

import websockets

url, what = sys.argv[1:]


async def echo(socket):
    for message in ("4hello", "4€", b"\x01\x02\x03"):
        await socket.send(message)
    echoes = [await socket.recv() for _ in range(3)]
    return {"echoes": [e if isinstance(e, str) else e.hex() for e in echoes], "extensions": len(socket.extensions)}


async def heartbeat(socket):
    pings = []
    while len(pings) < 3:
        pings.append(await socket.recv())
        await socket.send("3")
    return {"pings": pings}


async def pings(socket):
    for payload in (b"", b"abc", b"x" * 125):
        await asyncio.wait_for(await socket.ping(payload), 5)  # it waits for a pong with this payload
    return {"pongs": 3}


async def fragments(socket):
    async def slowly():
        for piece in ("4", "slow", "ly", ""):
            yield piece
            await asyncio.sleep(0.01)

    await socket.send(["4", "a", "", "b"])
    await socket.send([b"\x01", b"\x02"])
    await socket.send(slowly())
    await socket.send(["4"] + ["x"] * 2000)
    echoes = [await socket.recv() for _ in range(4)]
    return {"echoes": [e if isinstance(e, str) else e.hex() for e in echoes]}


async def closed(socket):
    try:
        while True:
            await socket.recv()
    except websockets.ConnectionClosed as e:
        return {"code": e.rcvd and e.rcvd.code, "reason": e.rcvd and e.rcvd.reason}


async def close(socket):
    await socket.close(4001, "bye")
    return {"code": socket.close_code}


async def close_packet(socket):
    await socket.send("1")
    return await closed(socket)


async def too_large(socket):
    await socket.send("4" + "x" * 1_000_000)
    return await closed(socket)


async def not_text(socket):
    await socket.write_frame(True, websockets.frames.Opcode.TEXT, b"4\xff\xfe")
    return await closed(socket)


async def subprotocols(socket):
    return {"subprotocol": socket.subprotocol}


async def main():
    steps = [echo, heartbeat, pings, fragments, close, close_packet, too_large, not_text, subprotocols]
    step = {step.__name__: step for step in steps}[what]
    options = {"subprotocols": ["v2", "v1"]} if step is subprotocols else {}
    async with websockets.connect(url, ping_interval=None, **options) as socket:
        assert (await socket.recv())[0] == "0"
        print(json.dumps(await asyncio.wait_for(step(socket), 10)))


asyncio.run(main())

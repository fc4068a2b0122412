// Writes redis-streams.jsonl: the entries that @socket.io/redis-streams-adapter 0.3.1 adds to a stream, and the session
// that it keeps of a client whose connection is lost, read from a Redis.
//
//     npm install socket.io@4.8.4 socket.io-client@4.8.4 redis@4 @socket.io/redis-streams-adapter@0.3.1
//     redis-server --port 6390 --save '' & node make_redis_streams.mjs 6390
//
// One object a line: { kind: "entry", fields: [name, value, ...] }, or { kind: "session", pid, offset, value }. The id of
// the adapter, which is random, is written as 0123456789abcdef.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.cwd() + "/");
const { Server } = require("socket.io");
const { io: connect } = require("socket.io-client");
const { createClient } = require("redis");
const { createAdapter } = require("@socket.io/redis-streams-adapter");

const redis = createClient({ url: `redis://127.0.0.1:${process.argv[2]}` });
await redis.connect();
await redis.flushAll();
const io = new Server(0, { adapter: createAdapter(redis), connectionStateRecovery: {} });
await sleep(200);
io.on("connection", (socket) => {
    socket.data = { name: "Ada", picture: Buffer.from([1, 2, 3]), list: [1, -1, 1.5, null, true, "ä"] };
    socket.join(["room1", "room 2"]);
});
const client = connect(`http://127.0.0.1:${io.httpServer.address().port}`, { transports: ["websocket"], reconnection: false });
await new Promise((resolve) => client.on("connect", resolve));

const told = new Promise((resolve) => client.on("last", resolve));
const all = [
    () => io.emit("hello"),
    () => io.to("room1").except(["room2", "room3"]).emit("hello", 1, -1, 1.5, "é \u2028 \" \\", null, true, [], {}, { a: [1] }),
    () => io.volatile.emit("volatile"),
    () => io.compress(false).emit("compressed"),
    () => io.emit("binary", Buffer.from([1, 2, 3]), { deep: [Buffer.from([])] }),
    () => io.emit("undefined", undefined),
    () => io.emit("placeholder", { _placeholder: true, num: 0 }),
    () => io.of("/custom").to("ä").emit("custom", "x".repeat(300)),
    () => io.in("room1").socketsJoin(["room2", "room3"]),
    () => io.except("room1").socketsLeave("room2"),
    () => io.in("room9").disconnectSockets(true),
    () => io.in("room9").disconnectSockets(),
    () => io.emit("last"),
];
for (const one of all) {
    one();
    await sleep(50);
}
await told;
const { id } = client;
client.io.engine.close();
await sleep(300);

const uids = new Set();
const rows = (await redis.sendCommand(["XRANGE", "socket.io", "-", "+"])).map(([offset, fields]) => {
    uids.add(fields[1]);
    return { kind: "entry", offset, fields: fields.map((word) => uids.has(word) ? "0123456789abcdef" : word) };
});
const offset = rows.at(-1).offset;
for (const row of rows) delete row.offset;
const [key] = await redis.keys("*session*");
rows.push({ kind: "session", pid: key.split(":").at(-1), sid: id, offset, value: await redis.get(key) });
writeFileSync(new URL("redis-streams.jsonl", import.meta.url), rows.map((row) => JSON.stringify(row) + "\n").join(""));
process.exit();

// Writes messages.jsonl: what @socket.io/redis-streams-adapter 0.3.1 publishes by Pub/Sub, which is what
// @msgpack/msgpack makes of the messages of socket.io-adapter 2.5.8.
//
//     npm install @socket.io/redis-streams-adapter@0.3.1 socket.io-adapter@2.5.8 && node make_messages.mjs
//
// One object a line: the hexadecimal bytes, the message as JSON ({"$binary": hex} for a Buffer), and `note` where the
// library writes other bytes for the same message.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const require = createRequire(process.cwd() + "/");
const { encode } = require("@msgpack/msgpack");
const { MessageType } = require("socket.io-adapter");

const uid = "0123456789abcdef";
const requestId = "fedcba9876543210";
const opts = (rooms = [], except = [], flags = {}) => ({ rooms, except, flags });
const nsp = "/";

const rows = [];
const add = (type, data, note) => {
    const message = data === undefined ? { type: MessageType[type], uid, nsp } : { type: MessageType[type], data, uid, nsp };
    const shown = (key, value) =>
        value?.type === "Buffer" ? { $binary: Buffer.from(value.data).toString("hex") } : value;
    rows.push({ name: type, hex: Buffer.from(encode(message)).toString("hex"), message: JSON.parse(JSON.stringify(message, shown)), ...(note && { note }) });
};

add("INITIAL_HEARTBEAT");
add("HEARTBEAT");
add("ADAPTER_CLOSE");
const packet = (...data) => ({ type: 2, data });
add("BROADCAST", { packet: packet("hello"), opts: opts() });
add("BROADCAST", { packet: packet("hello", 1, -1, 1.5, "é", null, true, [], {}, { a: [1] }), opts: opts(["room1"], ["room2"]) });
add("BROADCAST", { packet: packet("volatile"), opts: opts([], [], { volatile: true }) });
add("BROADCAST", { packet: packet("binary", Buffer.from([1, 2, 3]), { deep: Buffer.from([]) }), opts: opts() });
add("BROADCAST", { packet: packet("numbers", 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, 9007199254740991, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649), opts: opts() });
add("BROADCAST", { packet: packet("large", 9007199254740992, 1e300), opts: opts() }, "an integer of 2^53 is a float64 there and a uint64 here");
add("BROADCAST", { packet: packet("undefined", undefined), opts: opts() });
add("BROADCAST", { packet: packet("long", "x".repeat(31), "x".repeat(32), "x".repeat(255), "x".repeat(256), Array(16).fill(0)), opts: opts() });
add("BROADCAST", { packet: packet("ask", 1), requestId, opts: opts(["room1"], [], { timeout: 1000 }) });
add("BROADCAST", { packet: packet("ask", 1), requestId, opts: opts([], [], { expectSingleResponse: true, timeout: 1000 }) }, "the flag expectSingleResponse is not written");
add("SOCKETS_JOIN", { opts: opts(["room1"]), rooms: ["room2", "room3"] });
add("SOCKETS_LEAVE", { opts: opts([], ["room1"]), rooms: ["room2"] });
add("DISCONNECT_SOCKETS", { opts: opts(), close: true });
add("DISCONNECT_SOCKETS", { opts: opts(["room1"]), close: false });
add("FETCH_SOCKETS", { opts: opts(["room1"], [], { timeout: 1000 }), requestId });
add("FETCH_SOCKETS_RESPONSE", { requestId, sockets: [] });
add("FETCH_SOCKETS_RESPONSE", { requestId, sockets: [{ id: "a", handshake: { headers: {}, time: "now" }, rooms: ["a", "room1"], data: { n: 1, b: Buffer.from([9]) } }] });
add("SERVER_SIDE_EMIT", { packet: ["hello", 1, "2", { a: Buffer.from([1]) }] });
add("SERVER_SIDE_EMIT", { requestId, packet: ["hello"] });
add("SERVER_SIDE_EMIT_RESPONSE", { requestId, packet: { a: 1 } });
add("SERVER_SIDE_EMIT_RESPONSE", { requestId, packet: undefined });
add("BROADCAST_CLIENT_COUNT", { requestId, clientCount: 3 });
add("BROADCAST_ACK", { requestId, packet: "yes" });
add("BROADCAST_ACK", { requestId, packet: Buffer.from([7]) });
add("BROADCAST_ACK", { requestId, packet: undefined });

writeFileSync(new URL("messages.jsonl", import.meta.url), rows.map((row) => JSON.stringify(row) + "\n").join(""));

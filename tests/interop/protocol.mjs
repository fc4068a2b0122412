// Shared by the tests of the protocol documents: requirements by name, and raw connections that send any bytes and know
// nothing of a session but how to answer a ping.
import assert from 'node:assert/strict';
import http from 'node:http';
import WebSocket from 'ws';
import { check, start, until } from './harness.mjs';

const patience = 5_000;

// SOCKETLESS_PEERS=1 holds the reference to the requirements instead of us.
const isReference = Boolean(process.env.SOCKETLESS_PEERS);
export const serve = (program, ...args) => start(isReference ? `peers/${program}.mjs` : program, ...args);

// The options that the documents' own tests expect of a server.
export const options = ['--ping-interval', '300', '--ping-timeout', '200', '--max-payload', '1000000'];
export const handshake = { pingInterval: 300, pingTimeout: 200, maxPayload: 1_000_000 };

// Names the requirements of one document. `level` is MUST or SHOULD where the text says so; `text` where it says it
// without these words; `test suite` where only the document's tests do; `reference` where only the reference's servers
// do. `reference` is how those differ: held against them, such a requirement must fail.
export function requirements(peer) {
    return function require(level, transports, what, body, { reference } = {}) {
        for (const transport of [transports].flat()) {
            const run = () => body(transport);
            check(peer, 'server', transport, `${what} (${level})`,
                isReference && reference ? () => assert.rejects(run, `no longer: ${reference}`) : run);
        }
    };
}

// One HTTP exchange, on a connection of its own.
export function request(server, target, { method = 'GET', headers = {}, body } = {}) {
    return new Promise((resolve, reject) => {
        const sent = http.request(server.url + target, { method, headers, agent: false }, (answer) => {
            const chunks = [];
            answer.on('data', (chunk) => chunks.push(chunk));
            answer.on('error', reject);
            answer.on('end', () => resolve({
                status: answer.statusCode,
                headers: answer.headers,
                body: Buffer.concat(chunks).toString(),
            }));
        });
        sent.on('error', reject);
        sent.setTimeout(patience, () => sent.destroy(new Error(`${method} ${target} is not answered`)));
        sent.end(body);
    });
}

// Packets are strings, binary messages Buffers.
const encode = (packets) => packets.map((p) => (Buffer.isBuffer(p) ? `b${p.toString('base64')}` : p)).join('\x1e');
const decode = (payload) => payload.split('\x1e').map((p) => (p[0] === 'b' ? Buffer.from(p.slice(1), 'base64') : p));

const openPacket = (packet) => {
    assert.equal(packet[0], '0', packet);
    return JSON.parse(packet.slice(1));
};

export class Polling {
    #received = [];

    constructor(server, path, sid) {
        this.server = server;
        this.path = path;
        this.sid = sid;
    }

    static async open(server, path) {
        const answer = await request(server, `${path}?EIO=4&transport=polling`);
        assert.equal(answer.status, 200, answer.body);
        const handshake = openPacket(answer.body);
        return Object.assign(new Polling(server, path, handshake.sid), { handshake });
    }

    get target() { return `${this.path}?EIO=4&transport=polling&sid=${this.sid}`; }

    get(headers) { return request(this.server, this.target, { headers }); }
    post(body, headers) { return request(this.server, this.target, { method: 'POST', headers, body }); }

    async send(...packets) {
        const { status, body } = await this.post(encode(packets));
        assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
    }

    // The next packet that is not a ping.
    async receive() {
        for (;;) {
            while (this.#received.length > 0) {
                const packet = this.#received.shift();
                if (packet !== '2') return packet;
                await this.send('3');
            }
            const { status, body } = await this.get();
            assert.equal(status, 200, body);
            this.#received.push(...decode(body));
        }
    }

    // Resolves to all packets until the server no longer knows the session. Answers pings, so that a missing pong is
    // not the cause.
    async closed() {
        const packets = [];
        for (const end = performance.now() + patience; performance.now() < end;) {
            const { status, body } = await this.get();
            if (status === 400) return packets;
            for (const packet of decode(body)) packet === '2' ? await this.post('3') : packets.push(packet);
        }
        assert.fail('the session is still open');
    }
}

export class Channel {
    #socket;
    #received = [];

    constructor(server, target, { answersPings = true } = {}) {
        this.#socket = new WebSocket(server.url.replace('http', 'ws') + target, { perMessageDeflate: false });
        this.#socket.on('error', () => {}); // 'close' follows
        this.#socket.on('message', (data, isBinary) => {
            const packet = isBinary ? data : data.toString();
            packet === '2' && answersPings ? this.#socket.send('3') : this.#received.push(packet);
        });
    }

    static async open(server, path, options) {
        const channel = new Channel(server, `${path}?EIO=4&transport=websocket`, options);
        return Object.assign(channel, { handshake: openPacket(await channel.receive()) });
    }

    // A second channel of a session, before its probe.
    static async offer(session, options) {
        const channel = new Channel(session.server, session.target.replace('polling', 'websocket'), options);
        await channel.settled();
        return channel;
    }

    // The session of a polling connection, moved.
    static async upgrade(session, options) {
        const channel = await Channel.offer(session, options);
        await channel.send('2probe');
        assert.equal(await channel.receive(), '3probe');
        await channel.send('5');
        return Object.assign(channel, { handshake: session.handshake });
    }

    get isClosed() { return this.#socket.readyState === WebSocket.CLOSED; }
    settled() { return until(() => this.#socket.readyState !== WebSocket.CONNECTING, patience); }

    async send(...packets) { for (const packet of packets) this.#socket.send(packet); }

    async receive() {
        await until(() => this.#received.length > 0 || this.isClosed, patience);
        assert(this.#received.length > 0, 'the WebSocket is closed');
        return this.#received.shift();
    }

    // Resolves to all packets until the server closes the WebSocket.
    async closed() {
        await until(() => this.isClosed, patience);
        return this.#received;
    }

    close() { this.#socket.close(); }
}

// A connection that has been established over one transport, or moved from the one to the other.
export async function open(transport, server, path) {
    if (transport === 'websocket') return Channel.open(server, path);
    const session = await Polling.open(server, path);
    return transport === 'polling' ? session : Channel.upgrade(session);
}

// The requirements of both protocol documents for clients, one by one: siocat meets a server that sends only what a
// test lets it send.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { WebSocketServer } from 'ws';
import { check, sleep, until } from './harness.mjs';
import { Siocat } from './siocat.mjs';

const record = '\x1e';
const sid = 'the-session';
const defaults = {
    sid, upgrades: ['websocket'], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 1_000_000,
};

class Host {
    gets = []; // not answered yet, and not asked for
    posts = [];
    sockets = [];
    count = 0; // of requests
    most = { GET: 0, POST: 0 }; // at a time
    #open = { GET: 0, POST: 0 };
    #server = http.createServer((request, response) => this.#take(request, response));
    #websockets = new WebSocketServer({ noServer: true });

    // With a client that is about to connect.
    static async meet({ transport, args = [], ...handshake }) {
        const host = new Host();
        host.handshake = { ...defaults, ...handshake };
        host.#server.on('upgrade', (request, socket, head) => host.#websockets.handleUpgrade(request, socket, head,
            (channel) => host.sockets.push(new HostSocket(channel, query(request)))));
        await once(host.#server.listen(0, '127.0.0.1'), 'listening');
        host.cat = new Siocat(`http://127.0.0.1:${host.#server.address().port}`, '--transport', transport, ...args);
        return host;
    }
    get open() { return `0${JSON.stringify(this.handshake)}`; }

    async #take(request, response) {
        const { method } = request;
        ++this.count;
        this.most[method] = Math.max(this.most[method], ++this.#open[method]);
        response.on('close', () => --this.#open[method]);
        const chunks = [];
        for await (const chunk of request) chunks.push(chunk);
        (method === 'GET' ? this.gets : this.posts).push({
            path: request.url.split('?')[0],
            query: query(request),
            body: Buffer.concat(chunks).toString(),
            answer: (body = 'ok') => response.end(body),
        });
    }
    get(ms) { return take(this.gets, ms); }
    post(ms) { return take(this.posts, ms); }
    socket() { return take(this.sockets); }

    // The packets of the next POSTs, until there are so many.
    async packets(count) {
        const packets = [];
        while (packets.length < count) {
            const post = await this.post();
            packets.push(...post.body.split(record));
            post.answer();
        }
        return packets;
    }
    // A session by long-polling with the main namespace.
    async connect() {
        (await this.get()).answer(this.open);
        assert.deepEqual(await this.packets(1), ['40']);
        (await this.get()).answer('40{"sid":"a"}');
        await this.cat.hear('connect');
    }
    // The same over a WebSocket.
    async connectChannel() {
        const channel = await this.socket();
        channel.send(this.open);
        assert.equal(await channel.receive(), '40');
        channel.send('40{"sid":"a"}');
        await this.cat.hear('connect');
        return channel;
    }
    end() {
        this.cat.kill();
        this.#server.close();
        this.#server.closeAllConnections();
        for (const channel of this.#websockets.clients) channel.terminate();
    }
}

class HostSocket {
    received = [];

    constructor(channel, query) {
        Object.assign(this, { channel, query });
        channel.on('message', (data, isBinary) => this.received.push(isBinary ? data : data.toString()));
    }
    get isClosed() { return this.channel.readyState === this.channel.CLOSED; }
    send(...packets) { for (const packet of packets) this.channel.send(packet); }
    receive() { return take(this.received); }
    close() { this.channel.close(); }
}

const query = (request) => Object.fromEntries(new URL(request.url, 'http://host').searchParams);

async function take(queue, ms = 5_000) {
    await until(() => queue.length > 0, ms);
    return queue.shift();
}

function require(peer, level, transport, what, body, options) {
    check(peer, 'client', transport, `${what} (${level})`, async () => {
        const host = await Host.meet({ transport, ...options });
        try {
            await body(host);
        } finally {
            host.end();
        }
    });
}

// === Engine.IO ===

const engine = (...args) => require('Engine.IO protocol v4', ...args);

engine('MUST', 'polling', 'begins with a GET that tells EIO and transport', async (host) => {
    const { path, query } = await host.get();
    assert.deepEqual([path, query.EIO, query.transport, query.sid], ['/socket.io/', '4', 'polling', undefined]);
});
engine('MUST', 'websocket', 'begins with a GET that tells EIO and transport', async (host) => {
    const { query } = await host.socket();
    assert.deepEqual([query.EIO, query.transport, query.sid], ['4', 'websocket', undefined]);
});
engine('SHOULD', 'upgrade', 'begins with long-polling', async (host) => {
    assert.equal((await host.get()).query.transport, 'polling');
    assert.equal(host.sockets.length, 0);
});
engine('MUST', 'polling', 'tells the sid with each request', async (host) => {
    (await host.get()).answer(host.open);
    for (const { query } of [await host.get(), await host.post()])
        assert.deepEqual([query.EIO, query.transport, query.sid], ['4', 'polling', sid]);
});
engine('MUST', 'polling', 'has one GET and one POST under way', async (host) => {
    await host.connect();
    const poll = await host.get();
    for (let i = 0; i !== 50; ++i) {
        host.cat.emit('x', i);
        await sleep(1);
    }
    const packets = [];
    while (packets.length < 50) {
        const post = await host.post();
        packets.push(...post.body.split(record));
        await sleep(5); // in which another could come
        post.answer();
    }
    assert.deepEqual(packets, Array.from({ length: 50 }, (_, i) => `42["x",${i}]`));
    poll.answer('6');
    (await host.get()).answer('6');
    await host.get();
    assert.deepEqual(host.most, { GET: 1, POST: 1 });
});
engine('MUST', 'polling', 'sends binary as base64 behind a `b`', async (host) => {
    await host.connect();
    host.cat.emit('x', Buffer.of(1, 2, 3, 4));
    assert.deepEqual(await host.packets(2), ['451-["x",{"_placeholder":true,"num":0}]', 'bAQIDBA==']);
});
engine('text', 'polling', 'reads packets of a payload, binary ones too', async (host) => {
    await host.connect();
    const payload = ['42["x",1]', '451-["x",{"_placeholder":true,"num":0}]', 'bAQIDBA==', '6', '42["x","€"]'];
    (await host.get()).answer(payload.join(record));
    assert.deepEqual(await host.cat.hearEvents('x', 3), [[1], [Buffer.of(1, 2, 3, 4)], ['€']]);
});
engine('SHOULD', 'polling', 'puts no more into a payload than maxPayload', async (host) => {
    await host.connect();
    const text = '€'.repeat(10);
    for (let i = 0; i !== 20; ++i) host.cat.emit('x', text);
    for (let packets = 0; packets < 20;) {
        const post = await host.post();
        assert.ok(Buffer.byteLength(post.body) <= 100, post.body);
        packets += post.body.split(record).length;
        post.answer();
    }
}, { maxPayload: 100 });
engine('text', 'polling', 'answers a ping with a pong', async (host) => {
    await host.connect();
    (await host.get()).answer('2');
    assert.deepEqual(await host.packets(1), ['3']);
});
engine('text', 'websocket', 'answers a ping with a pong', async (host) => {
    const channel = await host.connectChannel();
    channel.send('2');
    assert.equal(await channel.receive(), '3');
});
engine('SHOULD', 'polling', 'gives up a connection without a ping', async (host) => {
    await host.connect();
    await host.cat.hear('disconnect', { reason: 'ping timeout' });
}, { pingInterval: 300, pingTimeout: 200 });
engine('SHOULD', 'websocket', 'gives up a connection without a ping', async (host) => {
    const channel = await host.connectChannel();
    await host.cat.hear('disconnect', { reason: 'ping timeout' });
    await until(() => channel.isClosed);
}, { pingInterval: 300, pingTimeout: 200 });
engine('text', 'polling', 'takes a close packet for the end', async (host) => {
    await host.connect();
    (await host.get()).answer('1');
    await host.cat.hear('disconnect', { reason: 'transport close' });
});
engine('text', 'websocket', 'sends each packet in a frame of its own, binary as it is', async (host) => {
    const channel = await host.connectChannel();
    host.cat.emit('x', 1);
    host.cat.emit('x', Buffer.of(1, 2, 3, 4));
    for (const packet of ['42["x",1]', '451-["x",{"_placeholder":true,"num":0}]', Buffer.of(1, 2, 3, 4)])
        assert.deepEqual(await channel.receive(), packet);
});

async function probed(host) {
    await host.connect();
    const channel = await host.socket();
    assert.deepEqual([channel.query.EIO, channel.query.transport, channel.query.sid], ['4', 'websocket', sid]);
    assert.equal(await channel.receive(), '2probe');
    return channel;
}
engine('MUST', 'upgrade', 'probes a WebSocket with the sid, pauses, and sends an upgrade packet', async (host) => {
    const channel = await probed(host);
    const poll = await host.get();
    channel.send('3probe');
    await sleep(50);
    assert.deepEqual(channel.received, []); // the poll has not come back
    poll.answer('6');
    assert.equal(await channel.receive(), '5');
    const { count } = host;
    host.cat.emit('x', 1);
    assert.equal(await channel.receive(), '42["x",1]');
    channel.send('42["y",2]');
    assert.deepEqual(await host.cat.hearEvents('y', 1), [[2]]);
    assert.equal(host.count, count); // of requests
});
engine('MUST', 'upgrade', 'loses no packet on the way', async (host) => {
    const channel = await probed(host);
    host.cat.emit('x', 0);
    assert.deepEqual(await host.packets(1), ['42["x",0]']);
    channel.send('3probe');
    (await host.get()).answer(`42["y",1]`);
    assert.equal(await channel.receive(), '5');
    channel.send('42["y",2]');
    assert.deepEqual(await host.cat.hearEvents('y', 2), [[1], [2]]);
});
engine('text', 'upgrade', 'stays with long-polling if the WebSocket fails', async (host) => {
    (await probed(host)).close();
    host.cat.emit('x', 1);
    assert.deepEqual(await host.packets(1), ['42["x",1]']);
    (await host.get()).answer('42["y",2]');
    assert.deepEqual(await host.cat.hearEvents('y', 1), [[2]]);
});

// === Socket.IO ===

const socket = (level, what, body, options) =>
    require('Socket.IO protocol v5', level, 'websocket', what, body, options);

socket('MUST', 'begins with CONNECT', async (host) => {
    const channel = await host.socket();
    host.cat.emit('too early');
    channel.send(host.open);
    assert.equal(await channel.receive(), '40');
    channel.send('40{"sid":"a"}');
    assert.equal(await channel.receive(), '42["too early"]');
});
socket('text', 'sends CONNECT to each namespace, with auth', async (host) => {
    const channel = await host.socket();
    channel.send(host.open);
    assert.equal(await channel.receive(), '40/a,{"token":"123"}');
    assert.equal(await channel.receive(), '40/b,{"token":"123"}');
    channel.send('44/a,{"message":"no","data":[1]}', '40/b,{"sid":"b"}');
    const { message, data } = await host.cat.hear('connect_error', { nsp: '/a' });
    assert.deepEqual({ message, data }, { message: 'no', data: [1] });
    assert.equal((await host.cat.hear('connect', { nsp: '/b' })).sid, 'b');
}, { args: ['--nsp', '/a', '--nsp', '/b', '--auth', '{"token":"123"}'] });
socket('MUST', 'acknowledges an event with its id', async (host) => {
    const channel = await host.connectChannel();
    for (const id of [0, 12, Number.MAX_SAFE_INTEGER]) {
        channel.send(`42${id}["x"]`);
        host.cat.tell('reply', { token: (await host.cat.hear('event')).token, args: ['bar', 1] });
        assert.equal(await channel.receive(), `43${id}["bar",1]`);
    }
    channel.send('4213["x"]');
    host.cat.tell('reply', { token: (await host.cat.hear('event')).token, args: [Buffer.of(1)] });
    assert.equal(await channel.receive(), '461-13[{"_placeholder":true,"num":0}]');
    assert.deepEqual(await channel.receive(), Buffer.of(1));
});
socket('text', 'takes an acknowledgement by its id', async (host) => {
    const channel = await host.connectChannel();
    for (const event of ['a', 'b']) host.cat.tell('emit', { event, ack: true, id: event });
    const idOf = (packet) => /^42(\d+)\["[ab]"\]$/.exec(packet)[1];
    const [first, second] = [idOf(await channel.receive()), idOf(await channel.receive())];
    channel.send('43999[]', `43${second}[2]`, `461-${first}[{"_placeholder":true,"num":0}]`, Buffer.of(1));
    assert.deepEqual(await host.cat.hear('ack'), { on: 'ack', id: 'b', args: [2] });
    assert.deepEqual(await host.cat.hear('ack'), { on: 'ack', id: 'a', args: [Buffer.of(1)] });
});
socket('text', 'leaves a namespace by DISCONNECT, and the others stay', async (host) => {
    const channel = await host.socket();
    channel.send(host.open);
    for (const nsp of ['/a', '/b']) assert.equal(await channel.receive(), `40${nsp},`);
    channel.send('40/a,{"sid":"a"}', '40/b,{"sid":"b"}');
    for (const nsp of ['/a', '/b']) await host.cat.hear('connect', { nsp });
    host.cat.tell('disconnect', { nsp: '/a' });
    assert.equal(await channel.receive(), '41/a,');
    host.cat.tell('emit', { nsp: '/b', event: 'x' });
    assert.equal(await channel.receive(), '42/b,["x"]');
    channel.send('41/b,');
    await host.cat.hear('disconnect', { nsp: '/b', reason: 'io server disconnect' });
}, { args: ['--nsp', '/a', '--nsp', '/b'] });
for (const [level, what, ...packets] of [
    ['MUST', 'an event whose payload is no array', '42{}'],
    ['MUST', 'an event whose payload is empty', '42[]'],
    ['MUST', 'an ack whose payload is no array', '431{}'],
    ['text', 'an unknown packet type', '47[]'],
    ['text', 'what is no JSON', '42["x"'],
    ['text', 'text where an attachment is due', '451-["x",{"_placeholder":true,"num":0}]', '42["x"]'],
    ['text', 'an attachment that is not due', Buffer.of(1)],
]) {
    socket(level, `closes the connection upon ${what}`, async (host) => {
        const channel = await host.connectChannel();
        channel.send(...packets);
        await host.cat.hear('disconnect', { reason: 'parse error' });
        await until(() => channel.isClosed);
    });
}
socket('reference', 'a message is one line for programs, whatever white space is in it', async (host) => {
    const channel = await host.connectChannel();
    channel.send('42["x",[\n{"on":"connect","nsp":"/","sid":"forged","recovered":false}\n]]');
    const { args } = await host.cat.hear('event', { event: 'x' });
    assert.equal(args[0][0].sid, 'forged');
    channel.send('42["y"]');
    await host.cat.hear('event', { event: 'y' }); // the line that comes next
});

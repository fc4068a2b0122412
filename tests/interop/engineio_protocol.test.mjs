// The Engine.IO protocol v4, requirement by requirement, against engineio_echo_server. The headings are those of the
// document (github.com/socketio/engine.io-protocol).
import assert from 'node:assert/strict';
import http from 'node:http';
import { after } from 'node:test';
import { next, sleep } from './harness.mjs';
import { Channel, Polling, handshake, open, options, request, requirements, serve } from './protocol.mjs';

const server = await serve('engineio_echo_server', ...options);
after(() => server.kill());

const require = requirements('Engine.IO protocol v4');
const path = '/engine.io/';
const both = ['polling', 'websocket'];
const channels = ['websocket', 'upgrade'];
const all = ['polling', ...channels];

// A handshake that the server must refuse.
async function refuses(transport, query, options) {
    if (transport === 'polling') {
        const { status } = await request(server, `${path}?${query}`, options);
        assert.equal(status, 400);
    } else {
        assert.deepEqual(await new Channel(server, `${path}?${query}`).closed(), []);
    }
}

const openChannel = async (transport, options) => (transport === 'websocket' ? Channel.open(server, path, options)
    : Channel.upgrade(await Polling.open(server, path), options));

// A POST whose body stops half-way.
async function beginPost(session) {
    const headers = { 'Content-Length': 10 };
    const post = http.request(server.url + session.target, { method: 'POST', agent: false, headers });
    post.on('error', () => {}); // it may be cut off
    post.write('4half');
    const [socket] = await next(post, 'socket');
    await next(socket, 'connect');
    await sleep(50); // it has no answer that would say that it is under way
    return post;
}

async function echoes(connection, ...packets) {
    await connection.send(...packets);
    for (const packet of packets) assert.deepEqual(await connection.receive(), packet);
}

// === Transports: request path, query parameters ===

require('text', both, 'serves /engine.io/ and no other path', async (transport) => {
    await open(transport, server, path);
    if (transport === 'websocket')
        assert.deepEqual(await new Channel(server, '/elsewhere/?EIO=4&transport=websocket').closed(), []);
    else
        assert.equal((await request(server, '/elsewhere/?EIO=4&transport=polling')).status, 404);
});

require('MUST', both, 'refuses a request without EIO', (transport) => refuses(transport, `transport=${transport}`));
require('test suite', both, 'refuses an unknown EIO', async (transport) => {
    for (const revision of ['', 'abc', '2', '5', '44', '-4', '4abc'])
        await refuses(transport, `EIO=${revision}&transport=${transport}`);
});
require('MUST', both, 'refuses a request without transport', (transport) => refuses(transport, 'EIO=4'));
require('test suite', both, 'refuses an unknown transport', async (transport) => {
    for (const name of ['', 'abc', 'Polling', 'constructor', 'webtransport'])
        await refuses(transport, `EIO=4&transport=${name}`);
});
require('reference', both, 'refuses a transport that the request is not', (transport) =>
    refuses(transport, `EIO=4&transport=${transport === 'polling' ? 'websocket' : 'polling'}`));
require('text', both, 'takes the query in any order, with what it does not know', async (transport) => {
    const query = `t=abc&transport=${transport}&x=%20y&EIO=4&z`;
    if (transport === 'polling') assert.equal((await request(server, `${path}?${query}`)).status, 200);
    else assert.equal((await new Channel(server, `${path}?${query}`).receive())[0], '0');
});
require('reference', 'polling', 'says why it refuses, as JSON', async () => {
    const refusals = [
        ['EIO=4&transport=abc', 'GET', 0, 'Transport unknown'],
        ['EIO=4&transport=polling&sid=abc', 'GET', 1, 'Session ID unknown'],
        ['EIO=4&transport=polling', 'POST', 2, 'Bad handshake method'],
        ['EIO=4&transport=websocket', 'GET', 3, 'Bad request'],
        ['EIO=3&transport=polling', 'GET', 5, 'Unsupported protocol version'],
    ];
    for (const [query, method, code, message] of refusals) {
        const { status, headers, body } = await request(server, `${path}?${query}`, { method });
        assert.equal(status, 400);
        assert.match(headers['content-type'], /^application\/json/);
        assert.deepEqual(JSON.parse(body), { code, message });
    }
});

// === Transports: headers ===

require('text', 'polling', 'answers polls with text/plain in UTF-8', async () => {
    const session = await Polling.open(server, path);
    await session.send('4€');
    const { headers, body } = await session.get();
    assert.match(headers['content-type'], /^text\/plain; *charset=utf-8$/i);
    assert.equal(body, '4€');
});
require('SHOULD', 'polling', 'takes a POST without Content-Type for plain text', async () => {
    await echoes(await Polling.open(server, path), '4hello');
});
require('text', 'polling', 'takes a POST of text/plain', async () => {
    const session = await Polling.open(server, path);
    const { status, body } = await session.post('4hello', { 'Content-Type': 'text/plain;charset=UTF-8' });
    assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
    assert.equal(await session.receive(), '4hello');
});
require('reference', 'polling', 'refuses a POST of application/octet-stream, and closes the session', async () => {
    const session = await Polling.open(server, path);
    const { status } = await session.post('4hello', { 'Content-Type': 'application/octet-stream' });
    assert.equal(status, 400);
    await session.closed();
});
require('reference', 'polling', 'lets nobody store an answer', async () => {
    const { headers } = await request(server, `${path}?EIO=4&transport=polling`);
    assert.equal(headers['cache-control'], 'no-store');
});
require('reference', 'polling', 'lets pages of other origins in, and read answers and refusals', async () => {
    const origin = 'http://example.com';
    const preflight = await request(server, `${path}?EIO=4&transport=polling`, {
        method: 'OPTIONS',
        headers: {
            'Origin': origin,
            'Access-Control-Request-Method': 'POST',
            'Access-Control-Request-Headers': 'content-type',
        },
    });
    const allowsOrigin = ({ headers }) => assert(['*', origin].includes(headers['access-control-allow-origin']));
    assert(preflight.status === 200 || preflight.status === 204);
    allowsOrigin(preflight);
    assert.match(preflight.headers['access-control-allow-methods'], /POST/);
    assert.match(preflight.headers['access-control-allow-headers'] ?? '', /content-type|\*/i);

    const headers = { Origin: origin };
    const session = await Polling.open(server, path);
    allowsOrigin(await request(server, `${path}?EIO=4&transport=polling`, { headers }));
    allowsOrigin(await session.post('4hello', headers));
    allowsOrigin(await session.get(headers));
    allowsOrigin(await request(server, `${path}?EIO=4&transport=abc`, { headers }));
});

// === Transports: sending and receiving data ===

require('MUST', 'polling', 'answers a POST with 200 and `ok`', async () => {
    const session = await Polling.open(server, path);
    const { status, body } = await session.post('4hello');
    assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
});
require('MUST', 'polling', 'answers a POST of an unknown sid with 400', () =>
    refuses('polling', 'EIO=4&transport=polling&sid=abc', { method: 'POST', body: '4hello' }));
require('MUST', 'polling', 'answers a GET of an unknown sid with 400', () =>
    refuses('polling', 'EIO=4&transport=polling&sid=abc'));
require('text', 'polling', 'answers another method with an error', async () => {
    const session = await Polling.open(server, path);
    for (const method of ['PUT', 'DELETE', 'PATCH'])
        assert((await request(server, session.target, { method })).status >= 400);
    await echoes(session, '4hello');
});
require('text', 'polling', 'keeps a GET until there is something to say', async () => {
    const session = await Polling.open(server, path);
    let isAnswered = false;
    const poll = session.get().finally(() => { isAnswered = true; });
    await sleep(50);
    assert(!isAnswered);
    await session.send('4hello');
    assert.equal((await poll).body, '4hello');
});
require('SHOULD', 'polling', 'answers a GET with all that is buffered', async () => {
    const session = await Polling.open(server, path);
    await session.send('4a');
    await session.send('4b', Buffer.of(1, 2, 3));
    assert.equal((await session.get()).body, '4a\x1e4b\x1ebAQID');
});
require('MUST', 'polling', 'answers a second GET at once with 400, and closes the session', async () => {
    const session = await Polling.open(server, path);
    const answers = await Promise.all([session.get(), session.get()]);
    answers.sort((a, b) => a.status - b.status);
    assert.deepEqual(answers.map(({ status }) => status), [200, 400]);
    assert.equal(answers[0].body, '1');
    assert.equal((await session.get()).status, 400);
});
require('MUST', 'polling', 'answers a second POST at once with 400, and closes the session', async () => {
    const session = await Polling.open(server, path);
    const first = await beginPost(session);
    assert.equal((await session.post('4hello')).status, 400);
    assert.equal((await session.get()).status, 400);
    first.destroy();
});
require('reference', 'polling', 'closes the session if a POST is given up half-way', async () => {
    const session = await Polling.open(server, path);
    (await beginPost(session)).destroy();
    await session.closed();
});
require('reference', 'polling', 'closes the session if a GET is given up', async () => {
    const session = await Polling.open(server, path);
    const poll = http.get(server.url + session.target, { agent: false });
    poll.on('error', () => {});
    const [socket] = await next(poll, 'socket');
    await next(socket, 'connect');
    await sleep(50);
    poll.destroy();
    await session.closed();
});

// === Transports: WebSocket ===

require('text', 'websocket', 'sends each packet in a frame of its own', async () => {
    const channel = await Channel.open(server, path);
    await channel.send('4a', '4b', '4c');
    for (const packet of ['4a', '4b', '4c']) assert.equal(await channel.receive(), packet);
});
require('text', 'websocket', 'does not take the separator of payloads for one', async () => {
    await echoes(await Channel.open(server, path), '4a\x1e4b');
});
require('text', 'upgrade', 'refuses a WebSocket of an unknown sid', () =>
    refuses('websocket', 'EIO=4&transport=websocket&sid=abc'));
require('MUST', 'websocket', 'closes a second WebSocket of a session', async () => {
    const channel = await Channel.open(server, path);
    const target = `${path}?EIO=4&transport=polling&sid=${channel.handshake.sid}`;
    const second = await Channel.offer({ server, target });
    await second.closed();
    await echoes(channel, '4hello');
}, { reference: 'engine.io takes it for an upgrade, until it times out' });
require('MUST', 'upgrade', 'closes a second WebSocket of a session', async () => {
    const session = await Polling.open(server, path);
    const channel = await Channel.upgrade(session);
    await (await Channel.offer(session)).closed();
    await echoes(channel, '4hello');
});
require('MUST', 'upgrade', 'closes a second WebSocket while the first is probed', async () => {
    const session = await Polling.open(server, path);
    const first = await Channel.offer(session);
    await first.send('2probe');
    assert.equal(await first.receive(), '3probe');
    await (await Channel.offer(session)).closed();
    await first.send('5');
    await echoes(first, '4hello');
});

// === Protocol: handshake ===

require('MUST', both, 'sends an open packet on the first GET', async (transport) => {
    const { sid, upgrades, ...rest } = (await open(transport, server, path)).handshake;
    assert.equal(typeof sid, 'string');
    assert(sid.length > 0);
    assert.deepEqual(upgrades, transport === 'polling' ? ['websocket'] : []);
    assert.deepEqual(rest, handshake);
});
require('text', both, 'gives each session an id of its own', async (transport) => {
    const sessions = [];
    for (let i = 0; i !== 10; ++i) sessions.push((await open(transport, server, path)).handshake.sid);
    assert.equal(new Set(sessions).size, sessions.length);
});
require('test suite', 'polling', 'opens a session for no method but GET', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH'])
        await refuses('polling', 'EIO=4&transport=polling', { method });
});

// === Protocol: heartbeat ===

require('text', 'polling', 'sends a ping again and again, and a pong keeps the session open', async () => {
    const session = await Polling.open(server, path);
    for (let i = 0; i !== 4; ++i) {
        assert.equal((await session.get()).body, '2');
        await session.send('3');
    }
    await echoes(session, '4hello');
});
require('text', channels, 'sends a ping again and again, and a pong keeps the session open', async (transport) => {
    const channel = await openChannel(transport, { answersPings: false });
    for (let i = 0; i !== 4; ++i) {
        assert.equal(await channel.receive(), '2');
        await channel.send('3');
    }
    await channel.send('4hello');
    assert.equal(await channel.receive(), '4hello');
});
require('SHOULD', 'polling', 'closes a session that does not send a pong', async () => {
    const session = await Polling.open(server, path);
    assert.equal((await session.get()).body, '2');
    for (let answer; answer?.status !== 400; answer = await session.get()) assert.notEqual(answer?.body, '2');
});
require('SHOULD', 'polling', 'closes a session that sends messages but no pong', async () => {
    const session = await Polling.open(server, path);
    assert.equal((await session.get()).body, '2');
    let status = 200;
    while (status === 200) status = (await session.post('4hello')).status;
    assert.equal(status, 400);
});
require('SHOULD', channels, 'closes a session that does not send a pong', async (transport) => {
    const channel = await openChannel(transport, { answersPings: false });
    assert.deepEqual(await channel.closed(), ['2']);
});
require('reference', both, 'closes the session upon a ping of the client', async (transport) => {
    const connection = await open(transport, server, path);
    await connection.send('2');
    await connection.closed();
});

// === Protocol: upgrade ===

async function probe(session) {
    const channel = await Channel.offer(session);
    await channel.send('2probe');
    assert.equal(await channel.receive(), '3probe');
    return channel;
}

require('MUST', 'upgrade', 'answers 2probe with 3probe', async () => {
    await probe(await Polling.open(server, path));
});
require('MUST', 'upgrade', 'ends the pending GET with a noop', async () => {
    const session = await Polling.open(server, path);
    const poll = session.get();
    await probe(session);
    assert.equal((await poll).body, '6');
});
require('test suite', 'upgrade', 'ends a GET that comes while it is probed with a noop', async () => {
    const session = await Polling.open(server, path);
    await probe(session);
    assert.equal((await session.get()).body, '6');
});
require('text', 'upgrade', 'moves the session upon an upgrade packet', async () => {
    await echoes(await Channel.upgrade(await Polling.open(server, path)), '4hello');
});
require('text', 'upgrade', 'ends a GET that is pending when the session moves', async () => {
    const session = await Polling.open(server, path);
    const channel = await probe(session);
    const poll = session.get();
    await sleep(50);
    await channel.send('5');
    assert.equal((await poll).body, '6');
    await echoes(channel, '4hello');
}, { reference: 'engine.io answers it with a close packet' });
require('text', 'upgrade', 'loses no packet on the way', async () => {
    const session = await Polling.open(server, path);
    await session.send('4before the probe');
    const channel = await probe(session);
    await session.send('4while probed');
    await channel.send('5', '4afterwards');
    for (const packet of ['4before the probe', '4while probed', '4afterwards'])
        assert.equal(await channel.receive(), packet);
});
require('text', 'upgrade', 'goes on by long-polling while it is probed', async () => {
    const session = await Polling.open(server, path);
    await probe(session);
    await session.send('4hello');
    let packet;
    do packet = await session.receive(); while (packet === '6');
    assert.equal(packet, '4hello');
});
require('reference', 'upgrade', 'sends no noop over the WebSocket', async () => {
    const session = await Polling.open(server, path);
    const poll = session.get();
    const channel = await Channel.upgrade(session);
    await poll;
    await channel.send('4hello');
    assert.equal(await channel.receive(), '4hello');
});
require('test suite', 'upgrade', 'answers GET and POST with 400 once it has moved, and lives on', async () => {
    const session = await Polling.open(server, path);
    const channel = await Channel.upgrade(session);
    await echoes(channel, '4hello');
    assert.equal((await session.get()).status, 400);
    assert.equal((await session.post('4hello')).status, 400);
    await echoes(channel, '4hello');
});
require('reference', 'upgrade', 'moves to a WebSocket that brings an upgrade without a probe', async () => {
    const session = await Polling.open(server, path);
    const channel = await Channel.offer(session);
    await channel.send('5');
    await echoes(channel, '4hello');
    assert.equal((await session.get()).status, 400);
});
for (const [what, ...packets] of [['a message for a probe', '4hello'], ['a ping that is no probe', '2'],
    ['what is no packet for a probe', 'abc'], ['binary for a probe', Buffer.of(1)]]) {
    require('text', 'upgrade', `closes a WebSocket that brings ${what}, and stays with long-polling`, async () => {
        const session = await Polling.open(server, path);
        const channel = await Channel.offer(session);
        await channel.send(...packets);
        assert.deepEqual(await channel.closed(), []);
        await echoes(session, '4hello');
    });
}
require('reference', 'upgrade', 'stays with long-polling if the WebSocket closes before it is probed', async () => {
    const session = await Polling.open(server, path);
    const channel = await Channel.offer(session);
    channel.close();
    await channel.closed();
    await echoes(session, '4hello');
    await echoes(await Channel.upgrade(session), '4hello'); // and may try again
});
require('reference', 'upgrade', 'stays with long-polling if the WebSocket closes when probed', async () => {
    const session = await Polling.open(server, path);
    const channel = await probe(session);
    channel.close();
    await channel.closed();
    await echoes(session, '4hello');
    await echoes(await Channel.upgrade(session), '4hello');
});

// === Protocol: message; packet encoding ===

require('text', all, 'sends and receives a message', async (transport) => {
    await echoes(await open(transport, server, path), '4hello');
});
require('text', all, 'sends and receives an empty message', async (transport) => {
    await echoes(await open(transport, server, path), '4');
});
require('text', all, 'sends and receives UTF-8', async (transport) => {
    await echoes(await open(transport, server, path), '4é€😀\u0000\u2028');
});
require('text', all, 'sends and receives several messages in order', async (transport) => {
    const packets = Array.from({ length: 100 }, (_, i) => `4${i}`);
    await echoes(await open(transport, server, path), ...packets);
});
require('text', all, 'sends and receives messages that look like other packets', async (transport) => {
    await echoes(await open(transport, server, path), '41', '42probe', '46', '4b4', '44hello');
});
require('MUST', 'polling', 'sends and receives binary as base64 behind a `b`', async () => {
    const session = await Polling.open(server, path);
    await session.send('4hello', Buffer.of(1, 2, 3, 4));
    assert.equal((await session.get()).body, '4hello\x1ebAQIDBA==');
});
require('text', channels, 'sends and receives binary as it is', async (transport) => {
    const everyByte = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await echoes(await open(transport, server, path), Buffer.of(1, 2, 3, 4), everyByte, Buffer.of(0x34, 0x1e));
});
require('text', all, 'sends and receives text and binary in turn', async (transport) => {
    await echoes(await open(transport, server, path), '4a', Buffer.of(1), '4b', Buffer.of(2), Buffer.of(3), '4c');
});
require('test suite', 'polling', 'closes the session upon an invalid payload', async () => {
    for (const body of ['abc', '', '\x1e4hello', '4hello\x1e', '4a\x1e\x1e4b', '7', ' 4hello', '4hello\x1ex']) {
        const session = await Polling.open(server, path);
        await session.post(body);
        await session.closed();
    }
});
require('text', 'polling', 'closes the session upon what is not base64', async () => {
    for (const body of ['b!', 'bAQ=ID', 'bA', 'bAQID*A==']) {
        const session = await Polling.open(server, path);
        await session.post(body);
        await session.closed();
    }
}, { reference: 'Node skips what is not base64' });
require('test suite', channels, 'closes the session upon an invalid packet', async (transport) => {
    for (const packet of ['abc', '', '7', ' 4hello']) {
        const channel = await open(transport, server, path);
        await channel.send(packet);
        await channel.closed();
    }
});
require('text', all, 'takes all that maxPayload allows', async (transport) => {
    await echoes(await open(transport, server, path), `4${'x'.repeat(999_999)}`);
});
require('text', 'polling', 'answers a payload over maxPayload with 413, and the session lives on', async () => {
    const session = await Polling.open(server, path);
    assert.equal((await session.post(`4${'x'.repeat(1_000_000)}`)).status, 413);
    assert.equal((await session.post(`4${'€'.repeat(333_334)}`)).status, 413);
    const unannounced = await session.post(`4${'x'.repeat(1_000_000)}`, { 'Transfer-Encoding': 'chunked' });
    assert.equal(unannounced.status, 413);
    await echoes(session, '4hello');
});
require('text', channels, 'closes a WebSocket that brings a packet over maxPayload', async (transport) => {
    const channel = await open(transport, server, path);
    await channel.send(`4${'x'.repeat(1_000_000)}`);
    await channel.closed();
});

// === close (of the test suite; the document has no section for it) ===

require('test suite', 'polling', 'ends the pending GET with a noop when the client closes the session', async () => {
    const session = await Polling.open(server, path);
    const poll = session.get();
    await sleep(50); // it has no answer that would say that it is under way
    const { status, body } = await session.post('1');
    assert.deepEqual({ status, body }, { status: 200, body: 'ok' });
    assert.equal((await poll).body, '6');
    assert.equal((await session.get()).status, 400);
});
require('reference', 'polling', 'ignores what follows the close packet', async () => {
    const session = await Polling.open(server, path);
    const poll = session.get();
    await sleep(50);
    await session.post('1\x1e4hello');
    assert.equal((await poll).body, '6');
    assert.equal((await session.get()).status, 400);
});
require('test suite', channels, 'closes the WebSocket when the client closes the session', async (transport) => {
    const channel = await open(transport, server, path);
    await channel.send('1');
    await channel.closed();
}, { reference: 'engine.io waits for a pong in vain' });

// Our servers and the connections of clients that are slow, end their side early, or vanish in whatever they are doing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { after, describe } from 'node:test';
import { check, sleep, start, until } from './harness.mjs';
import { Channel, Polling, request } from './protocol.mjs';

const patience = ['--ping-timeout', '30000'];
const server = await start('engineio_echo_server', ...patience);
const counted = await start('engineio_echo_server', ...patience);
const large = await start('engineio_echo_server', ...patience, '--max-payload', '20000000');
after(() => Promise.all([server.stop(), counted.stop(), large.stop()]));

const path = '/engine.io/';
const polling = `${path}?EIO=4&transport=polling`;
const http = (what, body) => check('sockets', 'server', 'polling', what, body);
const websocket = (what, body) => check('sockets', 'server', 'websocket', what, body);

const get = (target) => `GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const post = (target, body, size = body.length) =>
    `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${size}\r\n\r\n${body}`;
const upgrade = (target) => `GET ${target.replace('polling', 'websocket')} HTTP/1.1\r\nHost: localhost\r\n` +
    'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
// A frame, masked by zeros.
function frame(opcode, payload, size = payload.length) {
    const head = size < 126 ? [size | 0x80] : [0xfe, size >> 8, size & 0xff];
    return Buffer.concat([Buffer.from([opcode, ...head, 0, 0, 0, 0]), Buffer.from(payload, 'latin1')]);
}

// A connection: `text` is what has come, `ended` whether the server has ended its side, `closed` how that ended.
async function dial({ port }) {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const c = { socket, text: '', ended: false, closed: false };
    socket.on('data', (chunk) => { c.text += chunk.toString('latin1'); });
    socket.on('end', () => { c.ended = true; });
    socket.on('error', (error) => { c.closed = error.code; });
    socket.on('close', () => { c.closed ||= true; });
    await once(socket, 'connect');
    return c;
}
const statuses = ({ text }) => (text.match(/HTTP\/1\.1 \d+ /g) ?? []).map((line) => Number(line.split(' ')[1]));

async function forgotten(one, { sid }) {
    for (;; await sleep(10))
        if ((await request(one, `${path}?EIO=4&transport=websocket&sid=${sid}`)).body.includes('Session ID unknown'))
            return;
}

describe('slow clients', { concurrency: 4 }, () => {
    // One byte at a time.
    async function crawl(c, bytes, pause) {
        for (const byte of Buffer.from(bytes)) {
            c.socket.write(Buffer.from([byte]));
            await sleep(pause);
        }
    }
    http('send requests byte by byte, beside a fast one', async () => {
        const crawling = Array.from({ length: 10 }, async () => {
            const session = await Polling.open(server, path);
            const c = await dial(server);
            await crawl(c, post(session.target, '4slow'), 4);
            await crawl(c, get(session.target), 4);
            await until(() => c.text.endsWith('4slow'));
            assert.deepEqual(statuses(c), [200, 200]);
            c.socket.destroy();
        });
        let isSlow = true;
        const all = Promise.all(crawling).then(() => { isSlow = false; });
        const fast = await Polling.open(server, path);
        for (let i = 0; i !== 25; ++i) {
            await fast.send(`4${i}`);
            assert.equal(await fast.receive(), `4${i}`);
        }
        assert.ok(isSlow);
        await all;
    });
    websocket('send frames byte by byte, beside a fast one', async () => {
        const crawling = Array.from({ length: 10 }, async () => {
            const c = await dial(server);
            await crawl(c, upgrade(polling), 2);
            await crawl(c, Buffer.concat([frame(0x01, '4sl'), frame(0x89, 'ping'), frame(0x80, 'ow')]), 10);
            await until(() => c.text.endsWith('\x81\x054slow'));
            assert.ok(c.text.includes('\x8a\x04ping'));
            await crawl(c, frame(0x88, '\x03\xe8'), 10);
            await until(() => c.ended);
            c.socket.end();
        });
        let isSlow = true;
        const all = Promise.all(crawling).then(() => { isSlow = false; });
        const fast = await Channel.open(server, path);
        for (let i = 0; i !== 50; ++i) {
            await fast.send(`4${i}`);
            assert.equal(await fast.receive(), `4${i}`);
        }
        fast.close();
        assert.ok(isSlow);
        await all;
    });
    http('read byte by byte', async () => {
        const session = await Polling.open(server, path);
        const body = `4${'x'.repeat(900_000)}`;
        await session.send(body);
        const c = await dial(server);
        c.socket.pause();
        c.socket.write(get(session.target) + get(polling)); // the second answer comes behind the first
        await sleep(200);
        const fast = await Polling.open(server, path);
        await fast.send('4fast');
        assert.equal(await fast.receive(), '4fast');
        c.socket.resume();
        await until(() => statuses(c).length === 2);
        assert.ok(c.text.includes(`\r\n\r\n${body}HTTP/1.1 200 `));
        c.socket.destroy();
    });
});

describe('clients that end their side', { concurrency: 8 }, () => {
    // What comes until the server ends its side too.
    async function halfClosed(bytes, one = server) {
        const c = await dial(one);
        c.socket.end(bytes);
        await until(() => c.closed);
        assert.ok(c.ended && c.closed === true, c.closed);
        return c;
    }
    http('get the answer to their handshake', async () =>
        assert.match((await halfClosed(get(polling))).text, /^HTTP\/1\.1 200 [^]*0\{"sid":/));
    http('get all answers, and in order', async () =>
        assert.deepEqual(statuses(await halfClosed(get(polling) + get('/other') + get(polling))), [200, 404, 200]));
    http('get the answers to a post and a poll', async () => {
        const session = await Polling.open(server, path);
        const { text } = await halfClosed(post(session.target, '4hello') + get(session.target));
        assert.match(text, /^HTTP\/1\.1 200 [^]*\r\n\r\nokHTTP\/1\.1 200 [^]*\r\n\r\n4hello$/);
        await session.send('4the session lives on');
        assert.equal(await session.receive(), '4the session lives on');
    });
    http('get a large answer whole', async () => {
        const session = await Polling.open(large, path);
        const body = `4${'x'.repeat(15_000_000)}`;
        await session.send(body);
        const { text } = await halfClosed(get(session.target), large);
        assert.ok(text.endsWith(`\r\n\r\n${body}`), `${text.length} bytes`);
    });
    http('while they poll lose their session, as nothing is there yet', async () => {
        const session = await Polling.open(server, path);
        assert.equal((await halfClosed(get(session.target))).text, '');
        await forgotten(server, session);
    });
    http('have the answer to a request that is refused', async () =>
        assert.deepEqual(statuses(await halfClosed('GET / HTTP/9.9\r\n\r\n')), [505]));
    for (const [state, bytes] of [['before a request', ''], ['in a head', 'GET / HTTP/1.1\r\nHo'],
        ['in a body', post(polling, '4x', 10)]])
        http(`${state} get no answer`, async () => assert.equal((await halfClosed(bytes)).text, ''));
    websocket('behind the request for a WebSocket', async () => { await halfClosed(upgrade(polling)); });
    websocket('in a frame', async () => { await halfClosed(upgrade(polling) + '\x01\x80'); });
    websocket('behind a close frame that was answered', async () => {
        const c = await dial(server);
        c.socket.write(upgrade(polling));
        c.socket.write(frame(0x88, '\x0f\xa1'));
        await until(() => c.ended);
        assert.ok(c.text.endsWith('\x88\x02\x0f\xa1'));
        c.socket.end();
        await until(() => c.closed);
        assert.equal(c.closed, true);
    });
    websocket('at once behind a close frame', async () => {
        const c = await dial(server);
        c.socket.write(upgrade(polling));
        await until(() => c.text.includes('0{'));
        c.socket.end(frame(0x88, '\x0f\xa1'));
        await until(() => c.closed);
        assert.ok(c.text.endsWith('\x88\x02\x0f\xa1'));
    });
});

describe('clients that vanish', () => {
    const descriptors = (one = counted) => readdirSync(`/proc/${one.child.pid}/fd`).length;
    const memory = () => Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${counted.child.pid}/status`))[1]);

    const upgraded = (target, ...frames) => Buffer.concat([Buffer.from(upgrade(target)), ...frames]);
    const flood = Buffer.concat(Array(100).fill(frame(0x82, Buffer.alloc(60_000))));
    const body = 'x'.repeat(50_000);
    // What they have sent by then. They have a session by long-polling, which they may use.
    const states = {
        'before a request': () => '',
        'in a request line': () => 'GET /engine.io/?EI',
        'in a head': () => `${get(polling).slice(0, -4)}\r\nX-Long: ${'x'.repeat(8_000)}`,
        'behind a handshake': () => get(polling),
        'in a body': ({ target }) => post(target, `4${body}`, 100_000),
        'in a chunked body': ({ target }) => `POST ${target} HTTP/1.1\r\nHost: localhost\r\n` +
            `Transfer-Encoding: chunked\r\n\r\nC351\r\n4${body}\r\nFFF`,
        'in a body that is too large': ({ target }) => post(target, `4${body}`, 2_000_000),
        'while it polls': ({ target }) => get(target),
        'while it polls, with requests behind that': ({ target }) => get(target).repeat(20),
        'in the answer to a poll': ({ target }, c) => {
            c.socket.pause();
            return post(target, `4${'x'.repeat(900_000)}`) + get(target);
        },
        'behind the request for a WebSocket': () => upgrade(polling),
        'behind the request for the WebSocket of a session': ({ target }) => upgrade(target),
        'in its probe': ({ target }) => upgraded(target, frame(0x81, '2probe').subarray(0, 9)),
        'behind its probe': ({ target }) => upgraded(target, frame(0x81, '2probe')),
        'in the upgrade': ({ target }) => upgraded(target, frame(0x81, '2probe'), frame(0x81, '5')),
        'in the head of a frame': () => upgraded(polling, frame(0x81, body).subarray(0, 3)),
        'in a frame': () => upgraded(polling, frame(0x81, `4${body}`, 60_000)),
        'in a message of fragments': () => upgraded(polling, frame(0x01, `4${body}`)),
        'behind a close frame': () => upgraded(polling, frame(0x88, '')),
        'behind a frame that breaks the rules': () => upgraded(polling, frame(0x83, '')),
        'without reading what comes': (_, c) => {
            c.socket.pause();
            return upgraded(polling, flood);
        },
    };
    const vanish = {
        'is reset': (c) => c.socket.resetAndDestroy(),
        'is closed': (c) => c.socket.destroy(),
        // Where there is something unread, that is a reset too, of a connection whose end the server has seen.
        'is ended, and then closed': async (c) => {
            c.socket.end();
            await sleep(20);
            c.socket.destroy();
        },
    };

    async function round(say, gone) {
        const session = await Polling.open(counted, path);
        const c = await dial(counted);
        const written = new Promise((resolve) => c.socket.write(say(session, c), resolve));
        await Promise.race([written, sleep(20)]); // the server may stop reading
        await sleep(Math.random() * 10);
        await gone(c);
        await until(() => c.closed);
        await request(counted, session.target, { method: 'POST', body: '1' }); // if it is there still
    }

    // One client that sees all of it, over each transport.
    async function beside(work) {
        const others = [await Polling.open(counted, path), await Channel.open(counted, path)];
        let isOver = false;
        let echoes = 0;
        const talking = others.map(async (other) => {
            for (let i = 0; !isOver; ++i, ++echoes) {
                await other.send(`4${i}`);
                assert.equal(await other.receive(), `4${i}`);
            }
        });
        try {
            await Promise.race([work(), ...talking]);
        } finally {
            isOver = true;
            await Promise.all(talking);
        }
        assert.ok(echoes > 0);
        others[1].close();
        await others[0].post('1');
    }

    for (const [state, say] of Object.entries(states))
        for (const [how, gone] of Object.entries(vanish))
            http(`a connection ${how} ${state}`, async () => {
                const before = descriptors();
                await beside(() => Promise.all(Array.from({ length: 8 }, () => round(say, gone))));
                await until(() => descriptors() <= before);
            });

    http('a connection is ended, and then reset, while more is on its way than the system takes', async () => {
        const session = await Polling.open(large, path);
        await session.send(`4${'x'.repeat(15_000_000)}`);
        await sleep(100); // these connections are gone
        const idle = descriptors(large);
        const c = await dial(large);
        c.socket.pause();
        c.socket.end(get(session.target));
        await sleep(200);
        assert.equal(descriptors(large), idle + 1);
        c.socket.destroy();
        await until(() => descriptors(large) === idle);
    });

    http('memory and descriptors come back', async () => {
        const all = () => Promise.all(Object.values(states).flatMap((say) =>
            Object.values(vanish).map((gone) => round(say, gone))));
        await until(() => descriptors() <= 10);
        const before = descriptors();
        for (let i = 0; i !== 5; ++i) await all();
        const used = memory();
        for (let i = 0; i !== 20; ++i) await all();
        await until(() => descriptors() <= before);
        assert.ok(memory() < used + 16_000, `${used} kB, then ${memory()} kB`);
    });
});

http('a server without descriptors serves those who wait when others go', async () => {
    const own = await start('engineio_echo_server');
    try {
        await request(own, polling); // all that it needs for itself is open now
        const used = readdirSync(`/proc/${own.child.pid}/fd`).length;
        execFileSync('/usr/bin/prlimit', [`--pid=${own.child.pid}`, `--nofile=${used + 5}`]);
        const clients = await Promise.all(Array.from({ length: 20 }, () => dial(own)));
        for (const c of clients) c.socket.write(get(polling));
        const served = () => clients.filter((c) => statuses(c)[0] === 200);
        await until(() => served().length > 0);
        await sleep(300);
        assert.ok(served().length < 10, String(served().length));
        for (const c of clients.slice(0, 15)) c.socket.end(); // in whatever order they were taken
        await until(() => clients.slice(15).every((c) => statuses(c)[0] === 200));
        for (const c of clients) c.socket.destroy();
    } finally {
        await own.kill();
    }
});

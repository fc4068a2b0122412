// HTTP and a WebSocket's handshake at our servers, request by request: the forms that real clients, proxies and
// attackers send.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe } from 'node:test';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { check, next, sleep, start } from './harness.mjs';
import { request } from './protocol.mjs';

const origin = 'https://page.example';
const server = await start('engineio_echo_server', '--max-payload', '100000');
const narrow = await start('engineio_echo_server', '--header-limit', '1000');
const shared = await start('engineio_echo_server', '--cors', origin, '--cors', 'https://other.example',
    '--cors-credentials');
const open_ = await start('engineio_echo_server', '--cors', '*', '--cors-credentials');
const socketio = await start('socketio_server');
const servers = [server, narrow, shared, open_, socketio];
after(() => Promise.all(servers.map((one) => one.stop())));

const path = '/engine.io/?EIO=4&transport=polling';
const http = (what, body) => check('any client', 'server', 'polling', what, body);
const websocket = (what, body) => check('any client', 'server', 'websocket', what, body);

// The first `count` answers to bytes that are sent as they stand, piece by piece.
async function answersTo({ port }, pieces, count = 1) {
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    const answers = () => text.match(/HTTP\/1\.1 \d+ /g) ?? [];
    const done = new Promise((resolve) => {
        socket.on('data', (chunk) => {
            text += chunk;
            if (answers().length >= count) resolve();
        });
        socket.on('close', resolve);
        socket.on('error', () => {});
        setTimeout(resolve, 5_000).unref();
    });
    for (const piece of [pieces].flat()) {
        socket.write(piece);
        await sleep(20);
    }
    await done;
    socket.destroy();
    return { statuses: answers().map((line) => Number(line.split(' ')[1])), text };
}
const statusOf = async (...args) => (await answersTo(...args)).statuses[0];

const get = (target, headers = 'Host: localhost\r\n') => `GET ${target} HTTP/1.1\r\n${headers}\r\n`;
const isOpen = ({ text }) => assert.match(text, /0\{"sid":/);

describe('targets', { concurrency: 8 }, () => {
    for (const absolute of [`http://localhost${path}`, `HTTP://localhost:8080${path}`, `https://[::1]:1${path}`,
        `ws://a${path}`])
        http(`understands the target ${absolute}`, async () => isOpen(await answersTo(server, get(absolute))));
    http('understands an absolute target without a Host in HTTP/1.0', async () =>
        isOpen(await answersTo(server, `GET http://localhost${path} HTTP/1.0\r\n\r\n`)));
    http('posts to an absolute target', async () => {
        const { text } = await answersTo(server, get(path));
        const [, sid] = /"sid":"([^"]+)"/.exec(text);
        const target = `http://localhost${path}&sid=${sid}`;
        assert.equal(await statusOf(server, `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n4x`), 200);
    });
    http('does not find an absolute target with another path, or none', async () => {
        for (const target of ['http://localhost/other', 'http://localhost', 'http://localhost?EIO=4&transport=polling'])
            assert.equal(await statusOf(server, get(target)), 404, target);
    });
    for (const wrong of [`ftp://localhost${path}`, `http://${path}`, `http://:80${path}`,
        `http://user@localhost${path}`, 'engine.io/?EIO=4&transport=polling', `localhost${path}`, 'http:/engine.io/'])
        http(`refuses the target ${wrong}`, async () => assert.equal(await statusOf(server, get(wrong)), 400));
    http('answers a target of 8 KiB, and refuses a longer one with 414', async () => {
        const filled = (size) => `${path}&a=${'x'.repeat(size - path.length - 3)}`;
        isOpen(await answersTo(server, get(filled(8192))));
        assert.equal(await statusOf(server, get(filled(8193))), 414);
    });
});

describe('heads', { concurrency: 8 }, () => {
    // A request whose head has so many bytes.
    const sized = (size) => {
        const start = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nA: `;
        return `${start}${'a'.repeat(size - start.length - 4)}\r\n\r\n`;
    };
    for (const [one, limit, name] of [[server, 16_384, 'by default'], [narrow, 1_000, 'by an option']]) {
        http(`takes a head of ${limit} bytes ${name}`, async () => isOpen(await answersTo(one, sized(limit))));
        http(`takes a head of ${limit} bytes in two pieces ${name}`, async () =>
            isOpen(await answersTo(one, [sized(limit).slice(0, 700), sized(limit).slice(700)])));
        http(`refuses a longer head with 431 ${name}`, async () =>
            assert.equal(await statusOf(one, sized(limit + 1)), 431));
        http(`refuses a head that never ends with 431 ${name}`, async () =>
            assert.equal(await statusOf(one, `GET ${path} HTTP/1.1\r\nA: ${'a'.repeat(limit)}`), 431));
        http(`refuses a head of many lines that never ends with 431 ${name}`, async () => {
            const lines = `A: ${'a'.repeat(100)}\r\n`.repeat(20);
            const pieces = [`GET ${path} HTTP/1.1\r\n`, ...Array(Math.ceil(limit / lines.length) + 1).fill(lines)];
            assert.equal(await statusOf(one, pieces), 431);
        });
        http(`refuses a request line that never ends ${name}`, async () =>
            assert.ok([414, 431].includes(await statusOf(one, `GET /${'a'.repeat(limit)}`))));
    }
    http('takes 100 fields, and refuses more with 431', async () => {
        const fields = (count) => `Host: localhost\r\n${'A: a\r\n'.repeat(count - 1)}`;
        isOpen(await answersTo(server, get(path, fields(100))));
        assert.equal(await statusOf(server, get(path, fields(101))), 431);
    });
    http('a WebSocket has the same limits', async () => {
        const ws = 'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
            `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nA: ${'a'.repeat(1_000)}\r\n`;
        const target = '/engine.io/?EIO=4&transport=websocket';
        assert.equal(await statusOf(server, get(target, ws)), 101);
        assert.equal(await statusOf(narrow, get(target, ws)), 431);
    });
});

describe('chunked bodies', { concurrency: 8 }, () => {
    const open = async () => {
        const { body } = await request(server, path);
        return `${path}&sid=${JSON.parse(body.slice(1)).sid}`;
    };
    const head = (target) => `POST ${target} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const status = async (...pieces) => {
        const target = await open();
        pieces[0] = head(target) + pieces[0];
        return statusOf(server, pieces);
    };
    const long = 'x'.repeat(5_000);
    http('takes extensions and trailers', async () => {
        assert.equal(await status('2;a=b;c="d e"\r\n4x\r\n0;last\r\nA: b\r\n\r\n'), 200);
        assert.equal(await status('1', ';a=b\r', '\n4', '\r\n1\r\nx\r\n', '0\r\nA:', ' b\r\n\r', '\n'), 200);
        assert.equal(await status(`2;a=${'x'.repeat(2_000)}\r\n4x\r\n0\r\nA: ${'x'.repeat(2_000)}\r\n\r\n`), 200);
    });
    http('takes a body of very many chunks', async () => {
        assert.equal(await status(`1\r\n4\r\n${'1\r\nx\r\n'.repeat(20_000)}0\r\n\r\n`), 200);
    });
    for (const [what, ...pieces] of [
        ['a long extension', `2;a=${long}\r\n4x\r\n0\r\n\r\n`],
        ['a long extension that does not end', `2;a=${long}`],
        ['a long extension in pieces', ...Array(6).fill('x'.repeat(1_000)).map((x, i) => (i ? x : `2;a=${x}`))],
        ['many short extensions', '1;abc=defghijkl\r\nx\r\n'.repeat(1_000)],
        ['a long extension of the last chunk', `2\r\n4x\r\n0;a=${long}\r\n\r\n`],
        ['a long trailer', `2\r\n4x\r\n0\r\nA: ${long}\r\n\r\n`],
        ['a trailer that does not end', `2\r\n4x\r\n0\r\nA: ${long}`],
        ['many trailers', `2\r\n4x\r\n0\r\n${'A: b\r\n'.repeat(1_000)}\r\n`],
        ['a size of many digits', `${'0'.repeat(5_000)}2\r\n4x\r\n0\r\n\r\n`],
        ['many sizes of many digits', `${'0'.repeat(100)}1\r\n4\r\n`.repeat(100)],
    ])
        http(`refuses ${what} with 413`, async () => assert.equal(await status(...pieces), 413));
    for (const [what, body] of [['no size', '\r\n'], ['a size that is none', 'x\r\n'], ['a negative size', '-1\r\n'],
        ['a size without end', 'ffffffffffffffffff\r\n'], ['data beyond the size', '1\r\n4x\r\n0\r\n\r\n']])
        http(`refuses a chunk with ${what}`, async () => assert.ok([400, 413].includes(await status(body))));
    http('a session whose client sent too long an extension lives on', async () => {
        const target = await open();
        assert.equal(await statusOf(server, `${head(target)}2;a=${long}\r\n`), 413);
        assert.equal((await request(server, target, { method: 'POST', body: '4still there' })).status, 200);
        assert.equal((await request(server, target)).body, '4still there');
    });
    http('a trailer is no header field', async () => {
        const target = await open();
        const trailers = `Origin: ${origin}\r\nConnection: close\r\nContent-Type: application/octet-stream\r\n`;
        const { statuses } = await answersTo(server, `${head(target)}2\r\n4x\r\n0\r\n${trailers}\r\n${get(target)}`, 2);
        assert.deepEqual(statuses, [200, 200]);
    });
    http('reads a large body in pieces', async () => {
        const target = await open();
        const body = `4${'x'.repeat(99_999)}`;
        assert.equal((await request(server, target, { method: 'POST', body })).status, 200);
        const chunked = { 'Transfer-Encoding': 'chunked' };
        assert.equal((await request(server, target, { method: 'POST', body, headers: chunked })).status, 200);
        for (let i = 0; i !== 2; ++i) assert.equal((await request(server, target)).body, body);
    });
});

describe('pages of other origins', { concurrency: 8 }, () => {
    const ask = (one, from, target = path) => request(one, target, { headers: from ? { Origin: from } : {} });
    const preflight = (one, from) => request(one, path, {
        method: 'OPTIONS',
        headers: {
            'Origin': from,
            'Access-Control-Request-Method': 'POST',
            'Access-Control-Request-Headers': 'x-token',
        },
    });
    const cors = ({ headers }) => Object.fromEntries(
        Object.entries(headers).filter(([name]) => name.startsWith('access-control-') || name === 'vary'));

    http('may all read by default, without credentials', async () => {
        assert.deepEqual(cors(await ask(server, origin)), { 'access-control-allow-origin': '*' });
        const { status, headers, ...rest } = await preflight(server, origin);
        assert.equal(status, 204);
        assert.equal(rest.body, '');
        assert.equal(headers['access-control-allow-origin'], '*');
        assert.match(headers['access-control-allow-methods'], /POST/);
        assert.equal(headers['access-control-allow-headers'], 'x-token');
        assert.equal(headers['access-control-max-age'], '600');
    });
    for (const from of [origin, 'https://other.example'])
        http(`${from} may read, with credentials`, async () => {
            const allowed = {
                'access-control-allow-origin': from, 'access-control-allow-credentials': 'true', 'vary': 'Origin',
            };
            assert.deepEqual(cors(await ask(shared, from)), allowed);
            assert.deepEqual(cors(await ask(shared, from, '/engine.io/?EIO=4&transport=abc')), allowed);
            const before = await preflight(shared, from);
            assert.equal(before.status, 204);
            assert.deepEqual(cors(before), { ...allowed,
                'vary': 'Access-Control-Request-Headers, Origin',
                'access-control-allow-methods': 'GET,POST',
                'access-control-allow-headers': 'x-token',
                'access-control-max-age': '600',
            });
        });
    const foreign = ['https://evil.example', 'null', `${origin}.evil.example`, 'http://page.example', '*', undefined];
    for (const from of foreign)
        http(`${from} may not read where it is not named`, async () => {
            assert.deepEqual(cors(await ask(shared, from)), { vary: 'Origin' });
            if (!from) return;
            const before = await preflight(shared, from);
            assert.equal(before.status, 204);
            assert.deepEqual(cors(before), { vary: 'Access-Control-Request-Headers, Origin' });
        });
    http('all pages with credentials are named one by one', async () => {
        const { headers } = await ask(open_, 'https://any.example');
        assert.equal(headers['access-control-allow-origin'], 'https://any.example');
        assert.equal(headers['access-control-allow-credentials'], 'true');
        assert.equal(headers.vary, 'Origin');
    });
});

describe('subprotocols', { concurrency: 8 }, () => {
    const target = 'ws://127.0.0.1:PORT/engine.io/?EIO=4&transport=websocket';
    for (const [offered, chosen] of [[['chat'], 'chat'], [['v2', 'v1'], 'v2'], [[], '']])
        websocket(`of ${JSON.stringify(offered)} the first one is agreed on`, async () => {
            const socket = new WebSocket(target.replace('PORT', server.port), offered);
            const [data] = await next(socket, 'message');
            assert.match(String(data), /^0/);
            assert.equal(socket.protocol, chosen);
            socket.close();
        });
    websocket('socket.io-client connects with subprotocols', async () => {
        const socket = io(socketio.url, { transports: ['websocket'], protocols: ['b', 'a'], forceNew: true });
        try {
            await next(socket, 'connect');
            assert.equal(socket.io.engine.transport.ws.protocol, 'b');
        } finally {
            socket.close();
        }
    });
    const upgrade = (lines) => get('/engine.io/?EIO=4&transport=websocket', 'Host: a\r\nConnection: Upgrade\r\n' +
        `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${lines}`);
    websocket('of several headers the first one counts', async () => {
        const offers = 'Sec-WebSocket-Protocol: a , b\r\nsec-websocket-protocol: c\r\n';
        const { text } = await answersTo(server, upgrade(offers));
        assert.match(text, /^HTTP\/1.1 101 /);
        assert.match(text, /^sec-websocket-protocol: a\r$/im);
    });
    for (const wrong of ['a b', 'a,,b', ',', 'a/b', 'a,a', ''])
        websocket(`refuses the offer ${JSON.stringify(wrong)}`, async () =>
            assert.equal(await statusOf(server, upgrade(`Sec-WebSocket-Protocol: ${wrong}\r\n`)), 400));
});

// In whatever state its connections are. Most servers wait ten seconds for such a client: all of them side by side.
describe('our servers end at the first signal', { concurrency: 14 }, () => {
    const head = 'Host: localhost\r\nContent-Length: 10\r\n\r\n4x';
    const ws = 'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
    const states = {
        'with a silent connection': () => '',
        'in the middle of a head': () => `GET ${path} HTTP/1.1\r\nA: b`,
        'in the middle of a body': (sid) => `POST ${path}&sid=${sid} HTTP/1.1\r\n${head}`,
        'with a poll that waits': (sid) => `GET ${path}&sid=${sid} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
        'with a WebSocket whose client says nothing more': () =>
            `GET ${path.replace('polling', 'websocket')} HTTP/1.1\r\n${ws}`,
        'with a WebSocket whose client reads nothing': (sid, socket) => {
            socket.pause();
            // Frames of 60,000 bytes, masked by zeros: more comes back than the system takes.
            const head = Buffer.from([0x81, 0xfe, 60_000 >> 8, 60_000 & 0xff, 0, 0, 0, 0]);
            const frame = Buffer.concat([head, Buffer.alloc(60_000, '4')]);
            socket.write(`GET ${path.replace('polling', 'websocket')} HTTP/1.1\r\n${ws}`);
            setTimeout(() => socket.write(Buffer.concat(Array(300).fill(frame))), 50);
            return '';
        },
        'with a WebSocket that is no session yet': (sid) =>
            `GET ${path.replace('polling', 'websocket')}&sid=${sid} HTTP/1.1\r\n${ws}`,
    };
    for (const [state, say] of Object.entries(states))
        for (const signal of ['SIGINT', 'SIGTERM'])
            http(`${signal} ${state}`, async () => {
                const own = await start('engineio_echo_server');
                const { body } = await request(own, path);
                const socket = net.connect({ port: own.port, host: '127.0.0.1', allowHalfOpen: true });
                socket.on('error', () => {});
                await once(socket, 'connect');
                socket.write(say(JSON.parse(body.slice(1)).sid, socket));
                await sleep(100);
                const ended = once(own.child, 'exit');
                own.child.kill(signal);
                const [code] = await Promise.race([ended, sleep(12_000).then(() => ['not at all'])]);
                socket.destroy();
                await own.kill();
                assert.equal(code, 0);
            });
});

// Our servers' HTTP and WebSocket with clients that know nothing of Engine.IO: curl, Python's requests and websockets,
// npm's ws.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import WebSocket from 'ws';
import { check, next, run, sleep, start, until } from './harness.mjs';

const server = await start('engineio_echo_server', '--cookie', 'io');
const beating = await start('engineio_echo_server', '--ping-interval', '200', '--ping-timeout', '5000');
after(() => Promise.all([server.stop(), beating.stop()]));

const path = '/engine.io/?EIO=4&transport=polling';
const limit = 1_000_000;

describe('curl', { concurrency: 8 }, () => {
    const curl = (what, body) => check('curl 7.88', 'server', 'polling', what, body);

    // Several transfers of one process, each as its arguments: a path is one at the server, and --data-binary @- gets
    // `input`.
    async function transfer(transfers, input) {
        const always = ['-sS', '--noproxy', '*', '--max-time', '20', '-w', '\x1c%{json}\x1d%{header_json}\x1c'];
        const args = transfers.map((one) => [...always, ...one.map((a) => (a[0] === '/' ? server.url + a : a))]);
        const said = await run('/usr/bin/curl', ['-q', ...args.flatMap((one) => ['--next', ...one]).slice(1)], input);
        assert.equal(said.code, 0, said.errors);
        const parts = said.output.toString().split('\x1c');
        return transfers.map((_, i) => {
            const [about, headers] = parts[2 * i + 1].split('\x1d').map((text) => JSON.parse(text));
            return {
                status: about.http_code, connects: about.num_connects, version: about.http_version,
                uploaded: about.size_upload, headers, body: parts[2 * i], errors: said.errors,
            };
        });
    }
    async function open() {
        const [{ body }] = await transfer([[path]]);
        return `${path}&sid=${JSON.parse(body.slice(1)).sid}`;
    }
    const picked = (answers, ...keys) => answers.map((answer) => keys.map((key) => answer[key]));

    curl('posts and polls go over one connection', async () => {
        const target = await open();
        const post = (data) => ['-d', data, target];
        const answers = await transfer([post('4a'), post('4b'), [target], post('4c'), [target], ['/other'], [path]]);
        assert.deepEqual(picked(answers.slice(0, 6), 'status', 'connects', 'body'), [[200, 1, 'ok'], [200, 0, 'ok'],
            [200, 0, '4a\x1e4b'], [200, 0, 'ok'], [200, 0, '4c'], [404, 0, '']]);
        assert.deepEqual(picked(answers.slice(6), 'status', 'connects'), [[200, 0]]);
    });
    curl('HEAD has no body, and the connection lives on', async () => {
        const answers = await transfer([['-I', path], ['-I', '/other'], [path]]);
        assert.deepEqual(picked(answers, 'status', 'connects'), [[400, 1], [404, 0], [200, 0]]);
        assert.notEqual(answers[0].headers['content-length'][0], '0');
    });
    curl('OPTIONS asks whether a page may post', async () => {
        const asks = ['-H', 'Origin: https://a.example', '-H', 'Access-Control-Request-Method: POST',
            '-H', 'Access-Control-Request-Headers: x-token'];
        const answers = await transfer([['-X', 'OPTIONS', ...asks, path], ['-H', 'Origin: https://a.example', path]]);
        assert.deepEqual(picked(answers, 'status', 'connects'), [[204, 1], [200, 0]]);
        assert.match(answers[0].headers['access-control-allow-methods'][0], /POST/);
        assert.deepEqual(answers[0].headers['access-control-allow-headers'], ['x-token']);
        for (const { headers } of answers) assert.deepEqual(headers['access-control-allow-origin'], ['*']);
    });
    curl('other methods are refused, and the connection lives on', async () => {
        const target = await open();
        const answers = await transfer([['-X', 'DELETE', target], ['-X', 'PUT', '-d', '4x', target], [path]]);
        assert.deepEqual(picked(answers, 'status', 'connects'), [[400, 1], [400, 0], [200, 0]]);
    });

    // What the server gives back must be the whole body.
    for (const [what, ...args] of [
        ['a body with Expect: 100-continue', '-v', '-H', 'Expect: 100-continue', '--expect100-timeout', '60'],
        ['a chunked body', '-H', 'Transfer-Encoding: chunked'],
        ['a chunked body with Expect: 100-continue', '-v', '-H', 'Transfer-Encoding: chunked',
            '-H', 'Expect: 100-continue', '--expect100-timeout', '60'],
    ])
        curl(`uploads ${what}`, async () => {
            const target = await open();
            const body = `4${'x'.repeat(limit - 1)}`;
            const answers = await transfer([[...args, '--data-binary', '@-', target], [target]], body);
            assert.deepEqual(picked(answers, 'status', 'connects'), [[200, 1], [200, 0]]);
            assert.ok(answers[0].uploaded >= limit);
            assert.ok(answers[1].body === body);
            if (args[0] === '-v') assert.match(answers[0].errors, /^< HTTP\/1.1 100 Continue/m);
        });
    for (const [what, most, ...args] of [
        ['a body over the limit', limit * 20, '-H', 'Expect:'],
        ['a body over the limit with Expect: 100-continue, of which nothing is sent', 0, '-H', 'Expect: 100-continue',
            '--expect100-timeout', '60'],
        ['a chunked body over the limit', limit * 20, '-H', 'Expect:', '-H', 'Transfer-Encoding: chunked'],
    ])
        curl(`reads 413 for ${what}`, async () => {
            const target = await open();
            const upload = [...args, '--data-binary', '@-', target];
            const answers = await transfer([upload, ['-d', '4fits', target], [target]], Buffer.alloc(limit * 20, '4'));
            assert.deepEqual(picked(answers, 'status', 'connects'), [[413, 1], [200, 1], [200, 0]]);
            assert.equal(answers[2].body, '4fits');
            assert.ok(answers[0].uploaded <= most, String(answers[0].uploaded));
        });

    curl('HTTP/1.0 closes after the answer, or asks for more', async () => {
        const kept = ['-0', '-H', 'Connection: keep-alive', path];
        const answers = await transfer([['-0', path], kept, kept, ['-0', '-d', '4x', await open()]]);
        assert.deepEqual(picked(answers, 'status', 'connects'), [[200, 1], [200, 1], [200, 0], [200, 0]]);
        for (const { body } of answers.slice(0, 3)) assert.match(body, /^0\{"sid":/);
        assert.equal(answers[3].body, 'ok');
    });
    curl('HTTP/2 that is asked for in clear is not spoken', async () => {
        const answers = await transfer([['--http2', path], ['--http2', '-d', '4x', await open()]]);
        assert.deepEqual(picked(answers, 'status', 'connects', 'version'), [[200, 1, '1.1'], [200, 0, '1.1']]);
    });
    curl('HTTP/2 that is not asked for is refused', async () => {
        const args = ['-q', '-sS', '--noproxy', '*', '--max-time', '20', '--http2-prior-knowledge', server.url + path];
        const { code } = await run('/usr/bin/curl', args);
        assert.ok(code !== 0 && code !== 28, `exit code ${code}`); // and it is told at once
    });
    curl('50 transfers beside each other', async () => {
        const args = ['-q', '-sS', '--noproxy', '*', '-Z', '--parallel-immediate', '--parallel-max', '50',
            '-w', '%{http_code}\n', '-o', '/dev/null', `${server.url}${path}&t=[1-50]`];
        const { code, output } = await run('/usr/bin/curl', args);
        assert.equal(code, 0);
        assert.equal(output.toString(), '200\n'.repeat(50));
    });
});

// Runs a step of one of peers/*.py, and gives what it has printed.
async function ask(script, url, step) {
    const { code, output, errors } = await run(script, [url, step]);
    assert.equal(code, 0, errors);
    return JSON.parse(output);
}

describe('requests', { concurrency: 3 }, () => {
    const requests = (what, step, holds) => check('requests 2.28', 'server', 'polling', what, async () =>
        holds(await ask('peers/requests_client.py', `${server.url}/engine.io/`, step)));
    const numbers = Array.from({ length: 100 }, (_, i) => `4${i}`);

    requests('100 posts and their polls go over one connection', 'one_connection', (said) =>
        assert.deepEqual(said, { answers: Array(100).fill('ok'), polled: numbers, connections: 1 }));
    requests('the cookie of the handshake comes back', 'cookies', (said) => assert.deepEqual(said, {
        'set': `io=${said.sid}; Path=/; HttpOnly; SameSite=Lax`, 'jar': { io: said.sid }, 'sent': `io=${said.sid}`,
        'set again': null, 'sid': said.sid,
    }));
    requests('a poll waits for what a second connection posts', 'long_poll', (said) =>
        assert.deepEqual(said, { order: ['post', '4at last'], connections: 2 }));
    requests('posts text, base64 and a body in chunks', 'bodies', (said) =>
        assert.deepEqual(said, { statuses: [200, 200, 200], polled: '4in chunks\x1e4€\x1ebAQID' }));
    requests('reads 413 after bodies over the limit, and the session lives on', 'too_large', (said) =>
        assert.deepEqual(said, { statuses: [413, 413, 200], polled: '4fits' }));
    requests('who gives up a poll has lost the session', 'gives_up', (said) =>
        assert.deepEqual(said, { error: 'ReadTimeout', next: 400 }));
});

describe('websockets', { concurrency: 3 }, () => {
    const websockets = (what, step, wanted, { port } = server) =>
        check('websockets 10.4', 'server', 'websocket', what, async () => {
            const url = `ws://127.0.0.1:${port}/engine.io/?EIO=4&transport=websocket`;
            assert.deepEqual(await ask('peers/websockets_client.py', url, step), wanted);
        });
    websockets('compression that is offered is not agreed on', 'echo',
        { echoes: ['4hello', '4€', '010203'], extensions: 0 });
    websockets('stays open through heartbeats', 'heartbeat', { pings: ['2', '2', '2'] }, beating);
    websockets('pings come back with their payload', 'pings', { pongs: 3 });
    websockets('messages in fragments', 'fragments',
        { echoes: ['4ab', '0102', '4slowly', `4${'x'.repeat(2000)}`] });
    websockets('its close code 4001 comes back', 'close', { code: 4001 });
    websockets('closes after a close packet', 'close_packet', { code: 1000, reason: '' });
    websockets('a message over the limit is answered by 1009', 'too_large',
        { code: 1009, reason: '' });
    websockets('text that is not UTF-8 is answered by 1007', 'not_text',
        { code: 1007, reason: '' });
    websockets('the first subprotocol is agreed on', 'subprotocols', { subprotocol: 'v2' });
});

describe('ws', { concurrency: 8 }, () => {
    // A client after the handshake: `messages` are those that came, `ended` resolves to code and reason.
    async function open(options) {
        const socket = new WebSocket(`ws://127.0.0.1:${server.port}/engine.io/?EIO=4&transport=websocket`, options);
        socket.on('error', () => {}); // 'close' follows
        const ended = new Promise((resolve) => {
            socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
        });
        const messages = [];
        socket.on('message', (data, isBinary) => messages.push(isBinary ? data : data.toString()));
        await until(() => messages.length > 0);
        const { sid } = JSON.parse(messages.shift().slice(1));
        return { socket, messages, ended, sid };
    }
    const ws = (what, body, options) => check('ws 8.23', 'server', 'websocket', what, async () => {
        const client = await open(options);
        try {
            await body(client);
        } finally {
            client.socket.terminate();
        }
    });

    ws('messages in fragments, with pings between', async ({ socket, messages }) => {
        const pongs = [];
        socket.on('pong', (data) => pongs.push(data.toString()));
        socket.send('4a', { fin: false });
        socket.ping('between');
        await until(() => pongs.length === 1);
        socket.send('', { fin: false });
        socket.send('b', { fin: true });
        socket.send(Buffer.from([1]), { fin: false });
        socket.send(Buffer.from([2]), { fin: true });
        const euro = Buffer.from('€');
        socket.send(Buffer.from('4'), { fin: false, binary: false });
        for (let i = 0; i !== 3; ++i) socket.send(euro.subarray(i, i + 1), { fin: i === 2 });
        await until(() => messages.length === 3);
        assert.deepEqual(messages, ['4ab', Buffer.from([1, 2]), '4€']);
        assert.deepEqual(pongs, ['between']);
    });
    ws('pings of any payload come back', async ({ socket }) => {
        for (const payload of [Buffer.alloc(0), Buffer.from([0, 255]), Buffer.alloc(125, 7)]) {
            socket.ping(payload);
            assert.deepEqual(await next(socket, 'pong'), [payload]);
        }
    });
    ws('in a flood of pings messages come through, the last one is answered', async ({ socket, messages }) => {
        let last;
        socket.on('pong', (data) => { last = Number(data); });
        for (let i = 1; i <= 5_000; ++i) socket.ping(String(i));
        socket.send('4after');
        await until(() => messages.length === 1 && last === 5_000);
    });
    for (const code of [1000, 1001, 1003, 1011, 3000, 4999])
        ws(`its close code ${code} comes back`, async ({ socket, ended }) => {
            socket.close(code, 'because');
            assert.deepEqual(await ended, { code, reason: '' });
        });
    ws('a close frame without a code is answered by 1000', async ({ socket, ended }) => {
        socket.close();
        assert.deepEqual(await ended, { code: 1000, reason: '' });
    });
    ws('what was sent before a close frame comes back', async ({ socket, messages, ended }) => {
        for (let i = 0; i !== 100; ++i) socket.send(`4${i}`);
        await until(() => messages.length === 100);
        socket.close(1000);
        assert.equal((await ended).code, 1000);
    });
    ws('permessage-deflate that is offered is not agreed on', async ({ socket, messages }) => {
        assert.equal(socket.extensions, '');
        const long = `4${'a'.repeat(50_000)}`;
        socket.send(long);
        await until(() => messages.length === 1);
        assert.ok(messages[0] === long);
    }, { perMessageDeflate: { threshold: 0 } });
    ws('messages up to the limit', async ({ socket, messages }) => {
        const text = `4${'€'.repeat(333_333)}`; // with the type 1,000,000 bytes
        const binary = Buffer.alloc(limit, 0xa5);
        socket.send(text);
        socket.send(binary);
        await until(() => messages.length === 2);
        assert.ok(messages[0] === text && messages[1].equals(binary));
    });
    for (const [what, send] of [
        ['one frame', (socket) => socket.send(Buffer.alloc(limit + 1))],
        ['text', (socket) => socket.send(`4${'x'.repeat(limit)}`)],
        ['fragments', (socket) => {
            for (let i = 0; i !== 101; ++i) socket.send(Buffer.alloc(10_000), { fin: i === 100 });
        }],
    ])
        ws(`more than that in ${what} is answered by 1009`, async ({ socket, ended }) => {
            send(socket);
            assert.equal((await ended).code, 1009);
        });
    ws('text that is not UTF-8 is answered by 1007, also in a message that does not end', async ({ socket, ended }) => {
        socket.send(Buffer.from([0x34, 0xc0]), { binary: false, fin: false });
        assert.equal((await ended).code, 1007);
    });
    ws('a client with a limit of its own closes by 1009', async ({ socket, ended, sid }) => {
        socket.send('4'.repeat(2_000));
        assert.equal((await ended).code, 1006); // what it has not heard
        await forgotten(sid);
    }, { maxPayload: 1_000 });
    ws('a client that goes without a word is forgotten', async ({ socket, sid }) => {
        socket.terminate();
        await forgotten(sid);
    });
    ws('a client that does not read for a while gets all', async ({ socket, messages }) => {
        socket.pause();
        for (let i = 0; i !== 20; ++i) socket.send(Buffer.alloc(500_000, i));
        await sleep(300);
        assert.equal(messages.length, 0);
        socket.resume();
        await until(() => messages.length === 20);
        messages.forEach((message, i) => assert.ok(message.equals(Buffer.alloc(500_000, i))));
    });
    ws('10,000 messages come back in their order', async ({ socket, messages }) => {
        for (let i = 0; i !== 10_000; ++i) socket.send(`4${i}`);
        await until(() => messages.length === 10_000);
        assert.ok(messages.every((message, i) => message === `4${i}`));
    });

    async function forgotten(sid) {
        for (;; await sleep(10)) {
            const body = await (await fetch(`${server.url}${path}&sid=${sid}`)).text();
            if (body.includes('Session ID unknown')) return;
        }
    }
});

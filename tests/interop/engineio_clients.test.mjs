// Engine.IO alone: the client of npm, and plain HTTP for misbehaviour that no client has, with engineio_echo_server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, describe } from 'node:test';
import { Socket } from 'engine.io-client';
import { collect, gone, heard, isOurs, serveEngine, transports } from './clients.mjs';
import { check, sleep, until } from './harness.mjs';
import { relay } from './relay.mjs';
import { bytes, numbers } from './values.mjs';

const server = await serveEngine('--max-payload', '2000000');
const beating = await serveEngine('--ping-interval', '300', '--ping-timeout', '1000', '--max-payload', '10000');
after(() => Promise.all([server.stop(), beating.stop()]));

function each(what, body, over = Object.keys(transports)) {
    for (const transport of over)
        check('engine.io-client 6.6.8', 'server', transport, what, async () => {
            const ends = [];
            const dial = (url) => {
                const socket = new Socket(url, { transports: transports[transport] });
                ends.push(() => socket.close());
                return socket;
            };
            const connect = async (url) => {
                const socket = dial(url);
                await heard(socket, 'open');
                await until(() => socket.transport.name === transports[transport].at(-1));
                return socket;
            };
            try {
                await body({ transport, dial, connect, finally: (end) => ends.push(end) });
            } finally {
                for (const end of ends) end();
            }
        });
}

each('echoes text', async (their) => {
    const socket = await their.connect(server.url);
    const got = collect(socket, 'message');
    const sent = ['', 'text', 'ä€😀', '\0\n\u2028', '4', '2probe', '[1,2]', 'x'.repeat(1_000_000)];
    for (const text of sent) socket.send(text);
    await until(() => got.length === sent.length);
    assert.deepEqual(got.map(([text = '']) => text), sent); // over polling the client says undefined for no text
});

each('echoes binaries to 1 MB', async (their) => {
    const socket = await their.connect(server.url);
    const got = collect(socket, 'message');
    const sent = [0, 1, 2, 3, 125, 126, 65_535, 65_536, 1_000_000].map(bytes);
    for (const data of sent) socket.send(data);
    await until(() => got.length === sent.length);
    assert.deepEqual(got.flat(), sent);
});

each('1,000 messages at once, both ways, in order', async (their) => {
    const socket = await their.connect(server.url);
    const got = collect(socket, 'message');
    const sent = numbers(1000).map((i) => (i % 10 ? `text ${i}` : bytes(i)));
    for (const data of sent) socket.send(data);
    await until(() => got.length === 1000);
    assert.deepEqual(got.flat(), sent);
});

each('upgrades under traffic', async (their) => {
    const slow = await relay(server.port, 5);
    their.finally(slow.close);
    await Promise.all(numbers(3).map(async () => {
        const socket = their.dial(slow.url);
        const got = collect(socket, 'message');
        await heard(socket, 'open');
        assert.equal(socket.transport.name, 'polling');
        const sent = [];
        for (let left = 100; left > 0; await sleep(1)) {
            sent.push(sent.length % 3 ? `text ${sent.length}` : bytes(sent.length));
            socket.send(sent.at(-1));
            if (socket.transport.name === 'websocket') --left;
        }
        await until(() => got.length === sent.length);
        assert.deepEqual(got.flat(), sent);
    }));
}, ['upgrade']);

describe('failures', { concurrency: 4 }, () => {
    each('stays connected through heartbeats', async (their) => {
        const socket = await their.connect(beating.url);
        const closed = collect(socket, 'close');
        const pings = collect(socket, 'ping');
        await until(() => pings.length >= 6);
        socket.send('still there');
        assert.deepEqual(await heard(socket, 'message'), ['still there']);
        assert.deepEqual(closed, []);
    });

    each('a frozen server is noticed', async (their) => {
        const own = await serveEngine('--ping-interval', '200', '--ping-timeout', '300');
        their.finally(own.kill);
        const socket = await their.connect(own.url);
        own.freeze();
        const [reason] = await heard(socket, 'close');
        assert.equal(reason, 'ping timeout');
    });

    each('the server closes: clients are told, it ends', async (their) => {
        const own = await serveEngine();
        their.finally(own.kill);
        const socket = await their.connect(own.url);
        const closed = heard(socket, 'close');
        assert.equal(await own.stop(), 0);
        const [reason] = await closed;
        assert.equal(reason, 'transport close');
    }, isOurs ? undefined : ['websocket', 'upgrade']); // which does not wait for the next poll

    each('the client closes: the server forgets its session', async (their) => {
        const socket = await their.connect(server.url);
        const session = { id: socket.id, transport: socket.transport.name };
        socket.close();
        await gone(path(server), session);
    });

    each('a message over the limit costs its sender the connection, nobody else', async (their) => {
        const [socket, other] = await Promise.all([their.connect(beating.url), their.connect(beating.url)]);
        const closed = heard(socket, 'close');
        socket.send('x'.repeat(20_000));
        await closed;
        other.send('still there');
        assert.deepEqual(await heard(other, 'message'), ['still there']);
    });
});

// Plain HTTP.

const path = ({ url }) => `${url}/engine.io/`;
const http = (what, body) => check('plain HTTP', 'server', 'polling', what, body);

async function open() {
    const target = `${path(beating)}?EIO=4&transport=polling`;
    const answer = await fetch(target);
    const { sid } = JSON.parse((await answer.text()).slice(1));
    return `${target}&sid=${sid}`;
}
const post = (target, body) => fetch(target, { method: 'POST', body });

// Polls until a message comes, and answers pings.
async function poll(target) {
    for (;;) {
        const answer = await fetch(target);
        assert.equal(answer.status, 200);
        const packets = (await answer.text()).split('\x1e');
        if (packets.includes('2')) await post(target, '3');
        const message = packets.find((packet) => packet.startsWith('4'));
        if (message) return message;
    }
}

// The answer to a request that is never sent to its end.
async function answerTo(text) {
    const socket = net.connect(beating.port, '127.0.0.1');
    socket.write(text);
    const [answer] = await once(socket, 'data');
    socket.destroy();
    return String(answer).split('\r\n')[0];
}

http('a body over the limit is answered 413, the session lives on', async () => {
    const target = await open();
    const answer = await post(target, `4${'x'.repeat(20_000)}`);
    assert.equal(answer.status, 413);
    assert.equal((await post(target, '4still there')).status, 200);
    assert.equal(await poll(target), '4still there');
});

if (isOurs) http('a body over the limit is answered 413 before it is sent', async () => {
    const { pathname, search } = new URL(await open());
    const head = `POST ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n`;
    assert.match(await answerTo(`${head}Content-Length: 1000000000\r\n\r\n4`), /^HTTP\/1.1 413 /);
    assert.match(await answerTo(`${head}Transfer-Encoding: chunked\r\n\r\n4000\r\n${'x'.repeat(0x4000)}\r\n`),
        /^HTTP\/1.1 413 /);
});

http('overlapping polls close the session', async () => {
    const target = await open();
    await post(target, '3'); // so that the poll below is there already: one connection, in order
    const first = fetch(target);
    await sleep(100);
    const second = await fetch(target);
    assert.equal(second.status, 400);
    await first;
    const { code } = await (await fetch(target)).json();
    assert.equal(code, 1); // session ID unknown
});

http('a poll that is given up closes the session', async () => {
    const target = await open();
    const giveUp = new AbortController();
    const poll = fetch(target, { signal: giveUp.signal });
    await sleep(100);
    giveUp.abort();
    await assert.rejects(poll);
    await gone(path(beating), { id: new URL(target).searchParams.get('sid'), transport: 'polling' });
});

http('what is no request is told so', async () => {
    assert.match(await answerTo('what?\r\n\r\n'), /^HTTP\/1.1 400 /);
    assert.match(await answerTo(`GET / HTTP/1.1\r\nA: ${'a'.repeat(100_000)}\r\n\r\n`), /^HTTP\/1.1 431 /);
});

http('a body that waits to be asked for is asked for', async () => {
    const { pathname, search } = new URL(await open());
    const head = `POST ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n`;
    assert.match(await answerTo(`${head}Expect: 100-continue\r\n\r\n`), /^HTTP\/1.1 100 /);
});

http('HEAD is answered by a head alone', async () => {
    const socket = net.connect(beating.port, '127.0.0.1');
    const { pathname, search } = new URL(await open());
    socket.write(`HEAD ${pathname}${search} HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    let answers = '';
    socket.on('data', (chunk) => { answers += chunk; });
    await until(() => answers.includes('404'));
    socket.destroy();
    assert.match(answers, /^HTTP\/1.1 400 [^]*\r\n\r\nHTTP\/1.1 404 /); // nothing between them
    assert.doesNotMatch(answers, /code/);
});

if (isOurs) http('a server that closes does not wait long for a client that keeps its connection', async () => {
    const own = await serveEngine();
    const socket = net.connect({ port: own.port, host: '127.0.0.1', allowHalfOpen: true });
    let answers = '';
    socket.on('data', (chunk) => { answers += chunk; });
    const request = (sid) => socket.write(`GET /engine.io/?EIO=4&transport=polling${sid} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    request('');
    await until(() => answers.includes('"sid"'));
    request(`&sid=${/"sid":"([^"]+)/.exec(answers)[1]}`);
    await sleep(100);
    assert.equal(await own.stop(), 0); // a test has less than the minute that a request may take
    socket.destroy();
});

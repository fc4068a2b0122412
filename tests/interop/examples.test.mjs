// The programs of tests/examples with the peers that their readers have.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { Server } from 'socket.io';
import { io as dial } from 'socket.io-client';
import { Decoder, Encoder } from 'socket.io-parser';
import { certify } from './certificates.mjs';
import { ask, collect, each, heard, modern } from './clients.mjs';
import { bin, check, freePort, launch, listening, next, sleep, startExample as serve, until } from './harness.mjs';
import './tcp_transport.mjs';

const named = certify('IP:127.0.0.1');
const localhost = certify('DNS:localhost');

// A program, and what it says line by line. It trusts the certificate in the file `authority`.
const run = (program, ...args) => watch(launch(program, args));
const runTrusting = (authority, program, ...args) =>
    watch(launch(program, args, { env: { ...process.env, SSL_CERT_FILE: authority } }));

function watch(child) {
    const lines = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    return { child, lines, ended: once(child, 'exit').then(([code, signal]) => code ?? signal) };
}

async function chat(their, server) {
    their.finally(server.kill);
    const ada = their.dial(server.url);
    const hello = await heard(ada, 'hello');
    assert.deepEqual(hello, ['welcome', 1]);
    const bob = await their.connect(server.url);
    const [toAda, toBob] = [ada, bob].map((socket) => collect(socket, 'said'));
    assert.deepEqual(await ask(ada, 'say', 'hello ä'), ['ok']);
    const [refused] = await ask(ada, 'say', 1);
    assert.match(refused, /./);
    assert.notEqual(refused, 'ok');
    assert.deepEqual(await ask(bob, 'say', 'hi'), ['ok']);
    await until(() => toAda.length && toBob.length);
    assert.deepEqual([toAda, toBob], [[[bob.id, 'hi']], [[ada.id, 'hello ä']]]);
    return [ada, bob];
}

each('beast_server: hello, say, said, acknowledgements', async (their) => {
    const server = await serve('beast_server');
    await chat(their, server);
    assert.equal(await server.stop(), 0);
}, { of: [modern] });

for (const program of ['poll_server', 'epoll_server', 'asio_server', 'uv_server', 'qt_server'])
    each(`${program}: hello, say, said, long messages, a client that is lost`, async (their) => {
        const server = await serve(program);
        const [ada, bob] = await chat(their, server);
        const said = collect(bob, 'said');
        const long = 'ä'.repeat(400_000);
        for (let i = 0; i < 3; ++i) ada.emit('say', long);
        assert.deepEqual(await ask(ada, 'say', 'bye'), ['ok']);
        await until(() => said.length === 4);
        assert.deepEqual(said, [long, long, long, 'bye'].map((text) => [ada.id, text]));
        bob.disconnect();
        const eve = their.dial(server.url);
        assert.deepEqual(await heard(eve, 'hello'), ['welcome', 2]);
        assert.equal((await fetch(server.url)).status, 404);
    }, { of: [modern] });

for (const [program, transport] of ['asio_server', 'qt_server'].flatMap((p) => [[p, 'polling'], [p, 'websocket']]))
    check('socket.io-client 4.8.4', 'server', transport, `${program}: hello, say, said, over TLS`, async (test) => {
        const server = await serve(program, named.cert, named.key);
        test.after(server.kill);
        const connect = async () => {
            const socket = dial(`https://127.0.0.1:${server.port}`,
                { ca: readFileSync(named.cert), transports: [transport], forceNew: true, reconnection: false });
            test.after(() => socket.disconnect());
            await heard(socket, 'hello');
            return socket;
        };
        const [ada, bob] = [await connect(), await connect()];
        const said = collect(bob, 'said');
        const long = 'ä'.repeat(400_000);
        assert.deepEqual(await ask(ada, 'say', long), ['ok']);
        ada.disconnect();
        assert.deepEqual(await ask(await connect(), 'say', 'bye'), ['ok']);
        await until(() => said.length === 2);
        assert.deepEqual(said.map(([, text]) => text), [long, 'bye']);
        // Others that do not speak TLS, or go at once, do it no harm.
        await assert.rejects(fetch(`http://127.0.0.1:${server.port}`));
        assert.deepEqual(await ask(bob, 'say', 'still there?'), ['ok']);
    });

each('lws_server: hello, say, said, long messages, a client that is lost', async (their) => {
    const server = await serve('lws_server');
    const [ada, bob] = await chat(their, server);
    const said = collect(bob, 'said');
    const long = 'ä'.repeat(400_000);
    for (let i = 0; i < 3; ++i) ada.emit('say', long);
    assert.deepEqual(await ask(ada, 'say', 'bye'), ['ok']);
    await until(() => said.length === 4);
    assert.deepEqual(said, [long, long, long, 'bye'].map((text) => [ada.id, text]));
    const ended = heard(ada, 'disconnect');
    ada.emit('say', 'ä'.repeat(600_000)); // over the limit
    assert.deepEqual((await ended)[0], 'transport close');
    await heard(ada, 'connect');
    assert.deepEqual(await ask(ada, 'say', 'again'), ['ok']);
    await until(() => said.length === 5);
    bob.disconnect();
    const eve = their.dial(server.url);
    assert.deepEqual(await heard(eve, 'hello'), ['welcome', 2]);
    for (const path of ['/', '/socket.io/?EIO=4&transport=polling'])
        assert.equal((await fetch(server.url + path)).status, 404);
}, { of: [modern], over: ['websocket'] });

// A server that answers, and disconnects once the client has the best transport.
function serveChat(io) {
    io.on('connection', (socket) => {
        assert.deepEqual(socket.handshake.auth, { token: 'abc' });
        socket.on('say', async (text, answer) => {
            answer('ok');
            await until(() => socket.conn.transport.name !== 'polling');
            socket.emit('said', 'Bob', `${text} to you`);
            socket.disconnect();
        });
    });
}
const theirTalk = ['connected', 'answer: ok', 'Bob: hello to you', 'disconnected: io server disconnect'];

const clients = ['poll_client', 'asio_client', 'uv_client', 'qt_client'];

for (const program of clients)
    check('socket.io 4.8.4', 'client', 'upgrade', `${program}: say, said, until it is disconnected`, async () => {
        const io = new Server(0);
        serveChat(io);
        const client = run(program, `http://127.0.0.1:${io.httpServer.address().port}`, 'hello');
        assert.equal(await client.ended, 0);
        assert.deepEqual(client.lines, theirTalk);
        io.close();
    });

// A server over TLS. `names` are those by which its clients call it.
async function serveSecurely(test, { cert, key }) {
    const http = createHttpsServer({ cert: readFileSync(cert), key: readFileSync(key) }).listen(0);
    const names = [];
    http.on('secureConnection', (socket) => names.push(socket.servername));
    const io = new Server(http);
    serveChat(io);
    test.after(() => io.close());
    await once(http, 'listening');
    return { names, port: http.address().port };
}

for (const program of ['asio_client', 'qt_client'])
    check('socket.io 4.8.4', 'client', 'upgrade', `${program}: over TLS, to a name and to an address`, async (test) => {
        for (const [certificate, host, name] of [[localhost, 'localhost', 'localhost'], [named, '127.0.0.1', false]]) {
            const { names, port } = await serveSecurely(test, certificate);
            const client = runTrusting(certificate.cert, program, `https://${host}:${port}`, 'hello');
            assert.equal(await client.ended, 0);
            assert.deepEqual(client.lines, theirTalk);
            assert.ok(names.length > 1 && names.every((n) => n === name), `${names}`);
        }
    });

check('socket.io 4.8.4', 'client', 'polling', 'asio_client, qt_client: no connection without a good certificate', async (test) => {
    const { port } = await serveSecurely(test, named);
    const others = [
        runTrusting(named.cert, 'asio_client', `https://localhost:${port}`), // it has another name
        run('asio_client', `https://127.0.0.1:${port}`), // its authority is unknown
        run('qt_client', `https://127.0.0.1:${port}`),
        runTrusting(named.cert, 'qt_client', `https://localhost:${port}`),
    ];
    await until(() => others.every(({ lines }) => lines.length > 1));
    for (const { child, lines } of others) {
        child.kill('SIGKILL');
        assert.match(lines[0], /^no connection: /);
        assert.match(lines[1], /^no connection: /);
    }
});

async function talk(server, ada, bob) {
    await until(() => ada.lines.includes('answer: ok'));
    const eve = bob();
    await until(() => ada.lines.some((line) => line.endsWith(': hi')));
    await server.kill();
    await until(() => ada.lines.some((line) => line.startsWith('disconnected: transport')));
    for (const { child } of [ada, eve]) child.kill('SIGKILL');
}

for (const [program, client] of [
    ['poll_server', 'poll_client'], ['asio_server', 'uv_client'], ['uv_server', 'qt_client'],
    ['qt_server', 'asio_client'],
])
    check('socketless', 'client', 'upgrade', `${client} and ${program} talk`, async () => {
        const server = await serve(program);
        await talk(server, run(client, server.url, 'hello'), () => run(client, server.url, 'hi'));
    });

for (const [program, client] of [['asio_server', 'asio_client'], ['qt_server', 'qt_client']])
    check('socketless', 'client', 'upgrade', `${client} and ${program} talk over TLS`, async () => {
        const server = await serve(program, named.cert, named.key);
        const say = (text) => runTrusting(named.cert, client, `https://127.0.0.1:${server.port}`, text);
        await talk(server, say('hello'), () => say('hi'));
    });

// A name has several addresses: the server has one of them.
for (const program of clients)
    check('socket.io 4.8.4', 'client', 'upgrade', `${program}: to localhost`, async () => {
        const io = new Server();
        const http = createServer().listen(0, '127.0.0.1');
        await once(http, 'listening');
        io.attach(http);
        serveChat(io);
        const client = run(program, `http://localhost:${http.address().port}`, 'hello');
        assert.equal(await client.ended, 0);
        assert.deepEqual(client.lines.filter((line) => !line.startsWith('no connection')), theirTalk);
        io.close();
    });

// A client that has no descriptor waits, and is taken when there are some again.
for (const program of ['poll_server', 'epoll_server', 'asio_server', 'uv_server', 'qt_server'])
    check('socket.io-client 4.8.4', 'server', 'websocket', `${program}: too many connections`, async (test) => {
        const port = await freePort();
        const server = await listening(program, launch('/bin/sh', ['-c', `ulimit -n 30; exec "${bin}/${program}" ${port}`]));
        test.after(server.kill);
        const sockets = Array.from({ length: 40 }, () => connect(port, '127.0.0.1').on('error', () => {}));
        const ada = dial(server.url, { transports: ['websocket'], forceNew: true });
        test.after(() => ada.disconnect());
        await sleep(1000);
        sockets.forEach((socket) => socket.destroy());
        assert.deepEqual(await ask(ada, 'say', 'hello'), ['ok']);
        const spent = readFileSync(`/proc/${server.child.pid}/stat`, 'latin1').split(' ').slice(13, 15).map(Number);
        assert.ok(spent[0] + spent[1] < 60, `${spent} ticks of 10 ms`); // it has not been busy
    });

async function fuzz(url) {
    const fuzzer = run('packet_fuzzer', url, '500');
    assert.equal(await fuzzer.ended, 0, fuzzer.lines.join('\n'));
    const [, refused, taken] = /^(\d+) refused, (\d+) taken$/.exec(fuzzer.lines[0]).map(Number);
    assert.equal(refused + taken, 500);
    assert.ok(refused > 100 && taken > 10, fuzzer.lines[0]);
}

check('socket.io-client 4.8.4', 'server', 'stream', 'stream_server: say, said, a client that is lost', async (test) => {
    const server = await serve('stream_server');
    test.after(server.kill);
    const connect = async () => {
        const socket = dial(server.url, { transports: ['webtransport'], forceNew: true, reconnection: false });
        test.after(() => socket.disconnect());
        await heard(socket, 'hello');
        return socket;
    };
    const [ada, bob, eve] = [await connect(), await connect(), await connect()];
    const said = collect(bob, 'said');
    const long = 'ä'.repeat(400_000);
    assert.deepEqual(await ask(ada, 'say', long), ['ok']);
    assert.deepEqual(await ask(ada, 'say', 'bye'), ['ok']);
    await until(() => said.length === 2);
    assert.deepEqual(said, [[ada.id, long], [ada.id, 'bye']]);
    eve.io.engine.transport.close(); // without a word
    ada.disconnect();
    assert.deepEqual(await ask(await connect(), 'say', 'still there?'), ['ok']);
    await until(() => said.length === 3);
});

check('socket.io 4.8.4', 'client', 'websocket', 'packet_fuzzer: the server lives on', async () => {
    const io = new Server(0);
    await fuzz(`http://127.0.0.1:${io.httpServer.address().port}`);
    io.close();
});

check('socketless', 'client', 'websocket', 'packet_fuzzer: the server lives on', async () => {
    const server = await serve('poll_server');
    await fuzz(server.url);
    assert.equal(server.child.exitCode, null);
    await server.kill();
});

check('socketless', 'client', 'socketpair', 'own_transport: two processes', async () => {
    const both = run('own_transport');
    assert.equal(await both.ended, 0);
    assert.deepEqual(both.lines, ['echo: hello']);
});

check('socket.io-parser 4.2.7', 'server', 'socketpair', 'own_transport: connect, binary events, acknowledgements', async () => {
    const child = launch('own_transport', ['3'], { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    const ended = once(child, 'exit');
    const socket = child.stdio[3];
    const decoder = new Decoder();
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk) => {
        bytes = Buffer.concat([bytes, chunk]);
        for (let size; bytes.length >= 5 && bytes.length >= 5 + (size = bytes.readUInt32LE()); bytes = bytes.subarray(5 + size)) {
            const message = bytes.subarray(5, 5 + size);
            decoder.add(bytes[4] ? message : message.toString());
        }
    });
    const send = (packet) => {
        for (const message of new Encoder().encode({ nsp: '/', ...packet })) {
            const head = Buffer.alloc(5);
            head.writeUInt32LE(Buffer.byteLength(message));
            head[4] = typeof message === 'string' ? 0 : 1;
            socket.write(Buffer.concat([head, Buffer.from(message)]));
        }
    };
    const hear = async () => (await next(decoder, 'decoded'))[0];

    let answer = hear();
    send({ type: 0 });
    assert.match((await answer).data.sid, /^[\w-]{20}$/);
    const args = ['ä', { deep: [Buffer.from([1, 2, 3]), Buffer.alloc(70_000)] }, null];
    answer = hear();
    send({ type: 2, id: 7, data: ['say', ...args] });
    const { type, id, data } = await answer;
    assert.deepEqual([type, id, data], [3, 7, args]); // decoded: a BINARY_ACK is an ACK
    socket.end();
    assert.deepEqual(await ended, [0, null]);
});

each('man_in_the_middle: prints the packets of both sides', async (their) => {
    const io = new Server(0, { httpCompression: false });
    their.finally(() => io.close());
    io.on('connection', (socket) => socket.on('say', (picture, answer) => answer(picture, 'ä')));
    const port = await freePort();
    const man = await listening('man_in_the_middle',
        launch('man_in_the_middle', [`${port}`, `${io.httpServer.address().port}`]));
    their.finally(man.kill);
    const socket = await their.connect(man.url);
    assert.deepEqual(await ask(socket, 'say', Buffer.alloc(70_000)), [Buffer.alloc(70_000), 'ä']);
    const packets = [
        /^server: open \{"sid":/, /^client: connect \/ $/, /^server: connect \/ \{"sid":/,
        /^client: binary_event \/ \["say",\{"_placeholder":true,"num":0\}\] id 0$/, /^client: attachment of 70000 bytes$/,
        /^server: binary_ack \/ \[\{"_placeholder":true,"num":0\},"ä"\] id 0$/, /^server: attachment of 70000 bytes$/,
    ];
    for (const packet of packets) await until(() => man.output.some((line) => packet.test(line)));
    assert.ok(!man.output.some((line) => line.includes('no packet')), man.output.join('\n'));
}, { of: [modern] });

// The programs of tests/examples with the peers that their readers have.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { Server } from 'socket.io';
import { io as dial } from 'socket.io-client';
import { Decoder, Encoder } from 'socket.io-parser';
import { ask, collect, each, heard, modern } from './clients.mjs';
import { check, launch, listening, next, until } from './harness.mjs';
import { TcpTransport } from './tcp_transport.mjs';

const serve = (program, ...args) => listening(program, launch(program, ['0', ...args]));

async function freePort() {
    const server = createServer().listen(0);
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}

// A program, and what it says line by line.
const run = (program, ...args) => watch(launch(program, args));

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

each('first_server: hello, say, said, acknowledgements', async (their) => {
    const server = await serve('first_server');
    await chat(their, server);
    assert.equal(await server.stop(), 0);
}, { of: [modern] });

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

for (const program of ['first_client', 'qt_client'])
    check('socket.io 4.8.4', 'client', 'upgrade', `${program}: say, said, until it is disconnected`, async () => {
        const io = new Server(0);
        serveChat(io);
        const client = run(program, `http://127.0.0.1:${io.httpServer.address().port}`, 'hello');
        assert.equal(await client.ended, 0);
        assert.deepEqual(client.lines, theirTalk);
        io.close();
    });

for (const program of ['first_client', 'qt_client'])
    check('socketless', 'client', 'upgrade', `${program} and first_server talk`, async () => {
        const server = await serve('first_server');
        const ada = run(program, server.url, 'hello');
        await until(() => ada.lines.includes('answer: ok'));
        const bob = run('first_client', server.url, 'hi');
        await until(() => ada.lines.some((line) => line.endsWith(': hi')));
        for (const { child } of [ada, bob, server]) child.kill('SIGKILL');
    });

async function fuzz(url) {
    const fuzzer = run('packet_fuzzer', url, '500');
    assert.equal(await fuzzer.ended, 0, fuzzer.lines.join('\n'));
    const [, refused, taken] = /^(\d+) refused, (\d+) taken$/.exec(fuzzer.lines[0]).map(Number);
    assert.equal(refused + taken, 500);
    assert.ok(refused > 100 && taken > 10, fuzzer.lines[0]);
}

check('socket.io-client 4.8.4', 'server', 'stream', 'poll_server: say, said, a client that is lost', async (test) => {
    const server = await serve('poll_server');
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

check('socket.io 4.8.4', 'client', 'stream', 'uv_client: say, said, until it is disconnected', async (test) => {
    const io = new Server({ transports: ['webtransport'] });
    serveChat(io);
    io.attach(createHttpServer()); // which listens nowhere: it is what makes the engine
    const listener = createServer((socket) => io.engine.onWebTransportSession(new TcpTransport(socket))).listen(0);
    test.after(() => { listener.close(); io.close(); });
    const client = run('uv_client', `${listener.address().port}`, 'hello');
    assert.equal(await client.ended, 0);
    assert.deepEqual(client.lines, theirTalk);
});

check('socketless', 'client', 'stream', 'uv_client and poll_server talk', async () => {
    const server = await serve('poll_server');
    const ada = run('uv_client', `${server.port}`, 'hello');
    await until(() => ada.lines.includes('answer: ok'));
    const bob = run('uv_client', `${server.port}`, 'hi');
    await until(() => ada.lines.some((line) => line.endsWith(': hi')));
    await server.kill();
    await until(() => bob.lines.some((line) => line.startsWith('disconnected: transport')));
    for (const { child } of [ada, bob]) child.kill('SIGKILL');
});

check('socket.io 4.8.4', 'client', 'websocket', 'packet_fuzzer: the server lives on', async () => {
    const io = new Server(0);
    await fuzz(`http://127.0.0.1:${io.httpServer.address().port}`);
    io.close();
});

check('socketless', 'client', 'websocket', 'packet_fuzzer: the server lives on', async () => {
    const server = await serve('first_server');
    await fuzz(server.url);
    assert.equal(await server.stop(), 0);
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

// Socket.IO over a TCP connection, framed as over WebTransport: our POSIX driver with itself, and with npm's packages,
// which get the connection as a WebTransport.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { check, launch, next, start } from './harness.mjs';
import { TcpTransport } from './tcp_transport.mjs';

const what = '1,000 events in order, 1 MB of binary, an acknowledgement';

// Our client does all that by itself.
async function runClient(port) {
    const client = launch('stream_echo', ['--connect', String(port)]);
    const [code] = await once(client, 'exit');
    assert.equal(code, 0, client.errors);
}

async function echoOverTcp(test) {
    const server = await start('stream_echo');
    test.after(() => server.kill());
    return server;
}

function connectClient(test, server, options = {}) {
    const socket = io(server.url, { transports: ['webtransport'], forceNew: true, reconnection: false, ...options });
    test.after(() => socket.disconnect());
    return socket;
}

for (const role of ['server', 'client']) {
    check('socketless (POSIX sockets)', role, 'stream', what, async (test) => {
        const server = await echoOverTcp(test);
        await runClient(server.port);
    });
}

check('socket.io 4.8.4', 'client', 'stream', what, async (test) => {
    const peer = new Server({ transports: ['webtransport'] });
    peer.on('connection', (socket) => {
        socket.onAny((name, ...args) => {
            const answer = typeof args.at(-1) === 'function' ? args.pop() : () => {};
            socket.emit(name, ...args);
            answer(...args);
        });
    });
    peer.attach(createHttpServer()); // which listens nowhere: it is what makes the engine
    const listener = createServer((socket) => peer.engine.onWebTransportSession(new TcpTransport(socket)));
    await new Promise((resolve) => listener.listen(0, resolve));
    test.after(() => { listener.close(); peer.close(); });
    await runClient(listener.address().port);
});

check('socket.io-client 4.8.4', 'server', 'stream', what, async (test) => {
    const socket = connectClient(test, await echoOverTcp(test));
    await next(socket, 'connect');
    const numbers = [];
    socket.on('number', (n) => numbers.push(n));
    for (let i = 0; i < 1000; ++i) socket.emit('number', i);
    const picture = Buffer.alloc(1_000_000, 0x5a);
    const [returned] = await Promise.all([next(socket, 'picture'), socket.emit('picture', picture)]);
    assert.ok(picture.equals(returned[0]));
    assert.deepEqual(numbers, Array.from({ length: 1000 }, (_, i) => i));
    assert.equal(await socket.timeout(10_000).emitWithAck('question', 'who?'), 'who?');
});

check('socket.io-client 4.8.4', 'server', 'stream', 'bytes that come one by one', async (test) => {
    const transportOptions = { webtransport: { chunkSize: 1 } };
    const socket = connectClient(test, await echoOverTcp(test), { transportOptions });
    await next(socket, 'connect');
    const long = '€'.repeat(300);
    assert.deepEqual(await socket.timeout(10_000).emitWithAck('question', long), long);
});

check('socket.io-client 4.8.4', 'server', 'stream', '100 clients at once', async (test) => {
    const server = await echoOverTcp(test);
    const sockets = Array.from({ length: 100 }, () => connectClient(test, server));
    await Promise.all(sockets.map((socket) => next(socket, 'connect')));
    const answers = await Promise.all(sockets.map((s, i) => s.timeout(10_000).emitWithAck('question', i)));
    assert.deepEqual(answers, answers.map((_, i) => i));
});

check('socket.io-client 4.8.4', 'server', 'stream', 'the server is killed', async (test) => {
    const server = await echoOverTcp(test);
    const socket = connectClient(test, server);
    await next(socket, 'connect');
    const disconnected = next(socket, 'disconnect');
    await server.kill();
    assert.match((await disconnected)[0], /^transport (close|error)$/);
});

check('socket.io-client 4.8.4', 'server', 'stream', 'garbage ends its stream, not the server', async (test) => {
    const server = await echoOverTcp(test);
    const stranger = connect(server.port);
    stranger.on('error', () => {}); // a reset is an end too
    stranger.write(Buffer.from([1, 0x78])); // a frame of one byte, which is no type of packet
    stranger.resume();
    await next(stranger, 'close');
    await next(connectClient(test, server), 'connect');
});

// The load generator with our server and npm's: what it sends comes back, whichever way it sends. And it notices what
// does not come back.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { Server } from 'socket.io';
import { check, launch, start } from './harness.mjs';
import { startRedis, startTogether } from './redis.mjs';

const few = ['--connections', '5', '--connecting', '2'];

async function generate(ports, ...args) {
    const child = launch('load_generator', [...args, ...few, ...ports.flatMap((port) => ['--port', `${port}`])]);
    const exit = once(child, 'exit');
    const line = await text(child.stdout);
    const [code] = await exit;
    return { code, errors: child.errors, result: line && JSON.parse(line) };
}

const echo = ['echo', '--window', '3', '--seconds', '1', '--warm-up', '0'];
const cluster = ['cluster', '--window', '3', '--seconds', '1', '--warm-up', '0'];
const ways = { 'through the clients': [], 'as frames': ['--frames'] };

for (const [peer, program] of Object.entries({
    'socketless (POSIX sockets)': 'socketio_server',
    'socket.io 4.8.4': 'peers/socketio_server.mjs',
})) {
    const run = (what, body) => check(peer, 'client', 'websocket', `load: ${what}`, async (test) => {
        const server = await start(program, '--ping-interval', '200', '--ping-timeout', '200');
        test.after(() => server.kill());
        await body(async (...args) => {
            const { code, errors, result } = await generate([server.port], '--pid', `${server.child.pid}`, ...args);
            assert.equal(code, 0, errors);
            assert.equal(errors, '');
            assert.equal(result.faults, 0);
            return result;
        });
    });

    for (const [way, args] of Object.entries(ways)) {
        run(`messages ${way} come back in order, pings are answered`, async (ask) => {
            const result = await ask(...echo, ...args);
            assert.deepEqual([result.connections, result.lost], [5, 0]);
            assert.ok(result.echoes > 15, `${result.echoes}`);
            const { p50, p90, p99, p99_9, max } = result.round_trip;
            const percentiles = [p50, p90, p99, p99_9, max];
            assert.deepEqual(percentiles, [...percentiles].sort((a, b) => a - b));
            assert.ok(p50 > 0);
        });

        run(`all get each broadcast, ${way}`, async (ask) => {
            const result = await ask('broadcast', '--times', '4', ...args);
            assert.equal(result.times, 4);
            assert.ok(result.until_all.p50 > 0);
        });
    }

    run('idle clients answer pings', async (ask) => {
        const result = await ask('idle', '--seconds', '1', '--before', '2');
        assert.ok(Number.isFinite(result.memory));
    });

    check(peer, 'client', 'websocket', 'load: servers that act as one', async (test) => {
        const redis = await startRedis();
        test.after(() => redis.kill());
        const servers = await startTogether([program, program, program], redis);
        test.after(() => Promise.all(servers.map((server) => server.kill())));
        const ports = servers.map(({ port }) => port);
        const pids = servers.flatMap(({ child }) => ['--pid', `${child.pid}`]);
        const { code, errors, result } = await generate(ports, ...cluster, ...pids);
        assert.equal(code, 0, errors);
        assert.equal(errors, '');
        assert.deepEqual([result.servers, result.faults, result.missing], [3, 0, 0]);
        assert.ok(result.deliveries > 100, `${result.deliveries}`);
    });
}

// A server that answers message 7 otherwise than it should.
const faults = {
    'lost': () => {},
    'twice': (socket, args) => { for (let i = 0; i < 2; ++i) socket.emit('message-back', ...args); },
    'changed': (socket, [number, { from, text }]) => socket.emit('message-back', number, { from, text: `${text}!` }),
    'late': (socket, args) => setTimeout(() => socket.emit('message-back', ...args), 50),
};
for (const [way, args] of Object.entries(ways))
    check('socket.io 4.8.4', 'client', 'websocket', `load: messages ${way} that are lost, doubled, changed, late`, async () => {
        await Promise.all(Object.entries(faults).map(async ([fault, answer]) => {
            const io = new Server(0);
            io.on('connection', (socket) => socket.on('message', (...args) => {
                if (args[0] === 7) answer(socket, args);
                else socket.emit('message-back', ...args);
            }));
            const { code, errors, result } = await generate([io.httpServer.address().port], ...echo, ...args);
            await io.close();
            assert.equal(code, 1, fault);
            assert.match(errors, /instead of message/, fault);
            assert.ok(result.faults > 0, fault);
        }));
    });

check('socket.io 4.8.4', 'client', 'websocket', 'load: broadcasts lost, doubled, changed, late', async () => {
    const faults = {
        'lost': () => {},
        'twice': (socket, said) => { for (let i = 0; i < 2; ++i) socket.emit('shouted', said); },
        'changed': (socket, said) => socket.emit('shouted', { ...said, ok: false }),
        'late': (socket, said) => setTimeout(() => socket.emit('shouted', said), 50),
    };
    await Promise.all(Object.entries(faults).map(async ([fault, tell]) => {
        const io = new Server(0);
        io.on('connection', (socket) => socket.on('shout', (said) => {
            const [first, ...others] = io.sockets.sockets.values();
            if (said.id === 7) tell(first, said);
            else first.emit('shouted', said);
            for (const other of others) other.emit('shouted', said);
        }));
        const { code, errors, result } = await generate([io.httpServer.address().port], ...cluster);
        await io.close();
        assert.equal(code, 1, fault);
        assert.match(errors, /instead of broadcast/, fault);
        assert.ok(result.faults > 0, fault);
    }));
});

check('socket.io 4.8.4', 'client', 'websocket', 'load: a server that is gone', async () => {
    const server = await start('peers/socketio_server.mjs');
    await server.kill();
    const { code, errors } = await generate([server.port], 'idle', '--seconds', '0');
    assert.equal(code, 1);
    assert.match(errors, /refused/);
});

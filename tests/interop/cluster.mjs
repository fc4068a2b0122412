// Servers that act as one over Redis, for the tests of them: ours and npm's, each with each, over Pub/Sub and streams.
// What one server is asked for happens on both. SOCKETLESS_PEERS=1 tries npm's servers only.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { createClient } from 'redis';
import { io } from 'socket.io-client';
import { heard, isOurs } from './clients.mjs';
import { check, start, until } from './harness.mjs';
import { startRedis } from './redis.mjs';

export const npm = { name: 'socket.io 4.8.4', program: 'peers/socketio_server.mjs' };
export const ours = { name: 'socketless', program: 'socketio_server' };
const kinds = isOurs ? [ours, npm] : [npm];

export const modes = {
    'Pub/Sub': ['--redis-mode', 'pubsub'],
    'streams': ['--redis-mode', 'streams'],
    'streams, recovery': ['--redis-mode', 'streams', '--recovery'],
};
// Pairs of kinds of servers in some modes: { kinds, mode }. Those that `serveAll` has started: { servers, prefix } too.
export const pairsOf = (some) =>
    some.flatMap((mode) => kinds.flatMap((first) => kinds.map((second) => ({ kinds: [first, second], mode }))));
export async function serveAll(pairs, ...args) {
    for (const pair of pairs) Object.assign(pair, await serve(pair.kinds, { mode: pair.mode, args }));
    after(() => Promise.all(pairs.flatMap(({ servers }) => servers.map((server) => server.stop()))));
    return pairs;
}

export async function connectTo({ address }) {
    const client = createClient({ url: `redis://${address}` }).on('error', () => {}); // it connects again by itself
    await client.connect();
    return client;
}

export const redis = await startRedis();
export const commands = await connectTo(redis);
after(async () => {
    await commands.quit();
    await redis.kill();
});

// Servers that know each other: those with another prefix do not.
let prefixes = 0;
export async function serve(some, { mode, address = redis.address, args = [], prefix = `test ${++prefixes}` }) {
    const all = ['--redis', address, '--redis-prefix', prefix, '--max-payload', '10000000', ...modes[mode], ...args];
    const servers = await Promise.all(some.map(({ program }) => start(program, ...all)));
    await withClients(servers, ({ meet }) => meet());
    return { servers, prefix };
}

export const checkPair = ({ kinds: [first, second], mode }, what, body, role = 'node') =>
    check(`${first.name}, ${second.name}`, role, mode, what, body);

// With recovery the last argument of an event is its offset.
const withoutOffset = (event) => (/^\d+-\d+$/.test(event.at(-1)) ? event.slice(0, -1) : event);

// Runs `body` with a client of each server, and the means to connect more. Disconnects them in the end.
let marks = 0;
export async function withClients(servers, body) {
    const sockets = [];
    const ends = [];
    // A client that claims the session `pid`, if that is given.
    async function connect(server, { nsp = '/', pid, offset, ...options } = {}) {
        const always = { transports: ['websocket'], forceNew: true, reconnection: false };
        const socket = io(server.url + nsp, { ...always, ...options });
        sockets.push(socket);
        Object.assign(socket, { all: [], _pid: pid, _lastOffset: offset });
        socket.onAny((...event) => socket.all.push(withoutOffset(event)));
        // The arguments of the events with this name that have come.
        socket.got = (name) => socket.all.filter(([event]) => event === name).map(([, ...args]) => args);
        // What the server has gathered, when that is complete.
        socket.gather = async (...event) => {
            const before = socket.got('answer').length;
            socket.emit(...event);
            const [isWhole, count] = await heard(socket, 'complete');
            const answers = socket.got('answer').slice(before).map(([answer]) => answer);
            assert.equal(answers.length, count);
            return { isWhole, answers };
        };
        await heard(socket, 'connect');
        return socket;
    }
    try {
        const clients = await Promise.all(servers.map((server) => connect(server)));
        const shout = (from, to) => {
            const mark = `mark ${++marks}`;
            from.emit('shout', mark);
            return () => to.every((socket) => socket.got('shouted').some(([said]) => said === mark));
        };
        await body({
            servers, connect, clients,
            finally: (end) => ends.push(end),
            // Waits until each server has done all that was asked for before, and the clients have heard of it: each
            // server says something in its turn, when it has heard those before.
            settle: async () => {
                for (const client of clients.filter(({ connected }) => connected))
                    await until(shout(client, sockets.filter(({ connected, nsp }) => connected && nsp === '/')));
            },
            // Waits until each server hears each other one.
            meet: async () => {
                for (const client of clients)
                    for (let tries = 100; !await until(shout(client, clients), 200).then(() => true, () => false);)
                        if (--tries === 0) throw new Error('servers do not hear each other');
            },
        });
    } finally {
        for (const socket of sockets) {
            socket.io.reconnection(false); // where an attempt is under way disconnect() would not end it
            socket.disconnect();
        }
        for (const end of ends) end();
    }
}

// The same with servers of its own, which it may kill.
export async function withServers(some, options, body) {
    const { servers, prefix } = await serve(some, options);
    try {
        await withClients(servers, (tools) => body({ ...tools, prefix }));
    } finally {
        await Promise.all(servers.map((server) => server.kill()));
    }
}

export const ids = (sockets) => sockets.map(({ id }) => id).sort();

// Clients that lose their connection to a server and come back to another, over Redis Streams: they have their socket
// again, and what it has missed. Each row is tried with servers of ours and of npm.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { ask, heard } from './clients.mjs';
import { checkPair, commands, connectTo, npm, pairsOf, serveAll, withClients, withServers } from './cluster.mjs';
import { sleep, until } from './harness.mjs';
import { startRedis } from './redis.mjs';
import { relay } from './relay.mjs';
import { bytes, numbers } from './values.mjs';

const mode = 'streams, recovery';
// Only a heartbeat tells a server that nobody polls any more. A slow machine must not lose clients by it.
const heartbeats = { websocket: [], polling: ['--ping-interval', '1000', '--ping-timeout', '2000'] };
const cells = [];
for (const [transport, heartbeat] of Object.entries(heartbeats)) {
    const pairs = pairsOf([mode]).map((pair) => ({ ...pair, transport, heartbeat }));
    cells.push(...await serveAll(pairs, ...heartbeat));
}

const rows = [];
const each = (...row) => rows.push(row);
const checkCell = ({ kinds, transport }, what, body) =>
    checkPair({ kinds, mode: transport }, what, body, 'node that recovers');

// What a test has in addition: `travel(server, options)` connects a client whose connection it can cut.
const withTravel = ({ transport }, body, asked = commands) => (tools) => {
    async function travel(server, { delay = 0, ...options } = {}) {
        const road = await relay(server.port, delay);
        tools.finally(road.close);
        const quick = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 20, transports: [transport] };
        const socket = await tools.connect(road, { ...quick, ...options });
        await until(() => socket.got('auth').length > 0); // it has an offset
        return Object.assign(socket, {
            road,
            // Loses its connection.
            lose: async () => {
                const lost = heard(socket, 'disconnect');
                road.cut();
                await lost;
            },
            // The same, and its server has noticed.
            leave: async () => {
                await socket.lose();
                while (!await asked.exists(`${tools.prefix}:session:${socket._pid}`)) await sleep(5);
            },
            // Connects to that server.
            arrive: async (server) => {
                road.leadTo(server.port);
                const connected = heard(socket, 'connect');
                road.mend();
                await connected;
            },
        });
    }
    return body({ ...tools, travel });
};

const has = (socket, name, ...args) =>
    until(() => socket.got(name).some((got) => JSON.stringify(got) === JSON.stringify(args)));
const told = (socket) => socket.got('told').map(([first]) => first);

each('the socket is there again, and what it has missed comes', async (our) => {
    const { servers, kinds, clients: [ada, bob], travel, settle } = our;
    const auth = { name: 'Eve', age: 42 };
    const eve = await travel(servers[0], { auth });
    const { id } = eve;
    for (const room of ['room', 'ä', 'left']) await ask(eve, 'join', room);
    await ask(eve, 'leave', 'left');
    ada.emit('tell', { rooms: ['room'] }, 'before');
    await settle();

    await eve.leave();
    ada.emit('tell', {}, 1, { picture: bytes(300), list: [bytes(0), null, 'ü'] });
    ada.emit('tell', { rooms: ['room'] }, 2);
    ada.emit('tell', { rooms: [id] }, 3);
    ada.emit('tell', { rooms: ['nobody'] }, 'not in the room');
    ada.emit('tell', { rooms: ['left'] }, 'not any more');
    ada.emit('whisper', {}, 'not for who is away');
    assert.deepEqual(await ada.gather('ask-all', { rooms: ['room'] }, 500), { isWhole: true, answers: [] });
    await settle();
    bob.emit('tell', { rooms: ['ä', 'room'] }, 4);
    bob.emit('tell', { except: ['room'] }, 'not for the room');
    bob.emit('tell', { rooms: ['room'], except: [id] }, 'not for that socket');
    bob.emit('tell', { except: ['left', 'nobody'] }, 5);
    bob.emit('say', 'room', 'of a socket to a room');
    bob.emit('note', 'of servers');
    await settle();
    await eve.arrive(servers[1]);
    assert.equal(eve.recovered, true);
    assert.equal(eve.id, id);

    await settle();
    ada.emit('tell', { rooms: ['room'] }, 'live');
    await settle();
    bob.emit('tell', { rooms: [id] }, 'still live');
    await settle();
    // npm's server gives volatile events to those who come back.
    const got = told(eve).filter((text) => kinds[1] !== npm || text !== 'not for who is away');
    assert.deepEqual(got, ['before', 1, 2, 3, 4, 5, 'live', 'still live']);
    assert.deepEqual(eve.got('told')[1], [1, { picture: bytes(300), list: [bytes(0), null, 'ü'] }]);
    assert.deepEqual([eve.got('said'), eve.got('question')], [[['of a socket to a room']], []]);
    const { answers: [found, ...others] } = await ada.gather('fetch', { rooms: ['room'] });
    assert.deepEqual(others, []);
    assert.deepEqual([found.id, found.rooms.sort()], [id, [id, 'room', 'ä'].sort()]);
    assert.deepEqual(found.data, auth);
    assert.deepEqual(await ask(eve, 'any', 1), [1]);
    eve.emit('say', 'room', 'not to myself');
    eve.emit('message', 'to itself', bytes(9));
    await until(() => eve.got('message-back').length > 0);
    assert.equal(eve.got('said').length, 1);
});

each('each namespace of a connection', async ({ servers, connect, travel, settle }) => {
    const eve = await travel(servers[0]);
    const custom = eve.io.socket('/custom');
    const missed = [];
    custom.on('told', (...args) => missed.push(args[0]));
    await heard(custom, 'auth');
    const [one, two] = await Promise.all(servers.map((server) => connect(server, { nsp: '/custom' })));
    const before = [eve.id, custom.id];
    await settle();
    await eve.leave();
    one.emit('tell', {}, 'custom');
    await has(two, 'told', 'custom');
    two.emit('tell', { rooms: [before[1]] }, 'to it');
    two.emit('tell', { rooms: [before[0]] }, 'not of this namespace');
    await ask(two, 'any');
    const connected = heard(custom, 'connect');
    await Promise.all([eve.arrive(servers[1]), connected]);
    assert.deepEqual([eve.recovered, custom.recovered], [true, true]);
    assert.deepEqual([eve.id, custom.id], before);
    one.emit('tell', {}, 'live');
    await until(() => missed.length >= 3);
    await settle();
    assert.deepEqual([missed, told(eve)], [['custom', 'to it', 'live'], []]);
});

each('from one server to the other and back, and to the same', async ({ servers, clients, travel, settle }) => {
    const eve = await travel(servers[0]);
    const { id } = eve;
    await ask(eve, 'join', 'room');
    for (const [i, at] of [1, 0, 0, 1].entries()) {
        await settle();
        await eve.leave();
        for (const client of clients) client.emit('tell', { rooms: ['room'] }, i);
        await settle();
        await eve.arrive(servers[at]);
        assert.deepEqual([eve.recovered, eve.id], [true, id]);
    }
    await settle();
    assert.deepEqual(told(eve), [0, 0, 1, 1, 2, 2, 3, 3]);
});

each('what was lost on the way comes again', async ({ servers, clients: [ada], travel, settle }) => {
    const eve = await travel(servers[0], { delay: 100 });
    await settle();
    for (const i of numbers(30)) {
        eve.emit('message', i, bytes(i));
        ada.emit('tell', {}, i, bytes(i));
        await sleep(5);
    }
    await eve.leave(); // with some of the last 100 ms in the network
    await settle();
    await eve.arrive(servers[1]);
    assert.ok(eve.recovered);
    await settle();
    assert.deepEqual(eve.got('told'), numbers(30).map((i) => [i, bytes(i)]));
    // What it said in the last 100 ms is lost.
    const answered = eve.got('message-back');
    assert.deepEqual(answered, numbers(answered.length).map((i) => [i, bytes(i)]));
});

// npm's server sends its own events when Redis has them, those of others when it reads them: where both speak at once,
// the last offset of a client may be an older one, and events behind it are lost or come twice.
const isOrdered = ([first], tellers) => first !== npm || tellers.length === 1;
// While npm's server looks for what was missed, the socket is not there yet: an event that comes between these is lost,
// and one that it reads from its stream only then comes twice.
const isExact = ([, second]) => second !== npm;
for (const [where, tellers] of [['the old server', [0]], ['the new server', [1]], ['both', [0, 1]]])
    each(`events told meanwhile on ${where}: no gap, none twice`, async (tools) => {
        const { servers, kinds, clients, travel, settle } = tools;
        const crowd = await Promise.all(numbers(8).map(() => travel(servers[0])));
        await settle();
        const before = crowd.map(({ id }) => id);
        let count = 0;
        let isThere = false;
        const telling = (async () => {
            for (; count < 200 || !isThere; ++count) {
                for (const at of tellers)
                    clients[at].emit('tell', {}, at, count, count % 10 ? 'text' : bytes(count));
                await sleep(1);
            }
        })();
        await until(() => count > 20);
        await Promise.all(crowd.map((socket) => socket.leave()));
        const away = count;
        for (const at of tellers) await ask(clients[at], 'any');
        await Promise.all(crowd.map((socket) => socket.arrive(servers[1])));
        isThere = true;
        await telling;
        await settle();
        for (const [i, socket] of crowd.entries()) {
            assert.deepEqual([socket.recovered, socket.id], [true, before[i]]);
            if (!isOrdered(kinds, tellers)) continue;
            for (const at of tellers) {
                const got = socket.got('told').filter(([teller]) => teller === at).map(([, i]) => i);
                assert.deepEqual(isExact(kinds) ? got : got.filter((i) => i < away), numbers(isExact(kinds) ? count : away));
            }
        }
    });

each('nobody has a session that is not his, or not kept', async (tools) => {
    const { servers, clients: [ada], connect, travel, settle } = tools;
    const [eve, dan, mallory] = await Promise.all([0, 0, 0].map(() => travel(servers[0])));
    await settle();
    const claims = ({ _pid, _lastOffset, id }) => ({ pid: _pid, offset: _lastOffset, id });
    const { pid, offset, id } = claims(eve);
    await eve.leave();
    const isFresh = async (pid, offset) => {
        const socket = await connect(servers[1], { pid, offset });
        assert.ok(!socket.recovered);
        assert.deepEqual(await ask(socket, 'any', 1), [1]);
        return ![id, dan.id, mallory.id].includes(socket.id);
    };
    assert.ok(await isFresh('unknown', offset));
    assert.ok(await isFresh(pid.slice(0, -1), offset));
    assert.ok(await isFresh(`*${pid.slice(1)}`, offset));
    for (const bad of ['', 'x', '-', '+', `${offset}x`, `(${offset}`, '$']) assert.ok(await isFresh(pid, bad), bad);

    // Twice at once: one has it.
    const both = await Promise.all([0, 1, 1, 0].map((at) => connect(servers[at], { pid, offset })));
    assert.deepEqual(both.map((socket) => socket.recovered ? socket.id === id : socket.id !== id), Array(4).fill(true));
    assert.equal(both.filter(({ recovered }) => recovered).length, 1);
    assert.ok(await isFresh(pid, offset)); // and keeps it

    // An offset that the stream does not have.
    const other = claims(mallory);
    await mallory.leave();
    assert.ok(await isFresh(other.pid, `${other.offset}99`));

    // Who leaves on purpose, or is disconnected.
    const left = claims(dan);
    dan.disconnect();
    const kicked = await connect(servers[0]);
    await until(() => kicked.got('auth').length > 0);
    const gone = claims(kicked);
    ada.emit('kick-all', { rooms: [kicked.id] });
    await heard(kicked, 'disconnect');
    for (const claim of [left, gone]) assert.ok(await isFresh(claim.pid, claim.offset));
});

// The cells of the table side by side, as polling waits much.
describe('recovery', { concurrency: 4 }, () => {
    for (const cell of cells)
        describe(cell.transport, { concurrency: 1 }, () => {
            for (const [what, body] of rows)
                checkCell(cell, what, () => withClients(cell.servers, (tools) =>
                    withTravel(cell, body)({ ...tools, prefix: cell.prefix, kinds: cell.kinds })));
        });
    for (const cell of cells) {
        const own = (what, body) => checkCell(cell, what, () =>
            withServers(cell.kinds, { mode, args: cell.heartbeat }, withTravel(cell, body)));

        own('a server is stopped: its clients go on with another', async ({ servers, clients: [, bob], travel }) => {
            const eve = await travel(servers[0]);
            const { id } = eve;
            await ask(eve, 'join', 'room');
            bob.emit('tell', { rooms: ['room'] }, 1);
            await has(eve, 'told', 1);
            eve.road.leadTo(servers[1].port);
            const connected = heard(eve, 'connect');
            await servers[0].stop();
            await connected;
            assert.deepEqual([eve.recovered, eve.id], [true, id]);
            bob.emit('tell', { rooms: ['room'] }, 2);
            await has(eve, 'told', 2);
            assert.deepEqual(told(eve), [1, 2]);
        });

        if (cell.transport === 'polling') continue;

        // Nobody has kept their sessions.
        own('a server is killed: its clients begin anew with another', async ({ servers, clients: [, bob], travel }) => {
            const eve = await travel(servers[0]);
            const { id } = eve;
            eve.road.leadTo(servers[1].port);
            const connected = heard(eve, 'connect');
            await servers[0].kill();
            bob.emit('tell', {}, 'missed');
            await connected;
            assert.ok(!eve.recovered);
            assert.notEqual(eve.id, id);
            bob.emit('tell', {}, 1);
            await has(eve, 'told', 1);
        });

        // It keeps nothing, so that sessions are gone, and the stream begins anew.
        checkCell(cell, 'Redis is started anew: who is away then begins anew', async () => {
            let passing = await startRedis();
            const asked = await connectTo(passing);
            const options = { mode, address: passing.address, args: cell.heartbeat };
            try {
                await withServers(cell.kinds, options, withTravel(cell, async (our) => {
                    const { servers, clients: [ada, bob], travel, meet, settle } = our;
                    const [eve, dan] = await Promise.all([0, 1].map((at) => travel(servers[at])));
                    const { id } = eve;
                    await settle();
                    await eve.leave();
                    await passing.kill();
                    assert.deepEqual(await ask(dan, 'any', 1), [1]);
                    passing = await startRedis(passing.port);
                    await meet();
                    await eve.arrive(servers[1]);
                    assert.ok(!eve.recovered);
                    assert.notEqual(eve.id, id);
                    ada.emit('tell', {}, 1);
                    await settle();
                    bob.emit('tell', {}, 2);
                    await settle();
                    for (const client of [ada, bob, eve, dan]) assert.deepEqual(told(client), [1, 2]);
                    const before = dan.id; // its old offset is no longer there, but it has newer ones
                    await dan.leave();
                    await dan.arrive(servers[0]);
                    assert.deepEqual([dan.recovered, dan.id], [true, before]);
                }, asked));
            } finally {
                await asked.disconnect();
                await passing.kill();
            }
        });
    }
});

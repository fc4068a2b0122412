// Servers that act as one over Redis: ours and npm's, each with each, and programs that emit without being servers.
// What one server is asked for happens on both. SOCKETLESS_PEERS=1 tries npm's servers only.
import { Emitter } from '@socket.io/redis-emitter';
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { createClient } from 'redis';
import { io } from 'socket.io-client';
import { ask, heard, isOurs } from './clients.mjs';
import { check, run, start, until } from './harness.mjs';
import { startRedis } from './redis.mjs';
import { bytes, numbers, pack, packable } from './values.mjs';

const npm = { name: 'socket.io 4.8.4', program: 'peers/socketio_server.mjs' };
const ours = { name: 'socketless', program: 'socketio_server' };
const kinds = isOurs ? [ours, npm] : [npm];
const pairs = kinds.flatMap((first) => kinds.map((second) => ({ kinds: [first, second] })));

const redis = await startRedis();
const commands = createClient({ url: `redis://${redis.address}` });
await commands.connect();

// Servers that know each other: those with another prefix do not.
let prefixes = 0;
let marks = 0;
async function serve(some, { address = redis.address, args = [], prefix = `test ${++prefixes}` } = {}) {
    const all = ['--redis', address, '--redis-prefix', prefix, '--max-payload', '10000000', ...args];
    const servers = await Promise.all(some.map(({ program }) => start(program, ...all)));
    await withClients(servers, ({ meet }) => meet());
    return { servers, prefix };
}
for (const pair of pairs) Object.assign(pair, await serve(pair.kinds));
after(async () => {
    await Promise.all(pairs.flatMap(({ servers }) => servers.map((server) => server.stop())));
    await commands.quit();
    await redis.kill();
});

// Runs `body` with a client of each server, and the means to connect more. Disconnects them in the end.
async function withClients(servers, body) {
    const sockets = [];
    async function connect(server, { nsp = '/', ...options } = {}) {
        const always = { transports: ['websocket'], forceNew: true, reconnection: false };
        const socket = io(server.url + nsp, { ...always, ...options });
        sockets.push(socket);
        socket.all = [];
        socket.onAny((...event) => socket.all.push(event));
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
            // Waits until each server has done all that was asked for before, and the clients have heard of it: each
            // server says something in its turn, when it has heard those before.
            settle: async () => {
                for (const client of clients.filter(({ connected }) => connected))
                    await until(shout(client, sockets.filter(({ connected, nsp }) => connected && nsp === '/')));
            },
            // Waits until each server hears each other one.
            meet: async () => {
                for (const client of clients)
                    while (!await until(shout(client, clients), 200).then(() => true, () => false));
            },
        });
    } finally {
        for (const socket of sockets) socket.disconnect();
    }
}

function each(what, body) {
    for (const { kinds: [first, second], servers, prefix } of pairs)
        check(`${first.name}, ${second.name}`, 'node', 'Redis', what, () =>
            withClients(servers, (tools) => body({ ...tools, prefix })));
}

const nobody = { rooms: ['nobody'] };
const ids = (sockets) => sockets.map(({ id }) => id).sort();
const answer = (socket, ...value) => socket.on('question', (...args) => args.at(-1)(...value));

each('a broadcast reaches all, once and in order', async ({ servers, clients, connect, settle }) => {
    const more = await Promise.all(servers.map((server) => connect(server, { transports: ['polling'] })));
    const sent = numbers(200).map((i) => [i, i % 10 ? 'text' : { picture: bytes(i) }]);
    for (const args of sent) clients[0].emit('tell', {}, ...args);
    await settle();
    for (const client of [...clients, ...more]) assert.deepEqual(client.got('told'), sent);
});

each('every JSON type', async ({ clients, settle }) => {
    clients[0].emit('tell', {});
    for (const value of packable) clients[0].emit('tell', {}, value);
    clients[0].emit('tell', {}, ...packable);
    await settle();
    for (const client of clients)
        assert.deepEqual(client.got('told'), [[], ...packable.map((value) => [value]), packable]);
});

each('binaries to 1 MB, at any depth', async ({ clients, settle }) => {
    const sent = [
        ...[0, 1, 255, 256, 65_535, 65_536, 1_000_000].map((size) => [bytes(size)]),
        ['text', { list: [[bytes(1)], { empty: bytes(0) }], text: 'ä' }, bytes(300), null],
    ];
    for (const args of sent) clients[0].emit('tell', {}, ...args);
    await settle();
    for (const client of clients) assert.deepEqual(client.got('told'), sent);
});

each('rooms', async ({ servers, clients, connect, settle }) => {
    const [ada, bob] = clients;
    const eve = await connect(servers[1]);
    await Promise.all([ask(bob, 'join', 'one'), ask(bob, 'join', 'two'), ask(eve, 'join', 'two')]);
    await ask(ada, 'join', 'at home');
    ada.emit('tell', { rooms: ['one'] }, 1);
    ada.emit('tell', { rooms: ['one', 'two'] }, 2);
    ada.emit('tell', { rooms: ['at home'] }, 3);
    ada.emit('tell', nobody, 4);
    ada.emit('tell', { rooms: [eve.id] }, 5);
    ada.emit('tell', { rooms: [ada.id, bob.id] }, 6);
    await settle();
    await ask(bob, 'leave', 'one');
    ada.emit('tell', { rooms: ['one'] }, 7);
    await settle();
    assert.deepEqual([ada, bob, eve].map((client) => client.got('told').flat()), [[3, 6], [1, 2, 6], [2, 5]]);
});

each('any name of a room', async ({ clients: [ada, bob], settle }) => {
    const names = ['a#b', '#', '#/', 'ä 😀', '12', '1e3', '-0', '__proto__', '*', 'a'.repeat(1_000)];
    for (const name of names) await ask(bob, 'join', name);
    for (const name of names) ada.emit('tell', { rooms: [name] }, name);
    await settle();
    assert.deepEqual([ada, bob].map((client) => client.got('told').flat()), [[], names]);
});

each('all but some', async ({ servers, clients: [ada, bob], connect, settle }) => {
    const eve = await connect(servers[1]);
    await Promise.all([ada, bob].map((client) => ask(client, 'join', 'room')));
    ada.emit('tell', { except: ['room'] }, 1);
    ada.emit('tell', { except: ['nobody', eve.id] }, 2);
    ada.emit('tell', { rooms: ['room'], except: [ada.id] }, 3);
    ada.emit('say', 'room', 'not to myself');
    await settle();
    assert.deepEqual([ada, bob, eve].map((client) => client.got('told').flat()), [[2], [2, 3], [1]]);
    assert.deepEqual([ada, bob, eve].map((client) => client.got('said')), [[], [['not to myself']], []]);
});

each('volatile events', async ({ clients: [ada, bob], settle }) => {
    for (let i = 0; ![ada, bob].every((client) => client.got('told').length >= 3); ++i) { // some may be dropped
        ada.emit('whisper', {}, i, bytes(3));
        await settle();
    }
    for (const client of [ada, bob])
        for (const args of client.got('told')) assert.deepEqual(args, [args[0], bytes(3)]);
    ada.emit('whisper', nobody, 'not for them');
    await settle();
    for (const client of [ada, bob]) assert.notEqual(client.got('told').at(-1)[0], 'not for them');
});

each('namespaces are apart', async ({ servers, clients, connect, settle }) => {
    const customs = await Promise.all(servers.map((server) => connect(server, { nsp: '/custom' })));
    customs[0].emit('tell', {}, 'custom');
    clients[0].emit('tell', {}, 'root');
    await until(() => customs[1].got('told').length > 0);
    await settle();
    for (const client of clients) assert.deepEqual(client.got('told'), [['root']]);
    for (const client of customs) assert.deepEqual(client.got('told'), [['custom']]);
});

each('acknowledgements of all', async ({ clients: [ada, bob], servers, connect }) => {
    const eve = await connect(servers[1]);
    const values = new Map([[ada, 'text'], [bob, { picture: bytes(300), list: [1, null] }], [eve, null]]);
    for (const [client, value] of values) answer(client, value);
    const { isWhole, answers } = await ada.gather('ask-all', {}, 30_000, 'who?', bytes(4));
    assert.ok(isWhole);
    for (const value of values.values()) assert.ok(answers.some((one) => {
        try { assert.deepEqual(one, value); } catch { return false; }
        return true;
    }));
    assert.equal(answers.length, 3);
    for (const client of values.keys())
        assert.deepEqual(client.got('question').map((args) => args.slice(0, -1)), [['who?', bytes(4)]]);
});

each('acknowledgements of some', async ({ clients: [ada, bob], servers, connect }) => {
    const eve = await connect(servers[1]);
    for (const client of [ada, bob, eve]) answer(client, client.id);
    await ask(bob, 'join', 'room');
    assert.deepEqual(await ada.gather('ask-all', { rooms: ['room'] }, 30_000), { isWhole: true, answers: [bob.id] });
    const { isWhole, answers } = await ada.gather('ask-all', { except: ['room'] }, 30_000);
    assert.ok(isWhole);
    assert.deepEqual(answers.sort(), ids([ada, eve]));
    assert.deepEqual(await ada.gather('ask-all', nobody, 30_000), { isWhole: true, answers: [] });
});

each('a client that never acknowledges', async ({ clients: [ada, bob], servers, connect }) => {
    await connect(servers[1]);
    for (const client of [ada, bob]) answer(client, client.id);
    const { isWhole, answers } = await ada.gather('ask-all', {}, 700);
    assert.equal(isWhole, false);
    assert.deepEqual(answers.sort(), ids([ada, bob]));
});

each('sockets join and leave from afar', async ({ servers, clients: [ada, bob], connect, settle }) => {
    const eve = await connect(servers[1]);
    ada.emit('join-all', {}, 'all');
    ada.emit('join-all', { rooms: [eve.id] }, 'garden');
    ada.emit('join-all', { rooms: ['all'], except: [eve.id] }, 'house'); // npm's server has its own in all only later
    await settle();
    for (const room of ['all', 'garden', 'house']) ada.emit('tell', { rooms: [room] }, room);
    await settle();
    assert.deepEqual([bob, eve].map((client) => client.got('told').flat()), [['all', 'house'], ['all', 'garden']]);
    assert.equal(ada.got('told')[0][0], 'all');
    ada.emit('leave-all', { except: [bob.id] }, 'all');
    await settle();
    ada.emit('tell', { rooms: ['all'] }, 'last');
    await settle();
    const last = [ada, bob, eve].map((client) => client.got('told').flat().includes('last'));
    assert.deepEqual(last, [false, true, false]);
});

each('sockets are disconnected from afar', async ({ servers, clients: [ada, bob], connect, settle }) => {
    const eve = await connect(servers[1]);
    const custom = eve.io.socket('/custom');
    await heard(custom, 'connect');
    const lost = heard(eve, 'disconnect');
    ada.emit('kick-all', { rooms: [eve.id] });
    assert.equal((await lost)[0], 'io server disconnect');
    assert.deepEqual(await ask(custom, 'any', 1), [1]); // its connection goes on
    const dan = await connect(servers[1]);
    const other = dan.io.socket('/custom');
    await heard(other, 'connect');
    const closed = [heard(dan, 'disconnect'), heard(other, 'disconnect')];
    ada.emit('drop-all', { rooms: [dan.id] });
    await Promise.all(closed);
    await settle();
    assert.ok(ada.connected && bob.connected && custom.connected);
    custom.disconnect();
});

each('the sockets of all servers are found', async ({ servers, clients: [ada, bob], connect }) => {
    const options = { auth: { name: 'Eve', age: 42 }, query: { colour: 'ä&b' }, extraHeaders: { 'X-Test': 'a test' } };
    const eve = await connect(servers[1], options);
    await Promise.all(['room', 'ä'].map((room) => ask(eve, 'join', room)));
    const all = await ada.gather('fetch', {});
    assert.ok(all.isWhole);
    assert.deepEqual(ids(all.answers), ids([ada, bob, eve]));
    const { isWhole, answers: [found, ...others] } = await ada.gather('fetch', { rooms: ['room', 'nobody'] });
    assert.ok(isWhole);
    assert.deepEqual(others, []);
    assert.equal(found.id, eve.id);
    assert.deepEqual(found.rooms.sort(), [eve.id, 'room', 'ä'].sort());
    assert.deepEqual(found.data, options.auth);
    assert.equal(found.handshake.headers['x-test'], 'a test');
    assert.match(found.handshake.address, /127\.0\.0\.1$/);
    assert.match(found.handshake.url, /^\/socket\.io\/\?/);
    assert.deepEqual([found.handshake.query.EIO, found.handshake.query.colour], ['4', 'ä&b']);
    const rest = await ada.gather('fetch', { except: ['room'] });
    assert.deepEqual(ids(rest.answers), ids([ada, bob]));
    assert.deepEqual(await ada.gather('fetch', nobody), { isWhole: true, answers: [] });
});

each('events of servers for servers', async ({ clients: [ada, bob], settle }) => {
    const sent = [[], ['text', 1.5, null, { a: [true, 'ä'] }], packable];
    for (const args of sent) ada.emit('note', ...args);
    await settle();
    bob.emit('note', 'back');
    await settle();
    assert.deepEqual([ada, bob].map((client) => client.got('noted')), [[['back']], sent]);
});

each('events of servers for servers, with replies', async ({ clients }) => {
    for (const client of clients)
        for (const args of [[], ['text', null, { a: [1] }]])
            assert.deepEqual(await client.gather('survey', ...args), { isWhole: true, answers: [args] });
});

// An emitter: `emit(who, event, ...args)` and so on resolve when Redis has it.
const emitters = {
    'npm\'s emitter': (prefix) => {
        const emitter = new Emitter(commands, { key: prefix });
        const among = ({ rooms = [], except = [] }) => emitter.to(rooms).except(except);
        const published = () => commands.ping(); // behind it
        return {
            emit: (who, ...event) => published(among(who).emit(...event)),
            whisper: (who, ...event) => published(among(who).volatile.emit(...event)),
            join: (who, room) => published(among(who).socketsJoin(room)),
            leave: (who, room) => published(among(who).socketsLeave(room)),
            disconnect: (who) => published(among(who).disconnectSockets()),
            note: (...args) => published(emitter.serverSideEmit('note', ...args)),
        };
    },
    'sioemit': (prefix) => {
        const words = (args) => args.map((arg) => JSON.stringify(arg, pack));
        const sioemit = async ({ rooms = [], except = [] }, ...args) => {
            const who = [...rooms.flatMap((room) => ['--room', room]), ...except.flatMap((room) => ['--except', room])];
            const all = ['--redis', redis.address, '--redis-prefix', prefix, ...who, ...args];
            const { code, errors } = await run('sioemit', all);
            assert.equal(code, 0, errors);
        };
        return {
            emit: (who, event, ...args) => sioemit(who, event, ...words(args)),
            whisper: (who, event, ...args) => sioemit(who, '--volatile', event, ...words(args)),
            join: (who, room) => sioemit(who, '--join', room),
            leave: (who, room) => sioemit(who, '--leave', room),
            disconnect: (who) => sioemit(who, '--disconnect'),
            note: (...args) => sioemit({}, '--servers', 'note', ...words(args)),
        };
    },
};
if (!isOurs) delete emitters.sioemit;
for (const [name, make] of Object.entries(emitters)) {
    each(`${name}: events`, async ({ prefix, clients: [ada, bob], settle }) => {
        const emitter = make(prefix);
        await ask(bob, 'join', 'room');
        await emitter.emit({}, 'told', 1, 'ä', { list: [bytes(5), null] });
        await emitter.emit({ rooms: ['room'] }, 'told', 2);
        await emitter.emit({ rooms: ['room', ada.id], except: [bob.id] }, 'told', 3);
        await emitter.emit({ except: ['room'] }, 'told', 4, bytes(30_000));
        await emitter.note('to servers', { a: [1] });
        await settle();
        const first = [1, 'ä', { list: [bytes(5), null] }];
        assert.deepEqual(ada.got('told'), [first, [3], [4, bytes(30_000)]]);
        assert.deepEqual(bob.got('told'), [first, [2]]);
        for (const client of [ada, bob]) assert.deepEqual(client.got('noted'), [['to servers', { a: [1] }]]);
        while (![ada, bob].every((client) => client.got('whispered').length > 0)) { // it may be dropped
            await emitter.whisper({}, 'whispered');
            await settle();
        }
    });
    each(`${name}: sockets join, leave and are disconnected`, async ({ prefix, clients: [ada, bob], settle }) => {
        const emitter = make(prefix);
        await emitter.join({ rooms: [ada.id, bob.id] }, 'room');
        await emitter.emit({ rooms: ['room'] }, 'told', 1);
        await emitter.leave({ rooms: [bob.id] }, 'room');
        await emitter.emit({ rooms: ['room'] }, 'told', 2);
        await settle();
        assert.deepEqual([ada, bob].map((client) => client.got('told').flat()), [[1, 2], [1]]);
        const lost = heard(ada, 'disconnect');
        await emitter.disconnect({ rooms: ['room'] });
        assert.equal((await lost)[0], 'io server disconnect');
        assert.ok(bob.connected);
    });
}

for (const { kinds: [first, second] } of pairs) {
    const own = (what, body) => check(`${first.name}, ${second.name}`, 'node', 'Redis', what, body);

    own('a server dies: who waits for it is told in time, the others go on', async () => {
        const { servers: [one, two, dying] } = await serve([first, second, second], { args: ['--redis-timeout', '1000'] });
        try {
            await withClients([one, two, dying], async ({ clients: [ada, bob, eve], settle }) => {
                for (const client of [ada, bob, eve]) answer(client, client.id);
                assert.deepEqual(ids((await ada.gather('fetch', {})).answers), ids([ada, bob, eve]));
                assert.equal((await ada.gather('survey', 1)).answers.length, 2);
                await settle();
                dying.freeze(); // Redis does not know
                const survey = ada.gather('survey', 1);
                await ask(ada, 'any');
                dying.child.kill('SIGKILL'); // still frozen: kill() would wake it
                // Not whole, unless that one had gone when the server asked who is there.
                assert.deepEqual((await survey).answers, [[1]]);
                await until(() => !eve.connected);
                const all = await ada.gather('ask-all', {}, 1_000);
                assert.deepEqual(all.answers.sort(), ids([ada, bob]));
                await settle();
                assert.ok((await ada.gather('survey', 1)).isWhole);
                assert.deepEqual(ids((await bob.gather('fetch', {})).answers), ids([ada, bob]));
            });
        } finally {
            await Promise.all([one, two, dying].map((server) => server.kill()));
        }
    });

    own('a server is frozen: who waits for it is told in time', async () => {
        const { servers } = await serve([first, second], { args: ['--redis-timeout', '700'] });
        try {
            await withClients(servers, async ({ clients: [ada], settle }) => {
                answer(ada, 'here');
                servers[1].freeze();
                for (const event of [['survey', 1], ['fetch', {}], ['ask-all', {}, 700]])
                    assert.equal((await ada.gather(...event)).isWhole, false, event[0]);
                assert.deepEqual(await ask(ada, 'any', 1), [1]);
                servers[1].thaw();
                await settle();
                assert.deepEqual(await ada.gather('survey', 2), { isWhole: true, answers: [[2]] });
            });
        } finally {
            await Promise.all(servers.map((server) => server.kill()));
        }
    });

    own('Redis is started anew: servers serve meanwhile, and meet again', async () => {
        let passing = await startRedis();
        const { servers } = await serve([first, second], { address: passing.address, args: ['--redis-timeout', '1000'] });
        try {
            await withClients(servers, async ({ servers: [one], clients: [ada, bob], connect, meet, settle }) => {
                await passing.kill();
                for (const client of [ada, bob]) {
                    client.emit('shout', 'at home');
                    await until(() => client.got('shouted').some(([said]) => said === 'at home'));
                    assert.deepEqual(await ask(client, 'any', 1), [1]);
                }
                await connect(one);
                passing = await startRedis(passing.port);
                await meet();
                await settle();
                await ask(bob, 'join', 'room');
                ada.emit('tell', { rooms: ['room'] }, 'again');
                await settle();
                assert.deepEqual(bob.got('told'), [['again']]);
                assert.deepEqual(await ada.gather('survey', 1), { isWhole: true, answers: [[1]] });
            });
        } finally {
            await Promise.all([...servers, passing].map((server) => server.kill()));
        }
    });
}

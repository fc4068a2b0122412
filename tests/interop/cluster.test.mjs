// Servers that act as one over Redis: what they do together, in each mode. Programs that emit without being servers.
// What becomes of clients that move from one to another is in cluster_recovery.test.mjs.
import { Emitter } from '@socket.io/redis-emitter';
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { ask, heard, isOurs } from './clients.mjs';
import {
    checkPair, commands, ids, modes, npm, pairsOf, redis, serve, serveAll, withClients, withServers,
} from './cluster.mjs';
import { run, until } from './harness.mjs';
import { startRedis } from './redis.mjs';
import { relay } from './relay.mjs';
import { bytes, numbers, pack, packable } from './values.mjs';

const pairs = await serveAll(pairsOf(Object.keys(modes)));

function each(what, body, over = Object.keys(modes)) {
    for (const pair of pairs.filter(({ mode }) => over.includes(mode)))
        checkPair(pair, what, () => withClients(pair.servers, (tools) => body({ ...tools, prefix: pair.prefix })));
}

const nobody = { rooms: ['nobody'] };
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
    bob.emit('note', 'back');
    await until(() => ada.got('noted').length === 1 && bob.got('noted').length === sent.length);
    await settle();
    assert.deepEqual([ada, bob].map((client) => client.got('noted')), [[['back']], sent]);
});

each('events of servers for servers, with replies', async ({ clients }) => {
    for (const client of clients)
        for (const args of [[], ['text', null, { a: [1] }]])
            assert.deepEqual(await client.gather('survey', ...args), { isWhole: true, answers: [args] });
});

// An emitter: `emit(who, event, ...args)` and so on resolve when Redis has it. There is none for streams: the package of
// the adapter has none, and @socket.io/redis-emitter publishes.
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
    }, ['Pub/Sub']);
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
    }, ['Pub/Sub']);
}

// With servers of their own, and much waiting.
describe('what breaks', { concurrency: 4 }, () => {
    for (const pair of pairsOf(['Pub/Sub', 'streams'])) {
        const { kinds: [first, second], mode } = pair;

        checkPair(pair, 'a server dies: who waits for it is told in time, the others go on', () =>
            withServers([first, second, second], { mode, args: ['--redis-timeout', '1000'] },
                async ({ servers: [, , dying], clients: [ada, bob, eve], settle }) => {
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
                }));

        checkPair(pair, 'a server is frozen: who waits for it is told in time', () =>
            withServers([first, second], { mode, args: ['--redis-timeout', '700'] },
                async ({ servers, clients: [ada], settle }) => {
                    answer(ada, 'here');
                    servers[1].freeze();
                    for (const event of [['survey', 1], ['fetch', {}], ['ask-all', {}, 700]])
                        assert.equal((await ada.gather(...event)).isWhole, false, event[0]);
                    assert.deepEqual(await ask(ada, 'any', 1), [1]);
                    servers[1].thaw();
                    await settle();
                    assert.deepEqual(await ada.gather('survey', 2), { isWhole: true, answers: [[2]] });
                }));

        checkPair(pair, 'Redis is started anew: servers serve meanwhile, and meet again', async () => {
            let passing = await startRedis();
            const options = { mode, address: passing.address, args: ['--redis-timeout', '1000'] };
            try {
                await withServers([first, second], options,
                    async ({ servers, clients: [ada, bob], connect, meet, settle }) => {
                        await passing.kill();
                        for (const [i, client] of [ada, bob].entries()) {
                            client.emit('shout', 'at home');
                            // An event of npm's server waits until the stream has it.
                            if (mode === 'Pub/Sub' || pair.kinds[i] !== npm)
                                await until(() => client.got('shouted').some(([said]) => said === 'at home'));
                            assert.deepEqual(await ask(client, 'any', 1), [1]);
                        }
                        await connect(servers[0]);
                        passing = await startRedis(passing.port);
                        await meet();
                        await settle();
                        await ask(bob, 'join', 'room');
                        ada.emit('tell', { rooms: ['room'] }, 'again');
                        await settle();
                        assert.deepEqual(bob.got('told'), [['again']]);
                        let found; // a subscription may come back later than the stream
                        do found = await ada.gather('survey', 1);
                        while (found.answers.length === 0);
                        assert.deepEqual(found, { isWhole: true, answers: [[1]] });
                    });
            } finally {
                await passing.kill();
            }
        });

        if (mode === 'streams')
            checkPair(pair, 'the connection to Redis breaks: what was told meanwhile comes when it is back', async () => {
                const road = await relay(redis.port);
                const { servers: [far], prefix } = await serve([first], { mode, address: new URL(road.url).host });
                const { servers: [near] } = await serve([second], { mode, prefix });
                try {
                    await withClients([far, near], async ({ clients: [ada, bob], meet, settle }) => {
                        await meet();
                        await settle();
                        road.cut();
                        for (const i of numbers(200)) bob.emit('tell', {}, i, bytes(i));
                        await until(() => bob.got('told').length === 200);
                        assert.deepEqual(await ask(ada, 'any', 1), [1]);
                        road.mend();
                        await until(() => ada.got('told').length >= 200);
                        // The other connections of ours come back at times of their own, which it says.
                        await until(() => /^$|connected\n$/.test(far.child.errors));
                        bob.emit('tell', {}, 200, bytes(200));
                        await settle();
                        assert.deepEqual(ada.got('told'), numbers(201).map((i) => [i, bytes(i)]));
                    });
                } finally {
                    road.close();
                    await Promise.all([far, near].map((server) => server.kill()));
                }
            });
    }
});

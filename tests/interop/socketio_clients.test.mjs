// Other Socket.IO clients with our server, while all goes well.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import {
    ask, Caller, collect, each as eachOf, heard, legacy, modern, msgpack, peers, python, serveAll,
} from './clients.mjs';
import { sleep, until } from './harness.mjs';
import { relay } from './relay.mjs';
import { bytes, names, numbers, packable, values as allValues } from './values.mjs';

const servers = await serveAll('--allow-v3', '--max-payload', '10000000');
const url = (their) => servers.serverOf(their.peer).url;
after(() => servers.stop());
const valuesFor = ({ peer }) => (peer === msgpack ? packable : allValues);
const each = (what, body, options) => eachOf(what, body, { of: [...peers, msgpack], ...options });

// Waits until all has come that the server has sent to this socket.
const settle = (socket) => ask(socket, 'settle');

// The reason of a refusal. In revision 3 it is a text.
async function refusal(socket, peer) {
    const [error] = await heard(socket, peer === legacy ? 'error' : 'connect_error');
    return typeof error === 'string' ? { message: error } : { message: error.message, data: error.data };
}

each('connects, its auth arrives', async (their) => {
    const socket = their.dial(url(their), { nsp: '/custom', auth: { token: 'abc' } });
    const [auth] = await heard(socket, 'auth');
    assert.deepEqual(auth, { token: 'abc' });
    assert.ok(socket.id);
});

each('auth is accepted', async (their) => {
    const socket = await their.connect(url(their), { nsp: '/guarded', auth: { token: '123' } });
    assert.deepEqual(await ask(socket, 'any', 1), [1]);
});

each('auth is refused, with the data of the error', async (their) => {
    const [socket, guarded] = their.dialAll(url(their), ['/', '/guarded'], { auth: { token: 'wrong' } });
    const [error] = await Promise.all([refusal(guarded, their.peer), heard(socket, 'connect')]);
    if (their.peer === legacy) assert.ok(error);
    else assert.deepEqual(error, { message: 'not authorized', data: { code: 401 } });
    assert.deepEqual(await ask(socket, 'any', 'still there'), ['still there']);
});

each('an unknown namespace is refused', async (their) => {
    const [socket, unknown] = their.dialAll(url(their), ['/', '/unknown']);
    const [error] = await Promise.all([refusal(unknown, their.peer), heard(socket, 'connect')]);
    assert.equal(error.message, 'Invalid namespace');
    assert.deepEqual(await ask(socket, 'any', 'still there'), ['still there']);
});

each('every JSON type in events, both ways', async (their) => {
    const values = valuesFor(their);
    const socket = await their.connect(url(their));
    const got = collect(socket, 'message-back');
    socket.emit('message');
    for (const value of values) socket.emit('message', value);
    socket.emit('message', ...values);
    await until(() => got.length === values.length + 2);
    assert.deepEqual(got, [[], ...values.map((value) => [value]), values]);
});

each('every JSON type in acknowledgements of the server', async (their) => {
    const values = valuesFor(their);
    const socket = await their.connect(url(their));
    assert.deepEqual(await ask(socket, 'message-with-ack'), []);
    for (const value of values) assert.deepEqual(await ask(socket, 'message-with-ack', value), [value]);
    assert.deepEqual(await ask(socket, 'message-with-ack', ...values), values);
});

each('acknowledgements of the client', async (their) => {
    const values = valuesFor(their);
    const socket = await their.connect(url(their));
    const questions = collect(socket, 'question');
    socket.on('question', (...args) => args.at(-1)?.call?.(null, ...args.slice(0, -1))); // python answers by itself
    const answers = collect(socket, 'answered');
    const asked = [[], values, [bytes(1000)], [{ deep: [bytes(3), 'text'] }, bytes(0)]];
    for (const args of asked) socket.emit('ask', ...args);
    await until(() => answers.length === asked.length);
    assert.deepEqual(answers, asked);
    assert.equal(questions.length, asked.length);
});

each('any name of an event', async (their) => {
    const socket = await their.connect(url(their));
    for (const name of names) assert.deepEqual(await ask(socket, name, name), [name]);
});

each('binaries to 1 MB, in events both ways', async (their) => {
    const socket = await their.connect(url(their));
    const got = collect(socket, 'message-back');
    const sent = [0, 1, 2, 3, 125, 126, 65_535, 65_536, 1_000_000].map((size) => [bytes(size)]);
    for (const args of sent) socket.emit('message', ...args);
    await until(() => got.length === sent.length);
    assert.deepEqual(got, sent);
});

each('binaries at any depth, among text', async (their) => {
    const socket = await their.connect(url(their));
    const got = collect(socket, 'message-back');
    const deep = { picture: bytes(70_000), list: [[bytes(1)], { empty: bytes(0) }], text: 'ä' };
    const args = ['first', bytes(4), deep, null];
    socket.emit('message', ...args);
    socket.emit('message', 'text behind it');
    assert.deepEqual(await ask(socket, 'message-with-ack', ...args), args);
    await until(() => got.length === 2);
    assert.deepEqual(got, [args, ['text behind it']]);
});

each('more binaries than the default parser allows', async (their) => {
    const socket = await their.connect(url(their));
    const got = collect(socket, 'message-back');
    const args = [numbers(100).map(bytes), ...numbers(20).map((i) => ({ i, part: bytes(i * 100) }))];
    socket.emit('message', ...args);
    assert.deepEqual(await ask(socket, 'message-with-ack', ...args), args);
    await until(() => got.length === 1);
    assert.deepEqual(got, [args]);
}, { of: [msgpack] });

each('1,000 events at once, both ways, in order', async (their) => {
    const socket = await their.connect(url(their));
    const got = collect(socket, 'message-back');
    for (const i of numbers(1000)) socket.emit('message', i, i % 10 ? 'text' : bytes(i));
    await until(() => got.length === 1000, 20_000);
    assert.deepEqual(got, numbers(1000).map((i) => [i, i % 10 ? 'text' : bytes(i)]));
});

each('1,000 acknowledgements at once, in order', async (their) => {
    const socket = await their.connect(url(their));
    const got = [];
    await Promise.all(numbers(1000).map(async (i) => got.push(...await ask(socket, 'message-with-ack', i))));
    assert.deepEqual(got, numbers(1000));
});

each('two namespaces of one connection', async (their) => {
    const nsps = ['/', '/custom'];
    const sockets = await their.connectAll(url(their), nsps);
    const got = sockets.map((socket) => collect(socket, 'message-back'));
    for (const i of numbers(10)) sockets.forEach((socket, j) => socket.emit('message', nsps[j], i));
    const acks = await Promise.all(sockets.map((socket, j) => ask(socket, 'any', nsps[j])));
    assert.deepEqual(acks, nsps.map((nsp) => [nsp]));
    await until(() => got.every((list) => list.length === 10));
    got.forEach((list, j) => assert.deepEqual(list, numbers(10).map((i) => [nsps[j], i])));
    assert.notEqual(sockets[0].id, sockets[1].id);
});

each('a namespace is left, and entered again', async (their) => {
    const [socket, custom] = await their.connectAll(url(their), ['/', '/custom']);
    custom.disconnect();
    assert.deepEqual(await ask(socket, 'any', 'still there'), ['still there']);
    custom.connect();
    assert.deepEqual(await ask(custom, 'any', 'back'), ['back']);
}, { of: [modern, legacy, msgpack] }); // python can only leave all of them

each('rooms', async (their) => {
    const [ada, bob, eve] = await Promise.all(numbers(3).map(() => their.connect(url(their))));
    const [toAda, toBob, toEve] = [ada, bob, eve].map((socket) => collect(socket, 'said'));
    const all = () => Promise.all([ada, bob, eve].map(settle));
    await Promise.all([ada, bob].map((socket) => ask(socket, 'join', 'room')));
    await ask(ada, 'say', 'room', 'hello', { picture: bytes(100) });
    await all();
    assert.deepEqual([toAda, toBob, toEve], [[], [['hello', { picture: bytes(100) }]], []]);
    await ask(eve, 'say', 'room', 'from outside');
    await ask(bob, 'leave', 'room');
    await ask(ada, 'say', 'room', 'anybody?');
    await all();
    assert.deepEqual([toAda, toBob.slice(1), toEve], [[['from outside']], [['from outside']], []]);
});

each('a socket is a room by its id', async (their) => {
    const [ada, bob, eve] = await Promise.all(numbers(3).map(() => their.connect(url(their))));
    const [toBob, toEve] = [bob, eve].map((socket) => collect(socket, 'said'));
    await ask(ada, 'say', bob.id, 'to you alone');
    await Promise.all([bob, eve].map(settle));
    assert.deepEqual([toBob, toEve], [[['to you alone']], []]);
}, { of: [modern, python, msgpack] }); // in revision 3 clients make up the id themselves

each('a broadcast reaches all in the namespace', async (their) => {
    const sockets = await Promise.all(numbers(3).map(() => their.connect(url(their))));
    const elsewhere = await their.connect(url(their), { nsp: '/custom' });
    const lists = [...sockets, elsewhere].map((socket) => collect(socket, 'shouted'));
    for (const i of numbers(100)) sockets[0].emit('shout', i, bytes(i));
    await until(() => lists.slice(0, 3).every((list) => list.length === 100));
    await settle(elsewhere);
    const sent = numbers(100).map((i) => [i, bytes(i)]);
    assert.deepEqual(lists, [sent, sent, sent, []]);
});

each('talks to clients of every kind', async (their) => {
    const callers = peers.map((peer) => new Caller(peer, their.transport));
    for (const caller of callers) their.finally(() => caller.hangUp());
    const sockets = await Promise.all([their, ...callers].map((caller) => caller.connect(url(their))));
    const lists = sockets.map((socket) => collect(socket, 'said'));
    await Promise.all(sockets.map((socket) => ask(socket, 'join', 'all')));
    const speech = ['hello ä😀', { picture: bytes(70_000) }, null];
    for (const [i, socket] of sockets.entries()) await ask(socket, 'say', 'all', i, ...speech);
    await Promise.all(sockets.map(settle));
    lists.forEach((list, i) =>
        assert.deepEqual(list, [0, 1, 2, 3].filter((j) => j !== i).map((j) => [j, ...speech])));
}, { of: peers });

each('volatile events arrive when there is a connection, and never late', async (their) => {
    const socket = their.dial(url(their));
    const got = collect(socket, 'message-back');
    socket.volatile.emit('message', 'too early');
    await heard(socket, 'connect');
    await settle(socket);
    for (const i of numbers(10)) {
        await until(() => socket.io.engine.transport.writable);
        socket.volatile.emit('message', i);
        await until(() => got.length === i + 1);
    }
    assert.deepEqual(got.flat(), numbers(10));
}, { of: [modern, msgpack] }); // in the others only servers know them

each('a socket is disconnected by the server, the others stay', async (their) => {
    const [socket, custom] = await their.connectAll(url(their), ['/', '/custom']);
    const kicked = heard(custom, 'disconnect');
    custom.emit('kick');
    const [reason] = await kicked;
    assert.equal(reason ?? 'io server disconnect', 'io server disconnect');
    assert.deepEqual(await ask(socket, 'any', 'still there'), ['still there']);
    if (!custom.connect) return; // python cannot recover
    custom.connect();
    assert.deepEqual(await ask(custom, 'any', 'back'), ['back']);
});

// An upgrade may not lose, repeat or reorder messages: these go both ways from the first moment until after it.
each('upgrades under traffic', async (their) => {
    const slow = await relay(servers.serverOf(their.peer).port, 10); // or it is over before there is any
    their.finally(slow.close);
    const other = await their.connect(url(their));
    let shouts = 0;
    await Promise.all(numbers(3).map(async () => {
        const socket = their.dial(slow.url);
        const [back, shouted] = ['message-back', 'shouted'].map((event) => collect(socket, event));
        await heard(socket, 'connect');
        const sent = []; // over which transport
        while (sent.filter((transport) => transport === 'websocket').length < 100) {
            sent.push(socket.engine().transport);
            socket.emit('message', sent.length, bytes(sent.length % 3 * 100));
            other.emit('shout', ++shouts);
            await sleep(1);
        }
        assert.equal(sent[0], 'polling');
        await settle(other);
        const last = shouts;
        await until(() => back.length === sent.length && shouted.at(-1)?.[0] >= last);
        assert.deepEqual(back, sent.map((_, i) => [i + 1, bytes((i + 1) % 3 * 100)]));
        assert.deepEqual(shouted, shouted.map((_, i) => [shouted[0][0] + i]));
    }));
}, { of: [modern, legacy, msgpack], over: ['upgrade'] }); // python upgrades before it connects

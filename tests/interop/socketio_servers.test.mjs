// Our client with other Socket.IO servers, while all goes well.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { each as eachOf, legacy, msgpack, packed, peers, python, serve } from './siocat.mjs';
import { bytes, names, numbers, packable, values as allValues } from './values.mjs';

const servers = new Map();
const all = [...peers, ...packed];
for (const peer of all) servers.set(peer, await serve(peer, '--max-payload', '10000000'));
after(() => Promise.all([...servers.values()].map((server) => server.kill())));
const url = (our) => servers.get(our.peer).url;
const valuesFor = ({ peer }) => (peer === msgpack ? packable : allValues);
const each = (what, body, options) => eachOf(what, body, { of: all, ...options });

each('connects, its auth arrives', async (our) => {
    const cat = await our.connect(url(our), { nsps: ['/custom'], auth: { token: 'abc' } });
    const [[auth]] = await cat.hearEvents('auth', 1, '/custom');
    if (our.peer === legacy) assert.equal(auth.token, 'abc'); // among the query of the connection
    else assert.deepEqual(auth, { token: 'abc' });
    if (our.peer !== legacy) assert.ok(cat.sid); // which tells none
});

each('auth is accepted', async (our) => {
    const cat = await our.connect(url(our), { nsps: ['/guarded'], auth: { token: '123' } });
    assert.deepEqual(await cat.askIn('/guarded', 'any', 1), [1]);
});

each('auth is refused, with the data of the error', async (our) => {
    const cat = our.dial(url(our), { nsps: ['/', '/guarded'], auth: { token: 'wrong' } });
    const { message, data } = await cat.hear('connect_error', { nsp: '/guarded' });
    assert.equal(message, our.peer === legacy ? null : 'not authorized'); // which tells the data only
    assert.deepEqual(data, { code: 401 });
    assert.deepEqual(await cat.ask('any', 'still there'), ['still there']);
});

each('an unknown namespace is refused', async (our) => {
    const cat = our.dial(url(our), { nsps: ['/', '/unknown'] });
    const { message } = await cat.hear('connect_error', { nsp: '/unknown' });
    assert.equal(message, our.peer === python ? 'Unable to connect' : 'Invalid namespace');
    assert.deepEqual(await cat.ask('any', 'still there'), ['still there']);
});

each('every JSON type in events, both ways', async (our) => {
    const values = valuesFor(our);
    const cat = await our.connect(url(our));
    cat.emit('message');
    for (const value of values) cat.emit('message', value);
    cat.emit('message', ...values);
    const got = await cat.hearEvents('message-back', values.length + 2);
    assert.deepEqual(got, [[], ...values.map((value) => [value]), values]);
});

each('every JSON type in acknowledgements of the server', async (our) => {
    const values = valuesFor(our);
    const cat = await our.connect(url(our));
    assert.deepEqual(await cat.ask('message-with-ack'), []);
    for (const value of values) assert.deepEqual(await cat.ask('message-with-ack', value), [value]);
    assert.deepEqual(await cat.ask('message-with-ack', ...values), values);
});

each('acknowledgements of the client', async (our) => {
    const values = valuesFor(our);
    const cat = await our.connect(url(our));
    for (const args of [[], values, [bytes(1000)], [{ deep: [bytes(3), 'text'] }, bytes(0)]]) {
        cat.emit('ask', ...args);
        const question = await cat.hear('event', { event: 'question' });
        assert.deepEqual(question.args, args);
        cat.tell('reply', { token: question.token, args });
        assert.deepEqual(await cat.hearEvents('answered', 1), [args]);
    }
});

each('any name of an event', async (our) => {
    const cat = await our.connect(url(our));
    for (const name of names) assert.deepEqual(await cat.ask(name, name), [name]);
});

each('binaries to 1 MB, in events both ways', async (our) => {
    const cat = await our.connect(url(our));
    const sent = [0, 1, 2, 3, 125, 126, 65_535, 65_536, 1_000_000].map((size) => [bytes(size)]);
    for (const args of sent) cat.emit('message', ...args);
    assert.deepEqual(await cat.hearEvents('message-back', sent.length), sent);
});

each('binaries at any depth, among text', async (our) => {
    const cat = await our.connect(url(our));
    const mixed = { picture: bytes(70_000), list: [[bytes(1)], { empty: bytes(0) }], text: 'ä' };
    const args = ['first', bytes(4), mixed, null];
    cat.emit('message', ...args);
    cat.emit('message', 'text behind it');
    assert.deepEqual(await cat.ask('message-with-ack', ...args), args);
    assert.deepEqual(await cat.hearEvents('message-back', 2), [args, ['text behind it']]);
});

each('more binaries than the default parser allows', async (our) => {
    const cat = await our.connect(url(our));
    const args = [numbers(100).map(bytes), ...numbers(20).map((i) => ({ i, part: bytes(i * 100) }))];
    cat.emit('message', ...args);
    assert.deepEqual(await cat.ask('message-with-ack', ...args), args);
    assert.deepEqual(await cat.hearEvents('message-back', 1), [args]);
}, { of: packed });

each('1,000 events at once, both ways, in order', async (our) => {
    const cat = await our.connect(url(our));
    const sent = numbers(1000).map((i) => [i, i % 10 ? 'text' : bytes(i)]);
    for (const args of sent) cat.emit('message', ...args);
    assert.deepEqual(await cat.hearEvents('message-back', 1000), sent);
});

each('1,000 acknowledgements at once, in order', async (our) => {
    const cat = await our.connect(url(our));
    for (const i of numbers(1000)) cat.tell('emit', { event: 'message-with-ack', args: [i], ack: true, id: i });
    for (const i of numbers(1000)) assert.deepEqual(await cat.hear('ack'), { on: 'ack', id: i, args: [i] });
});

each('two namespaces of one connection', async (our) => {
    const nsps = ['/', '/custom'];
    const cat = await our.connect(url(our), { nsps });
    for (const i of numbers(10)) for (const nsp of nsps) cat.tell('emit', { nsp, event: 'message', args: [nsp, i] });
    for (const nsp of nsps) {
        assert.deepEqual(await cat.askIn(nsp, 'any', nsp), [nsp]);
        assert.deepEqual(await cat.hearEvents('message-back', 10, nsp), numbers(10).map((i) => [nsp, i]));
    }
});

each('a namespace is left, and entered again', async (our) => {
    const cat = await our.connect(url(our), { nsps: ['/', '/custom'] });
    cat.tell('disconnect', { nsp: '/custom' });
    await cat.hear('disconnect', { nsp: '/custom', reason: 'io client disconnect' });
    assert.deepEqual(await cat.ask('any', 'still there'), ['still there']);
    cat.tell('connect', { nsp: '/custom' });
    await cat.hear('connect', { nsp: '/custom' });
    assert.deepEqual(await cat.askIn('/custom', 'any', 'back'), ['back']);
});

each('rooms', async (our) => {
    const cats = await Promise.all(numbers(3).map(() => our.connect(url(our))));
    const [ada, bob, eve] = cats;
    // All messages that each of them has got until now.
    const said = () => Promise.all(cats.map(async (cat) => {
        await cat.ask('settle');
        return cat.take('said');
    }));
    await Promise.all([ada, bob].map((cat) => cat.ask('join', 'room')));
    await ada.ask('say', 'room', 'hello', { picture: bytes(100) });
    assert.deepEqual(await said(), [[], [['hello', { picture: bytes(100) }]], []]);
    await eve.ask('say', 'room', 'from outside');
    await bob.ask('leave', 'room');
    await ada.ask('say', 'room', 'anybody?');
    assert.deepEqual(await said(), [[['from outside']], [['from outside']], []]);
});

each('a socket is a room by its id', async (our) => {
    const [ada, bob] = await Promise.all(numbers(2).map(() => our.connect(url(our))));
    ada.emit('say', bob.sid, 'to one');
    assert.deepEqual(await bob.hearEvents('said', 1), [['to one']]);
}, { of: all.filter((peer) => peer !== legacy) }); // which tells nobody his id

each('a broadcast reaches all in the namespace', async (our) => {
    const cats = await Promise.all(numbers(3).map(() => our.connect(url(our))));
    const elsewhere = await our.connect(url(our), { nsps: ['/custom'] });
    const sent = numbers(100).map((i) => [i, bytes(i)]);
    for (const args of sent) cats[0].emit('shout', ...args);
    for (const cat of cats) assert.deepEqual(await cat.hearEvents('shouted', 100), sent);
    await elsewhere.askIn('/custom', 'settle');
    assert.deepEqual(elsewhere.take('shouted', '/custom'), []);
});

each('volatile events arrive when there is a connection, and never late', async (our) => {
    const cat = our.dial(url(our));
    const whisper = (...args) => cat.tell('emit', { event: 'message', args, volatile: true });
    whisper('too early');
    await cat.hear('connect');
    await cat.ask('settle');
    let arrived = 0;
    while (arrived < 10) { // one that finds the transport busy, with a pong or a poll, is dropped
        whisper(arrived);
        await cat.ask('settle');
        arrived += cat.take('message-back').map(([i]) => assert.equal(i, arrived)).length;
    }
});

each('a socket is disconnected by the server, the others stay', async (our) => {
    const cat = await our.connect(url(our), { nsps: ['/', '/custom'] });
    cat.tell('emit', { nsp: '/custom', event: 'kick' });
    await cat.hear('disconnect', { nsp: '/custom', reason: 'io server disconnect' });
    assert.deepEqual(await cat.ask('any', 'still there'), ['still there']);
    cat.tell('connect', { nsp: '/custom' });
    assert.deepEqual(await cat.askIn('/custom', 'any', 'back'), ['back']);
});

// An upgrade may not lose, repeat or reorder messages: these go both ways from the first moment until after it.
each('upgrades under traffic', async (our) => {
    const other = await our.connect(url(our));
    const cat = our.dial(url(our));
    await cat.hear('connect');
    let count = 0;
    const isUpgraded = () => cat.lines.some(({ on }) => on === 'upgrade');
    for (let rest = 50; rest > 0; isUpgraded() && --rest) {
        cat.emit('message', count, bytes(count % 3 * 100));
        other.emit('shout', count++);
        await new Promise(setImmediate);
    }
    assert.deepEqual(await cat.hearEvents('message-back', count), numbers(count).map((i) => [i, bytes(i % 3 * 100)]));
    await other.ask('settle');
    await cat.ask('settle');
    const shouted = cat.take('shouted').flat();
    assert.deepEqual(shouted, numbers(shouted.length).map((i) => shouted[0] + i));
    assert.equal(shouted.at(-1), count - 1);
}, { over: ['upgrade'] });

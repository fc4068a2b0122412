// The chat on two servers that one Redis makes one: its windows are in a real browser, half of them on each server.
// Each check is made over Pub/Sub and over streams.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { decode, encode } from '@msgpack/msgpack';
import { createClient } from 'redis';
import { io } from 'socket.io-client';
import {
    areHere, choose, comeIn, isConnected, notes, painted, pictureFile, say, sees, status, talk, texts, visit,
    withWindows,
} from './chat_page.mjs';
import { ask, collect, heard } from './clients.mjs';
import { check, freePort, sleep, start } from './harness.mjs';
import { startRedis } from './redis.mjs';
import { relay } from './relay.mjs';

const redis = await startRedis();
after(() => redis.kill());

let prefixes = 0;
const modes = { 'Pub/Sub': 'pubsub', 'streams': 'streams' };
function chatCheck(what, body, options) {
    for (const mode of Object.keys(modes)) checkOver(mode, what, body, options);
}

function checkOver(mode, what, body, { address = redis.address } = {}) {
    const link = ['--redis', address, '--redis-mode', modes[mode], '--redis-timeout', '2000'];
    const prefix = `chat ${++prefixes}`;
    const another = () => start('chat_server', ...link, '--redis-prefix', prefix);
    check('Chromium', 'server', `Redis ${mode}`, what, () => withWindows('websocket', async ({ open, enter }) => {
        const servers = await Promise.all([another(), another()]);
        const roads = [];
        const chat = {
            mode, prefix, open, enter, servers,
            startAnother: async () => servers.at(servers.push(await another()) - 1),
            // One on each server, which see each other: the servers know of each other from then on.
            enterBoth: async () => {
                const ada = await enter('Ada', servers[0].url);
                const bob = await enter('Bob', servers[1].url);
                for (const page of [ada, bob]) await areHere(page, 'Ada', 'Bob');
                return [ada, bob];
            },
            // One on the first server, whose connection can be led to another.
            enterByRoad: async (nickname) => {
                const road = await relay(servers[0].port);
                roads.push(road);
                return { road, page: await enter(nickname, road.url) };
            },
        };
        try {
            await body(chat);
        } finally {
            for (const road of roads) road.close();
            await Promise.all(servers.map((server) => server.kill()));
        }
        // All that they say is whether Redis is there.
        for (const { child } of servers) assert.equal(child.errors.replace(/^Redis .*\n/gm, ''), '');
    }));
}

chatCheck('windows on two servers talk and see who is there', async ({ enterBoth }) => {
    const [ada, bob] = await enterBoth();
    await notes(ada, /Bob.? joined/);
    await talk(ada, bob);
    await bob.locator('.own:not(.pending)', { hasText: 'Hello, Ada' }).waitFor();
    for (const page of [ada, bob]) assert.equal(await texts(page, 'Hello').count(), 2);
    await bob.getByRole('button', { name: 'Log out' }).click();
    await notes(ada, /Bob.? left/);
    await areHere(ada, 'Ada');
});

chatCheck('typing is shown on the other server, and a picture', async ({ enterBoth }) => {
    const [ada, bob] = await enterBoth();
    await ada.getByLabel('Message', { exact: true }).pressSequentially('Hm');
    await bob.locator('#typing', { hasText: /Ada.? is typing/ }).waitFor();
    await choose(ada, pictureFile('red.png', painted(123, 45, [200, 30, 60])));
    const picture = bob.getByAltText('Picture from Ada');
    await picture.waitFor();
    await picture.evaluate((image) => image.decode());
    assert.deepEqual(await picture.evaluate((image) => [image.naturalWidth, image.naturalHeight]), [123, 45]);
    await ada.locator('.pending').waitFor({ state: 'detached' });
});

chatCheck('what all say at once arrives, once', async ({ enterBoth }) => {
    const pages = await enterBoth();
    const numbers = [...Array(20).keys()];
    await Promise.all(pages.map(async (page, p) => {
        for (const n of numbers) await say(page, `${p}: number ${n}.`);
    }));
    for (const page of pages)
        for (const p of [0, 1]) {
            await sees(page, `${p}: number 19.`);
            const shown = await texts(page, `${p}: `).allTextContents();
            assert.deepEqual(shown, numbers.map((n) => `${p}: number ${n}.`));
        }
});

chatCheck('a room is there on both servers, until nobody is in it', async ({ enterBoth }) => {
    const [ada, bob] = await enterBoth();
    const garden = (page) => page.locator('[data-room="#garden"]');
    const leave = (page) => page.getByRole('button', { name: 'Leave room' }).click();
    await ada.getByLabel('Name of a new room').fill('garden');
    await ada.keyboard.press('Enter');
    await areHere(ada, 'Ada');
    await say(ada, 'Early');
    await visit(bob, '#garden');
    await sees(bob, 'Early');
    await areHere(bob, 'Ada', 'Bob');
    await leave(ada);
    await areHere(bob, 'Bob');
    await garden(ada).waitFor();
    await leave(bob);
    for (const page of [ada, bob]) await garden(page).waitFor({ state: 'detached' });
});

chatCheck('who comes later, on a server that starts later, reads what was said', async ({ enterBoth, ...chat }) => {
    const [ada, bob] = await enterBoth();
    await ada.getByLabel('Name of a new room').fill('garden');
    await ada.keyboard.press('Enter');
    await areHere(ada, 'Ada');
    await say(ada, 'Roses');
    await visit(ada, '#lobby');
    await say(ada, 'First');
    await sees(bob, 'First');
    await say(bob, 'Second');
    await sees(ada, 'Second');
    const late = await chat.startAnother();
    const grace = await chat.enter('Grace', late.url);
    await sees(grace, 'Second');
    assert.deepEqual(await texts(grace, '').allTextContents(), ['First', 'Second']);
    await areHere(grace, 'Ada', 'Bob', 'Grace');
    await visit(grace, '#garden');
    await sees(grace, 'Roses');
    await areHere(grace, 'Ada', 'Grace');
});

chatCheck('a nickname that is taken on the other server is refused', async ({ servers, enter, enterBoth, open }) => {
    const [ada] = await enterBoth();
    const other = await open(servers[1].url);
    await comeIn(other, 'ada');
    await other.getByRole('alert').filter({ hasText: 'taken' }).waitFor();
    await comeIn(other, 'Grace');
    await areHere(ada, 'Ada', 'Bob', 'Grace');
    await ada.getByRole('button', { name: 'Log out' }).click();
    await areHere(other, 'Bob', 'Grace');
    await enter('Ada', servers[1].url); // the nickname is free again
    await areHere(other, 'Ada', 'Bob', 'Grace');
});

chatCheck('of two who ask for a nickname at once, on two servers, no more than one gets it', async (chat) => {
    const { servers, enterBoth } = chat;
    await enterBoth();
    for (let round = 0; round < 20; ++round) {
        const sockets = servers.map(({ url }, s) => io(url, {
            transports: ['websocket'], forceNew: true, reconnection: false,
            auth: { nickname: `Eve ${round}`, secret: `${s}` },
        }));
        const isIn = (socket) => new Promise((resolve) => {
            socket.on('connect', () => resolve(true));
            socket.on('connect_error', ({ message }) => resolve(!message.includes('taken')));
        });
        const answers = await Promise.all(sockets.map(isIn));
        for (const socket of sockets) socket.disconnect();
        assert.ok(!answers.every(Boolean));
    }
});

chatCheck('whoever comes in on the other server leaves the first', async ({ servers, enterBoth, open }) => {
    const [ada, bob] = await enterBoth();
    await say(ada, 'Before');
    await sees(bob, 'Before');
    const session = await ada.evaluate(() => sessionStorage.getItem('chat'));
    const second = await open(servers[1].url);
    await second.evaluate((value) => sessionStorage.setItem('chat', value), session);
    await second.reload();
    await isConnected(second, 'websocket');
    await ada.getByRole('alert').filter({ hasText: 'another window' }).waitFor();
    await sees(second, 'Before');
    await areHere(bob, 'Ada', 'Bob');
    await areHere(second, 'Ada', 'Bob');
    await say(second, 'It is me');
    await sees(bob, 'It is me');
    await comeIn(ada, 'Ada'); // with another secret
    await ada.getByRole('alert').filter({ hasText: 'taken' }).waitFor();
});

chatCheck('a server that crashes does not keep nicknames', async ({ servers, enterBoth, enter }) => {
    const [ada] = await enterBoth();
    await servers[1].kill();
    const bob = await enter('Bob', servers[0].url);
    await areHere(bob, 'Ada', 'Bob');
    await say(bob, 'Here again');
    await sees(ada, 'Here again');
});

chatCheck('a server that does not answer keeps nobody out', async ({ servers, enter, enterBoth }) => {
    const [ada, bob] = await enterBoth();
    servers[1].freeze();
    const grace = await enter('Grace', servers[0].url);
    await areHere(grace, 'Ada', 'Grace'); // of the others nothing is known
    await say(grace, 'Hello');
    await sees(ada, 'Hello');
    servers[1].thaw();
    await sees(bob, 'Hello');
    await areHere(bob, 'Ada', 'Bob', 'Grace');
});

const port = await freePort();
chatCheck('Redis is lost: each server goes on alone, until it is back', async ({ servers, enter, enterBoth }) => {
    let other = await startRedis(port);
    try {
        const [ada, bob] = await enterBoth();
        await say(ada, 'First');
        await sees(bob, 'First');
        await other.kill();
        await areHere(ada, 'Ada');
        await areHere(bob, 'Bob');
        const grace = await enter('Grace', servers[0].url);
        await areHere(grace, 'Ada', 'Grace');
        await say(grace, 'Who is there?');
        await sees(ada, 'Who is there?');
        await say(bob, 'I am alone');
        await bob.locator('.own:not(.pending)', { hasText: 'I am alone' }).waitFor();
        other = await startRedis(port);
        for (const page of [ada, bob, grace]) {
            await areHere(page, 'Ada', 'Bob', 'Grace');
            for (const text of ['First', 'Who is there?', 'I am alone']) await sees(page, text);
        }
        await say(bob, 'Last');
        await sees(ada, 'Last');
        for (const page of [ada, bob])
            for (const text of ['First', 'Who is there?', 'I am alone', 'Last'])
                assert.equal(await texts(page, text).count(), 1, text);
    } finally {
        await other.kill();
    }
}, { address: `127.0.0.1:${port}` });

// Whoever the servers do not know any more comes in anew. Over streams, each of them knows him.
const recovers = (mode, at) => mode === 'streams' || at === 0;

for (const [where, at] of [['on the same server', 0], ['on the other server', 1]])
    chatCheck(`a lost connection comes back ${where}`, async ({ mode, servers, enter, enterByRoad, open }) => {
        const bob = await enter('Bob', servers[1].url);
        const grace = await enter('Grace', servers[0].url);
        const { road, page: ada } = await enterByRoad('Ada');
        await ada.getByLabel('Name of a new room').fill('garden');
        await ada.keyboard.press('Enter');
        await areHere(ada, 'Ada');
        await visit(bob, '#garden');
        await areHere(bob, 'Ada', 'Bob');
        await say(ada, 'Roses');
        await sees(bob, 'Roses');

        for (const [i, to] of [at, 0, at].entries()) { // there, to where it was first, and there again
            road.cut();
            await status(ada, 'Connection lost');
            await areHere(bob, 'Bob');
            await areHere(grace, 'Bob', 'Grace');
            await say(bob, `Text ${i}`);
            await choose(bob, pictureFile('red.png', painted(12 + i, 12, [200, 30, 60])));
            await say(ada, `Alone ${i}`);
            await bob.locator('.pending').waitFor({ state: 'detached' });
            road.leadTo(servers[to].port);
            road.mend();
            await status(ada, recovers(mode, at) ? 'nothing was missed' : 'Connected');
            for (const page of [ada, bob]) {
                await areHere(page, 'Ada', 'Bob');
                await sees(page, `Text ${i}`);
                await sees(page, `Alone ${i}`);
            }
            await areHere(grace, 'Ada', 'Bob', 'Grace');
            await say(ada, `Here again ${i}`);
            await sees(bob, `Here again ${i}`);
            if (recovers(mode, at)) {
                await notes(bob, /Ada.? came back/);
                assert.equal(await ada.getByAltText('Picture from Bob').count(), i + 1);
            }
        }
        await visit(ada, '#lobby');
        await areHere(ada, 'Ada', 'Bob', 'Grace');
        await say(ada, 'In the lobby');
        await sees(grace, 'In the lobby');
        await visit(ada, '#garden');
        for (const page of [ada, bob])
            for (const text of [0, 1, 2].flatMap((i) => [`Text ${i}`, `Alone ${i}`, `Here again ${i}`]))
                assert.equal(await texts(page, text).count(), 1, text);

        // The nickname is still theirs, and nobody else's.
        for (const { url } of servers) {
            const other = await open(url);
            await comeIn(other, 'Ada');
            await other.getByRole('alert').filter({ hasText: 'taken' }).waitFor();
        }
        await ada.reload();
        await isConnected(ada, 'websocket');
        for (const page of [ada, bob]) await areHere(page, 'Ada', 'Bob');
        await say(ada, 'After a reload');
        await sees(bob, 'After a reload');
        await ada.getByRole('button', { name: 'Log out' }).click();
        await areHere(bob, 'Bob');
        await areHere(grace, 'Bob', 'Grace');
        await comeIn(ada, 'Eve');
        await areHere(grace, 'Bob', 'Eve', 'Grace');
        await enter('Ada', servers[0].url); // the nickname is free again
        await areHere(grace, 'Ada', 'Bob', 'Eve', 'Grace');
    });

checkOver('streams', 'rooms that Redis has made up are not opened', async ({ servers, prefix, enterBoth }) => {
    await enterBoth();
    const commands = await createClient({ url: `redis://${redis.address}` }).connect();
    const socket = io(servers[0].url, {
        transports: ['websocket'], forceNew: true, reconnection: false,
        auth: { nickname: 'Eve', secret: 'secret' },
    });
    try {
        const lists = collect(socket, 'rooms');
        await ask(socket, 'join', '#garden', 0);
        await ask(socket, 'say', '#garden', 'key', 'Hello'); // which brings an offset
        socket.io.engine.close();
        const key = `${prefix}:session:${socket._pid}`;
        while (!await commands.exists(key)) await sleep(5);
        const session = decode(Buffer.from(await commands.get(key), 'base64'));
        assert.deepEqual(session.rooms.filter((room) => room !== session.sid), ['#garden']);
        session.rooms.push('no name', '#', `#${'x'.repeat(1000)}`, ...Array.from({ length: 40 }, (_, i) => `#${i}`));
        await commands.set(key, Buffer.from(encode(session)).toString('base64'));
        const again = heard(socket, 'connect');
        socket.connect();
        await again;
        assert.equal(socket.recovered, true);
        await ask(socket, 'join', '#garden', 0);
        const list = lists.at(-1)[0];
        assert.equal(list.length, 30);
        for (const room of list) assert.match(room, /^#\w{1,10}$/);
    } finally {
        socket.disconnect();
        await commands.disconnect();
    }
});

// Other Socket.IO clients when the network, a client or our server fails, or says goodbye.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import {
    ask, Caller, collect, each, gone, heard, isOurs, legacy, modern, msgpack, peers, python, serveAll,
} from './clients.mjs';
import { sleep, until } from './harness.mjs';
import { relay } from './relay.mjs';

const heartbeat = ['--ping-interval', '300', '--ping-timeout', '1000'];
const servers = await serveAll('--allow-v3', '--max-payload', '10000', ...heartbeat);
const recovering = await serveAll('--recovery', ...heartbeat);
after(() => Promise.all([servers.stop(), recovering.stop()]));
const serverOf = (their) => servers.serverOf(their.peer);

// Python tells no reasons.
async function disconnected(socket, peer, ...reasons) {
    const [reason] = await heard(socket, 'disconnect', 20_000);
    if (peer !== python) assert.ok(reasons.includes(reason), reason);
}

// The server no longer knows the session.
const forgotten = (peer, session, { url } = servers.serverOf(peer)) =>
    gone(`${url}/socket.io/`, session, peer.revision);

// All of them wait most of the time.
describe('failures', { concurrency: 4 }, () => {
    each('stays connected through heartbeats', async (their) => {
        const socket = await their.connect(serverOf(their).url);
        const { id } = socket;
        await sleep(2000); // longer than anything goes without
        assert.deepEqual(await ask(socket, 'any'), []);
        assert.equal(socket.id, id);
    });

    async function freeze(their) {
        const { socket, child } = their.host(serverOf(their).url);
        await heard(socket, 'connect');
        child.kill('SIGSTOP');
        await forgotten(their.peer, socket.engine());
        return { socket, child };
    }
    async function freezeAndThaw(their) {
        if (!isOurs && their.peer === legacy && their.transport === 'upgrade') return; // which forgets to time it
        const { socket, child } = await freeze(their);
        const again = heard(socket, 'connect');
        child.kill('SIGCONT');
        await again;
    }
    const comesBack = 'a frozen client is given up, and comes back';
    each(comesBack, freezeAndThaw, { of: [modern, legacy] });
    each(comesBack, freezeAndThaw, { of: [python], over: ['websocket', 'upgrade'] });
    // Over long-polling this one is told 400, and may stop without a word.
    each('a frozen client is given up', freeze, { of: [python], over: ['polling'] });

    each('a frozen server is noticed, and found again', async (their) => {
        const own = await their.serve('--allow-v3', '--ping-interval', '200', '--ping-timeout', '300');
        const socket = await their.connect(own.url);
        own.freeze();
        await disconnected(socket, their.peer, 'ping timeout');
        own.thaw();
        await heard(socket, 'connect');
        assert.deepEqual(await ask(socket, 'any'), []);
    });

    each('reconnects to a server that was restarted', async (their) => {
        const own = await their.serve('--allow-v3');
        const socket = await their.connect(own.url);
        const got = collect(socket, 'message-back');
        const { id } = socket;
        const lost = disconnected(socket, their.peer, 'transport close', 'transport error');
        await own.kill();
        await lost;
        if (their.peer !== python) socket.emit('message', 'while there is no server'); // which python does not keep
        const again = heard(socket, 'connect', 30_000); // python waits up to 1.5, then 3, then 6 seconds
        await their.serve('--allow-v3', '--port', String(own.port));
        await again;
        assert.notEqual(socket.id, id);
        socket.emit('message', 'afterwards');
        await until(() => got.at(-1)?.[0] === 'afterwards');
        if (their.peer !== python) assert.deepEqual(got, [['while there is no server'], ['afterwards']]);
    }, { of: [...peers, msgpack] });

    each('the server closes: clients are told, it ends', async (their) => {
        if (!isOurs && their.transport === 'polling') return; // which does not wait for the next poll
        const own = await their.serve('--allow-v3');
        const socket = await their.connect(own.url);
        const told = disconnected(socket, their.peer, 'transport close');
        assert.equal(await own.stop(), 0);
        await told;
    });

    each('the client closes: the server forgets its session', async (their) => {
        const socket = await their.connect(serverOf(their).url);
        const session = socket.engine();
        socket.disconnect();
        await forgotten(their.peer, session);
    });

    each('a connection that is cut is made anew', async (their) => {
        const network = await relay(serverOf(their).port);
        their.finally(network.close);
        const socket = await their.connect(network.url);
        await ask(socket, 'any');
        const session = socket.engine();
        const lost = disconnected(socket, their.peer, 'transport close', 'transport error');
        network.cut();
        await forgotten(their.peer, session);
        await lost;
        network.mend();
        await heard(socket, 'connect');
        assert.deepEqual(await ask(socket, 'any'), []);
    }, { of: [...peers, msgpack] });

    each('after a cut the socket is recovered, with what it missed', async (their) => {
        const own = recovering.serverOf(their.peer);
        const network = await relay(own.port);
        their.finally(network.close);
        const socket = await their.connect(network.url);
        const other = await their.connect(own.url);
        const said = collect(socket, 'said');
        const shouted = collect(socket, 'shouted');
        const { id } = socket;
        await ask(socket, 'join', their.transport);
        await ask(other, 'say', their.transport, 0);
        await until(() => said.length === 1);

        const session = socket.engine();
        const lost = heard(socket, 'disconnect');
        network.cut();
        for (let i = 1; i <= 50; ++i) await ask(other, 'say', their.transport, i, Buffer.alloc(i, i));
        await Promise.all([lost, forgotten(their.peer, session, own)]);
        for (let i = 51; i <= 100; ++i) await ask(other, 'say', their.transport, i, Buffer.alloc(i, i));
        await ask(other, 'shout', their.transport);
        network.mend();
        await heard(socket, 'connect');
        assert.equal(socket.recovered, true);
        assert.equal(socket.id, id);
        await ask(other, 'say', their.transport, 'in the room still');
        await until(() => said.at(-1)[0] === 'in the room still');
        assert.deepEqual(said.map(([first]) => first), [...Array(101).keys(), 'in the room still']);
        assert.deepEqual(said[100][1], Buffer.alloc(100, 100));
        assert.equal(shouted.filter(([text]) => text === their.transport).length, 1);
    }, { of: [modern, msgpack] });

    each('who leaves on purpose is not recovered', async (their) => {
        const socket = await their.connect(recovering.serverOf(their.peer).url);
        const { id } = socket;
        await ask(socket, 'join', 'room'); // there is an offset by now
        socket.disconnect();
        socket.connect();
        await heard(socket, 'connect');
        assert.equal(socket.recovered, false);
        assert.notEqual(socket.id, id);
    }, { of: [modern, msgpack] });

    each('what a server does not know cannot be recovered', async (their) => {
        const own = await their.serve('--recovery');
        const socket = await their.connect(own.url);
        const { id } = socket;
        await ask(socket, 'message-with-ack'); // its events have told the offset by now
        await own.kill();
        const again = heard(socket, 'connect');
        await their.serve('--recovery', '--port', String(own.port));
        await again;
        assert.equal(socket.recovered, false);
        assert.notEqual(socket.id, id);
        assert.deepEqual(await ask(socket, 'any'), []);
    }, { of: [modern, msgpack] });

    // Its first packet ends the connection: a parse error.
    each('a client with another parser is let go, nobody else', async (their) => {
        const { url } = servers.serverOf(their.peer === modern ? msgpack : modern);
        const own = new Caller(their.peer === modern ? msgpack : modern, their.transport);
        their.finally(() => own.hangUp());
        const friend = await own.connect(url);
        const socket = their.dial(url);
        const session = await new Promise((resolve) => socket.io.once('open', () => resolve(socket.engine())));
        await heard(socket.io, 'close');
        await gone(`${url}/socket.io/`, session);
        assert.equal(socket.connected, false);
        assert.deepEqual(await ask(friend, 'any', 1), [1]);
    }, { of: [modern, msgpack] });

    async function sendsTooMuch(their) {
        const other = await their.connect(serverOf(their).url);
        const socket = await their.connect(serverOf(their).url);
        const lost = disconnected(socket, their.peer, 'transport close', 'transport error');
        socket.emit('message', 'x'.repeat(20_000));
        await lost;
        await heard(socket, 'connect');
        for (const each of [other, socket]) assert.deepEqual(await ask(each, 'any', 1), [1]);
    }
    const tooMuch = 'a message over the limit costs its sender the connection, nobody else';
    each(tooMuch, sendsTooMuch, { of: [modern, legacy] });
    each(tooMuch, sendsTooMuch, { of: [python], over: ['websocket', 'upgrade'] }); // told 413, it stops so
});

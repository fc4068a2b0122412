// Our client when the network, a side or a certificate fails, or the server says goodbye.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { Server } from 'socket.io';
import * as msgpackParser from 'socket.io-msgpack-parser';
import * as defaultParser from 'socket.io-parser';
import { certify } from './certificates.mjs';
import { gone } from './clients.mjs';
import { sleep } from './harness.mjs';
import { relay } from './relay.mjs';
import { each, legacy, modern, msgpack, ours, packed, peers, python, serve } from './siocat.mjs';

const heartbeat = ['--ping-interval', '300', '--ping-timeout', '1000'];
const servers = new Map();
for (const peer of [...peers, ...packed]) servers.set(peer, await serve(peer, ...heartbeat, '--max-payload', '10000'));
after(() => Promise.all([...servers.values()].map((server) => server.kill())));

// A connection through a relay of the test, and the Engine.IO session that the relay has overheard.
async function connectOver(our, server, args) {
    const session = { transport: our.transport === 'upgrade' ? 'websocket' : our.transport };
    const network = await relay(server.port, 0, (data) => { session.id ??= /"sid":"([^"]+)"/.exec(data)?.[1]; });
    our.finally(network.close);
    const cat = await our.connect(network.url, { args });
    await cat.ask('any'); // the server has heard of the upgrade
    assert.ok(session.id);
    return { cat, network, session };
}

const forgotten = (our, { url }, session) => gone(`${url}/socket.io/`, session, our.peer.revision);

const named = certify('IP:127.0.0.1');
const misnamed = certify('DNS:example.com');
const localhost = certify('DNS:localhost');

const lost = ['transport close', 'transport error'];
async function disconnected(cat, reasons) {
    const { reason } = await cat.hear('disconnect', {}, 20_000);
    assert.ok(reasons.includes(reason), reason);
}

// All of them wait most of the time.
describe('failures', { concurrency: 6 }, () => {
    each('stays connected through heartbeats', async (our) => {
        const cat = await our.connect(servers.get(our.peer).url);
        await sleep(2000); // longer than anything goes without
        assert.deepEqual(await cat.ask('any'), []);
        assert.deepEqual(cat.lines.filter(({ on }) => on !== 'event' && on !== 'open'), []);
    });

    each('a frozen client is given up, and comes back', async (our) => {
        const server = servers.get(our.peer);
        const { cat, session } = await connectOver(our, server);
        cat.freeze();
        await forgotten(our, server, session);
        cat.thaw();
        await disconnected(cat, [...lost, 'ping timeout']);
        await cat.hear('connect');
        assert.deepEqual(await cat.ask('any'), []);
    }, { of: peers.filter((peer) => peer !== python) }); // which does not tell what it has forgotten

    each('a frozen server is noticed, and found again', async (our) => {
        const own = await our.serve('--ping-interval', '200', '--ping-timeout', '300');
        const cat = await our.connect(own.url);
        own.freeze();
        await disconnected(cat, ['ping timeout']);
        own.thaw();
        await cat.hear('connect', {}, 20_000);
        assert.deepEqual(await cat.ask('any'), []);
    });

    each('a frozen server does not keep the client that closes', async (our) => {
        const own = await our.serve('--ping-interval', '200', '--ping-timeout', '300', '--max-payload', '10000000');
        const cat = await our.connect(own.url);
        own.freeze();
        cat.emit('any', 'x'.repeat(9_000_000)); // of which the network takes a part only
        await disconnected(cat, ['ping timeout']);
        assert.equal(await cat.close(), 0);
    }, { of: [ours], over: ['websocket'] });

    each('reconnects to a server that was restarted', async (our) => {
        const own = await our.serve();
        const cat = await our.connect(own.url);
        const { sid } = cat;
        await own.kill();
        await disconnected(cat, lost);
        cat.emit('message', 'while there is no server');
        await cat.hear('reconnect_attempt', { attempt: 1 });
        await our.serve('--port', String(own.port));
        const { sid: another } = await cat.hear('connect');
        if (our.peer !== legacy) assert.notEqual(another, sid);
        cat.emit('message', 'afterwards');
        assert.deepEqual(await cat.hearEvents('message-back', 2), [['while there is no server'], ['afterwards']]);
    }, { of: [...peers, ...packed] });

    each('the server closes: clients are told, it ends', async (our) => {
        const own = await our.serve();
        const cat = await our.connect(own.url);
        const ended = own.stop();
        const leavesPolls = our.transport === 'polling' && our.peer !== ours; // theirs are gone before the next one
        await disconnected(cat, leavesPolls || our.peer === python ? lost : ['transport close']);
        assert.equal(await ended, 0);
    });

    each('the client closes: the server forgets its session', async (our) => {
        const server = await our.serve(); // whose heartbeat is too slow to notice it
        const { cat, session } = await connectOver(our, server);
        assert.equal(await cat.close(), 0);
        await cat.hear('disconnect', { reason: 'io client disconnect' });
        await forgotten(our, server, session);
    }, { of: peers.filter((peer) => peer !== python) });

    each('a connection that is cut is made anew', async (our) => {
        const server = servers.get(our.peer);
        const { cat, network } = await connectOver(our, server);
        network.cut();
        await disconnected(cat, lost);
        network.mend();
        await cat.hear('connect');
        assert.deepEqual(await cat.ask('any'), []);
    }, { of: [...peers, ...packed] });

    each('after a cut the socket is recovered, with what it missed', async (our) => {
        const own = await our.serve('--recovery', ...heartbeat);
        const { cat, network, session } = await connectOver(our, own, ['--recovery']);
        const other = await our.connect(own.url);
        await cat.ask('join', 'room');
        await other.ask('say', 'room', 0);
        await cat.hear('event', { event: 'said' }); // which tells the offset, as one more argument

        network.cut();
        await disconnected(cat, lost);
        await forgotten(our, own, session);
        const missed = Array.from({ length: 100 }, (_, i) => [i, Buffer.alloc(i, i)]);
        for (const args of missed) await other.ask('say', 'room', ...args);
        await other.ask('shout', 'to all');
        network.mend();
        const { sid, recovered } = await cat.hear('connect');
        assert.equal(recovered, true);
        assert.equal(sid, cat.sid);
        await other.ask('say', 'room', 'in the room still');
        const said = (await cat.hearEvents('said', 101)).map((args) => args.slice(0, -1));
        assert.deepEqual(said, [...missed, ['in the room still']]);
        assert.deepEqual(cat.take('shouted').map(([text]) => text), ['to all']);
    }, { of: [modern, ours, ...packed] });

    each('what a server does not know cannot be recovered', async (our) => {
        const own = await our.serve('--recovery');
        const cat = await our.connect(own.url, { args: ['--recovery'] });
        await cat.ask('message'); // its events have told the offset by now
        await own.kill();
        await our.serve('--recovery', '--port', String(own.port));
        const { sid, recovered } = await cat.hear('connect');
        assert.equal(recovered, false);
        assert.notEqual(sid, cat.sid);
        assert.deepEqual(await cat.ask('any'), []);
    }, { of: [modern, ours, ...packed] });

    each('a message over the limit costs its sender the connection, nobody else', async (our) => {
        const { url } = servers.get(our.peer);
        const other = await our.connect(url);
        const cat = await our.connect(url);
        cat.emit('message', 'x'.repeat(20_000));
        await disconnected(cat, lost);
        await cat.hear('connect');
        for (const each of [other, cat]) assert.deepEqual(await each.ask('any', 1), [1]);
    });

    each('a server with another parser is left', async (our) => {
        const { url } = servers.get(our.peer);
        const parser = packed.includes(our.peer) ? 'default' : 'msgpack';
        const cat = our.dial(url, { args: ['--parser', parser, '--no-reconnect'] });
        assert.equal(await cat.ended, 1);
        assert.ok(lost.includes((await cat.hear('close')).reason)); // the server says no more
    }, { of: [modern, ours, ...packed] });

    // A server that understands the client, and answers in another encoding.
    each('what does not parse ends the connection', async (our) => {
        const encoder = our.peer === modern ? msgpackParser : defaultParser;
        const { Decoder } = our.peer === modern ? defaultParser : msgpackParser;
        const io = new Server(0, { parser: { Encoder: encoder.Encoder, Decoder } });
        our.finally(() => io.close());
        const cat = our.dial(`http://127.0.0.1:${io.httpServer.address().port}`, { args: ['--no-reconnect'] });
        assert.equal(await cat.ended, 1);
        await cat.hear('close', { reason: 'parse error' });
    }, { of: [modern, msgpack] });

    each('an acknowledgement that does not come in time is given up', async (our) => {
        const own = await our.serve();
        const cat = await our.connect(own.url);
        own.freeze();
        cat.tell('emit', { event: 'any', ack: true, timeout: 100, id: 'late' });
        await cat.hear('ack_timeout', { id: 'late' });
        own.thaw();
        assert.deepEqual(await cat.ask('any', 'in time'), ['in time']);
        assert.ok(!cat.lines.some(({ on }) => on === 'ack'));
    });

    each('an acknowledgement is lost with the connection', async (our) => {
        const own = await our.serve();
        const { cat, network } = await connectOver(our, own);
        own.freeze();
        cat.tell('emit', { event: 'any', ack: true, id: 'lost' });
        await sleep(50);
        network.cut();
        await cat.hear('ack_lost', { id: 'lost' });
    });

    each('gives up after as many attempts as it is allowed', async (our) => {
        const own = await our.serve();
        const cat = await our.connect(own.url, { args: ['--reconnect-attempts', '2'] });
        await own.kill();
        for (const attempt of [1, 2]) await cat.hear('reconnect_attempt', { attempt });
        await cat.hear('reconnect_failed');
        assert.equal(await cat.ended, 1);
    });

    each('does not reconnect where that is not wanted', async (our) => {
        const own = await our.serve();
        const cat = await our.connect(own.url, { args: ['--no-reconnect'] });
        await own.kill();
        await disconnected(cat, lost);
        assert.equal(await cat.ended, 1);
        assert.ok(!cat.lines.some(({ on }) => on === 'reconnect_attempt'));
    });

    const serveTls = (our, { cert, key }) => our.serve('--cert', cert, '--key', key);
    const secured = (server) => `https://127.0.0.1:${server.port}`;
    const overTls = { of: [modern, ours] };

    each('TLS: a server whose certificate is known is trusted', async (our) => {
        const own = await serveTls(our, named);
        const cat = await our.connect(secured(own), { args: ['--cacert', named.cert] });
        assert.deepEqual(await cat.ask('any', 1, Buffer.alloc(100_000, 1)), [1, Buffer.alloc(100_000, 1)]);
        assert.equal(await cat.close(), 0);
    }, overTls);

    each('TLS: a server is known by its name', async (our) => {
        const own = await serveTls(our, localhost);
        const cat = await our.connect(`https://localhost:${own.port}`, { args: ['--cacert', localhost.cert] });
        assert.deepEqual(await cat.ask('any', 1), [1]);
    }, overTls);

    for (const [what, certificate, args] of [
        ['TLS: a server whose certificate is not known is refused', named, []],
        ['TLS: a server whose certificate is for another name is refused', misnamed, ['--cacert', misnamed.cert]],
    ]) {
        each(what, async (our) => {
            const own = await serveTls(our, certificate);
            const cat = our.dial(secured(own), { args: ['--no-reconnect', ...args] });
            const { message } = await cat.hear('connect_error');
            assert.match(message, /certificate/);
            assert.equal(await cat.ended, 1);
            assert.deepEqual(cat.lines, []);
        }, overTls);
    }

    each('TLS: verification can be turned off', async (our) => {
        const own = await serveTls(our, misnamed);
        const cat = await our.connect(secured(own), { args: ['--insecure'] });
        assert.deepEqual(await cat.ask('any', 1), [1]);
    }, overTls);
});

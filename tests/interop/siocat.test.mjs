// siocat as a program: how it ends, its exit codes, and its requests.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, describe } from 'node:test';
import { Server } from 'socket.io';
import { WebSocketServer } from 'ws';
import { bin, check, freePort, launch, sleep, startExample, until } from './harness.mjs';
import { Siocat, ours, serve, transports } from './siocat.mjs';

const server = await serve(ours, '--allow-v3');
after(() => server.stop());

// Runs `body` with functions that start siocat and servers; ends these afterwards.
function siocat(transport, what, body) {
    check('siocat', 'client', transport, what, async () => {
        const ends = [];
        const finally_ = (end) => ends.push(end);
        const dial = (...args) => {
            const cat = new Siocat(...args);
            finally_(() => cat.kill());
            return cat;
        };
        try {
            await body(dial, finally_);
        } finally {
            for (const end of ends.reverse()) await end();
        }
    });
}

// Accepts connections and says nothing. Resolves to its port, and counts the connections.
async function listenSilently(finally_) {
    const sockets = new Set();
    const listener = net.createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
    });
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    finally_(() => {
        for (const socket of sockets) socket.destroy();
        listener.close();
    });
    return { port: listener.address().port, sockets };
}

// Opens WebSockets, and answers no message.
async function openSilently(finally_, handleProtocols) {
    const listener = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols });
    await once(listener, 'listening');
    const said = [];
    listener.on('connection', (socket) => {
        socket.send('0{"sid":"a","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000000}');
        socket.on('message', (data) => said.push(String(data)));
        socket.on('error', () => {});
    });
    finally_(() => {
        for (const socket of listener.clients) socket.terminate();
        listener.close();
    });
    return { url: `http://127.0.0.1:${listener.address().port}`, said, listener };
}

// The states in which siocat can be, and how it gets there.
const states = {
    'connecting': async (dial) => {
        const cat = dial('http://192.0.2.1:9'); // nobody has this address
        await sleep(300);
        return cat;
    },
    'agreeing on TLS': async (dial, finally_) => {
        const { port, sockets } = await listenSilently(finally_);
        const cat = dial(`https://127.0.0.1:${port}`);
        await until(() => sockets.size > 0);
        return cat;
    },
    'asking for a session': async (dial, finally_) => {
        const { port, sockets } = await listenSilently(finally_);
        const cat = dial(`http://127.0.0.1:${port}`);
        await until(() => sockets.size > 0);
        return cat;
    },
    'opening a WebSocket': async (dial, finally_) => {
        const { port, sockets } = await listenSilently(finally_);
        const cat = dial(`http://127.0.0.1:${port}`, '--transport', 'websocket');
        await until(() => sockets.size > 0);
        return cat;
    },
    'waiting for a namespace': async (dial, finally_) => {
        const { url, said } = await openSilently(finally_);
        const cat = dial(url, '--transport', 'websocket');
        await until(() => said.length > 0);
        return cat;
    },
    'waiting between attempts': async (dial) => {
        const cat = dial('http://127.0.0.1:1', '--reconnect-delay', '60000');
        await cat.hear('connect_error');
        return cat;
    },
    'waiting for an acknowledgement': async (dial) => {
        const cat = dial(server.url);
        await cat.hear('connect');
        cat.tell('emit', { nsp: '/', event: 'join', args: [], ack: true, id: 'a' });
        await cat.hear('ack');
        cat.tell('emit', { nsp: '/', event: 'ask', args: [], ack: true, id: 'b' });
        await cat.hear('event', { event: 'question' });
        return cat;
    },
};
for (const transport of transports)
    states[`connected over ${transport}`] = async (dial) => {
        const cat = dial(server.url, '--transport', transport);
        await cat.hear('connect');
        if (transport === 'upgrade') await cat.hear('upgrade');
        return cat;
    };

// The states in which a stopped server leaves it.
for (const transport of ['polling', 'websocket']) {
    const freeze = async (dial, finally_) => {
        const own = await serve(ours, '--ping-interval', '60000');
        finally_(() => own.kill());
        const cat = dial(own.url, '--transport', transport);
        await cat.hear('connect');
        own.freeze();
        return cat;
    };
    states[`connected to a server that has stopped, over ${transport}`] = freeze;
    states[`closing, and the server has stopped, over ${transport}`] = async (dial, finally_) => {
        const cat = await freeze(dial, finally_);
        cat.tell('close');
        await cat.hear('disconnect');
        return cat;
    };
    states[`sending what nobody reads, over ${transport}`] = async (dial, finally_) => {
        const cat = await freeze(dial, finally_);
        for (let i = 0; i !== 16; ++i) cat.emit('message', 'x'.repeat(1_000_000));
        await sleep(100);
        return cat;
    };
}

for (const state of ['opening a WebSocket', 'waiting for a namespace', 'waiting between attempts'])
    siocat('any', `closes while ${state}, whatever waits to be sent`, async (dial, finally_) => {
        const cat = await states[state](dial, finally_);
        cat.emit('message', 'x'.repeat(9_000_000));
        assert.equal(await cat.close(), 0);
    });

for (const transport of transports)
    siocat(transport, 'takes no more lines than may wait, and loses none', async (dial, finally_) => {
        const port = await freePort();
        const cat = dial(`http://127.0.0.1:${port}`, '--transport', transport, '--reconnect-delay', '200');
        const events = 36; // more than the client itself keeps
        for (let i = 0; i !== events; ++i) cat.emit('message', `${i}`.padEnd(1_000_000));
        cat.tell('emit', { event: 'any', args: [], ack: true, id: 'all' });
        cat.child.stdin.end();
        await cat.hear('reconnect_attempt', { attempt: 2 }, 20_000);
        finally_((await serve(ours, '--port', `${port}`, '--max-payload', '10000000')).kill);
        const answers = await cat.hearEvents('message-back', events);
        assert.deepEqual(answers.map(([text]) => Number(text)), [...Array(events).keys()]);
        await cat.hear('ack', { id: 'all' });
        assert.equal(await cat.endsWithin(20_000), 0);
    });

siocat('any', 'says of each acknowledgement that it will not come', async (dial) => {
    for (const op of ['close', 'disconnect']) {
        const cat = dial('http://127.0.0.1:1', '--reconnect-delay', '60000');
        await cat.hear('connect_error');
        cat.tell('emit', { event: 'any', args: [], ack: true, id: 'a' });
        cat.tell(op);
        if (op === 'disconnect') cat.tell('close');
        await cat.hear('ack_lost', { id: 'a' });
        assert.equal(await cat.endsWithin(10_000), 0);
    }
});

siocat('any', 'what is typed goes to the namespace that was connected or used last', async (dial, finally_) => {
    const child = launch('siocat', [server.url]);
    finally_(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (data) => { said += data; });
    child.stdin.write('/connect /custom\nmessage 1\n/use /\nmessage 2\n/use /custom\nmessage 3\n');
    const backs = () => said.match(/\S+ message-back \d\n/g) ?? [];
    await until(() => backs().length === 3);
    assert.deepEqual(backs().sort(), ['/ message-back 2\n', '/custom message-back 1\n', '/custom message-back 3\n']);
});

siocat('any', 'fails when its output cannot be written', async (dial, finally_) => {
    const full = openSync('/dev/full', 'w');
    finally_(() => closeSync(full));
    const child = launch('siocat', ['--json', server.url], { stdio: ['pipe', full, 'pipe'] });
    assert.deepEqual(await once(child, 'close'), [1, null]);
    assert.equal(child.errors, 'siocat: cannot write: No space left on device\n');
});

describe('a slow network', { concurrency: 3 }, () => {
    for (const transport of transports)
        siocat(transport, 'closes at the end of its input when a slow network has taken all', async (dial, finally_) => {
            const io = new Server(0, { maxHttpBufferSize: 1e7 });
            finally_(() => io.close());
            const received = [];
            // A socket of this server drops an event that the end comes right behind.
            io.on('connection', (socket) => socket.conn.on('packet', ({ data }) => {
                socket.emit('noted'); // what nobody reads when the connection ends would take all that is under way along
                const [, number] = /^2\["message","(\d+)/.exec(data) ?? [];
                if (number) received.push(Number(number));
            }));
            const narrow = net.createServer((near) => {
                const far = net.connect(io.httpServer.address().port, '127.0.0.1');
                near.on('data', (data) => {
                    far.write(data);
                    near.pause();
                    setTimeout(() => near.resume(), data.length / 200); // 200 kB/s
                });
                near.on('end', () => far.end());
                far.pipe(near);
                for (const side of [near, far]) side.on('error', () => {});
            }).listen(0, '127.0.0.1');
            await once(narrow, 'listening');
            finally_(() => narrow.close());
            const cat = dial(`http://127.0.0.1:${narrow.address().port}`, '--transport', transport);
            await cat.hear('connect');
            const events = 60;
            for (let i = 0; i !== events; ++i) cat.emit('message', `${i}`.padEnd(30_000));
            cat.child.stdin.end();
            assert.equal(await cat.endsWithin(50_000), 0);
            await until(() => received.length === events);
            assert.deepEqual(received, [...Array(events).keys()]);
        });
});

describe('siocat ends at the first signal', { concurrency: 8 }, () => {
    for (const [state, bring] of Object.entries(states)) {
        for (const [signal, input] of [['SIGINT', 'open'], ['SIGTERM', 'open'], ['SIGINT', 'at its end']]) {
            if (input === 'at its end' && state.startsWith('connected over')) continue; // it ends by itself
            siocat('any', `${signal} ends it while ${state}, its input ${input}`, async (dial, finally_) => {
                const cat = await bring(dial, finally_);
                if (input === 'at its end') cat.child.stdin.end();
                cat.child.kill(signal);
                const code = await cat.endsWithin(3_000);
                const isForced = [128 + 2, 128 + 15].includes(code);
                const isEarly = code === signal && state === 'connecting'; // a slow machine: it has only begun
                assert.ok(code === 0 || isEarly || (isForced && /stopped|nobody/.test(state)), String(code));
            });
        }
    }

    for (const signal of ['SIGINT', 'SIGTERM'])
        siocat('any', `${signal} ends it while nobody reads its output`, async (dial, finally_) => {
            const child = launch('siocat', ['--json', server.url]);
            finally_(() => child.kill('SIGKILL'));
            const ended = once(child, 'exit');
            child.stdin.write(`{"op":"emit","event":"message","args":["${'x'.repeat(900_000)}"]}\n`);
            await sleep(400);
            child.kill(signal);
            assert.notEqual(await Promise.race([ended, sleep(3_000)]), undefined);
        });

    siocat('any', 'a second signal ends it at once', async (dial, finally_) => {
        const { url, said } = await openSilently(finally_);
        const cat = dial(url, '--transport', 'websocket');
        await until(() => said.length > 0);
        cat.freeze(); // so that no signal comes while it deals with the first
        cat.child.kill('SIGINT');
        cat.child.kill('SIGTERM');
        cat.thaw();
        // Each signal may reach a thread of its own, so that either may be the second.
        assert.ok([128 + 2, 128 + 15].includes(await cat.endsWithin(1_000)));
    });
});

// Runs siocat in a room of its own, where the machine lets us have one: a file of the system has another text there.
const room = (file) => ['--mount', 'sh', '-c', `mount --bind "$0" ${file} && exec "$@"`];
const canHaveRoom = await new Promise((resolve) => {
    const child = spawn('unshare', [...room('/etc/hosts'), '/dev/null', 'true'], { stdio: 'ignore' });
    child.on('error', () => resolve(false));
    child.on('exit', (code) => resolve(code === 0));
});
async function spawnInRoom(finally_, file, text, url) {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'siocat-'));
    finally_(() => rm(directory, { recursive: true }));
    await writeFile(`${directory}/file`, text);
    const command = [path.join(bin, 'siocat'), '--json', url];
    const child = spawn('unshare', [...room(file), `${directory}/file`, ...command],
        { stdio: ['pipe', 'pipe', 'inherit'] });
    finally_(() => child.kill('SIGKILL'));
    return child;
}
if (canHaveRoom) {
    siocat('any', 'SIGINT ends it while it looks up a name', async (dial, finally_) => {
        const names = createSocket('udp4'); // a name server that never answers
        const asked = once(names, 'message');
        names.bind(53, '127.9.9.9');
        await once(names, 'listening');
        finally_(() => names.close());
        const child = await spawnInRoom(finally_, '/etc/resolv.conf', 'nameserver 127.9.9.9\noptions timeout:30\n',
            'http://nobody.example.test');
        const ended = once(child, 'exit');
        await asked;
        child.kill('SIGINT');
        assert.notEqual(await Promise.race([ended, sleep(3_000)]), undefined);
    });
    siocat('any', 'tries the addresses of a name in turn', async (dial, finally_) => {
        const io = new Server();
        const listener = http.createServer();
        io.attach(listener);
        await once(listener.listen(0, '127.0.0.9'), 'listening'); // the system puts that last
        finally_(() => io.close());
        const child = await spawnInRoom(finally_, '/etc/hosts', '127.0.0.1 many\n127.0.0.8 many\n127.0.0.9 many\n',
            `http://many:${listener.address().port}`);
        const [socket] = await once(io, 'connection');
        assert.match(socket.handshake.headers.host, /^many:/);
        assert.match(String((await once(child.stdout, 'data'))[0]), /^\{"on":"open"/);
    });
}

describe('exit codes of siocat', { concurrency: 4 }, () => {
    for (const transport of transports) {
        const over = ['--transport', transport];
        for (const input of ['open', 'at its end']) {
            siocat(transport, `fails when its only namespace is refused, its input ${input}`, async (dial) => {
                const cat = dial(server.url, ...over, '--nsp', '/guarded', '--auth', '{"token":"wrong"}');
                if (input === 'at its end') cat.child.stdin.end();
                assert.equal(await cat.endsWithin(5_000), 1);
                assert.equal((await cat.hear('connect_error')).message, 'not authorized');
            });
        }
        siocat(transport, 'fails when all of its namespaces are refused', async (dial) => {
            const cat = dial(server.url, ...over, '--nsp', '/guarded', '--nsp', '/unknown');
            assert.equal(await cat.endsWithin(5_000), 1);
        });
        siocat(transport, 'stays where one of two namespaces is refused', async (dial) => {
            const cat = dial(server.url, ...over, '--nsp', '/', '--nsp', '/unknown');
            await cat.hear('connect_error', { nsp: '/unknown' });
            assert.deepEqual(await cat.ask('any', 1), [1]);
            assert.equal(await cat.close(), 0);
        });
        siocat(transport, 'fails when the only namespace of revision 4 is refused', async (dial) => {
            const cat = dial(server.url, ...over, '--protocol', '3', '--nsp', '/unknown');
            assert.equal(await cat.endsWithin(5_000), 1);
        });
    }
    siocat('websocket', 'says with which status something that is no Socket.IO server answers', async (dial, finally_) => {
        const page = http.createServer((request, response) => response.end('welcome'));
        page.on('upgrade', (request, socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nwelcome'));
        await once(page.listen(0, '127.0.0.1'), 'listening');
        finally_(() => page.close());
        const cat = dial(`http://127.0.0.1:${page.address().port}`, '--transport', 'websocket', '--no-reconnect');
        assert.equal(await cat.endsWithin(5_000), 1);
        assert.equal((await cat.hear('connect_error')).message, 'transport error: HTTP status 200');
    });
    for (const [transport, status, body] of [
        ['polling', 403, { code: 4, message: 'go away' }],
        ['websocket', 400, null], // with the reason as plain text
    ])
        siocat(transport, 'says with which status the server has refused the connection', async (dial, finally_) => {
            const refusing = new Server(0, { allowRequest: (request, done) => done('go away', false) });
            finally_(() => refusing.close());
            const url = `http://127.0.0.1:${refusing.httpServer.address().port}`;
            const cat = dial(url, '--transport', transport, '--no-reconnect');
            assert.equal(await cat.endsWithin(5_000), 1);
            const { message, data } = await cat.hear('connect_error');
            assert.equal(message, `transport error: HTTP status ${status}`);
            assert.deepEqual(data, body);
        });
    siocat('any', 'fails when its only namespace cannot be one', async (dial) => {
        const cat = dial(server.url, '--nsp', '/a,b');
        assert.equal(await cat.endsWithin(5_000), 1);
        await cat.hear('error');
    });
    for (const header of ['no colon', 'a b: c', ': c', 'a: b\r\nc: d', 'Content-Length: 1', 'upgrade: x'])
        siocat('any', `refuses to send the header ${JSON.stringify(header)}`, async (dial) => {
            assert.equal(await dial('--header', header, server.url).endsWithin(5_000), 2);
        });
});

// A proxy that asks for a name and a password. It counts its tunnels.
async function tunnel(finally_) {
    const proxy = http.createServer((request, response) => response.writeHead(405).end());
    proxy.tunnels = [];
    proxy.on('connect', (request, client) => {
        client.on('error', () => {});
        const isUser = request.headers['proxy-authorization'] === `Basic ${btoa('ada:a b')}`;
        if (!isUser) return client.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
        const [host, port] = request.url.split(':');
        const far = net.connect(port, host, () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
        far.on('error', () => client.destroy());
        far.pipe(client).pipe(far);
        proxy.tunnels.push(request.url);
    });
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    finally_(() => proxy.close());
    return proxy;
}

describe('a proxy before siocat', () => {
    for (const transport of transports)
        siocat(transport, 'all of its connections go through the proxy', async (dial, finally_) => {
            const proxy = await tunnel(finally_);
            const through = ['--proxy', `http://ada:a%20b@127.0.0.1:${proxy.address().port}`];
            const cat = dial(server.url, '--transport', transport, ...through);
            await cat.hear('connect');
            if (transport === 'upgrade') await cat.hear('upgrade');
            assert.deepEqual(await cat.ask('any', 1), [1]);
            assert.ok(proxy.tunnels.length > 0 && proxy.tunnels.every((url) => url === `127.0.0.1:${server.port}`));
            assert.equal(await cat.close(), 0);
        });
    siocat('any', 'the status of a proxy that refuses is told', async (dial, finally_) => {
        const proxy = await tunnel(finally_);
        const cat = dial(server.url, '--no-reconnect', '--proxy', `http://127.0.0.1:${proxy.address().port}`);
        assert.equal((await cat.hear('connect_error')).message, 'transport error: HTTP status 407');
        assert.equal(await cat.ended, 1);
    });
    siocat('any', 'what is no proxy is refused', async (dial) => {
        assert.equal(await dial(server.url, '--proxy', 'ftp://127.0.0.1').endsWithin(5_000), 2);
    });
});

siocat('any', 'says why it has no connection', async (dial) => {
    for (const [url, why] of [
        ['http://127.0.0.1:1', 'Connection refused'],
        ['http://nobody.invalid', /name|Name/],
        [`https://127.0.0.1:${server.port}`, /version|record|ended/],
    ]) {
        const cat = dial(url, '--no-reconnect');
        const { message } = await cat.hear('connect_error');
        assert.match(message, new RegExp(`^transport error: .*${why.source ?? why}`));
        assert.equal(await cat.ended, 1);
    }
});

for (const [chosen, offered, isGood] of [
    ['b', ['--header', 'Sec-WebSocket-Protocol: a, b'], true],
    [undefined, [], true],
    ['a', [], false],
    ['c', ['--header', 'Sec-WebSocket-Protocol: a, b'], false],
])
    siocat('websocket', `${isGood ? 'takes' : 'refuses'} the subprotocol ${chosen} where it offers ${offered[1]}`,
        async (dial, finally_) => {
            const { url, listener } = await openSilently(finally_, () => false);
            listener.on('headers', (lines) => chosen && lines.push(`Sec-WebSocket-Protocol: ${chosen}`));
            const cat = dial(url, '--transport', 'websocket', '--no-reconnect', ...offered);
            if (isGood) await cat.hear('open');
            else assert.equal(await cat.endsWithin(5_000), 1);
        });

// The parts that a server may make endless.
describe('siocat gives up an answer', { concurrency: 4 }, () => {
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
    for (const [what, begin, more] of [
        ['whose head does not end', 'HTTP/1.1 200 OK\r\nA: ', 'a'],
        ['whose header fields do not end', 'HTTP/1.1 200 OK\r\n', 'A: a\r\n'],
        ['whose reason does not end', 'HTTP/1.1 200 ', 'a'],
        ['whose chunk has an extension that does not end', `${chunked}1;a=`, 'a'],
        ['whose chunk has a size that does not end', chunked, '0'],
        ['whose trailers do not end', `${chunked}0\r\n`, 'A: a\r\n'],
    ])
        siocat('polling', what, async (dial, finally_) => {
            const listener = net.createServer((socket) => {
                socket.on('error', () => {});
                socket.once('data', () => socket.write(begin + more.repeat(1_000_000 / more.length)));
            });
            await once(listener.listen(0, '127.0.0.1'), 'listening');
            finally_(() => listener.close());
            const cat = dial(`http://127.0.0.1:${listener.address().port}`, '--transport', 'polling', '--no-reconnect');
            assert.equal(await cat.endsWithin(5_000), 1);
        });
});

describe('what its requests carry', () => {
    for (const transport of transports) {
        // The heads of all requests that a server of npm gets from siocat, which talks a little.
        async function requestsOf(dial, finally_, cookies, ...args) {
            const listener = http.createServer();
            const io = new Server(listener, { cookie: { name: 'io', path: '/', httpOnly: true } });
            io.on('connection', (socket) => socket.on('any', (ack) => ack()));
            let isFirst = true;
            const isNew = () => isFirst && !(isFirst = false);
            io.engine.on('headers', (headers, { headers: { upgrade } }) => {
                if (!upgrade && isNew()) headers['Set-Cookie'] = [headers['Set-Cookie'], cookies].flat();
            });
            const all = [];
            listener.prependListener('request', (request) => all.push(request.headers));
            listener.prependListener('upgrade', (request) => all.push(request.headers));
            await once(listener.listen(0, '127.0.0.1'), 'listening');
            finally_(() => io.close());
            io.engine.ws.on('headers', (lines) => {
                if (isNew()) lines.push(...cookies.map((cookie) => `Set-Cookie: ${cookie}`));
            });
            const cat = dial(`http://127.0.0.1:${listener.address().port}`, '--transport', transport, ...args,
                '--reconnect-delay', '1');
            await cat.hear('connect');
            if (transport === 'upgrade') await cat.hear('upgrade');
            await cat.ask('any');
            for (const connection of Object.values(io.engine.clients)) connection.close(); // siocat comes back
            await cat.hear('reconnect_attempt');
            await cat.hear('connect');
            await cat.ask('any');
            await cat.close();
            return all;
        }

        siocat(transport, 'sends the cookies of the handshake back', async (dial, finally_) => {
            const [first, ...rest] = await requestsOf(dial, finally_, [
                'balancer=a1; Max-Age=100; HttpOnly', 'old=1; Max-Age=0',
                'older=1; expires=Thu, 01 Jan 1970 00:00:00 GMT',
                'later=1; expires=Fri, 01-Jan-2100 00:00:00 GMT', 'elsewhere=1; Path=/other', 'here=1; path=/socket.io',
                'foreign=1; Domain=example.com', 'secret=1; Secure', 'nonsense', '=2', 'balancer=a2; Path=/socket.io/',
            ]);
            assert.equal(first.cookie, undefined);
            assert.ok(rest.length > 0);
            for (const { cookie } of rest) {
                const pairs = cookie.split('; ').map((pair) => pair.replace(/^io=.*/, 'io'));
                const own = transport === 'websocket' ? [] : ['io']; // which socket.io sends over HTTP only
                assert.deepEqual(pairs.sort(), ['balancer=a1', 'balancer=a2', 'here=1', ...own, 'later=1'], cookie);
            }
        });

        siocat(transport, 'sends no cookies back if it is to keep none', async (dial, finally_) => {
            const all = await requestsOf(dial, finally_, ['balancer=a1'], '--cookies', 'off');
            for (const { cookie } of all) assert.equal(cookie, undefined);
        });

        siocat(transport, 'keeps so many cookies and no more', async (dial, finally_) => {
            const many = Array.from({ length: 60 }, (_, i) => `c${i}=${i}`);
            // The answer that opens a WebSocket may have 8 KiB.
            const count = transport === 'websocket' ? 0 : 3;
            const large = Array.from({ length: count }, (_, i) => `d${i}=${'x'.repeat(3_000)}`);
            const [, ...rest] = await requestsOf(dial, finally_, [...large, ...many]);
            for (const { cookie } of rest) {
                const names = cookie.split('; ').map((pair) => pair.split('=')[0]);
                assert.equal(names.length, 50);
                assert.ok(names.includes('c40') && !names.includes('d2'), String(names));
                assert.equal(names.includes('d1'), transport !== 'websocket');
            }
        });

        siocat(transport, 'sends the headers that it is given', async (dial, finally_) => {
            const all = await requestsOf(dial, finally_, ['balancer=a1'],
                '--header', 'X-Test:  1, 2 ', '--header', 'authorization: Bearer abc', '--header', 'Cookie: mine=1');
            for (const [i, head] of all.entries()) {
                assert.equal(head['x-test'], '1, 2');
                assert.equal(head.authorization, 'Bearer abc');
                assert.match(head.cookie, i === 0 ? /^mine=1$/ : /^mine=1; .*balancer=a1/);
            }
        });
    }
});

// Whose HTTP and WebSocket are neither Node's nor ours.
describe('siocat meets the WebSockets of other libraries', { concurrency: 2 }, () => {
    for (const [library, program] of [['libwebsockets', 'lws_server'], ['Boost.Beast', 'beast_server']]) {
        siocat('websocket', `${library}: messages of all sizes in their order, and the end`, async (dial, finally_) => {
            const chat = await startExample(program);
            finally_(() => chat.stop());
            const [ada, bob] = [dial(chat.url, '--transport', 'websocket'), dial(chat.url, '--transport', 'websocket')];
            for (const cat of [ada, bob]) {
                await cat.hear('connect');
                await cat.hear('event', { event: 'hello' });
            }
            // Around the borders of the frame's header, and over the buffers of both sides.
            const sizes = [0, 1, 60, 100, 110, 125, 126, 4_000, 4_096, 65_500, 65_535, 65_536, 300_000, 999_000];
            const texts = sizes.map((size) => 'é'.repeat(size / 2).padEnd(size / 2, 'x'));
            for (const text of texts) ada.emit('say', text);
            const said = await bob.hearEvents('said', texts.length);
            assert.deepEqual(said.map(([, text]) => text), texts);
            for (const text of texts) assert.deepEqual(await bob.ask('say', text), ['ok']);
            assert.equal((await ada.hearEvents('said', texts.length)).length, texts.length);
            ada.emit('say', 'x'.repeat(1_100_000)); // over the limit
            await ada.hear('disconnect');
            await ada.hear('connect');
            assert.deepEqual(await ada.ask('say', 'again'), ['ok']);
            assert.equal((await bob.hearEvents('said', 1))[0][1], 'again');
            await chat.stop();
            await bob.hear('disconnect');
        });
    }
});

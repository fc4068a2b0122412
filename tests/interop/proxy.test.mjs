// nginx in front of our Socket.IO servers, set up in the ways that users set it up.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readlinkSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe } from 'node:test';
import { io } from 'socket.io-client';
import { ask, collect, gone, heard, modern, python, transports } from './clients.mjs';
import { check, launch, run, sleep, start, until } from './harness.mjs';
import { request } from './protocol.mjs';
import { startRedis } from './redis.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'socketless-nginx-'));
const log = () => readFileSync(path.join(directory, 'access.log'), 'utf8').trim().split('\n');

const limits = ['--max-payload', '5000000']; // Python's client posts all that waits in one body
const server = await start('socketio_server', ...limits);
const hidden = await start('socketio_server'); // for what others must not disturb
const red = await start('socketio_server', '--cookie', 'red');
const blue = await start('socketio_server', '--cookie', 'blue');
const redis = await startRedis();
const nodes = await Promise.all(['node_a', 'node_b'].map((cookie) =>
    start('socketio_server', '--cookie', cookie, '--redis', redis.address)));
const servers = [server, hidden, red, blue, ...nodes];

// Ports that are free now.
async function freePorts(count) {
    const listeners = Array.from({ length: count }, () => net.createServer().listen(0, '127.0.0.1'));
    await Promise.all(listeners.map((one) => once(one, 'listening')));
    const ports = listeners.map((one) => one.address().port);
    await Promise.all(listeners.map((one) => once(one.close(), 'close')));
    return ports;
}
const names = ['buffering', 'streaming', 'plain', 'impatient', 'by_cookie', 'by_address', 'cluster'];
const ports = Object.fromEntries((await freePorts(names.length)).map((port, i) => [names[i], port]));
// By name: Python's clients keep no cookies of an address.
const url = Object.fromEntries(names.map((name) => [name, `http://localhost:${ports[name]}`]));

const modernHttp = 'proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; ' +
    'proxy_set_header Connection $connection_upgrade;';
// Two servers on one Redis, in the words of README.md.
const cluster = readFileSync(new URL('../../README.md', import.meta.url), 'utf8').match(/^```nginx\n(.*?)^```$/ms)[1]
    .replaceAll('3001', nodes[0].port).replaceAll('3002', nodes[1].port)
    .replace('listen 80', `listen 127.0.0.1:${ports.cluster}`);
const site = (name, upstream, lines = '', forwarding = modernHttp) => `
    server {
        listen 127.0.0.1:${ports[name]};
        client_max_body_size 100m;
        location / {
            proxy_pass http://${upstream};
            ${forwarding}
            ${lines}
        }
    }`;
const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
writeFileSync(path.join(directory, 'nginx.conf'), `
daemon off;
master_process off;
pid ${directory}/pid;
error_log ${directory}/error.log warn;
events { worker_connections 1000; }
http {
    ${temporary.map((name) => `${name}_temp_path ${directory}/${name};`).join('\n    ')}
    log_format upstream '$request_method $server_port $upstream_addr $status $http_x_who';
    access_log ${directory}/access.log upstream;
    ${cluster}
    map $http_cookie $sticky {
        default both;
        '~\\bred=' red;
        '~\\bblue=' blue;
    }
    upstream one { server 127.0.0.1:${server.port}; keepalive 4; }
    upstream alone { server 127.0.0.1:${hidden.port}; keepalive 4; }
    upstream red { server 127.0.0.1:${red.port}; keepalive 4; }
    upstream blue { server 127.0.0.1:${blue.port}; keepalive 4; }
    upstream both { server 127.0.0.1:${red.port}; server 127.0.0.1:${blue.port}; }
    upstream by_address { hash $remote_addr; server 127.0.0.1:${red.port}; server 127.0.0.1:${blue.port}; keepalive 4; }
    ${site('buffering', 'one')}
    ${site('streaming', 'one', 'proxy_buffering off; proxy_request_buffering off;')}
    ${site('plain', `127.0.0.1:${server.port}`, '', '')}
    ${site('impatient', 'alone', 'proxy_read_timeout 400ms;')}
    ${site('by_cookie', '$sticky')}
    ${site('by_address', 'by_address')}
}
`);

async function proxy() {
    const child = launch('/usr/sbin/nginx', ['-p', directory, '-e', `${directory}/error.log`, '-c',
        `${directory}/nginx.conf`]);
    const isUp = () => fetch(url.buffering).then(() => true, () => false);
    while (!await isUp()) {
        assert.equal(child.exitCode, null, child.errors);
        await sleep(20);
    }
    return child;
}
let nginx = await proxy();
after(async () => {
    await Promise.all(servers.map((one) => one.stop()));
    await redis.kill();
    nginx.kill('SIGKILL');
    rmSync(directory, { recursive: true });
});

// Each site, with its clients over each of its transports. Disconnects them in the end.
function through(site, what, body, { of = [modern], over = Object.keys(transports) } = {}) {
    for (const peer of of)
        for (const transport of over)
            check(`nginx 1.22, ${peer.name}`, 'server', transport, `${site}: ${what}`, async () => {
                const sockets = [];
                const connect = async (options = {}) => {
                    const [socket] = peer === modern ? [dial(site, transport, options)]
                        : peer.dial(url[site], ['/'], transport, options);
                    sockets.push(socket);
                    await heard(socket, 'connect');
                    await until(() => socket.engine().transport === transports[transport].at(-1));
                    return socket;
                };
                try {
                    await body(connect, transport);
                } finally {
                    for (const socket of sockets) {
                        socket.io?.reconnection(false);
                        socket.disconnect();
                    }
                }
            });
}
function dial(site, transport, options) {
    const always = { transports: transports[transport], forceNew: true, reconnectionDelay: 100 };
    const socket = io(url[site], { ...always, ...options });
    socket.engine = () => ({ id: socket.io.engine.id, transport: socket.io.engine.transport.name });
    return socket;
}

async function talk(socket) {
    const got = collect(socket, 'message-back');
    for (let i = 0; i !== 20; ++i) socket.emit('message', i, Buffer.from([i]));
    await until(() => got.length === 20);
    assert.deepEqual(got, Array.from({ length: 20 }, (_, i) => [i, Buffer.from([i])]));
    const large = 'x'.repeat(1_000_000);
    const [[text], [binary]] = await Promise.all([ask(socket, 'any', large), ask(socket, 'any', Buffer.from(large))]);
    assert.ok(text === large && binary.equals(Buffer.from(large)));
}

describe('a proxy', { concurrency: 6 }, () => {
    for (const site of ['buffering', 'streaming'])
        through(site, 'messages of all sizes', async (connect) => talk(await connect()), { of: [modern, python] });
    through('plain', 'messages of all sizes', async (connect) => talk(await connect()), { over: ['polling'] });

    for (const site of ['buffering', 'streaming'])
        through(site, 'an event is not held back', async (connect) => {
            const [one, two] = [await connect(), await connect()];
            for (let i = 0; i !== 5; ++i) {
                const said = heard(two, 'shouted', 2_000);
                one.emit('shout', i);
                await said;
            }
        });

    for (const site of ['buffering', 'streaming'])
        through(site, 'a client that leaves is forgotten', async (connect) => {
            const socket = await connect({ reconnection: false });
            const session = socket.engine();
            socket.io.engine.transport.name === 'polling' ? socket.disconnect()
                : socket.io.engine.transport.ws.terminate();
            await gone(`${server.url}/socket.io/`, session);
        });

    for (const site of ['buffering', 'streaming'])
        for (const [how, ...args] of [['with a length'], ['in chunks', '-H', 'Transfer-Encoding: chunked']])
            check('nginx 1.22, curl 7.88', 'server', 'polling', `${site}: 413 for a body over the limit ${how}`,
                async () => {
                    const target = `${url[site]}/socket.io/?EIO=4&transport=polling`;
                    const { sid } = JSON.parse((await (await fetch(target)).text()).slice(1));
                    const post = (body, ...more) => run('/usr/bin/curl', ['-q', '-sS', '--noproxy', '*', '-m', '20',
                        '-w', '%{http_code}', '-o', '/dev/null', '-H', 'Expect:', ...more, '--data-binary', '@-',
                        `${target}&sid=${sid}`], body);
                    assert.equal(String((await post(Buffer.alloc(20_000_000, '4'), ...args)).output), '413');
                    assert.equal(String((await post('40', ...args)).output), '200'); // the session lives on
                });

    // A WebSocket without traffic is given up, and so is a poll: the heartbeat is slower than nginx is patient.
    through('impatient', 'a client that nginx has cut off comes back', async (connect) => {
        const socket = await connect();
        const { id } = socket;
        const session = socket.engine();
        await heard(socket, 'disconnect');
        const again = heard(socket, 'connect');
        await gone(`${hidden.url}/socket.io/`, session);
        await again;
        assert.notEqual(socket.id, id);
        assert.deepEqual(await ask(socket, 'any', 1), [1]);
    });
});

check('nginx 1.22', 'server', 'polling', 'connections to the server are kept and used again', async () => {
    const fds = `/proc/${server.child.pid}/fd`;
    const sockets = () => readdirSync(fds).map((fd) => readlinkSync(path.join(fds, fd)));
    const get = async () => (await request({ url: url.buffering }, '/socket.io/?EIO=4&transport=polling')).status;
    assert.equal(await get(), 200);
    const before = sockets();
    for (let i = 0; i !== 30; ++i) assert.equal(await get(), 200);
    assert.deepEqual(sockets(), before);
});

const used = { by_cookie: new Set(), by_address: new Set() }; // the servers that clients stayed with
describe('two servers behind a proxy', { concurrency: 6 }, () => {
    // Which servers the requests of a client went to.
    const seen = (who) => new Set(log().filter((line) => line.endsWith(` ${who}`)).map((line) => line.split(' ')[2]));
    async function stay(connect, transport, site, options) {
        for (let i = 0; i !== 8; ++i) {
            const who = `${site}-${transport}-${i}`;
            const socket = await connect({ extraHeaders: { 'X-Who': who }, ...options(i) });
            for (let k = 0; k !== 5; ++k) assert.deepEqual(await ask(socket, 'any', k), [k]);
            socket.disconnect();
            await until(() => seen(who).size > 0);
            assert.equal(seen(who).size, 1);
            used[site].add(...seen(who));
        }
    }
    through('by_cookie', 'each client stays with its server', (connect, transport) =>
        stay(connect, transport, 'by_cookie', () => ({ withCredentials: true })));
    through('by_cookie', 'each client stays with its server', async (connect) => {
        for (let i = 0; i !== 4; ++i) assert.deepEqual(await ask(await connect(), 'any', i), [i]);
    }, { of: [python] });
    through('by_address', 'each client stays with its server', (connect, transport) =>
        stay(connect, transport, 'by_address', (i) => ({ agent: new Agent({ localAddress: `127.0.0.${10 + i}` }) })));
});

check('nginx 1.22', 'server', 'upgrade', 'both servers had clients', () => {
    const both = [red, blue].map(({ port }) => `127.0.0.1:${port}`).sort();
    for (const [site, some] of Object.entries(used)) assert.deepEqual([...some].sort(), both, site);
});

// Clients come to one server and to the other in turn, with a cookie or in one WebSocket.
through('cluster', 'one conversation is heard on both servers', async (connect, transport) => {
    const sockets = [];
    const isAt = () => new Set(log().filter((line) => line.endsWith(` cluster-${transport}`))
        .map((line) => line.split(' ')[2]));
    while (sockets.length < 2 || transport !== 'websocket' && isAt().size < 2) // a WebSocket is logged when it ends
        sockets.push(await connect({ withCredentials: true, extraHeaders: { 'X-Who': `cluster-${transport}` } }));
    const got = sockets.map((socket) => collect(socket, 'shouted'));
    const hears = (i, word) => got[i].some(([said]) => said === word);
    for (const [i, socket] of sockets.entries()) {
        const word = `from ${i}`;
        socket.emit('shout', word);
        await until(() => sockets.every((_, k) => hears(k, word)));
        assert.deepEqual(await ask(socket, 'any', i), [i]);
    }
    await Promise.all(sockets.map((socket) => ask(socket, 'join', 'room')));
    const said = sockets.slice(1).map((socket) => heard(socket, 'said'));
    sockets[0].emit('say', 'room', 'hello');
    for (const one of said) assert.deepEqual(await one, ['hello']);
});

check('nginx 1.22', 'server', 'polling', 'a cookie of a server that has gone leads to the other one', async () => {
    const handshake = `${url.cluster}/socket.io/?EIO=4&transport=polling`;
    const greeted = async (cookie) => {
        const answer = await fetch(handshake, { headers: { Cookie: `${cookie}=1` } });
        assert.equal(answer.status, 200);
        return answer.headers.get('set-cookie').split('=')[0];
    };
    assert.equal(await greeted('node_a'), 'node_a');
    await nodes[0].stop();
    assert.equal(await greeted('node_a'), 'node_b');
    assert.equal(await greeted('node_b'), 'node_b');
});

describe('a proxy that is started anew', () => {
    through('buffering', 'sessions are forgotten, and clients come back', async (connect) => {
        const socket = await connect();
        await ask(socket, 'any');
        await sleep(100); // it polls again
        const session = socket.engine();
        const lost = heard(socket, 'disconnect');
        nginx.kill('SIGKILL');
        await lost;
        nginx = await proxy();
        await gone(`${server.url}/socket.io/`, session);
        if (!socket.connected) await heard(socket, 'connect');
        assert.deepEqual(await ask(socket, 'any', 1), [1]);
    });
});

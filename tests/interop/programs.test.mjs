// What the programs that speak to Redis say: of their options, of Redis, and of what cannot be done.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after } from 'node:test';
import { io } from 'socket.io-client';
import { isOurs } from './clients.mjs';
import { bin, check, freePort, launch, run, sleep, start, until } from './harness.mjs';
import { startRedis } from './redis.mjs';

const redis = await startRedis();
after(() => redis.kill());

const say = (program, what, body) => isOurs && check(program, 'node', 'command line', what, body);

// Runs the program, which fails with this exit code, and says this last.
async function fails(program, args, code, said) {
    const ended = await run(program, args);
    assert.equal(ended.errors.trimEnd().split('\n').at(-1), said, args.join(' '));
    assert.equal(ended.code, code);
    assert.equal(ended.output.length, 0);
}
const refuses = (program, args, said) => fails(program, args, 2, `${said} (see --help)`);

// What Redis is asked to publish meanwhile.
async function published(...args) {
    const monitor = net.connect(redis.port, '127.0.0.1');
    let said = '';
    monitor.on('data', (data) => { said += data; });
    monitor.write('MONITOR\r\n');
    await until(() => said.includes('+OK'));
    const ended = await run('sioemit', ['--redis', redis.address, ...args]);
    monitor.write('PING\r\n');
    await until(() => said.includes('PONG'));
    monitor.destroy();
    return { ...ended, said };
}

say('sioemit', 'an argument that begins with - is an option, but for numbers and what follows --', async () => {
    for (const help of ['-h', '--help']) {
        const { code, output, said } = await published(help);
        assert.equal(code, 0);
        assert.match(String(output), /^sioemit \[options\]/);
        assert.doesNotMatch(said, /PUBLISH/i);
    }
    for (const unknown of ['-x', '--rooms', '-5', '-'])
        await refuses('sioemit', ['--redis', redis.address, unknown], `unknown option: ${unknown}`);
    assert.match((await published('told', '-5', '-0.5')).said, /PUBLISH.*told.*\\xfb/i);
    assert.match((await published('--', '-h')).said, /PUBLISH.*-h/i);
    await refuses('sioemit', ['--nsp', '/', '--room'], '--room needs a value');
});

say('sioemit', 'what does not go together is refused', async () => {
    const together = '--servers is for all servers: --room, --except and --volatile do not go with it';
    for (const who of [['--room', 'a'], ['--except', 'a'], ['--volatile']])
        await refuses('sioemit', ['--servers', ...who, 'hello'], together);
    await refuses('sioemit', ['--join', 'a', 'hello', '1'], '--join takes no event');
    await refuses('sioemit', ['--leave', 'a', 'hello'], '--leave takes no event');
    await refuses('sioemit', ['--disconnect', '--volatile'], '--disconnect takes no event');
    await refuses('sioemit', ['--join', 'a', '--servers'], '--join does not go with --servers');
    await refuses('sioemit', [], 'no event to emit');
    await refuses('sioemit', ['--redis-mode', 'streams', 'hello'], 'emitters work with Pub/Sub only');
    const bytes = ['--redis', redis.address, '--servers', 'hello', '{"$binary":"00"}'];
    await fails('sioemit', bytes, 1, 'sioemit: events for servers cannot carry bytes');
});

say('sioemit', 'Redis is not there, is no Redis, does not answer', async () => {
    const emit = (port) => ['--redis', `127.0.0.1:${port}`, 'hello'];
    const port = await freePort();
    await fails('sioemit', emit(port), 1, `sioemit: 127.0.0.1:${port}: Connection refused`);
    const web = http.createServer().listen(0, '127.0.0.1');
    await once(web, 'listening');
    await fails('sioemit', emit(web.address().port), 1, `sioemit: 127.0.0.1:${web.address().port} is no Redis`);
    web.close();
    const frozen = await startRedis();
    frozen.child.kill('SIGSTOP');
    await fails('sioemit', emit(frozen.port), 1, `sioemit: ${frozen.address}: no answer from Redis`);
    await frozen.kill();
});

say('sioemit', 'no server listens', async () => {
    const { code, errors } = await published('--join', 'a', '--leave', 'b');
    assert.equal(code, 0);
    assert.equal(errors, 'sioemit: no server listens: other prefix, or servers with --redis-mode streams?\n');
    const server = await start('socketio_server', '--redis', redis.address);
    await until(() => server.child.errors.includes('connected'));
    assert.equal((await published('hello')).errors, '');
    await server.stop();
});

for (const program of ['socketio_server', 'chat_server']) {
    say(program, 'options that cannot be used', async () => {
        await refuses(program, ['--x'], 'unknown option: --x');
        await refuses(program, ['x'], 'unexpected argument: x');
        await refuses(program, ['--port'], '--port needs a value');
        await refuses(program, ['--port', '70000'], '--port wants a number, not "70000"');
        for (const address of ['127.0.0.1', '127.0.0.1:', ':6379', '127.0.0.1:0'])
            await refuses(program, ['--redis', address], `--redis wants HOST:PORT, not "${address}"`);
        const mode = ['--redis', redis.address, '--redis-mode', 'stream'];
        await refuses(program, mode, '--redis-mode is pubsub or streams, not "stream"');
        await refuses(program, ['--redis-mode', 'streams'], '--redis-mode needs --redis');
        await refuses(program, ['--redis-prefix', 'p'], '--redis-prefix needs --redis');
        await refuses(program, ['--cert', 'c.pem'], '--cert needs --key');
        await refuses(program, ['--key', 'k.pem'], '--key needs --cert');
        await fails(program, ['--cert', '/none', '--key', '/none'], 1, '/none: No such file or directory');
        for (const name of ['a b', 'a;b', ''])
            await refuses(program, ['--cookie', name], `--cookie wants a name that a cookie can have, not "${name}"`);
    });

    say(program, 'the port is in use', async () => {
        await fails(program, ['--port', `${redis.port}`], 1, `listen on port ${redis.port}: Address already in use`);
    });

    say(program, 'Redis comes and goes', async () => {
        const port = await freePort();
        const server = await start(program, '--redis', `127.0.0.1:${port}`);
        const said = () => server.child.errors.trimEnd().split('\n');
        const begins = `Redis 127.0.0.1:${port}: `;
        const refused = `${begins}Connection refused; serving alone, trying again`;
        await until(() => said().includes(refused));
        for (let times = 1; times !== 3; ++times) {
            const passing = await startRedis(port);
            await until(() => said().filter((line) => line === `${begins}connected`).length === times);
            await passing.kill();
            await until(() => said().filter((line) => line === refused).length === times + 1);
        }
        assert.equal(await server.stop(), 0);
        const others = said().filter((line) => line !== refused && line !== `${begins}connected`);
        for (const line of others) assert.match(line, /: (Server closed the connection|Connection reset by peer); serv/);
        assert.ok(others.length <= 4);
    });

    say(program, 'without standard streams it serves until it is stopped', async () => {
        const port = await freePort();
        const args = ['--port', `${port}`, '--redis', '127.0.0.1:1'];
        const shell = launch('/bin/sh', ['-c', 'exec "$0" "$@" <&- >&- 2>&-', path.resolve(bin, program), ...args]);
        let ended = false;
        shell.on('exit', () => { ended = true; });
        const answers = () => fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`)
            .then(({ status }) => status === 200, () => false);
        while (!ended && !await answers()) await sleep(50);
        await sleep(500); // it says that there is no Redis
        assert.ok(!ended && await answers());
        shell.kill('SIGTERM');
        await until(() => ended);
        assert.equal(shell.exitCode, 0);
    });

    say(program, 'a Redis that lets nobody in is tried ever more slowly', async () => {
        let tries = 0;
        const full = net.createServer((socket) => {
            ++tries;
            socket.on('error', () => {});
            socket.end('-ERR max number of clients reached\r\n');
        }).listen(0, '127.0.0.1');
        await once(full, 'listening');
        const begin = performance.now();
        const server = await start(program, '--redis', `127.0.0.1:${full.address().port}`);
        await until(() => tries >= 10); // five of each of its two connections
        assert.ok(performance.now() - begin >= 50 + 100 + 200 + 400); // a server that is slow passes
        assert.equal(await server.stop(), 0);
        assert.match(server.child.errors, /: ERR max number of clients reached; serving alone, trying again$/m);
        full.close();
    });

    for (const mode of ['pubsub', 'streams'])
        say(program, `Redis wants a password, ${mode}`, async () => {
            const port = await freePort();
            const strict = launch('/usr/bin/redis-server',
                ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--requirepass', 'secret']);
            const server = await start(program, '--redis', `127.0.0.1:${port}`, '--redis-mode', mode);
            await until(() => server.child.errors.includes(`Redis 127.0.0.1:${port}: NOAUTH Authentication required`));
            assert.equal(await server.stop(), 0);
            strict.kill('SIGKILL');
        });
}

say('socketio_server', 'what a frozen Redis does not take has a limit', async () => {
    const frozen = await startRedis();
    const server = await start('socketio_server', '--redis', frozen.address, '--max-payload', '10000000');
    await until(() => server.child.errors.includes('connected'));
    frozen.child.kill('SIGSTOP');
    const socket = io(server.url, { transports: ['websocket'], forceNew: true });
    for (let i = 0; i !== 100; ++i) socket.emit('say', 'room', Buffer.alloc(1_000_000));
    await until(() => /dropped/.test(server.child.errors), 30_000);
    socket.disconnect();
    await server.stop();
    await frozen.kill();
});

say('chat_server', 'its help tells its own options and port', async () => {
    const { code, output } = await run('chat_server', ['--help']);
    assert.equal(code, 0);
    assert.match(String(output), /--port N +3000 is the default/);
    assert.doesNotMatch(String(output), /--recovery/);
});

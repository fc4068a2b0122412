// Redis itself, for the tests of servers that act as one: on a port of this machine, and keeping nothing. And such
// servers.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { io } from 'socket.io-client';
import { freePort, launch, sleep, start } from './harness.mjs';

// Resolves when it can be used. `address` is HOST:PORT, `kill` ends it at once.
export async function startRedis(port) {
    port ??= await freePort();
    const child = launch('/usr/bin/redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '',
        '--appendonly', 'no']);
    await new Promise((resolve, reject) => {
        const lines = [];
        createInterface({ input: child.stdout }).on('line', (line) => {
            lines.push(line);
            if (line.includes('Ready to accept connections')) resolve();
        });
        child.on('exit', () => reject(new Error(`redis-server has ended: ${lines.join('\n')}`)));
    });
    return {
        child, port,
        address: `127.0.0.1:${port}`,
        kill: async () => {
            child.kill('SIGKILL');
            if (child.signalCode === null) await once(child, 'exit');
        },
    };
}

// Starts a server of each program. Resolves when each hears each other one: what one says before that may be lost.
export async function startTogether(programs, redis, ...args) {
    const servers = await Promise.all(programs.map((program) => start(program, '--redis', redis.address, ...args)));
    const options = { transports: ['websocket'], forceNew: true, reconnection: false };
    const clients = servers.map(({ url }) => io(url, options));
    const heard = clients.map(() => new Set());
    clients.forEach((client, i) => client.on('shouted', (number) => heard[i].add(number)));
    while (heard.some((numbers) => numbers.size !== clients.length)) {
        clients.forEach((client, i) => client.emit('shout', i));
        await sleep(100);
    }
    clients.forEach((client) => client.disconnect());
    return servers;
}

// Redis itself, for the tests of servers that act as one: on a port of this machine, and keeping nothing.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { freePort, launch } from './harness.mjs';

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
        port,
        address: `127.0.0.1:${port}`,
        kill: async () => {
            child.kill('SIGKILL');
            if (child.signalCode === null) await once(child, 'exit');
        },
    };
}

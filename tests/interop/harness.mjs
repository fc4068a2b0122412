// Shared by the interoperability tests: named tests, and programs that are started, watched, frozen and stopped.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const bin = process.env.SOCKETLESS_BIN ?? path.join(here, '../../build/interop/bin');

// A cell of the table that table.mjs prints. `role` is ours: server or client.
export function check(peer, role, transport, what, body) {
    test([peer, role, transport, what].join(' | '), { timeout: 60_000 }, body);
}

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

// What a test that failed has left behind does not keep its file from ending.
if (process.argv[1].endsWith('.test.mjs')) after(() => { setTimeout(() => process.exit(), 10_000).unref(); });

// Starts a server and waits until it listens. A name that ends in .mjs or .py is a peer's, run by its interpreter; any
// other program is ours. The port is 0 unless --port is among the arguments.
export async function start(program, ...args) {
    return listening(program, launch(program, args.includes('--port') ? args : ['--port', '0', ...args]));
}

// The same for the examples, whose one argument is a port.
export async function startExample(program, ...args) {
    return listening(program, launch(program, [`${await freePort()}`, ...args]));
}

export async function freePort() {
    const server = createServer().listen(0);
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    return port;
}

// Waits for the first line of a server, `listening on <port>`.
export async function listening(program, child) {
    const lines = createInterface({ input: child.stdout });
    const output = [];
    lines.on('line', (line) => output.push(line));
    const first = await Promise.race([
        once(lines, 'line').then(([line]) => line),
        once(child, 'exit').then(([code, signal]) => {
            throw new Error(`${program} ended with ${code ?? signal}: ${child.errors}`);
        }),
    ]);
    const port = Number(/^listening on (\d+)$/.exec(first)?.[1]);
    if (!port) throw new Error(`${program} said: ${first}`);
    return {
        child, port, output,
        url: `http://127.0.0.1:${port}`,
        freeze: () => child.kill('SIGSTOP'),
        thaw: () => child.kill('SIGCONT'),
        // Ends it at once, or by the signal that it closes its connections for. Resolves to its exit code.
        kill: () => end(child, 'SIGKILL'),
        stop: () => end(child, 'SIGTERM'),
    };
}

// Starts a program of ours or of a peer; one of the system by its whole path. `errors` holds its standard error.
export function launch(program, args, { stdio = ['pipe', 'pipe', 'pipe'], env } = {}) {
    const command = program.endsWith('.mjs') ? [process.execPath, path.join(here, program)]
        : program.endsWith('.py') ? ['/usr/bin/python3', path.join(here, program)]
        : [path.resolve(bin, program)];
    const child = spawn(command[0], [...command.slice(1), ...args], { stdio, env });
    running.add(child);
    child.on('exit', () => running.delete(child));
    child.stdin?.on('error', () => {}); // it may end before it has read all
    child.errors = '';
    child.stderr.on('data', (chunk) => { child.errors += chunk; });
    return child;
}

// Runs a program to its end. `input` is its standard input, `output` its standard output, as bytes.
export async function run(program, args, input = '') {
    const child = launch(program, args);
    const chunks = [];
    child.stdout.on('data', (chunk) => chunks.push(chunk));
    child.stdin.end(input);
    const [code] = await once(child, 'close');
    return { code, output: Buffer.concat(chunks), errors: child.errors };
}

async function end(child, signal) {
    if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGCONT');
        child.kill(signal);
        await once(child, 'exit');
    }
    return child.exitCode;
}

// The next event of an emitter, as the array of its arguments; refuses after `ms`.
export async function next(emitter, event, ms = 10_000) {
    return once(emitter, event, { signal: AbortSignal.timeout(ms) });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Waits until `condition()` is true.
export async function until(condition, ms = 10_000) {
    const end = performance.now() + ms;
    while (!condition()) {
        if (performance.now() > end) throw new Error(`not in ${ms} ms: ${condition}`);
        await sleep(5);
    }
}

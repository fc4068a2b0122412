// Load on our server.
//   node load.mjs soak [--clients 1000] [--seconds 60] [--rate 4]
//       Clients (socket.io-client over WebSocket) send numbered messages, `rate` a second each, and want each of them
//       back, in order. Fails if one is lost or out of order, or if the server's memory grows once it is warm.
//   node load.mjs compare [--rounds 5] [--seconds 5] [--row flood]...
//       Our server and npm's, in turns, on one core, with load_generator on another: echoes, broadcasts, memory. --row
//       names one row of the table, and may come more than once.
//   node load.mjs cluster [--clients 3000] [--seconds 60] [--rounds 1] [--window 10] [--mode pubsub|streams]
//       Three servers that act as one over Redis: ours, and then npm's, on the same Redis. A client of each server has
//       all clients of all servers told something, with `window` broadcasts under way. Fails if a client misses one,
//       hears one twice or out of order.
// --server names another program of ours: `compare` takes epoll_server, the fastest network, the other jobs
// socketio_server.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { here, launch, sleep, start, startExample } from './harness.mjs';
import { startRedis, startTogether } from './redis.mjs';

const { positionals: [job], values } = parseArgs({
    allowPositionals: true,
    options: {
        server: { type: 'string' },
        clients: { type: 'string' },
        rate: { type: 'string', default: '4' },
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        window: { type: 'string' },
        mode: { type: 'string' },
        row: { type: 'string', multiple: true },
    },
});
const number = (name, otherwise) => Number(values[name] ?? otherwise);

async function soak() {
    const seconds = number('seconds', 60);
    const warmUp = Math.ceil(seconds / 3);
    const margin = 1024; // KiB, what an allocator may still gather: less than ten bytes a message
    const server = await serve(values.server ?? 'socketio_server');
    const workers = await Promise.all([0, 1].map(() => work({ url: server.url, rate: number('rate') })));
    const share = Math.ceil(number('clients', 1000) / workers.length);
    await Promise.all(workers.map((worker) => worker.ask('connect', share)));
    const clients = share * workers.length;
    console.log(`${clients} clients are connected, ${rss(server)} KiB`);

    await Promise.all(workers.map((worker) => worker.ask('start')));
    const memory = [];
    for (let second = 1; second <= seconds; ++second) {
        await sleep(1000);
        memory.push(rss(server));
        if (second % 10 === 0) console.log(`${second} s: ${memory.at(-1)} KiB`);
    }
    const results = await Promise.all(workers.map((worker) => worker.ask('finish')));
    await Promise.all(workers.map((worker) => worker.end()));
    await server.stop();

    const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
    const faults = results.flatMap((result) => result.faults);
    const growth = Math.max(...memory.slice(warmUp)) - memory[warmUp - 1];
    const rate = Math.round(total('sent') / seconds);
    console.log(`${total('sent')} messages, ${rate} a second; ${total('back')} came back; faults: ${faults.length}`);
    for (const fault of faults.slice(0, 10)) console.log(`  ${fault}`);
    console.log(`memory: ${memory[warmUp - 1]} KiB after ${warmUp} s, then at most ${growth} KiB more of ${margin} allowed`);
    return total('sent') === total('back') && faults.length === 0 && growth <= margin;
}

// The rows of the table: what load_generator does, and what of its answer counts, in the units of the title.
const rows = {
    flood: {
        job: ['echo', '--frames', '--connections', '50', '--window', '20'],
        title: '50 connections, 20 messages under way on each',
        figures: { 'echoes a second': 'rate', 'CPU time for each, us': 'cost', 'round trip, p50, us': 'p50', 'p99, us': 'p99' },
    },
    ...Object.fromEntries([100, 1000, 10_000].map((connections) => [`echo-${connections}`, {
        job: ['echo', '--frames', '--connections', `${connections}`, '--window', '1'],
        title: `${connections} connections, one message under way on each`,
        figures: { 'CPU time for each, us': 'cost' },
    }])),
    single: {
        job: ['echo', '--frames', '--connections', '1', '--window', '1'],
        title: 'one connection, one message under way',
        figures: { 'round trip, p50, us': 'p50', 'p99, us': 'p99', 'CPU time for each, us': 'cost' },
    },
    broadcast: {
        job: ['broadcast', '--frames', '--connections', '10000', '--times', '20'],
        title: 'a broadcast of P2 to 10000 connections',
        figures: { 'until all have it, p50, ms': 'ms', 'CPU time for each receiver, us': 'cost' },
    },
    ...Object.fromEntries([1000, 10_000].map((connections) => [`idle-${connections}`, {
        job: ['idle', '--connections', `${connections}`, '--seconds', '0'],
        title: `${connections} idle connections`,
        figures: { 'memory of each, bytes': 'memory' },
    }])),
    live: {
        job: ['idle', '--connections', '19000', '--seconds', '50'], // two heartbeats of each
        title: '19000 idle connections with their heartbeats',
        figures: { 'memory of each, bytes': 'memory', 'load, % of a core': 'load' },
    },
};

async function compare() {
    const names = { ours: values.server ?? 'epoll_server', 'socket.io 4.8.4': 'peers/socketio_server.mjs' };
    const unknown = (values.row ?? []).find((name) => !rows[name]);
    if (unknown) throw new Error(`no row ${unknown}: ${Object.keys(rows).join(', ')}`);
    console.log(['', ...Object.keys(names), 'ratio'].map(column).join(''));
    for (const [name, row] of Object.entries(rows)) {
        if (values.row && !values.row.includes(name)) continue;
        const files = Number(execFileSync('sh', ['-c', 'ulimit -n']));
        if (files < connectionsOf(row) + 100) {
            console.log(`${name}: left out, ${connectionsOf(row)} connections need more than ${files} files (ulimit -n)`);
            continue;
        }
        const results = Object.values(names).map(() => []);
        for (let round = 0; round < number('rounds', 5); ++round)
            for (const [i, program] of Object.values(names).entries()) results[i].push(await measure(program, row));
        print(row, results, Object.keys(names));
    }
    return true;
}

const connectionsOf = ({ job }) => Number(job[job.indexOf('--connections') + 1]);

// Medians. The ratio is the median of those of the rounds, in each of which both had about the same machine.
function print({ title, figures }, results, names) {
    console.log(title);
    const [ours, theirs] = results;
    for (const [figure, key] of Object.entries(figures)) {
        const [a, b] = results.map((list) => median(list.map((result) => result[key])));
        const ratio = median(ours.map((result, i) => result[key] / theirs[i][key]));
        console.log([`  ${figure}`, digits(a), digits(b), ratio.toFixed(2)].map(column).join(''));
    }
    if (!Object.values(figures).includes('rate')) return;
    for (const [i, name] of names.entries()) {
        const [load, own] = ['load', 'own_load'].map((key) => median(results[i].map((result) => result[key])));
        if (load >= 90) continue;
        const reason = own >= 90 ? 'the generator has no more time' : `it had ${digits(load)} % of its core`;
        console.log(`  ${name}: the rate is a lower bound, ${reason}; the CPU time counts`);
    }
}

// The server on one core, the generator on another.
async function measure(program, row) {
    const server = await serve(program);
    const seconds = row.job[0] === 'echo' ? ['--seconds', values.seconds ?? '5', '--warm-up', '2'] : [];
    const result = await generate(program, [server], [...row.job, ...seconds]);
    if (result.mode === 'broadcast') result.cost /= result.connections;
    return { ...result, ...result.round_trip, ms: result.until_all?.p50 / 1000 };
}

// What load_generator says of these servers, which do not outlive it.
async function generate(program, servers, job) {
    const ends = servers.flatMap(({ port, child }) => ['--port', `${port}`, '--pid', `${child.pid}`]);
    for (const { child } of servers) pin(child, 0);
    const generator = launch('load_generator', [...job, ...ends]);
    pin(generator, 1);
    const exit = once(generator, 'exit');
    const line = await text(generator.stdout);
    const [code] = await exit;
    await Promise.all(servers.map((server) => server.kill()));
    if (code !== 0) throw new Error(`${program}: ${generator.errors}${line}`);
    return JSON.parse(line);
}

// The three servers share a core, and Redis and the generator the other: both kinds of servers get the same machine,
// and nobody else's work is in their CPU time. The rate is that of one core; the CPU time counts, idle or not.
async function cluster() {
    const names = { ours: values.server ?? 'socketio_server', 'socket.io 4.8.4': 'peers/socketio_server.mjs' };
    const clients = number('clients', 3000);
    const window = number('window', 10);
    const job = ['cluster', '--connections', `${clients}`, '--window', `${window}`,
        '--seconds', values.seconds ?? '60', '--warm-up', '2'];
    const redis = await startRedis();
    pin(redis.child, 1);
    console.log(['', ...Object.keys(names), 'ratio'].map(column).join(''));
    for (const mode of values.mode ? [values.mode] : ['pubsub', 'streams']) {
        const results = Object.values(names).map(() => []);
        for (let round = 0; round < number('rounds', 1); ++round)
            for (const [i, program] of Object.values(names).entries()) {
                const args = mode === 'pubsub' ? [] : ['--redis-mode', mode];
                const servers = await startTogether(Array(3).fill(program), redis, ...args);
                const result = await generate(program, servers, job);
                results[i].push({ ...result, ms: result.until_all.p50 / 1000 });
            }
        print({
            title: `three servers over Redis (${mode}), ${clients} clients, ${window} under way from each`,
            figures: {
                'deliveries a second': 'rate', 'for each core that the servers use': 'rate_of_core',
                'until all have it, p50, ms': 'ms',
            },
        }, results, Object.keys(names));
    }
    await redis.kill();
    return true;
}

// The examples take a port, other servers options.
const serve = (program) => (program.endsWith('.mjs') || program === 'socketio_server' ? start : startExample)(program);

// A process of load_worker.mjs, which does what it is asked for, one thing at a time.
async function work(options) {
    const child = fork(path.join(here, 'load_worker.mjs'), [JSON.stringify(options)]);
    child.on('exit', (code) => { if (code) throw new Error(`a worker ended with ${code}`); });
    return {
        child,
        ask: async (what, ...args) => {
            child.send({ what, args });
            const [answer] = await once(child, 'message');
            return answer;
        },
        end: async () => {
            child.disconnect();
            await once(child, 'exit');
        },
    };
}

const pin = ({ pid }, core) => execFileSync('taskset', ['-acp', String(core), String(pid)]);

// KiB of memory of a server's process.
const rss = ({ child }) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const digits = (value) => (value < 100 ? value.toFixed(1) : String(Math.round(value)));
const column = (cell, i) => (i === 0 ? cell.padEnd(48) : cell.padStart(17));

const jobs = { soak, compare, cluster };
if (!jobs[job]) throw new Error('load.mjs soak | compare | cluster');
process.exitCode = await jobs[job]() ? 0 : 1;

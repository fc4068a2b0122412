// Load on our server.
//   node load.mjs soak [--clients 1000] [--seconds 60] [--rate 4]
//       Clients (socket.io-client over WebSocket) send numbered messages, `rate` a second each, and want each of them
//       back, in order. Fails if one is lost or out of order, or if the server's memory grows once it is warm.
//   node load.mjs compare [--rounds 5] [--seconds 5] [--connections 50] [--window 20] [--idle 1000]
//       Our server and npm's, in turns, on one core, with the generator on another: echo round trips with `window`
//       messages under way on each connection, CPU time of the server for each, memory of an idle connection.
// --server names another program than ours.
import { execFileSync, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { here, sleep, start } from './harness.mjs';

const { positionals: [job], values } = parseArgs({
    allowPositionals: true,
    options: {
        server: { type: 'string', default: 'socketio_server' },
        clients: { type: 'string', default: '1000' },
        rate: { type: 'string', default: '4' },
        seconds: { type: 'string' },
        rounds: { type: 'string', default: '5' },
        connections: { type: 'string', default: '50' },
        window: { type: 'string', default: '20' },
        idle: { type: 'string', default: '1000' },
    },
});
const number = (name, otherwise) => Number(values[name] ?? otherwise);

async function soak() {
    const seconds = number('seconds', 60);
    const warmUp = Math.ceil(seconds / 3);
    const margin = 1024; // KiB, what an allocator may still gather: less than ten bytes a message
    const server = await start(values.server);
    const workers = await Promise.all([0, 1].map(() => work({ url: server.url, rate: number('rate') }, 'soak')));
    const share = Math.ceil(number('clients') / workers.length);
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

async function compare() {
    const names = { 'ours': values.server, 'socket.io 4.8.4': 'peers/socketio_server.mjs' };
    const results = Object.fromEntries(Object.keys(names).map((name) => [name, []]));
    for (let round = 0; round < number('rounds'); ++round)
        for (const [name, program] of Object.entries(names)) results[name].push(await measure(program));

    const rows = {
        'echo round trips a second': 'rate',
        'CPU time of the server for each, us': 'cost',
        'core used by the server, %': 'load',
        'core used by others meanwhile, %': 'waits',
        'core used by the generator, %': 'generator',
        'memory of an idle connection, bytes': 'memory',
    };
    const [ours, theirs] = Object.values(results);
    console.log(['', ...Object.keys(names), 'ratio'].map(column).join(''));
    for (const [title, key] of Object.entries(rows)) {
        const [a, b] = [ours, theirs].map((list) => median(list.map((result) => result[key])));
        console.log([title, figure(a), figure(b), (a / b).toFixed(2)].map(column).join(''));
    }
    for (const [name, list] of Object.entries(results)) {
        const [load, waits] = ['load', 'waits'].map((key) => median(list.map((result) => result[key])));
        if (load >= 90) continue;
        const reason = load + waits < 90 ? 'the generator is too slow' : 'it shares the core with other processes';
        console.log(`${name}: the rate is a lower bound, ${reason}; the CPU time counts`);
    }
    return true;
}

async function measure(program) {
    const server = await start(program);
    pin(server.child, 0);
    const worker = await work({ port: server.port, window: number('window') }, 'flood');
    pin(worker.child, 1);

    await worker.ask('connect', number('connections'));
    await sleep(500);
    const before = rss(server);
    await worker.ask('connect', number('idle'));
    await sleep(500);
    const memory = (rss(server) - before) * 1024 / number('idle');

    await worker.ask('start', number('connections'));
    await sleep(2000); // until all is warm
    const sample = async () => ({ ...await worker.ask('count'), server: cpu(server), waits: waits(server) });
    const first = await sample();
    await sleep(number('seconds', 5) * 1000);
    const last = await sample();
    const spent = (key) => last[key] - first[key];
    if (last.faults) throw new Error(`${program}: ${last.faults} echoes were not what was sent`);
    await worker.end();
    await server.kill();
    return {
        rate: spent('count') / spent('time') * 1e6,
        cost: spent('server') / spent('count'),
        load: spent('server') / spent('time') * 100,
        waits: spent('waits') / spent('time') * 100,
        generator: spent('cpu') / spent('time') * 100,
        memory,
    };
}

// A process of load_worker.mjs, which does what it is asked for, one thing at a time.
async function work(options, kind) {
    const child = fork(path.join(here, 'load_worker.mjs'), [kind, JSON.stringify(options)]);
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

// KiB of memory, microseconds of CPU time, and of waiting for the core, of a server's process.
const rss = ({ child }) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);
const tick = 1e6 / Number(execFileSync('getconf', ['CLK_TCK']));
function cpu({ child }) {
    const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) * tick;
}

const waits = ({ child }) => Number(readFileSync(`/proc/${child.pid}/schedstat`, 'utf8').split(' ')[1]) / 1000;

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1];
const figure = (value) => (value < 100 ? value.toFixed(1) : String(Math.round(value)));
const column = (text, i) => (i === 0 ? text.padEnd(38) : text.padStart(17));

const jobs = { soak, compare };
if (!jobs[job]) throw new Error('load.mjs soak | compare');
process.exitCode = await jobs[job]() ? 0 : 1;

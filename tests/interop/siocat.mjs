// siocat --json as an object with commands and events; and the servers that it meets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { check, launch, start, until } from './harness.mjs';
import { pack, unpack } from './values.mjs';

export const transports = ['polling', 'websocket', 'upgrade'];

// `revision` is that of Engine.IO. In 3 there is no auth, but each namespace has its query.
const npm = 'peers/socketio_server.mjs';
export const modern = { name: 'socket.io 4.8.4', program: [npm], revision: 4 };
export const legacy = { name: 'socket.io 2.5.1', program: [npm, '--package', 'socket.io-2'], revision: 3 };
export const python = { name: 'python-socketio 5.7.2', program: ['peers/socketio_server.py'], revision: 4 };
export const ours = { name: 'socketless', program: ['socketio_server'], revision: 4 };
export const peers = [modern, legacy, python, ours];
// With another parser than the default one.
const withParser = (peer, parser) => ({
    ...peer,
    name: `${peer.name}, ${parser}`,
    program: [...peer.program, '--parser', parser],
    options: ['--parser', parser],
});
export const msgpack = withParser(modern, 'msgpack');
export const ownMsgpack = withParser(ours, 'msgpack');
export const packed = [msgpack, ownMsgpack];

export const serve = (peer, ...args) => start(...peer.program, ...args);

export class Siocat {
    lines = []; // printed and not yet awaited
    #last = 0;

    constructor(url, ...options) {
        this.child = launch('siocat', ['--json', ...options, url]);
        this.ended = once(this.child, 'exit').then(([code, signal]) => code ?? signal);
        createInterface({ input: this.child.stdout }).on('line', (line) => this.lines.push(JSON.parse(line, unpack)));
    }

    tell(op, more) {
        this.child.stdin.write(`${JSON.stringify({ op, ...more }, pack)}\n`);
    }
    emit(event, ...args) {
        this.tell('emit', { event, args });
    }
    // Emits, and resolves to the arguments of the acknowledgement.
    async ask(event, ...args) {
        return this.askIn('/', event, ...args);
    }
    async askIn(nsp, event, ...args) {
        const id = `${++this.#last}`;
        this.tell('emit', { nsp, event, args, ack: true, id });
        return (await this.hear('ack', { id })).args;
    }

    // The first line that says this, of those that were not awaited yet.
    async hear(on, members = {}, ms = 10_000) {
        const wanted = Object.entries({ on, ...members });
        const find = () => this.lines.findIndex((line) => wanted.every(([name, value]) => line[name] === value));
        await until(() => find() !== -1, ms).catch(() => this.#fail(`say ${JSON.stringify({ on, ...members })}`));
        return this.lines.splice(find(), 1)[0];
    }
    #fail(missing) {
        const said = this.lines.slice(-20).map((line) => JSON.stringify(line).slice(0, 200));
        assert.fail([`siocat does not ${missing}, but says`, ...said, this.child.errors].join('\n'));
    }
    // The arguments of the next `count` events of this name.
    async hearEvents(event, count, nsp = '/') {
        const list = [];
        while (list.length < count) list.push((await this.hear('event', { nsp, event }, 20_000)).args);
        return list;
    }
    // Those that are there already.
    take(event, nsp = '/') {
        const is = (line) => line.on === 'event' && line.event === event && line.nsp === nsp;
        const list = this.lines.filter(is).map(({ args }) => args);
        this.lines = this.lines.filter((line) => !is(line));
        return list;
    }

    // Closes it in good order. Resolves to the exit code.
    async close() {
        this.tell('close');
        return this.endsWithin(40_000);
    }
    // Resolves to the exit code.
    async endsWithin(ms) {
        const { child } = this;
        const hasEnded = () => child.exitCode !== null || child.signalCode !== null;
        await until(hasEnded, ms).catch(() => this.#fail(`end in ${ms} ms`));
        return this.ended;
    }
    freeze() { this.child.kill('SIGSTOP'); }
    thaw() { this.child.kill('SIGCONT'); }
    kill() { this.child.kill('SIGKILL'); }
}

// Runs `body` with our client, each of their servers and each transport.
export function each(what, body, { of = peers, over = transports } = {}) {
    for (const peer of of)
        for (const transport of over)
            check(peer.name, 'client', transport, what, async () => {
                const caller = new Caller(peer, transport);
                try {
                    await body(caller);
                } finally {
                    await caller.hangUp();
                }
            });
}

class Caller {
    #cats = [];
    #ends = [];

    constructor(peer, transport) {
        Object.assign(this, { peer, transport });
    }
    // A client that is about to connect.
    dial(url, { nsps = ['/'], auth, args = [] } = {}) {
        const { revision } = this.peer;
        const query = revision === 3 && auth ? `?${new URLSearchParams(auth)}` : '';
        const cat = new Siocat(url, '--transport', this.transport, '--protocol', `${revision}`,
            '--reconnect-delay', '100', ...this.peer.options ?? [], ...nsps.flatMap((nsp) => ['--nsp', `${nsp}${query}`]),
            ...auth && revision === 4 ? ['--auth', JSON.stringify(auth)] : [], ...args);
        this.#cats.push(cat);
        return cat;
    }
    // A client that is connected, and upgraded if the transport says so.
    async connect(url, options = {}) {
        const cat = this.dial(url, options);
        for (const nsp of options.nsps ?? ['/']) Object.assign(cat, await cat.hear('connect', { nsp }));
        if (this.transport === 'upgrade') await cat.hear('upgrade', { transport: 'websocket' });
        return cat;
    }
    // A server for this test alone.
    async serve(...args) {
        const server = await serve(this.peer, ...args);
        this.finally(() => server.kill());
        return server;
    }
    // Registers something to do in the end.
    finally(end) {
        this.#ends.push(end);
    }
    async hangUp() {
        for (const cat of this.#cats) cat.kill();
        for (const end of this.#ends) await end();
    }
}

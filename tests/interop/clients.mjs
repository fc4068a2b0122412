// Their clients, behind one interface: that of npm's socket.io-client.
import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import { after } from 'node:test';
import { Manager } from 'socket.io-client';
import legacyClient from 'socket.io-client-2';
import * as msgpackParser from 'socket.io-msgpack-parser';
import { check, launch, sleep, start, until } from './harness.mjs';
import { pack, unpack } from './values.mjs';

// SOCKETLESS_PEERS=1 holds the tests against npm's servers instead of ours, to see that the tests are right. The few
// things that those do not do are left out then.
export const isOurs = !process.env.SOCKETLESS_PEERS;
const own = (program) => (isOurs ? program : `peers/${program}.mjs`);
export const serve = (...args) => start(own('socketio_server'), ...args);
export const serveEngine = (...args) => start(own('engineio_echo_server'), ...args);

export const transports = { polling: ['polling'], websocket: ['websocket'], upgrade: ['polling', 'websocket'] };

const quick = { reconnectionDelay: 100, randomizationFactor: 0 };

// `dial` gives a socket per namespace, of one connection. Its `engine()` gives the id and the transport of the
// connection. `host` runs a client in a process of its own; its `socket` only says when it is connected, and when it is
// not.
export const modern = {
    name: 'socket.io-client 4.8.4',
    revision: 4,
    dial: (url, nsps, transport, { auth }) =>
        dialNode(new Manager(url, { ...quick, transports: transports[transport] }), nsps, { auth }),
    host: (url, transport) => hostNode('socket.io-client', url, transport),
};

// The same with another parser, which the server has to use too.
export const msgpack = {
    ...modern,
    name: 'socket.io-client 4.8.4, msgpack',
    parser: 'msgpack',
    dial: (url, nsps, transport, { auth }) =>
        dialNode(new Manager(url, { ...quick, transports: transports[transport], parser: msgpackParser }), nsps,
            { auth }),
};

// Revision 3 has no auth, but each namespace its query.
export const legacy = {
    name: 'socket.io-client 2.5.0',
    revision: 3,
    dial: (url, nsps, transport, { auth }) =>
        dialNode(new legacyClient.Manager(url, { ...quick, transports: transports[transport] }), nsps, { query: auth }),
    host: (url, transport) => hostNode('socket.io-client-2', url, transport),
};

export const python = {
    name: 'python-socketio 5.7.2',
    revision: 4,
    dial: (url, nsps, transport, { auth }) => {
        shared ??= new PythonProcess();
        return dialPython(shared, url, nsps, transport, auth);
    },
    host: (url, transport) => {
        const process = new PythonProcess();
        const [socket] = dialPython(process, url, ['/'], transport);
        return { socket, child: process.child };
    },
};
let shared;
after(() => shared?.child.kill());

export const peers = [modern, legacy, python];

function dialNode(manager, nsps, options) {
    return nsps.map((nsp) => {
        const socket = manager.socket(nsp, options);
        if (!socket.active) socket.connect();
        socket.engine = () => ({ id: manager.engine.id, transport: manager.engine.transport.name });
        return socket;
    });
}

function hostNode(name, url, transport) {
    const child = launch('peers/client.mjs', [name, url, transports[transport].join()]);
    const socket = new EventEmitter();
    hear(child, (line) => {
        const [event, word] = line.split(/ (.*)/);
        if (event === 'connect') socket.engine = () => ({ id: word, transport: transports[transport].at(-1) });
        socket.emit(event, word);
    });
    return { socket, child };
}

// Each line on its own, even where several have come at once: who waits for one hears the next.
function hear(child, listener) {
    createInterface({ input: child.stdout }).on('line', (line) => setImmediate(listener, line));
}

class PythonProcess {
    clients = new Map(); // number -> namespace -> socket
    acks = new Map();
    last = 0;

    constructor() {
        this.child = launch('peers/client.py', []);
        this.child.stderr.pipe(process.stderr);
        hear(this.child, (line) => this.hear(JSON.parse(line, unpack)));
    }
    tell(line) {
        this.child.stdin.write(`${JSON.stringify(line, pack)}\n`);
    }
    hear({ client, nsp, on, event, args, ack, ...rest }) {
        if (on === 'ack') return take(this.acks, ack)(...args);
        const socket = this.clients.get(client).get(nsp);
        if (on === 'connect') Object.assign(socket, { id: rest.sid, connected: true, about: rest });
        if (on === 'disconnect') socket.connected = false;
        on === 'event' ? socket.deliver(event, ...args) : socket.deliver(on, ...args ?? []);
    }
}

class PythonSocket extends EventEmitter {
    constructor(process, client, nsp) {
        super();
        Object.assign(this, { process, client, nsp, connected: false });
    }
    engine() {
        return { id: this.about.engine, transport: this.about.transport };
    }
    emit(event, ...args) {
        const { process, client, nsp } = this;
        let ack = null;
        if (typeof args.at(-1) === 'function') process.acks.set(ack = ++process.last, args.pop());
        process.tell({ client, op: 'emit', nsp, event, args, ack });
    }
    deliver(event, ...args) {
        super.emit(event, ...args);
    }
    disconnect() {
        this.process.tell({ client: this.client, op: 'close' });
    }
}

function dialPython(process, url, nsps, transport, auth = null) {
    const client = ++process.last;
    const sockets = nsps.map((nsp) => new PythonSocket(process, client, nsp));
    process.clients.set(client, new Map(sockets.map((socket) => [socket.nsp, socket])));
    process.tell({ client, op: 'connect', url, transports: transports[transport], nsps, auth });
    return sockets;
}

function take(map, key) {
    const value = map.get(key);
    map.delete(key);
    return value;
}

// Servers with the same options, one for each parser: `serverOf(peer)`.
export async function serveAll(...args) {
    const servers = new Map([[undefined, await serve(...args)],
        ['msgpack', await serve(...args, '--parser', 'msgpack')]]);
    return {
        serverOf: ({ parser }) => servers.get(parser),
        stop: () => Promise.all([...servers.values()].map((server) => server.stop())),
    };
}

// Runs `body` with each of their clients, over each transport. Disconnects its clients in the end.
export function each(what, body, { of = peers, over = Object.keys(transports) } = {}) {
    for (const peer of of)
        for (const transport of over)
            check(peer.name, 'server', transport, what, async () => {
                const caller = new Caller(peer, transport);
                try {
                    await body(caller);
                } finally {
                    caller.hangUp();
                }
            });
}

// A client's side of a test: it ends what it has connected and started.
export class Caller {
    #sockets = [];
    #ends = [];

    constructor(peer, transport) {
        Object.assign(this, { peer, transport });
    }
    // Sockets that are about to connect.
    dialAll(url, nsps, options = {}) {
        const sockets = this.peer.dial(url, nsps, this.transport, options);
        this.#sockets.push(...sockets);
        return sockets;
    }
    dial(url, { nsp = '/', ...options } = {}) {
        return this.dialAll(url, [nsp], options)[0];
    }
    // Sockets that are connected, and upgraded if they are to be.
    async connectAll(url, nsps, options) {
        const sockets = this.dialAll(url, nsps, options);
        await Promise.all(sockets.map((socket) => heard(socket, 'connect')));
        await until(() => sockets[0].engine().transport === transports[this.transport].at(-1));
        return sockets;
    }
    async connect(url, { nsp = '/', ...options } = {}) {
        return (await this.connectAll(url, [nsp], options))[0];
    }
    // A client in a process of its own: { socket, child }.
    host(url) {
        const hosted = this.peer.host(url, this.transport);
        this.finally(() => hosted.child.kill('SIGKILL'));
        return hosted;
    }
    // A server for this test alone.
    async serve(...args) {
        const { parser } = this.peer;
        const server = await serve(...args, ...parser ? ['--parser', parser] : []);
        this.finally(server.kill);
        return server;
    }
    // Registers something to do in the end.
    finally(end) {
        this.#ends.push(end);
    }
    async hangUp() {
        for (const socket of this.#sockets) {
            socket.io?.reconnection(false); // where an attempt is under way disconnect() would not end it
            socket.disconnect();
        }
        for (const end of this.#ends) end();
    }
}

// The arguments of the next `event`. Unlike `next` it ignores an event `error`, which in revision 3 can mean anything.
export function heard(socket, event, ms = 10_000) {
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no ${event} in ${ms} ms`)), ms);
        socket.once(event, (...args) => {
            clearTimeout(timer);
            resolve(args);
        });
    });
}

// The arguments of each `event` of the socket, as they come.
export function collect(socket, event) {
    const list = [];
    socket.on(event, (...args) => list.push(args));
    return list;
}

// Emits, and gives the arguments of the acknowledgement.
export const ask = (socket, event, ...args) =>
    new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`no acknowledgement of ${event}`)), 10_000);
        socket.emit(event, ...args, (...answer) => {
            clearTimeout(timer);
            resolve(answer);
        });
    });

// Waits until the server no longer knows the session. Asks for the transport that the session is not on, which does no
// harm to a live session: the answer is another error then.
export async function gone(url, { id, transport }, revision = 4, ms = 10_000) {
    const other = transport === 'polling' ? 'websocket' : 'polling';
    for (const end = performance.now() + ms; performance.now() < end; await sleep(20)) {
        const answer = await (await fetch(`${url}?EIO=${revision}&transport=${other}&sid=${id}`)).text();
        if (answer.includes('Session ID unknown')) return;
    }
    throw new Error(`the session is still there after ${ms} ms`);
}

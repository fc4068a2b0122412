// A part of the clients of load.mjs, in a process of its own: node load_worker.mjs soak|flood OPTIONS
import net from 'node:net';
import { io } from 'socket.io-client';
import { sleep, until } from './harness.mjs';

const [kind, json] = process.argv.slice(2);
const options = JSON.parse(json);

// Clients of npm, each of which sends its numbers, with text or bytes.
class Soak {
    #clients = [];
    #faults = [];
    #timer;

    async connect(count) {
        for (let i = 0; i < count; ++i) {
            this.#clients.push(this.#add());
            if (i % 20 === 0) await sleep(10); // not all at once
        }
        await until(() => this.#clients.every(({ socket }) => socket.connected), 60_000);
    }
    #add() {
        const socket = io(options.url, { transports: ['websocket'], forceNew: true, reconnection: false });
        const client = { socket, sent: 0, back: 0 };
        socket.on('message-back', (number, payload) => {
            if (number !== client.back || payload.length !== number % 100)
                this.#faults.push(`instead of ${client.back}: ${number}`);
            ++client.back;
        });
        socket.on('disconnect', (reason) => this.#faults.push(reason));
        socket.on('connect_error', (error) => this.#faults.push(error.message));
        return client;
    }
    start() {
        const begin = performance.now();
        let total = 0;
        this.#timer = setInterval(() => {
            const due = (performance.now() - begin) / 1000 * options.rate * this.#clients.length;
            for (; total < due; ++total) {
                const client = this.#clients[total % this.#clients.length];
                const number = client.sent++;
                const size = number % 100;
                client.socket.emit('message', number, number % 10 ? 'x'.repeat(size) : Buffer.alloc(size));
            }
        }, 10);
    }
    async finish() {
        clearInterval(this.#timer);
        const total = (key) => this.#clients.reduce((sum, client) => sum + client[key], 0);
        await until(() => total('back') === total('sent'), 10_000).catch(() => {}); // the numbers tell
        const result = { sent: total('sent'), back: total('back'), faults: [...this.#faults] };
        for (const { socket } of this.#clients) socket.disconnect();
        return result;
    }
}

// Connections that keep the server busy. They write and read frames of WebSocket themselves, many at once: any client,
// `ws` too, does more work for a message than the server, and would decide the figures.
const frame = (text) => Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0, ...Buffer.from(text)]); // a mask of zeroes
const args = ',{"id":1234567,"from":"somebody","text":"the quick brown fox jumps over the lazy dog"}]';
const message = frame(`42["message"${args}`);
const echo = Buffer.from(`42["message-back"${args}`);
const request = 'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n' +
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

class Flood {
    #connections = [];
    #batch = Buffer.concat(Array(options.window).fill(message));
    #count = 0;
    #faults = 0;

    async connect(count) {
        for (let i = 0; i < count; ++i) {
            this.#connections.push(this.#add());
            if (i % 20 === 0) await sleep(10);
        }
        await until(() => this.#connections.every((connection) => connection.isReady), 60_000);
    }
    start(count) {
        for (const { socket } of this.#connections.slice(0, count)) socket.write(this.#batch);
    }
    // Microseconds of CPU and real time, too.
    count() {
        const { user, system } = process.cpuUsage();
        return { count: this.#count, faults: this.#faults, time: performance.now() * 1000, cpu: user + system };
    }
    #add() {
        const socket = net.connect(options.port, '127.0.0.1');
        socket.setNoDelay(true);
        socket.write(request);
        const connection = { socket, isReady: false };
        let rest = Buffer.alloc(0);
        let isOpen = false;
        let owed = 0;
        socket.on('data', (chunk) => {
            rest = rest.length ? Buffer.concat([rest, chunk]) : chunk;
            let at = 0;
            if (!isOpen) {
                at = rest.indexOf('\r\n\r\n') + 4;
                if (at === 3) return;
                isOpen = true;
            }
            let echoes = 0;
            while (rest.length - at >= 2) {
                const isLong = (rest[at + 1] & 0x7f) === 126;
                if (isLong && rest.length - at < 4) break;
                const begin = at + (isLong ? 4 : 2);
                const end = begin + (isLong ? rest.readUInt16BE(at + 2) : rest[at + 1]);
                if (end > rest.length) break;
                if (connection.isReady && rest[begin] === 0x34) {
                    if (rest.compare(echo, 0, echo.length, begin, end) !== 0) ++this.#faults;
                    ++echoes;
                } else {
                    this.#greet(connection, rest.toString('latin1', begin, end));
                }
                at = end;
            }
            rest = rest.subarray(at);
            this.#count += echoes;
            owed += echoes;
            if (owed < options.window / 2) return;
            socket.write(this.#batch.subarray(0, owed * message.length));
            owed = 0;
        });
        return connection;
    }
    #greet(connection, text) {
        if (text.startsWith('0')) connection.socket.write(frame('40'));
        else if (text === '2') connection.socket.write(frame('3'));
        else if (text.startsWith('42["auth"')) connection.isReady = true;
    }
}

const worker = kind === 'soak' ? new Soak() : new Flood();
process.on('message', async ({ what, args }) => process.send(await worker[what](...args) ?? {}));
process.on('disconnect', () => process.exit());

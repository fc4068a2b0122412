// A part of the clients of load.mjs soak, in a process of its own: node load_worker.mjs OPTIONS
import { io } from 'socket.io-client';
import { sleep, until } from './harness.mjs';

const options = JSON.parse(process.argv[2]);

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

const worker = new Soak();
process.on('message', async ({ what, args }) => process.send(await worker[what](...args) ?? {}));
process.on('disconnect', () => process.exit());

// A TCP connection in the place of a WebTransport, for npm's packages.
import { once } from 'node:events';
import { connect } from 'node:net';

// The parts of a WebTransport that socket.io and its client use.
export class TcpTransport {
    constructor(socket, chunkSize = Infinity) {
        this.socket = socket;
        this.ready = socket.connecting ? once(socket, 'connect') : Promise.resolve();
        this.closed = new Promise((resolve) => socket.once('close', resolve));
        socket.on('error', () => {}); // `close` follows
        this.stream = {
            readable: new ReadableStream({
                start(controller) {
                    socket.on('data', (chunk) => controller.enqueue(new Uint8Array(chunk)));
                    socket.once('close', () => controller.close());
                },
            }),
            writable: new WritableStream({
                async write(bytes) {
                    for (let at = 0; at < bytes.length; at += chunkSize) {
                        const piece = bytes.subarray(at, at + chunkSize);
                        await new Promise((resolve) => socket.write(piece, resolve));
                    }
                },
            }),
        };
        this.incomingBidirectionalStreams = new ReadableStream({ start: (c) => c.enqueue(this.stream) });
    }

    async createBidirectionalStream() {
        return this.stream;
    }

    close() {
        this.socket.end();
    }
}

// socket.io-client makes a WebTransport for its URL.
globalThis.WebTransport = class extends TcpTransport {
    constructor(url, { chunkSize } = {}) {
        super(connect({ port: new URL(url).port, noDelay: true }), chunkSize);
    }
};

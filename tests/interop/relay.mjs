// A piece of network between a client and a server: it takes time, and a test can cut it.
import { once } from 'node:events';
import net from 'node:net';

// Passes each connection on to `port`, `delay` ms each way, until cut() breaks all of them and refuses new ones; mend()
// ends that. `overhear` gets the server's bytes. leadTo() is where new ones go from then on.
export async function relay(port, delay = 0, overhear = () => {}) {
    const sockets = new Set();
    const nearSockets = new Set();
    let isCut = false;

    function pass(from, to) {
        sockets.add(from);
        from.setNoDelay(true);
        from.on('data', (chunk) => setTimeout(() => to.write(chunk), delay));
        from.on('end', () => setTimeout(() => to.end(), delay));
        from.on('error', () => to.destroy());
        from.on('close', () => sockets.delete(from));
    }

    const server = net.createServer({ allowHalfOpen: true }, (near) => {
        if (isCut) return near.resetAndDestroy();
        const far = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        nearSockets.add(near.on('close', () => nearSockets.delete(near)));
        pass(near, far);
        pass(far, near);
        far.on('data', overhear);
    });
    const cut = () => {
        isCut = true;
        // Resetting a socket that is ending would leave a handle behind, for which Node 20 waits, busily, when it
        // exits.
        for (const socket of sockets)
            socket.writableEnded ? socket.destroy() : socket.resetAndDestroy();
    };
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return {
        url: `http://127.0.0.1:${server.address().port}`,
        cut,
        // The client's connections break, and the server does not hear of it.
        lose: () => {
            for (const near of nearSockets) near.resetAndDestroy();
        },
        mend: () => { isCut = false; },
        leadTo: (other) => { port = other; },
        close: () => {
            cut();
            server.close();
        },
    };
}

// The reference's twin of engineio_echo_server: echoes each message. Prints `listening on <port>`.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { attach } from 'engine.io';

const { values: options } = parseArgs({
    options: {
        'port': { type: 'string', default: '0' },
        'ping-interval': { type: 'string', default: '25000' },
        'ping-timeout': { type: 'string', default: '20000' },
        'upgrade-timeout': { type: 'string', default: '10000' },
        'connect-timeout': { type: 'string' }, // is Socket.IO's
        'max-payload': { type: 'string', default: '1000000' },
        'allow-v3': { type: 'boolean', default: false },
        'path': { type: 'string', default: '/engine.io/' },
    },
});

const server = createServer((_, response) => response.writeHead(404).end());
const engine = attach(server, {
    pingInterval: Number(options['ping-interval']),
    pingTimeout: Number(options['ping-timeout']),
    upgradeTimeout: Number(options['upgrade-timeout']),
    maxHttpBufferSize: Number(options['max-payload']),
    allowEIO3: options['allow-v3'],
    path: options.path,
    cors: { origin: true, credentials: true },
});
engine.on('connection', (socket) => socket.on('message', (message) => socket.send(message)));
server.listen(Number(options.port), () => console.log(`listening on ${server.address().port}`));

// engineio_echo_server.cpp once more, on the Engine.IO server that npm's Socket.IO is made of.
//   node engineio_echo_server.mjs --port N [--ping-interval ms] [--ping-timeout ms] [--max-payload bytes]
//       [--upgrade-timeout ms] [--path /engine.io/] [--allow-v3]
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { parseArgs } from 'node:util';

const require = createRequire(import.meta.url);
const { Server } = createRequire(require.resolve('socket.io'))('engine.io');

const { values: options } = parseArgs({
    options: {
        'port': { type: 'string', default: '0' },
        'ping-interval': { type: 'string', default: '25000' },
        'ping-timeout': { type: 'string', default: '20000' },
        'max-payload': { type: 'string', default: '1000000' },
        'upgrade-timeout': { type: 'string', default: '10000' },
        'path': { type: 'string', default: '/engine.io/' },
        'allow-v3': { type: 'boolean', default: false },
    },
});
const server = new Server({
    pingInterval: Number(options['ping-interval']),
    pingTimeout: Number(options['ping-timeout']),
    maxHttpBufferSize: Number(options['max-payload']),
    upgradeTimeout: Number(options['upgrade-timeout']),
    allowEIO3: options['allow-v3'],
    cors: { origin: '*' },
});
server.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));

const http = createServer((_, response) => response.writeHead(404).end()); // other paths
server.attach(http, { path: options.path });
process.on('SIGTERM', () => {
    server.close();
    http.close(() => process.exit(0));
    setTimeout(() => process.exit(0), 3000); // for clients that do not let go
});
http.listen(Number(options.port), () => console.log(`listening on ${http.address().port}`));

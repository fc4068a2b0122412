// socketio_server.cpp once more, on the Socket.IO server of npm, to check the tests and compare our figures.
//   node socketio_server.mjs --port N [--ping-interval ms] [--ping-timeout ms] [--max-payload bytes]
//       [--upgrade-timeout ms] [--connect-timeout ms] [--transports polling,websocket] [--path /socket.io/]
//       [--allow-v3] [--recovery] [--parser default|msgpack]
//       [--package socket.io|socket.io-2] [--cert FILE --key FILE]
//       [--redis HOST:PORT] [--redis-mode pubsub|streams] [--redis-prefix P] [--redis-timeout ms]
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { parseArgs } from 'node:util';
import * as msgpackParser from 'socket.io-msgpack-parser';

const { values: options } = parseArgs({
    options: {
        'port': { type: 'string' },
        'ping-interval': { type: 'string' },
        'ping-timeout': { type: 'string' },
        'max-payload': { type: 'string' },
        'upgrade-timeout': { type: 'string' },
        'connect-timeout': { type: 'string' },
        'transports': { type: 'string' },
        'path': { type: 'string', default: '/socket.io/' },
        'allow-v3': { type: 'boolean', default: false },
        'recovery': { type: 'boolean', default: false },
        'parser': { type: 'string', default: 'default' },
        'package': { type: 'string', default: 'socket.io' },
        'cert': { type: 'string' },
        'key': { type: 'string' },
        'redis': { type: 'string' },
        'redis-mode': { type: 'string', default: 'pubsub' },
        'redis-prefix': { type: 'string' },
        'redis-timeout': { type: 'string' },
    },
});
const number = (name) => (options[name] === undefined ? undefined : Number(options[name]));
const given = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));

const { default: create, Server = create } = await import(options.package);
const file = (name) => readFileSync(options[name]);
const http = options.cert ? createTlsServer({ cert: file('cert'), key: file('key') }) : createServer();
const io = new Server(http, given({
    path: options.path,
    pingInterval: number('ping-interval'),
    pingTimeout: number('ping-timeout'),
    maxHttpBufferSize: number('max-payload'),
    upgradeTimeout: number('upgrade-timeout'),
    connectTimeout: number('connect-timeout'),
    transports: options.transports?.split(','),
    allowEIO3: options['allow-v3'],
    parser: options.parser === 'msgpack' ? msgpackParser : undefined,
    connectionStateRecovery: options.recovery ? {} : undefined,
    cors: options.package === 'socket.io' ? { origin: '*' } : undefined,
}));

if (options.redis) {
    const { createClient } = await import('redis');
    const commands = createClient({ url: `redis://${options.redis}` });
    commands.on('error', () => {}); // it connects again by itself
    process.on('unhandledRejection', () => {}); // the adapters await no command, and some are lost with Redis
    await commands.connect();
    const prefix = options['redis-prefix'];
    if (options['redis-mode'] === 'streams') {
        const { createAdapter } = await import('@socket.io/redis-streams-adapter');
        const sessionKeyPrefix = prefix && `${prefix}:session:`;
        io.adapter(createAdapter(commands, given({ streamName: prefix, channelPrefix: prefix, sessionKeyPrefix })));
    } else {
        const { createAdapter } = await import('@socket.io/redis-adapter');
        const subscriptions = commands.duplicate().on('error', () => {});
        await subscriptions.connect();
        const settings = given({ key: prefix, requestsTimeout: number('redis-timeout') });
        io.adapter(createAdapter(commands, subscriptions, settings));
    }
}

// Revision 4 has no auth: there it is the query of the namespace, or of the connection.
const auth = (socket) => socket.handshake.auth ?? socket.handshake.query;

const handlers = new Map(Object.entries({
    'message': (socket, args) => socket.emit('message-back', ...args),
    'message-with-ack': () => {},
    'join': (socket, [room]) => socket.join(room),
    'leave': (socket, [room]) => socket.leave(room),
    'say': (socket, [room, ...args]) => socket.to(room).emit('said', ...args),
    'shout': (socket, args) => socket.nsp.emit('shouted', ...args),
    'ask': (socket, args) => socket.emit('question', ...args, (...answer) => socket.emit('answered', ...answer)),
    'kick': (socket) => socket.disconnect(),
    // Those of cluster_commands.hpp.
    'tell': (socket, [who, ...args]) => among(socket, who).emit('told', ...args),
    'whisper': (socket, [who, ...args]) => among(socket, who).volatile.emit('told', ...args),
    'ask-all': (socket, [who, timeout, ...args]) =>
        among(socket, who).timeout(timeout).emit('question', ...args, report(socket)),
    'join-all': (socket, [who, room]) => among(socket, who).socketsJoin(room),
    'leave-all': (socket, [who, room]) => among(socket, who).socketsLeave(room),
    'kick-all': (socket, [who]) => among(socket, who).disconnectSockets(),
    'drop-all': (socket, [who]) => among(socket, who).disconnectSockets(true),
    'fetch': (socket, [who]) => among(socket, who).timeout(number('redis-timeout') ?? 5000).fetchSockets().then(
        (found) => report(socket)(null, found.map(about)), (error) => report(socket)(error, [])),
    'note': (socket, args) => socket.nsp.serverSideEmit('note', ...args),
    'survey': (socket, args) => socket.nsp.serverSideEmit('survey', ...args, report(socket)),
}));
function among(socket, { rooms = [], except = [] }) {
    return socket.nsp.to(rooms).except(except);
}
const about = ({ id, rooms, data, handshake }) => ({ id, rooms: [...rooms], data, handshake });
// Tells a client the answers that have come.
const report = (socket) => (error, answers) => {
    for (const answer of answers) socket.emit('answer', answer);
    socket.emit('complete', !error, answers.length);
};

function serve(socket) {
    if (!socket.recovered) socket.data = auth(socket);
    socket.emit('auth', socket.data);
    const on = (handle, args) => {
        const reply = typeof args.at(-1) === 'function' ? args.pop() : undefined;
        handle(socket, args);
        reply?.(...args);
    };
    for (const [event, handle] of handlers) socket.on(event, (...args) => on(handle, args));
    const other = (event, ...args) => { if (!handlers.has(event)) on(() => {}, args); };
    if (socket.onAny) return socket.onAny(other);
    socket.use((packet, next) => { // revision 4 knows no onAny
        other(...packet);
        next();
    });
}

for (const name of ['/', '/custom', '/guarded']) {
    const nsp = io.of(name).on('connection', serve);
    if (!options.redis) continue;
    nsp.on('note', (...args) => nsp.local.emit('noted', ...args));
    nsp.on('survey', (...args) => args.pop()(args));
}
io.of('/guarded').use((socket, next) => {
    if (auth(socket).token === '123') return next();
    next(Object.assign(new Error('not authorized'), { data: { code: 401 } }));
});

process.on('SIGTERM', () => {
    io.close(() => process.exit(0));
    setTimeout(() => process.exit(0), 3000); // for clients that do not let go
});
http.listen(Number(options.port ?? 0), () => console.log(`listening on ${http.address().port}`));

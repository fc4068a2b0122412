// Records what the reference publishes on Redis: @socket.io/redis-adapter 8.3.0 and @socket.io/redis-emitter 5.1.0, with
// socket.io 4.8.4. No Redis is needed: the clients only record.
//
//     npm install --prefix DIR socket.io@4.8.4 @socket.io/redis-adapter@8.3.0 @socket.io/redis-emitter@5.1.0
//     node make_redis_pubsub.mjs DIR > redis-pubsub.jsonl
//
// A line is one message: its name, the kind (broadcast, request, response), the channel, the bytes, what they mean, and
// `again`: whether that, encoded, is the same bytes. `emitter` is what cluster::emitter is asked for, with `args` as
// JSON in which {"$binary": hex} stands for a binary value.

import { createRequire } from 'node:module';

const require = createRequire(`${process.argv[2]}/node_modules/`);

// Ids that are the same each time.
let ids = 0;
const uid2 = require.resolve('uid2');
require.cache[uid2] = { id: uid2, filename: uid2, loaded: true, exports: () => `id${String(++ids).padStart(4, '0')}` };

const { Server } = require('socket.io');
const { createAdapter } = require('@socket.io/redis-adapter');
const { Emitter } = require('@socket.io/redis-emitter');

const published = [];
const publisher = {
  publish: (channel, message) => published.push({ channel, message: Buffer.from(message) }),
  on() {},
  listenerCount: () => 2,
  sSubscribe() {},
  sendCommand: async (words) => [words[2], nodes],
};
const subscriber = { pSubscribe() {}, subscribe() {}, on() {}, listenerCount: () => 2 };
publisher.pSubscribe = () => {};
let nodes = 3;

/** JSON with placeholders, and the attachments. */
const taken = (value) => {
  const attachments = [];
  const take = (v) => {
    if (Buffer.isBuffer(v)) {
      attachments.push(v.toString('hex'));
      return { _placeholder: true, num: attachments.length - 1 };
    }
    if (Array.isArray(v)) return v.map(take);
    return v && typeof v === 'object' && !(v instanceof Date) ?
        Object.fromEntries(Object.entries(v).map(([k, x]) => [k, take(x)])) : v;
  };
  const text = value === undefined ? '' : JSON.stringify(take(value));
  return { text, attachments };
};

const empty = {
  type: '', uid: '', nsp: '/', requestId: '', rooms: [], except: [], volatile: false, timeout: null, others: [],
  closes: false, count: 0, text: '', attachments: [],
};

const write = (name, kind, meaning, { again = true, emitter } = {}) => {
  if (published.length !== 1) throw new Error(`${name}: ${published.length} messages`);
  const { channel, message } = published.pop();
  console.log(JSON.stringify({
    name, kind, channel, message_hex: message.toString('hex'), means: { ...empty, ...meaning }, again, emitter,
  }));
};

const io = new Server();
io.adapter(createAdapter(publisher, subscriber));
io.of('/admin');
io.of('/specific').adapter.publishOnSpecificResponseChannel = true;
const { adapter } = io.of('/');
const { uid } = adapter;
const uid_of = (nsp) => io.of(nsp).adapter.uid;

//=== broadcasts of adapters ===

const broadcast = (name, operator, args, meaning = {}, options) => {
  operator.emit(...args);
  write(name, 'broadcast', { type: 'broadcast', uid, ...taken(args), ...meaning }, options);
};

const numbers = [0, -0, 1, -1, 127, 128, -32, -33, 255, 256, -128, -129, 65535, 65536, -32768, -32769, 4294967295,
  4294967296, -2147483648, -2147483649, 2 ** 53, -(2 ** 53), 9007199254740991, 0.5, -0.1, 1e-7, 1.7976931348623157e308,
  5e-324, 1e21 + 0.5, 3.141592653589793];
const safe = numbers.filter((n) => Math.abs(n) < 1e19 || !Number.isInteger(n));

broadcast('to all', io, ['news', 1, 'two', null, true, false]);
broadcast('to all of another namespace', io.of('/admin'), ['news'], { nsp: '/admin', uid: uid_of('/admin') });
broadcast('to one room', io.to('lobby'), ['news', { a: [1, { b: 2 }] }], { rooms: ['lobby'] });
broadcast('to one room with a strange name', io.to('a#b/é*?[x]\\'), ['news'], { rooms: ['a#b/é*?[x]\\'] });
broadcast('to several rooms', io.to('a').to('b').to('c'), ['news'], { rooms: ['a', 'b', 'c'] });
broadcast('to a room that is a number', io.to(17), ['news'], { rooms: ['17'] }, { again: false });
broadcast('but for rooms', io.except('muted').except('away'), ['news'], { except: ['muted', 'away'] });
broadcast('to a room but for another', io.to('a').except('b'), ['news'], { rooms: ['a'], except: ['b'] });
broadcast('volatile', io.volatile, ['news', 1], { volatile: true });
broadcast('compressed', io.compress(true), ['news', 1], {}, { again: false });
broadcast('binary', io, ['photo', Buffer.from([1, 2, 255]), { inner: [Buffer.from(''), 'x'] }, Buffer.alloc(300, 7)]);
broadcast('an event whose name is a number', io, [42, 'x']);
broadcast('unicode', io, ['größe', '日本語', '😀', '\u0000\u001f"\\\u007f', 'é'.repeat(200)]);
broadcast('nested', io, ['deep', [[[[[[{ a: { b: { c: [[], {}] } } }]]]]]]]);
broadcast('numbers', io, ['numbers', ...safe]);
broadcast('many elements', io, ['many', Array.from({ length: 20 }, (_, i) => i),
  Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, i]))]);
broadcast('long strings', io, ['long', 'a'.repeat(31), 'b'.repeat(32), 'c'.repeat(255), 'd'.repeat(256)]);
broadcast('undefined and NaN', io, ['odd', undefined, NaN, Infinity, { a: undefined, b: 1 }], {}, { again: false });
broadcast('a date', io, ['when', new Date(1732795085123)], {}, { again: false });
broadcast('what looks like a placeholder', io, ['plain', { _placeholder: true, num: 0 }]);

//=== requests ===

const last = () => `id${String(ids).padStart(4, '0')}`; // the id that was made last
const request = (name, meaning, options) => write(name, 'request', meaning, options);

io.to('a').except('b').socketsJoin(['c', 'd']);
request('join', { type: 'sockets_join', uid, rooms: ['a'], except: ['b'], others: ['c', 'd'] });
io.socketsLeave('é"\\');
request('leave', { type: 'sockets_leave', uid, others: ['é"\\'] });
io.in('sid1').disconnectSockets(true);
request('disconnect with the connections', { type: 'disconnect_sockets', uid, rooms: ['sid1'], closes: true });
io.disconnectSockets();
request('disconnect', { type: 'disconnect_sockets', uid });
const fetching = io.in('a').except('b').fetchSockets();
await new Promise(setImmediate);
request('fetch', { type: 'fetch_sockets', uid, requestId: last(), rooms: ['a'],
  except: ['b'] });
io.serverSideEmit('hello', 1, { a: 'é' }, null);
request('server-side emit', { type: 'server_side_emit', uid, text: '["hello",1,{"a":"é"},null]' });
io.serverSideEmit('photo', Buffer.from([1, 2, 255]));
request('server-side emit of binary', { type: 'server_side_emit', uid,
  text: '["photo",{"type":"Buffer","data":[1,2,255]}]' });
io.serverSideEmit('plain', { _placeholder: true, num: 0 });
request('server-side emit of what looks like a placeholder', { type: 'server_side_emit', uid,
  text: '["plain",{"_placeholder":true,"num":0}]' });
io.serverSideEmit('ask', 'x', () => {});
await new Promise(setImmediate);
request('server-side emit with acknowledgement', { type: 'server_side_emit', uid,
  requestId: last(), text: '["ask","x"]' });

const asked = ['ask', 1, Buffer.from('xy')];
io.to('a').timeout(1000).emit(...asked, () => {});
request('broadcast with acknowledgements', { type: 'broadcast', uid, requestId: last(), rooms: ['a'], timeout: 1000,
  ...taken(asked) });
io.volatile.except('b').timeout(50).emit('ask', () => {});
request('volatile broadcast with acknowledgements', { type: 'broadcast', uid, requestId: last(), except: ['b'],
  timeout: 50, volatile: true, text: '["ask"]' });

// As older adapters ask for one socket.
const older = (name, body, meaning) => {
  published.push({ channel: adapter.requestChannel, message: Buffer.from(JSON.stringify(body)) });
  request(name, meaning, { again: false });
};
older('join of one socket', { uid: 'older', requestId: 'r1', type: 2, sid: 'sid1', room: 'a' },
  { type: 'sockets_join', uid: 'older', requestId: 'r1', rooms: ['sid1'], others: ['a'] });
older('leave of one socket', { uid: 'older', requestId: 'r2', type: 3, sid: 'sid1', room: 'a' },
  { type: 'sockets_leave', uid: 'older', requestId: 'r2', rooms: ['sid1'], others: ['a'] });
older('disconnect of one socket', { uid: 'older', requestId: 'r3', type: 4, sid: 'sid1', close: true },
  { type: 'disconnect_sockets', uid: 'older', requestId: 'r3', rooms: ['sid1'], closes: true });

//=== responses ===

const socket = {
  id: 'sid1', rooms: new Set(['sid1', 'é']), data: { user: 'x', bytes: Buffer.from([9]) }, acks: new Map(),
  handshake: { headers: { host: 'h' }, time: 'Thu', address: '::1', xdomain: false, secure: false, issued: 1,
    url: '/socket.io/', query: { EIO: '4' }, auth: {}, sessionStore: {} },
  notifyOutgoingListeners() {}, client: { writeToEngine() {} }, join() {}, leave() {}, disconnect() {},
};
const ask = async (nsp, body) => {
  const to = io.of(nsp).adapter;
  io.of(nsp).sockets.set('sid1', socket);
  to.addAll('sid1', new Set(['sid1', 'é']));
  await to.onrequest(to.requestChannel, Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body)));
  await new Promise(setImmediate);
};
const response = (name, meaning, options) => write(name, 'response', meaning, options);
const fetched = JSON.stringify([{ id: 'sid1', handshake: { ...socket.handshake, sessionStore: undefined },
  rooms: ['sid1', 'é'], data: socket.data }]);

for (const nsp of ['/', '/specific']) {
  const where = nsp === '/' ? '' : ' on the channel of the node';
  await ask(nsp, { uid: 'other', requestId: 'r4', type: 5, opts: { rooms: [], except: [] } });
  response(`sockets${where}`, { type: 'fetch_sockets_response', nsp, requestId: 'r4', text: fetched });
  await ask(nsp, { uid: 'other', requestId: 'r5', type: 5, opts: { rooms: ['nobody'], except: [] } });
  response(`no sockets${where}`, { type: 'fetch_sockets_response', nsp, requestId: 'r5', text: '[]' });

  io.of(nsp).on('ask', (value, reply) => reply(value));
  io.of(nsp).on('ask for nothing', (reply) => reply());
  for (const [what, value] of [['a text', 'é'], ['null', null], ['nothing', undefined], ['an object', { a: [1] }]]) {
    const data = value === undefined ? ['ask for nothing'] : ['ask', value];
    await ask(nsp, { uid: 'other', requestId: 'r6', type: 6, data });
    response(`reply of ${what}${where}`, { type: 'server_side_emit_response', nsp, requestId: 'r6', ...taken(value) });
  }

  const { parser } = io.of(nsp).adapter;
  const broadcast = { uid: 'other', requestId: 'r7', type: 7, packet: { type: 2, data: ['x'], nsp },
    opts: { rooms: [], except: [], flags: { timeout: 1000 } } };
  await ask(nsp, parser.encode(broadcast));
  response(`count of clients${where}`, { type: 'broadcast_client_count', nsp, requestId: 'r7', count: 1 });
  const ack = [...socket.acks.values()].at(-1);
  for (const [what, args] of [['a text', ['é']], ['null', [null]], ['nothing', []], ['binary', [Buffer.from([1, 2])]],
    ['an object with binary', [{ a: [Buffer.from([3]), { b: 1.5 }] }]], ['two values', [1, 2]]]) {
    ack(...args);
    response(`acknowledgement of ${what}${where}`, { type: 'broadcast_ack', nsp, requestId: 'r7', ...taken(args[0]) });
  }
}
await ask('/', { uid: 'older', requestId: 'r1', type: 2, sid: 'sid1', room: 'a' });
response('confirmation of one socket', { requestId: 'r1' }, { again: false });

//=== the emitter ===

const shown = (v) => {
  if (Buffer.isBuffer(v)) return { $binary: v.toString('hex') };
  if (Array.isArray(v)) return v.map(shown);
  return v && typeof v === 'object' ? Object.fromEntries(Object.entries(v).map(([k, x]) => [k, shown(x)])) : v;
};
const from = { type: 'broadcast', uid: 'emitter' };
const emit = (name, make, args, { rooms = [], except = [], nsp = '/', prefix = 'socket.io', ...flags } = {}) => {
  make(new Emitter(publisher, { key: prefix }).of(nsp)).emit(...args);
  write(`emitter: ${name}`, 'broadcast',
    { ...from, rooms, except, volatile: !!flags.volatile, nsp: nsp.startsWith('/') ? nsp : `/${nsp}`, ...taken(args) },
    { again: false, emitter: { call: flags.volatile ? 'emit_volatile' : 'emit', nsp, prefix, rooms, except,
      args: shown(args) } });
};
emit('to all', (e) => e, ['news', 1, 'two']);
emit('without arguments', (e) => e, ['news']);
emit('to one room', (e) => e.to('lobby'), ['news', { a: [1] }], { rooms: ['lobby'] });
emit('to one room twice', (e) => e.to('lobby').to('lobby'), ['news'], { rooms: ['lobby'] });
emit('to several rooms but for others', (e) => e.to('a').to('b').except('c').except('d'), ['é', '😀'],
  { rooms: ['a', 'b'], except: ['c', 'd'] });
emit('volatile', (e) => e.volatile, ['news', 1.5, null, true], { volatile: true });
emit('binary', (e) => e, ['photo', Buffer.from([1, 2, 255]), { a: [Buffer.from('')] }]);
emit('to another namespace', (e) => e, ['news'], { nsp: '/admin' });
emit('to a namespace without a slash', (e) => e.to('a'), ['news'], { nsp: 'admin', rooms: ['a'] });
emit('with another prefix', (e) => e.to('a'), ['news'], { prefix: 'other', rooms: ['a'] });
emit('numbers', (e) => e, ['numbers', ...safe]);
emit('a long list', (e) => e, ['many', Array.from({ length: 20 }, (_, i) => i)]);

const order = (name, call, meaning, make, emitter) => {
  make(new Emitter(publisher));
  write(`emitter: ${name}`, 'request', meaning, { emitter: { call, nsp: '/', prefix: 'socket.io',
    rooms: meaning.rooms ?? [], except: meaning.except ?? [], ...emitter } });
};
order('join', 'join', { type: 'sockets_join', rooms: ['a'], except: ['b'], others: ['c', 'é'] },
  (e) => e.to('a').except('b').socketsJoin(['c', 'é']), { others: ['c', 'é'] });
order('leave', 'leave', { type: 'sockets_leave', others: ['c'] }, (e) => e.socketsLeave('c'), { others: ['c'] });
order('disconnect', 'disconnect', { type: 'disconnect_sockets', rooms: ['a'] }, (e) => e.to('a').disconnectSockets());
order('disconnect with the connections', 'disconnect_connections', { type: 'disconnect_sockets', closes: true },
  (e) => e.disconnectSockets(true));
order('server-side emit', 'server_side_emit', { type: 'server_side_emit', uid: 'emitter', text: '["hi",1,{"a":null}]' },
  (e) => e.serverSideEmit('hi', 1, { a: null }), { args: ['hi', 1, { a: null }] });

fetching.catch(() => {});
process.exit(0);

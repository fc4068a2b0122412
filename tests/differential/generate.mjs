// Seeded random packets, odd but valid ways to write them, and mutations of their encodings.

import { edges, parse, writeOddly } from './msgpack.mjs';

/** Numbers that a seed determines (mulberry32). */
export function createRandom(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (list) => list[below(list.length)],
    bytes: (size) => Buffer.from(Array.from({ length: size }, () => below(256))),
  };
}

const many = (count, make) => Array.from({ length: count }, make);

// === packets ===

const texts = [
  '', 'a', 'hello', 'probe', 'b', 'bAQID', '4', '0:', '2:4a', '[1,2]', 'héllo wörld', 'ÿ', '€', '日本語', '😀', '😀🎉',
  'tab\t', 'line\nbreak', 'nul\0x', '\x7f\x80', '\u2028', 'quote"s', 'back\\slash', '</script>',
  'x'.repeat(124), 'é'.repeat(70),
];

const characters = [
  ...'abcXYZ0123456789 -_/,:;{}[]"\\\'?#=+.',
  ...'\n\r\t\b\f\x01\x1e\x1f\x7f\x80éßЖ֍€日本\u2028\ufeff\ufffd😀🎉𝄞',
];

const randomText = (random) =>
  random.chance(0.7) ? random.pick(texts) : many(random.below(30), () => random.pick(characters)).join('');

const sizes = [0, 1, 2, 3, 4, 5, 16, 33, 63, 64, 65];

// Past the one- and two-byte lengths of the stream.
const longSizes = [125, 126, 127, 300, 65_540];

const randomHex = (random, from = sizes) => random.bytes(random.pick(from)).toString('hex');

const engineTypes = ['open', 'close', 'ping', 'pong', 'message', 'message', 'message', 'upgrade', 'noop'];

function enginePacket(random) {
  const type = random.pick(engineTypes);
  if (type === 'message' && random.chance(0.4)) return { type, binary: randomHex(random) };
  return type === 'message' || random.chance(0.2) ? { type, text: randomText(random) } : { type };
}

const numbers = [0, 1, -1, 7, 1.5, -2.25, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 2 ** 53, 123456789, 0.1];
const keys = [
  'a', 'b', '', '0', '10', 'héllo', '😀', 'line\nbreak',
  'num', '_placeholder', '__proto__', 'constructor', 'toJSON', 'length', '\udc00',
];
// JSON can have them, escaped; UTF-8 cannot.
const loneSurrogates = ['\ud83d', 'a\udc00b'];

/** Any JSON value; with `binary`, {"$binary": hex} may be anywhere in it. */
function randomValue(random, binary, depth = 0) {
  if (binary && random.chance(0.2)) return { $binary: randomHex(random) };
  const kind = random.below(depth < 4 ? 9 : 6);
  if (kind < 2) return random.chance(0.05) ? random.pick(loneSurrogates) : randomText(random);
  if (kind < 4) return random.chance(0.5) ? random.pick(numbers) : random.below(1e6);
  if (kind < 6) return random.pick([true, false, null]);
  const values = many(random.below(4), () => randomValue(random, binary, depth + 1));
  if (kind < 7) return values;
  // Data that looks like a placeholder is data in a packet without attachments; in a packet with attachments it cannot
  // be told apart.
  const names = binary ? keys.filter((key) => key !== '_placeholder') : keys;
  return Object.fromEntries(values.map((value) => [random.pick(names), value]));
}

const namespaces = [
  '/', '/', '/', '/admin', '/a/b', '/chat room', '/é', '/0', '/[x]',
  '//evil/admin', '/foo/../admin', '/admin?x=1', '/?token=%41&b',
];
const ids = [0, 1, 7, 12, 999, 65536, 2 ** 32, 2 ** 53 - 1];
const events = [
  'a', 'hello', 'message', 'error', 'ping', 'open', '', 'é', '日本語', 'ev"ent', 'Connect', 'connect ', 0, 7, -1, 1.5,
];
const socketTypes = ['connect', 'disconnect', 'event', 'event', 'event', 'event', 'ack', 'ack', 'connect_error'];

function socketPacket(random, revision) {
  const type = random.pick(socketTypes);
  const packet = { type, nsp: random.pick(namespaces) };
  if (type === 'disconnect' || (type === 'connect' && revision === 4)) return packet;
  const object = () => ({ [random.pick(['token', 'sid', ...keys])]: randomValue(random, false) });
  if (type === 'connect') return random.chance(0.5) ? packet : { ...packet, data: object() };
  const reason = () => random.pick([randomText(random), { message: randomText(random) }, object()]);
  if (type === 'connect_error') return { ...packet, data: reason() };
  if (type === 'ack' || random.chance(0.5)) packet.id = random.pick(ids);
  const binary = random.chance(0.4);
  const values = many(random.below(5), () => randomValue(random, binary));
  return { ...packet, data: type === 'event' ? [random.pick(events), ...values] : values };
}

// About the widths of lengths, of 4 to 32 bits.
const lengths = [15, 16, 31, 32, 33, 255, 256];
const longLengths = [65_535, 65_536];

/** Values whose sizes and signs choose among the formats of MessagePack. */
function wideValue(random) {
  const from = random.chance(0.0005) ? longLengths : random.chance(0.05) ? lengths : [0, 1, 2, 3, 4, 5];
  const length = random.pick(from);
  switch (random.below(7)) {
    case 0: return 'x'.repeat(length);
    case 1: return 'é'.repeat(length / 2) + 'x'.repeat(length % 2);
    case 2: return { $binary: random.bytes(length).toString('hex') };
    case 3: return many(length, () => random.pick([0, 1.5, null, '']));
    case 4: return Object.fromEntries(many(length, (_, i) => [i.toString(36), random.below(300)]));
    default: return Number(random.pick(edges));
  }
}

function msgpackPacket(random) {
  const packet = socketPacket(random, 5);
  if (!Array.isArray(packet.data) || JSON.stringify(packet.data).includes('"_placeholder"')) return packet;
  return { ...packet, data: [...packet.data, ...many(random.below(3), () => wideValue(random))] };
}

/** What one line of `transcode encode` takes: a packet, for payloads and streams an array of them. */
export function randomPacket(random, encoding) {
  if (encoding === 'socketio-v5') return socketPacket(random, 5);
  if (encoding === 'socketio-v4') return socketPacket(random, 4);
  if (encoding === 'socketio-msgpack') return msgpackPacket(random);
  if (encoding.endsWith('-frame')) return enginePacket(random);
  const packets = many(1 + random.below(5), () => enginePacket(random));
  return random.chance(0.002) ? [...packets, { type: 'message', binary: randomHex(random, longSizes) }] : packets;
}

// === odd but valid ===

const escape = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

function restyleToken(random, token) {
  const before = random.chance(0.2) ? random.pick([' ', '\n', '\t', '\r', '  ']) : '';
  if (token[0] === '"' && random.chance(0.3)) {
    const maybeEscape = (part) => (part.length === 1 && random.chance(0.2) ? escape(part) : part);
    return before + token.replace(/\\.|[^"\\]/g, maybeEscape);
  }
  if (/^-?\d+$/.test(token) && random.chance(0.1)) return before + token + random.pick(['.0', 'e0', 'E+0']);
  return before + token;
}

/** The same JSON with white space and escapes in it, and some numbers written otherwise. */
const restyle = (random, json) =>
  json[0] + json.slice(1).replace(/"(?:[^"\\]|\\.)*"|[-+.\w]+|[[\]{},:]/g, (token) => restyleToken(random, token));

function restyleHeader(random, text) {
  const start = text.search(/[[{"]/);
  return start < 0 || /^.[^[{"]*\//.test(text) ? text : text.slice(0, start) + restyle(random, text.slice(start));
}

function cutIntoChunks(random, frames) {
  const bytes = Buffer.concat(frames);
  const cuts = many(random.below(4), () => random.below(bytes.length + 1)).sort((a, b) => a - b);
  return [0, ...cuts].map((start, i) => bytes.subarray(start, cuts[i] ?? bytes.length));
}

// The binary message of a frame as text.
function asBase64(random, codec, bytes) {
  const [mark, message] = codec === 'engineio-v3-frame' ? ['b4', bytes.subarray(1)] : ['b', bytes];
  const text = mark + message.toString('base64');
  return random.chance(0.5) ? text.replaceAll('=', '') : text;
}

/** Another way to put `frames` that decodes to the same or nearly so. */
export function vary(random, codec, frames) {
  if (codec === 'engineio-stream') return cutIntoChunks(random, frames);
  if (random.chance(0.5)) return frames;
  const [first, ...rest] = frames;
  if (codec === 'socketio-msgpack') return [writeOddly(random, first)];
  if (codec.startsWith('socketio')) return [restyleHeader(random, first), ...rest];
  if (codec.endsWith('-frame') && Buffer.isBuffer(first)) return [asBase64(random, codec, first)];
  return frames;
}

// === mutations ===

const structuralText = [
  ...'0123456789-/,[]{}":_?b=+.ex \n\x1e\ufeffé😀',
  '10', '11', '0x1', '1e0', '99999999999999999999', '"a":1,', '{"_placeholder":true,"num":0}',
];
const structuralBytes = [
  0, 1, 2, 4, 9, 10, 0x30, 0x32, 0x34, 0x36, 0x62, 0x7d, 0x7e, 0x7f, 0x80, 0x83, 0xc3, 0xfe, 0xff,
];

// `parts` are the characters or bytes of a frame; `other` those of another.
const mutations = [
  (random, parts, at, any) => parts.with(at, any()),
  (random, parts, at, any) => parts.toSpliced(at, 0, any()),
  (random, parts, at) => parts.toSpliced(at, 1),
  (random, parts, at) => parts.toSpliced(at, 1 + random.below(8)),
  (random, parts, at) => parts.slice(0, at),
  (random, parts, at) => parts.toSpliced(at, 0, ...parts.slice(at, at + 1 + random.below(8))),
  (random, parts, at, any, other) => [...parts.slice(0, at), ...other.slice(random.below(other.length + 1))],
  (random, parts, at, any) => parts.map((part) => (/^\d$/.test(part) && random.chance(0.2) ? any() : part)),
];

// Heads of MessagePack: those of few bits, and all others.
const structuralHeads = [
  0, 1, 2, 4, 0x7f, 0x80, 0x81, 0x84, 0x90, 0x91, 0x93, 0xa0, 0xa1, 0xbf, ...many(32, (_, i) => 0xc0 + i), 0xe0, 0xff,
];

function mutateFrame(random, codec, frame, other) {
  const isText = typeof frame === 'string';
  const split = (value) => (isText ? [...value.toString('latin1')] : [...Buffer.from(value)]);
  const join = (values) => (isText ? values.join('') : Buffer.from(values));
  const bytes = codec === 'socketio-msgpack' ? structuralHeads : structuralBytes;
  const any = () => random.pick(isText ? structuralText : bytes);
  const parts = split(frame);
  if (parts.length === 0) return join([any()]);
  // Most faults of a header are near its start.
  const at = random.below(random.chance(0.5) ? Math.min(parts.length, 12) : parts.length);
  return join(random.pick(mutations)(random, parts, at, any, split(other)));
}

const frameMutations = [
  (random, frames, at) => frames.toSpliced(at, 1),
  (random, frames, at) => frames.toSpliced(at, 0, frames[at]),
  (random, frames, at) => frames.with(at, Buffer.from(frames[at])),
  (random, frames, at, others) => [...frames.slice(0, at), ...others],
  (random, frames) => [...frames, random.bytes(2)],
  (random, frames) => frames.toReversed(),
];

/** `frames` with something wrong, `others` being what parts are borrowed from. */
export function mutate(random, codec, frames, others) {
  const single = !codec.startsWith('socketio') && codec !== 'engineio-stream';
  const at = random.below(random.chance(0.5) ? 1 : frames.length);
  if (!single && random.chance(0.2)) {
    const mutated = random.pick(frameMutations)(random, frames, at, others);
    if (mutated.length > 0) return codec === 'engineio-stream' ? mutated.map((frame) => Buffer.from(frame)) : mutated;
  }
  let mutated = frames;
  do mutated = mutated.with(at, mutateFrame(random, codec, mutated[at], random.pick(others)));
  while (random.chance(0.2));
  // The reference takes memory for what a length promises, and then looks for it.
  const promisesTooMuch = codec === 'socketio-msgpack' && mutated.some((frame) => parse(frame).promisesTooMuch);
  return promisesTooMuch ? frames : mutated;
}

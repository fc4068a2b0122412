// The intended differences between socketless and socket.io-msgpack-parser, as those of rules.mjs: what a rule looks at
// is what `readPacket` notes. A rule with `errors` refuses the message; by others the packet is that of `readPacket`.

import { isDeepStrictEqual } from 'node:util';

import { readPacket } from './msgpack.mjs';
import { decode, encode } from './reference.mjs';

const msgpack = 'socketio-msgpack';

// === messages by hand ===

// A string is a byte for each character.
const bytes = (...parts) => Buffer.concat(parts.map((part) => Buffer.from(part, 'latin1')));
const text = (string) => bytes(Buffer.of(0xa0 | string.length), string);
const map = (...members) => bytes(Buffer.of(0x80 | (members.length / 2)), ...members);
const packet = (type, nsp, ...members) =>
  map(text('type'), type, text('nsp'), text(nsp), ...members.map((part, i) => (i % 2 === 0 ? text(part) : part)));
const event = (...values) => packet('\x02', '/', 'data', bytes(Buffer.of(0x91 + values.length), text('a'), ...values));
const eventNamed = (name) => packet('\x02', '/', 'data', bytes('\x91', name));
const nest = (depth) => '\x91'.repeat(depth - 1) + '\x90';

const examples = (...messages) => ({ [msgpack]: messages.map((message) => `b:${message.toString('hex')}`) });

// === the rules ===

const rule = (name, noted, says, errors, ...messages) =>
  ({ name, noted, says, codecs: [msgpack], errors, examples: examples(...messages) });

const refusals = [
  rule(
    'strings are UTF-8', 'utf-8',
    '(RFC 3629; the reference puts U+FFFD where it is not)',
    ['invalid_utf8'],
    event('\xa1\xff'), event('\xa3\xed\xa0\x80'),
    map(text('type'), '\x02', text('nsp'), text('/'), '\xa1\x80', '\xc0'),
  ),
  rule(
    'data is at most 1,000 deep, as JSON', 'deep',
    'recursion exhausts the stack: error at the limit',
    ['depth_exceeded'],
    event(nest(999)), event(nest(1000)), packet('\x01', '/', 'x', nest(1000)), packet('\x01', '/', 'x', nest(1001)),
    event('\x91'.repeat(998) + '\xc4\x01a'), event('\x91'.repeat(999) + '\xc4\x01a'),
    event('\x91'.repeat(997) + '\xd4\x05\x00'), event('\x91'.repeat(998) + '\xd4\x05\x00'),
  ),
  rule(
    'keys in data are strings or integers', 'key',
    'msgpack::write_json: keys of a map: strings; integers as their decimal text. Others fail',
    ['wrong_kind'],
    event(map('\xc0', '\x01')), event(map('\xcb\x3f\xf8\0\0\0\0\0\0', '\x01')), event(map('\xc4\x01a', '\x01')),
  ),
  rule(
    'a namespace begins with / and has no comma', 'nsp',
    "Namespace: from '/' to the first comma or the end.",
    ['invalid_namespace'],
    packet('\x01', ''), packet('\x01', 'a'), packet('\x01', '/a,b'),
  ),
  rule(
    'id is at most 2^53-1, and not negative', 'id',
    'id at most 2^53-1',
    ['invalid_ack_id'],
    packet('\x03', '/', 'data', '\x90', 'id', '\xcf\0\x20\0\0\0\0\0\0'),
    packet('\x03', '/', 'data', '\x90', 'id', '\xff'),
  ),
  rule(
    'ACK needs an id (MessagePack)', 'no id',
    'ACK: array and an id.',
    ['missing_ack_id'],
    packet('\x03', '/', 'data', '\x90'), packet('\x03', '/', 'data', '\x90', 'id', '\xd4\0\0'),
  ),
  rule(
    'an event has a name', 'no name',
    'EVENT: array, first element a string or number',
    ['invalid_event_name'],
    packet('\x02', '/', 'data', '\x90'), eventNamed('\xc0'), eventNamed('\xc4\x01a'),
    eventNamed('\xcb\x7f\xf8\0\0\0\0\0\0'),
  ),
  rule(
    'reserved names are no events', 'reserved',
    'EVENT: [...] not one of connect, connect_error, disconnect, disconnecting, newListener, removeListener.',
    ['reserved_event_name'],
    eventNamed(text('connect')), eventNamed(text('newListener')),
  ),
  rule(
    'only events and acknowledgements carry binary values', 'binary payload',
    '(BINARY_EVENT and BINARY_ACK are the types that do)',
    ['unexpected_binary'],
    packet('\0', '/', 'data', map(text('a'), '\xc4\x01b')), packet('\x04', '/', 'data', map(text('a'), '\xc4\x01b')),
  ),
  rule(
    'beside binary values, no data looks like a placeholder', 'placeholder',
    'Placeholder: an object with `_placeholder` exactly true [...] a bad num is an error.',
    ['invalid_placeholder'],
    event('\xc4\x01b', map(text('_placeholder'), '\xc3', text('num'), '\0')),
    event('\xc4\x01b', map(text('_placeholder'), '\xc3')),
  ),
];

const readings = [
  rule(
    'CONNECT_ERROR may come without a payload', 'no reason',
    'CONNECT_ERROR: object or string (none is tolerated).',
    undefined,
    packet('\x04', '/'), packet('\x04', '/', 'data', '\xd4\0\0'),
  ),
  rule(
    'a Date is a string, also as the payload', 'date as a reason',
    'msgpack::write_json: what Date.prototype.toJSON gives: a string',
    undefined,
    packet('\x04', '/', 'data', '\xd7\0\0\0\x01\x80\0\0\0\0'),
  ),
  rule(
    'a timestamp is a Date', 'timestamp',
    'msgpack::write_json: timestamps [...]: what Date.prototype.toJSON gives (as notepack.io 3.0)',
    undefined,
    event('\xd6\xff\x65\0\0\0'), event('\xd7\xff\xff\xff\xff\xff\xff\xff\xff\xff'),
    event('\xc7\x0c\xff\x3b\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff'),
  ),
  rule(
    'an integer that is a key keeps its digits', 'long key',
    'msgpack::write_json: Integers keep all their digits',
    undefined,
    event(map('\xcf\xff\xff\xff\xff\xff\xff\xff\xff', '\x01')), event(map('\xd3\x80\0\0\0\0\0\0\x01', '\x01')),
  ),
  rule(
    'a member that is undefined leaves an earlier one of its name', 'undefined again',
    'msgpack::write_json: undefined: the member is left out',
    undefined,
    event(map(text('a'), '\x01', text('a'), '\xd4\0\0')),
  ),
  rule(
    '"__proto__" is a key like any other (MessagePack)', '__proto__',
    '(the reference assigns to the key "__proto__": it becomes the prototype, or is lost)',
    undefined,
    event(map(text('__proto__'), '\x01')),
    map(text('__proto__'), map(text('type'), '\x01', text('nsp'), text('/'))),
  ),
  rule(
    'a member of a packet is named by a string', 'name of a member',
    'packet = map of: type 0 to 4, nsp string, [ data any ], [ id 0 to 2^53-1 ], members of other names',
    undefined,
    map(text('nsp'), text('/'), bytes('\x91', text('type')), '\x01'),
    map(text('type'), '\x01', text('nsp'), text('/'), '\xc4\x04data', '\x90'),
  ),
];

export const msgpackRules = [...refusals, ...readings];

// === decoding ===

const throughJson = (value) => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));

/** See `expectDecoded` of rules.mjs. A message is a packet, whatever was before it. */
export async function expectMessages(messages) {
  const reference = await decode(msgpack, messages);
  const out = [];
  let used;
  for (const message of messages) {
    const alone = messages.length === 1 ? reference : await decode(msgpack, [message]);
    const read = readPacket(message);
    const noted = msgpackRules.filter((each) => read.notes.has(each.noted));
    const refusing = noted.filter(({ errors }) => errors);
    const packet = noted.length === 0 ? alone.out[0] : refusing.length === 0 ? read.packet : undefined;
    const isSame = isDeepStrictEqual(throughJson(packet), throughJson(alone.out[0]));
    // The model is held against the reference wherever no rule comes between the two.
    if (noted.length === 0 && !isDeepStrictEqual(throughJson(read.packet), throughJson(packet))) {
      const [own, other] = [read.packet, packet].map((each) => JSON.stringify(each));
      throw new Error(`msgpack.mjs reads ${own}, the reference ${other}: ${message.toString('hex')}`);
    }
    if (!isSame) used ??= refusing[0] ?? noted[0];
    if (packet === undefined) {
      const errors = isSame || refusing.length === 0 ? undefined : refusing.flatMap((each) => each.errors);
      return { outcome: { out, error: true }, reference, rule: used, errors };
    }
    out.push(packet);
  }
  return { outcome: { out }, reference, rule: used };
}

// === encoding ===

function amend(value, each) {
  if (typeof value !== 'object' || value === null) return each(value);
  if (Array.isArray(value)) return value.map((item) => amend(item, each));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [each(key), amend(item, each)]));
}

function someValue(value, test) {
  let found = false;
  amend(value, (one) => ((found ||= test(one)), one));
  return found;
}

const isTooLarge = (value) => Number.isInteger(value) && (value >= 2 ** 64 || value < -(2 ** 63));
const isHalf = (value) => typeof value === 'string' && !value.isWellFormed();

// The reference encodes NaN in the place of a number, and well-formed text. It must read as what was to be encoded.
async function encodeStrictly(encoding, packet) {
  const large = [];
  const good = amend(packet.data, (value) => (typeof value === 'string' ? value.toWellFormed() : value));
  const data = amend(good, (value) => (isTooLarge(value) ? (large.push(value), NaN) : value));
  const [message] = await encode(encoding, { ...packet, data });
  let at = 0;
  for (const number of large) {
    at = message.indexOf('cb7ff8000000000000', at, 'hex');
    message.writeDoubleBE(number, ++at);
  }
  const read = readPacket(message).packet?.data;
  if (!isDeepStrictEqual(throughJson(read), throughJson(good))) {
    throw new Error(`encoded wrongly: ${JSON.stringify(packet)}`);
  }
  return [message];
}

export const msgpackEncodeRules = [
  {
    name: 'a number beyond 64 bits is a double',
    says: 'msgpack::writer: Other numbers [...] are of 64 bits (the reference wraps integers beyond that)',
    codecs: [msgpack],
    applies: ({ data }) => someValue(data, isTooLarge),
    encode: encodeStrictly,
    examples: { [msgpack]: ['{"type":"event","nsp":"/","data":["a",1e21,18446744073709551616,-9223372036854777856]}'] },
  },
  {
    name: 'half a surrogate pair is U+FFFD',
    says: 'msgpack::write: half a surrogate pair becomes U+FFFD (the reference makes bytes of it that are no UTF-8)',
    codecs: [msgpack],
    applies: ({ data }) => someValue(data, isHalf),
    encode: encodeStrictly,
    examples: { [msgpack]: ['{"type":"event","nsp":"/","data":["a","\\ud83d",{"\\udc00":1}]}'] },
  },
];

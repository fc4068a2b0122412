// The intended differences between socketless and the reference. Each rule quotes the sentence that it rests on and
// finds, from the input alone, whether and where the input falls under it; the expected outcome follows from that.

import { isDeepStrictEqual } from 'node:util';

import { expectMessages, msgpackEncodeRules, msgpackRules } from './msgpack_rules.mjs';
import { decode, encode, hasBinary } from './reference.mjs';

// === what the input is, by the strict grammar ===

/** The packets of a body, frame or stream, up to where its framing is `bad`. */
const splitters = {
  'engineio-v4-frame': (frames) => ({ packets: frames }),
  'engineio-v4-payload': ([body]) => ({ packets: body.split('\x1e') }),
  'engineio-v3-frame': (frames) => ({ packets: frames }),
  'engineio-v3-payload': ([body]) => (typeof body === 'string' ? splitTextBody(body) : splitBinaryBody(body)),
  'engineio-stream': (chunks) => splitStream(Buffer.concat(chunks)),
};

// No number on the wire has more digits than 2^53-1.
const isNumber = (digits) => /^\d{1,16}$/.test(digits);

function splitTextBody(body) {
  const packets = [];
  for (let at = 0; at < body.length; ) {
    const [digits] = body.slice(at).split(':', 1);
    if (!isNumber(digits)) return { packets, bad: 'length' };
    const start = at + digits.length + 1;
    at = start + Number(digits);
    if (at > body.length) return { packets, bad: 'truncated' };
    const packet = body.slice(start, at);
    if (!packet.isWellFormed()) return { packets, bad: 'half a character' };
    if (packet !== '') packets.push(packet);
  }
  return { packets };
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function textOf(bytes) {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

function splitBinaryBody(body) {
  const packets = [];
  if (body.length === 0) return { packets, bad: 'empty' };
  for (let at = 0; at < body.length; ) {
    const kind = body[at];
    if (kind > 1) return { packets, bad: 'kind' };
    const digits = [...body.subarray(at + 1)];
    const count = digits.findIndex((digit) => digit > 9);
    if (count < 0) return { packets, bad: 'truncated' };
    const number = digits.slice(0, count).join('');
    if (!isNumber(number) || digits[count] !== 0xff) return { packets, bad: 'length' };
    const start = at + 1 + count + 1;
    at = start + Number(number);
    if (at > body.length) return { packets, bad: 'truncated' };
    const packet = kind === 0 ? textOf(body.subarray(start, at)) : body.subarray(start, at);
    if (packet === undefined) return { packets, bad: 'utf-8' };
    packets.push(packet);
  }
  return { packets };
}

function splitStream(bytes) {
  const packets = [];
  for (let at = 0; at < bytes.length; ) {
    let length = bytes[at] & 0x7f;
    const start = at + (length < 126 ? 1 : length === 126 ? 3 : 9);
    if (start > bytes.length) break;
    if (length === 126) length = bytes.readUInt16BE(at + 1);
    else if (length === 127) length = Number(bytes.readBigUInt64BE(at + 1));
    if (length === 0 || start + length > bytes.length) break;
    const packet = bytes.subarray(start, start + length);
    const content = (bytes[at] & 0x80) === 0 ? textOf(packet) : packet;
    if (content === undefined) return { packets, bad: 'utf-8' };
    packets.push(content);
    at = start + length;
  }
  return { packets };
}

/** The parts of a Socket.IO header, as loosely as the reference takes them. */
function splitHeader(text) {
  const pattern = /^(?<type>[^]?)(?:(?<=[56])(?<count>[^-]*)-)?(?<nsp>\/[^,]*,?)?(?<id>[\d\s]*)(?<json>[^]*)$/;
  const header = { ...pattern.exec(text).groups };
  try {
    header.data = JSON.parse(header.json);
  } catch {
    header.data = undefined;
  }
  return header;
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\d[-+.\deE]*|[[\]{}]/g;

function depth(json) {
  let open = 0;
  let deepest = 0;
  for (const [token] of json.matchAll(tokens)) {
    if (token === '[' || token === '{') deepest = Math.max(deepest, ++open);
    if (token === ']' || token === '}') --open;
  }
  return deepest;
}

const isObject = (value) => typeof value === 'object' && value !== null;
const isPlaceholder = (value) => isObject(value) && value._placeholder === true;

/** JSON.parse that keeps each number as {"$number": its own text}. */
const parseKeepingNumbers = (json) =>
  JSON.parse(json.replace(tokens, (token) => (/^[-\d]/.test(token) ? `{"$number":"${token}"}` : token)));

function somePlaceholder(value, test) {
  if (!isObject(value)) return false;
  if (isPlaceholder(value)) return test(value);
  return Object.values(value).some((inner) => somePlaceholder(inner, test));
}

/** Whether a placeholder of a binary packet, outside any other, passes `test`. */
const hasPlaceholder = ({ count, data, json }, test) =>
  count !== undefined && data !== undefined && somePlaceholder(parseKeepingNumbers(json), test);

// === the rules ===

const payload4 = 'engineio-v4-payload';
const frame4 = 'engineio-v4-frame';
const frame3 = 'engineio-v3-frame';
const payload3 = 'engineio-v3-payload';
const stream = 'engineio-stream';
const socket5 = 'socketio-v5';
const socket4 = 'socketio-v4';

const isRevision3 = (codec) => codec.startsWith('engineio-v3');

const isStrictBase64 = (text) =>
  /^[A-Za-z0-9+/]*={0,2}$/.test(text) && (text.endsWith('=') ? text.length % 4 === 0 : text.length % 4 !== 1);

const badPacket = (test) => ({ packets, codec }) => packets.findIndex((packet) => test(packet, codec));
const badFraming = (reason) => ({ packets, bad }) => (bad === reason ? packets.length : -1);
const badHeader = (test) => ({ headers }) => headers.findIndex((header) => header !== undefined && test(header));

const hex = (text) => `b:${Buffer.from(text, 'latin1').toString('hex')}`;
const t = (text) => `t:${Buffer.from(text).toString('hex')}`;
const eventOfDepth = (levels) => `["a",${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}]`;

// `at` is the packet (Engine.IO) or the message (Socket.IO) that must be refused with one of `errors`; all packets
// before it are as in the reference. `amend` changes a packet instead. `examples` keep a rule in use whatever the seed.
export const rules = [
  {
    name: 'base64 is strict',
    says: 'Base64: standard alphabet; padding may be absent, never misplaced; anything else is an error',
    codecs: [frame4, payload4, frame3, payload3, stream],
    at: badPacket((packet, codec) => {
      const mark = isRevision3(codec) ? 'b4' : 'b';
      return typeof packet === 'string' && packet.startsWith(mark) && !isStrictBase64(packet.slice(mark.length));
    }),
    errors: ['invalid_base64'],
    examples: {
      [frame4]: [t('b!!!!'), t('bAQ=')],
      [payload4]: [t('4a\x1ebAQ ID')],
      [frame3]: [t('b4AQ==AQ')],
      [payload3]: [t('2:4a6:b4AQ.=')],
      [stream]: [hex('\x024a\x05b-_-_')],
    },
  },
  {
    name: 'base64 is a message (v3)',
    says: 'base64 packet is `b4` + base64',
    codecs: [frame3, payload3],
    at: badPacket((packet) => typeof packet === 'string' && /^b(?!4)/.test(packet)),
    errors: ['unknown_packet_type', 'empty_packet'],
    examples: { [frame3]: [t('b'), t('b2AQID')], [payload3]: [t('6:b5AQID')] },
  },
  {
    name: 'binary type byte is 0x04 (v3)',
    says: 'the type byte of a binary packet is 0x04 [...]. v3 binary WebSocket frames start with the type byte too.',
    codecs: [frame3, payload3],
    at: badPacket((packet) => typeof packet !== 'string' && packet[0] !== 4),
    errors: ['unknown_packet_type', 'empty_packet'],
    examples: { [frame3]: [hex(''), hex('\x02a'), hex('4a')], [payload3]: [hex('\x01\x02\xff\x09a')] },
  },
  {
    name: 'length is digits (v3)',
    says: 'v3 text body: `<length>:<packet>` [...] Truncated or absurd lengths are errors, never loops.',
    codecs: [payload3],
    at: (input) => (input.isText ? badFraming('length')(input) : -1),
    errors: ['invalid_length'],
    examples: { [payload3]: [t('0x2:4a'), t('+2:4a'), t('2:4a2e0:4a'), t(' 2:4a'), t('00000000000000002:4a')] },
  },
  {
    name: 'length cuts no character (v3)',
    says: 'the length in UTF-16 code units (`2:4€`, `3:4😀`) [...] Truncated or absurd lengths are errors',
    codecs: [payload3],
    at: badFraming('half a character'),
    errors: ['invalid_length'],
    examples: { [payload3]: [t('2:4😀')] },
  },
  {
    name: 'binary body, empty (v3)',
    says: 'an empty body is an error',
    codecs: [payload3],
    at: badFraming('empty'),
    errors: ['empty_packet'],
    examples: { [payload3]: [hex('')] },
  },
  {
    name: 'binary body, kind byte (v3)',
    says: 'v3 binary body: a 0/1 byte (text/binary)',
    codecs: [payload3],
    at: badFraming('kind'),
    errors: ['unknown_packet_type'],
    examples: { [payload3]: [hex('\x02\x02\xff\x04a')] },
  },
  {
    name: 'binary body, length (v3)',
    says: 'the length as decimal digit *values*, 0xff, then the packet; [...] Truncated or absurd lengths are errors',
    codecs: [payload3],
    at: (input) => (input.isText ? -1 : badFraming('length')(input)),
    errors: ['invalid_length'],
    examples: { [payload3]: [hex('\x00\x02\xff4a\x00\xff4a'), hex('\x01\x0c\xff\x04a'), hex('\x01\xd0\xff')] },
  },
  {
    name: 'binary body, truncated (v3)',
    says: 'Truncated or absurd lengths are errors, never loops.',
    codecs: [payload3],
    at: (input) => (input.isText ? -1 : badFraming('truncated')(input)),
    errors: ['truncated_packet', 'invalid_length'],
    examples: { [payload3]: [hex('\x00\x02\xff4a\x01\x05\xff\x04\x01\x02'), hex('\x00\x02\xff4a\x00\x01')] },
  },
  {
    name: 'text is UTF-8',
    says: '(RFC 6455, 8.1, for text that travels as bytes; the reference puts U+FFFD where it is not)',
    codecs: [payload3, stream],
    at: badFraming('utf-8'),
    errors: ['invalid_utf8'],
    examples: { [payload3]: [hex('\x00\x04\xff4\xed\xa0\x80')], [stream]: [hex('\x024\xff')] },
  },
  {
    name: 'a byte order mark is no type',
    says: 'v4 text frame: type digit, data.',
    codecs: [stream],
    at: badPacket((packet) => typeof packet === 'string' && packet.startsWith('\ufeff')),
    errors: ['unknown_packet_type'],
    examples: { [stream]: [hex('\x05\xef\xbb\xbf4a')] },
  },
  {
    name: 'type is a digit',
    says: '`<type>[<count>-][<namespace>,][<id>][<JSON>]`',
    codecs: [socket5, socket4],
    at: badHeader(({ type }) => /^\s?$/.test(type)),
    errors: ['unknown_packet_type', 'empty_packet'],
    examples: { [socket5]: [t(''), t(' ')], [socket4]: [t(''), t('\n')] },
  },
  {
    name: 'count is digits',
    says: 'Digits only in count and id',
    codecs: [socket5, socket4],
    at: badHeader(({ count }) => /\D/.test(count ?? '')),
    errors: ['invalid_attachment_count', 'too_many_attachments'],
    examples: { [socket5]: [t('5+1-["a"]'), t('50x1-["a"]')], [socket4]: [t('51e0-["a"]'), t('51.5-["a"]')] },
  },
  {
    name: 'count is at least 1',
    says: 'count at least 1 and at most max_attachments (10 by default, as the reference; configurable)',
    codecs: [socket4],
    at: badHeader(({ count }) => /^0*$/.test(count)),
    errors: ['invalid_attachment_count'],
    examples: { [socket4]: [t('50-["a"]'), t('5-["a"]')] },
  },
  {
    name: 'count is at most max_attachments, in at most 16 digits',
    says: 'count at least 1 and at most max_attachments (10 by default, as the reference; configurable)',
    codecs: [socket5, socket4],
    at: badHeader(({ count }) => /^\d+$/.test(count) && (!isNumber(count) || Number(count) > 10)),
    errors: ['too_many_attachments'],
    examples: { [socket5]: [t('500000000000000001-["a"]')], [socket4]: [t('511-["a"]')] },
  },
  {
    name: 'id is digits',
    says: 'Digits only in count and id',
    codecs: [socket5, socket4],
    at: badHeader(({ id }) => /\s/.test(id)),
    errors: ['invalid_ack_id', 'missing_ack_id', 'invalid_payload', 'invalid_json'],
    examples: { [socket5]: [t('2 ["a"]'), t('2\u20287["a"]')], [socket4]: [t('2 ["a"]')] },
  },
  {
    name: 'id is at most 2^53-1',
    says: 'id at most 2^53-1',
    codecs: [socket5, socket4],
    at: badHeader(({ id }) => /^\d+$/.test(id) && (!isNumber(id) || Number(id) > Number.MAX_SAFE_INTEGER)),
    errors: ['invalid_ack_id'],
    examples: { [socket5]: [t('29007199254740992["a"]')], [socket4]: [t('29007199254740992["a"]')] },
  },
  {
    name: 'EVENT and ACK need a payload',
    says: 'EVENT: array [...] ACK: array and an id.',
    codecs: [socket5, socket4],
    at: badHeader(({ type, json }) => /[2356]/.test(type) && json === ''),
    errors: ['invalid_payload', 'missing_ack_id'],
    examples: { [socket5]: [t('2'), t('2/nsp["a"]'), `${t('51-')} ${hex('a')}`], [socket4]: [t('31')] },
  },
  {
    name: 'ACK needs an id',
    says: 'ACK: array and an id.',
    codecs: [socket5, socket4],
    at: badHeader(({ type, id }) => /[36]/.test(type) && id === ''),
    errors: ['missing_ack_id'],
    examples: { [socket5]: [t('3["a"]')], [socket4]: [t('3["a"]'), `${t('61-["a"]')} ${hex('a')}`] },
  },
  {
    name: 'reserved names are no events (revision 4)',
    says: 'EVENT: [...] not one of connect, connect_error, disconnect, disconnecting, newListener, removeListener.',
    codecs: [socket4],
    at: badHeader(
      ({ type, data }) =>
        /[25]/.test(type) && Array.isArray(data) &&
        ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'].includes(data[0]),
    ),
    errors: ['reserved_event_name'],
    examples: { [socket4]: [t('2["connect"]'), t('2["\\u0064isconnect"]')] },
  },
  {
    name: 'CONNECT has no payload (revision 4)',
    says: 'CONNECT: no payload or an object.',
    codecs: [socket4],
    at: badHeader(({ type, json }) => type === '0' && json !== ''),
    errors: ['invalid_payload'],
    examples: { [socket4]: [t('0{"a":1}'), t('0null'), t('0[]')] },
  },
  {
    name: 'CONNECT_ERROR is an object or a string (revision 4)',
    says: 'CONNECT_ERROR: object or string (none is tolerated).',
    codecs: [socket4],
    at: badHeader(({ type, data }) => type === '4' && (data === null || Array.isArray(data))),
    errors: ['invalid_payload'],
    examples: { [socket4]: [t('4null'), t('4["a"]')] },
  },
  {
    name: 'placeholder num is an integer in range, which the header shows',
    says: '`num` an integer in range [...]; a bad num is an error.',
    codecs: [socket5, socket4],
    at: badHeader((header) =>
      hasPlaceholder(header, ({ num }) => !/^\d+$/.test(num?.$number) || Number(num.$number) >= Number(header.count)),
    ),
    errors: ['invalid_placeholder'],
    examples: {
      [socket5]: [`${t('51-["a",{"_placeholder":true,"num":0.5}]')} ${hex('a')}`, t('51-["a",{"_placeholder":true}]')],
      [socket4]: [`${t('51-["a",{"_placeholder":true,"num":0e1}]')} ${hex('a')}`, t('51-["a",{"_placeholder":true}]')],
    },
  },
  {
    name: 'no placeholder in a placeholder',
    says: 'Placeholder: an object with `_placeholder` exactly true and `num` an integer in range [...] at any depth',
    codecs: [socket5, socket4],
    at: badHeader((header) =>
      hasPlaceholder(header, (value) => Object.values(value).some((inner) => somePlaceholder(inner, () => true))),
    ),
    errors: ['invalid_placeholder'],
    examples: {
      [socket5]: [`${t('51-["a",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":0}}]')} ${hex('a')}`],
      [socket4]: [`${t('51-["a",{"x":[{"_placeholder":true}],"_placeholder":true,"num":0}]')} ${hex('a')}`],
    },
  },
  {
    name: 'JSON is at most 1,000 deep',
    says: 'recursion exhausts the stack: error at the limit',
    codecs: [socket5, socket4],
    at: badHeader(({ json }) => depth(json) > 1000),
    errors: ['depth_exceeded'],
    examples: {
      [socket5]: [t(`2${eventOfDepth(1000)}`), t(`2${eventOfDepth(1001)}`)],
      [socket4]: [t(`2${eventOfDepth(1000)}`), t(`2${eventOfDepth(1001)}`)],
    },
  },
  {
    name: 'CONNECT, query cut off the namespace (revision 4)',
    says: "A query in it is part of its name in revision 5; revision 4 cuts it at '?' and offers it as auth.",
    codecs: [socket4],
    amend: (packet) => {
      const [, nsp, query] = /^([^?]*)\?(.*)$/s.exec(packet.type === 'connect' ? packet.nsp : '') ?? [];
      return nsp === undefined ? packet : { ...packet, nsp, query };
    },
    examples: { [socket4]: [t('0/admin?x=1'), t('0/admin?x=1&y=?,'), t('2/admin?x=1,["a"]')] },
  },
  ...msgpackRules,
];

// Differences in encoding: `encode` gives the right frames; `error` is that of a refusal.
export const encodeRules = [
  {
    name: '"__proto__" is a key like any other',
    says: 'Encoding numbers placeholders depth-first (the reference assigns to the key "__proto__" and loses it)',
    codecs: [socket5, socket4],
    applies: (packet) => hasBinary(packet.data) && JSON.stringify(packet.data).includes('"__proto__"'),
    encode: async (encoding, packet) => {
      const renamed = JSON.parse(JSON.stringify(packet).replaceAll('"__proto__"', '"__other__"'));
      const [header, ...attachments] = await encode(encoding, renamed);
      return [header.replaceAll('"__other__"', '"__proto__"'), ...attachments];
    },
    examples: Object.fromEntries(
      [socket5, socket4].map((codec) => [
        codec,
        ['{"type":"event","nsp":"/","data":["a",{"__proto__":{"$binary":"01"},"b":{"$binary":"02"}}]}'],
      ]),
    ),
  },
  {
    name: 'a stream carries no empty binary message',
    says: 'Stream framing [...]: zero, over max_payload or over 2^53-1 is an error.',
    codecs: [stream],
    applies: (packets) => packets.some(({ binary }) => binary === ''),
    error: 'empty_packet',
    examples: { [stream]: ['[{"type":"message","binary":""}]'] },
  },
  {
    name: 'a v4 body carries no separator in a text',
    says: 'v4 body: packets joined by 0x1e.',
    codecs: [payload4],
    applies: (packets) => packets.some(({ text = '' }) => text.includes('\x1e')),
    error: 'separator_in_text',
    examples: { [payload4]: ['[{"type":"message","text":"a\\u001e1"}]'] },
  },
  ...msgpackEncodeRules,
];

// === what must come out ===

function inputOf(codec, frames) {
  if (codec.startsWith('socketio')) {
    return { headers: frames.map((frame) => (typeof frame === 'string' ? splitHeader(frame) : undefined)) };
  }
  return { codec, isText: typeof frames[0] === 'string', ...splitters[codec](frames) };
}

// The outcome of the reference for all before packet or message `at`.
async function decodeBefore(codec, frames, packets, at) {
  if (codec.startsWith('socketio')) return decode(codec, frames.slice(0, at));
  const out = [];
  for (const packet of packets.slice(0, at)) {
    const outcome = await decode(isRevision3(codec) ? frame3 : frame4, [packet]);
    out.push(...outcome.out);
    if (outcome.error) return { out, error: true };
  }
  return { out };
}

/**
 * What the reference makes of `frames` and what socketless must make of them; where they differ, the rule that is
 * between the two, and, where all before the fault is good, the `errors` of which one must be named.
 */
export async function expectDecoded(codec, frames) {
  if (codec === 'socketio-msgpack') return expectMessages(frames);
  const reference = await decode(codec, frames);
  const input = inputOf(codec, frames);
  const applicable = rules.filter(({ codecs }) => codecs.includes(codec));
  const faults = applicable.filter((rule) => rule.at).map((rule) => ({ rule, at: rule.at(input) }));
  const [fault, ...others] = faults.filter(({ at }) => at >= 0).sort((a, b) => a.at - b.at);
  const amending = applicable.find(({ amend }) => amend);

  const before = fault && (await decodeBefore(codec, frames, input.packets, fault.at));
  let outcome = fault ? { out: before.out, error: true } : reference;
  if (amending) outcome = { ...outcome, out: outcome.out.map(amending.amend) };
  if (isDeepStrictEqual(outcome, reference)) return { outcome, reference };
  if (!fault || before.error) return { outcome, reference, rule: fault?.rule ?? amending };
  const same = [fault, ...others.filter(({ at }) => at === fault.at)];
  return { outcome, reference, rule: fault.rule, errors: same.flatMap(({ rule }) => rule.errors) };
}

/** The same for encoding: `outcome` is the frames, undefined where encoding must be refused with the rule's `error`. */
export async function expectEncoded(encoding, packet) {
  const reference = await encode(encoding, packet);
  const rule = encodeRules.find(({ codecs, applies }) => codecs.includes(encoding) && applies(packet));
  return { outcome: rule ? await rule.encode?.(encoding, packet) : reference, reference, rule };
}

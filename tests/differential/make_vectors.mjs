// Writes the vectors of tests/data/vectors that belong to revision 4 of Socket.IO, to frames of revision 3 of Engine.IO
// and to streams: named cases, random packets and random mutations through the reference, corrected by rules.mjs.
//
//     node make_vectors.mjs

import { writeFileSync } from 'node:fs';

import { createRandom, mutate, randomPacket, vary } from './generate.mjs';
import { encode, toItem } from './reference.mjs';
import { expectDecoded, expectEncoded } from './rules.mjs';

const seed = 3;
const longestRow = 2000;
const bytes = (hex) => Buffer.from(hex, 'hex');
const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;

// === named cases: what arrives, text as strings and binary as bytes ===

const socketCases = {
  'connect': ['0'],
  'connect, namespace': ['0/admin,'],
  'connect, namespace without comma': ['0/admin'],
  'connect, query': ['0/admin?x=1,'],
  'connect, query without comma': ['0/admin?token=a%20b&x=1'],
  'connect, query ends at the comma': ['0/admin?x=1,2'],
  'connect, query with a second question mark': ['0/admin?x=1?y=2'],
  'connect, query of the main namespace': ['0/?x=1,'],
  'connect, empty query': ['0/admin?,'],
  'connect, names are literal': ['0//evil/../admin%2f,'],
  'connect, object payload': ['0{"token":"123"}'],
  'connect, null payload': ['0null'],
  'connect, array payload': ['0[]'],
  'connect, string payload': ['0"a"'],
  'disconnect': ['1'],
  'disconnect, namespace': ['1/admin,'],
  'disconnect, question mark kept': ['1/admin?x=1,'],
  'disconnect with payload': ['1["a"]'],
  'event': ['2["foo"]'],
  'event, namespace': ['2/admin,["bar"]'],
  'event, question mark kept': ['2/admin?x=1,["bar"]'],
  'event, id': ['212["foo"]'],
  'event, id zero': ['20["foo"]'],
  'event, namespace and id': ['2/admin,13["bar"]'],
  'event, numeric name': ['2[1]'],
  'event, empty name': ['2[""]'],
  'event, empty array': ['2[]'],
  'event, object payload': ['2{"a":1}'],
  'event, object name': ['2[{"toString":"foo"}]'],
  'event, null name': ['2[null]'],
  'event, cut JSON': ['2["a"'],
  'event, trailing bytes': ['2["a"]x'],
  'event, lone surrogate escape': ['2["\\ud83d"]'],
  'event, duplicate keys': ['2["a",{"k":1,"k":2}]'],
  'event, key __proto__': ['2["a",{"__proto__":{"x":1}}]'],
  'event, placeholder stays data in a plain packet': [`2["a",${placeholder(0)}]`],
  'event without payload': ['2'],
  'event, namespace swallowing the array': ['2/nsp["a"]'],
  'event named error': ['2["error",1]'],
  'reserved event connect': ['2["connect"]'],
  'reserved event connect_error': ['2["connect_error"]'],
  'reserved event disconnect': ['2["disconnect"]'],
  'reserved event disconnecting': ['2["disconnecting"]'],
  'reserved event newListener': ['2["newListener"]'],
  'reserved event removeListener': ['2["removeListener"]'],
  'reserved event, escaped': ['2["\\u0063onnect"]'],
  'ack': ['3/admin,13["bar"]'],
  'ack, empty array': ['31[]'],
  'ack, object payload': ['31{"a":1}'],
  'ack without id': ['3["a"]'],
  'ack without payload': ['31'],
  'error, string': ['4"Not authorized"'],
  'error, namespace': ['4/admin,"Invalid namespace"'],
  'error, object': ['4{"code":1}'],
  'error, none': ['4'],
  'error, null': ['4null'],
  'error, array': ['4["a"]'],
  'error, number': ['41'],
  'unknown type 7': ['7'],
  'letter': ['abc'],
  'empty text': [''],
  'white space as type': [' '],
  'white space as id': ['2 ["a"]'],
  'id at 2^53-1': ['29007199254740991["a"]'],
  'id beyond 2^53-1': ['29007199254740992["a"]'],
  'id with leading zeros': ['2007["a"]'],
  'id of 400 digits': [`2${'9'.repeat(400)}["a"]`],
  'binary event': [`51-["baz",${placeholder(0)}]`, bytes('01020304')],
  'binary event, two, namespace': [`52-/admin,["baz",${placeholder(0)},${placeholder(1)}]`, bytes('01'), bytes('02')],
  'binary event, id': [`51-7["baz",${placeholder(0)}]`, bytes('01')],
  'binary ack': [`61-15["bar",${placeholder(0)}]`, bytes('01020304')],
  'binary ack without id': [`61-["bar",${placeholder(0)}]`, bytes('01')],
  'placeholders out of order': [`52-["a",${placeholder(1)},{"num":0,"_placeholder":true}]`, bytes('01'), bytes('02')],
  'placeholder repeated': [`51-["a",${placeholder(0)},${placeholder(0)}]`, bytes('01')],
  'placeholder with extra keys': ['51-["a",{"x":1,"_placeholder":true,"num":0}]', bytes('01')],
  'placeholder deep inside': [`51-["a",{"b":[{"c":${placeholder(0)}}]}]`, bytes('01')],
  'placeholder inside a placeholder': [`51-["a",{"_placeholder":true,"num":0,"x":${placeholder(0)}}]`, bytes('01')],
  'placeholder not true': ['51-["a",{"_placeholder":1,"num":0}]', bytes('01')],
  'unused attachment': ['51-["a"]', bytes('01')],
  'empty attachment': [`51-["a",${placeholder(0)}]`, bytes('')],
  'placeholder beyond the count': [`51-["a",${placeholder(1)}]`, bytes('01')],
  'placeholder negative': [`51-["a",${placeholder(-1)}]`, bytes('01')],
  'placeholder num is a fraction': [`51-["a",${placeholder(0.5)}]`, bytes('01')],
  'placeholder num with an exponent': [`52-["a",${placeholder('1e0')}]`, bytes('01'), bytes('02')],
  'placeholder num is a string': [`51-["a",${placeholder('"splice"')}]`, bytes('01')],
  'placeholder num missing': ['51-["a",{"_placeholder":true}]', bytes('01')],
  'text while attachments are due': [`51-["a",${placeholder(0)}]`, '2["b"]'],
  'text of another namespace while attachments are due': [`51-["a",${placeholder(0)}]`, '2/admin,["b"]'],
  'binary with no header': [bytes('01020304')],
  'binary after a complete packet': [`51-["a",${placeholder(0)}]`, bytes('01'), bytes('02')],
  'header without its attachments': [`52-["a",${placeholder(0)}]`, bytes('01')],
  'two packets': ['2["a"]', '2["b"]'],
  'no dash': ['51["a"]', bytes('01')],
  'no digits before the dash': ['5-["a"]'],
  'zero attachments': ['50-["a"]'],
  'zero attachments, then text': ['50-["a"]', '2["b"]'],
  'negative count': ['5-1-["a"]'],
  'count with sign': ['5+1-["a"]', bytes('01')],
  'count in hex': ['50x1-["a"]', bytes('01')],
  'count with exponent': ['51e0-["a"]', bytes('01')],
  'fractional count': ['51.5-["a"]', bytes('01'), bytes('02')],
  'ten attachments': ['510-["a"]', ...Array.from({ length: 10 }, (_, i) => Buffer.from([i]))],
  'eleven attachments against the default limit of ten': ['511-["a"]'],
  'huge count': ['59999999999-["a"]'],
  'reserved name in a binary event': [`51-["disconnect",${placeholder(0)}]`, bytes('01')],
  '1,000 levels of JSON': [`2["a",${'['.repeat(999)}${']'.repeat(999)}]`],
  '1,001 levels of JSON': [`2["a",${'['.repeat(1000)}${']'.repeat(1000)}]`],
};

const frame3Cases = {
  ...Object.fromEntries(
    [...'0123456'].flatMap((type) => [
      [`type ${type}`, [type]],
      [`type ${type} with data`, [`${type}data`]],
    ]),
  ),
  ...Object.fromEntries(
    [...'789ax -/\x1eé😀'].map((type) => [`unknown type ${JSON.stringify(type)}`, [`${type}x`]]),
  ),
  'empty text frame': [''],
  'ping probe': ['2probe'],
  'pong probe': ['3probe'],
  'message, utf-8': ['4日本語😀'],
  'base64 in a text frame': ['b4AQIDBA=='],
  'base64, empty': ['b4'],
  'base64, without padding': ['b4AQ'],
  'base64, + and /': ['b4+/+/'],
  'base64, characters outside the alphabet': ['b4!!!!'],
  'base64, url alphabet': ['b4-_-_'],
  'base64, white space': ['b4AQ ID'],
  'base64, padding inside': ['b4AQ==ID'],
  'base64, padding cut': ['b4AQ='],
  'base64, one character left over': ['b4AQIDB'],
  'base64, no type': ['b'],
  'base64, not a message': ['b2AQID'],
  'base64, unknown type': ['b9AQID'],
  'binary message': [bytes('0401020304')],
  'binary message, empty': [bytes('04')],
  'binary, no type byte': [bytes('')],
  'binary, type as a digit': [bytes('340102')],
  'binary, not a message': [bytes('020102')],
  'binary, unknown type': [bytes('070102')],
};

const chunks = (...texts) => texts.map((text) => Buffer.from(text, 'latin1'));
const message = (length) => `4${'m'.repeat(length - 1)}`;

const streamCases = {
  'one text packet': chunks('\x064hello'),
  'one binary packet': chunks('\x84\x01\x02\x03\x04'),
  'two packets in one chunk': chunks('\x012\x064hello'),
  'a packet and a half': chunks('\x012\x064he'),
  'the other half': chunks('\x064he', 'llo\x012'),
  'byte by byte': chunks(...'\x064hello\x82\x01\x02'),
  'empty chunks': chunks('', '\x01', '', '2', ''),
  'nothing': chunks(''),
  'every type': chunks('\x010\x011\x012\x013\x014\x015\x016'),
  'ping probe': chunks('\x062probe'),
  'utf-8': chunks('\x044\xe2\x82\xac'),
  'utf-8, cut between chunks': chunks('\x044\xe2', '\x82\xac'),
  'utf-8, not valid': chunks('\x024\xff'),
  'utf-8, surrogate': chunks('\x044\xed\xa0\x80'),
  'byte order mark': chunks('\x05\xef\xbb\xbf4a'),
  'byte order mark in a message': chunks('\x044\xef\xbb\xbf'),
  'length 125': chunks(`\x7d${message(125)}`),
  'length 126': chunks(`\x7e\x00\x7e${message(126)}`),
  'length 127': chunks(`\x7e\x00\x7f${message(127)}`),
  'length 300, binary': chunks(`\xfe\x01\x2c${message(300)}`),
  'two-byte length, cut': chunks('\x7e', '\x00', `\x7e${message(126)}`),
  'two-byte length of a short packet': chunks('\x7e\x00\x024a'),
  'eight-byte length of a short packet': chunks('\x7f\x00\x00\x00\x00\x00\x00\x00\x024a'),
  'eight-byte length, cut': chunks('\x7f\x00\x00\x00', '\x00\x00\x00\x00', '\x024a'),
  'eight-byte length, at the limit, its packet due': chunks('\x7f\x00\x00\x00\x00\x00\x0f\x42\x404a'),
  'header alone': chunks('\x06'),
  'half a two-byte length': chunks('\x7e\x01'),
  'half an eight-byte length': chunks('\xff\x00\x00'),
  'length zero': chunks('\x012\x00'),
  'length zero, binary': chunks('\x80'),
  'length zero in two bytes': chunks('\x7e\x00\x00'),
  'length zero in eight bytes': chunks('\x7f\x00\x00\x00\x00\x00\x00\x00\x00'),
  'length over the limit of a million': chunks('\x7f\x00\x00\x00\x00\x00\x0f\x42\x41'),
  'length 2^50': chunks('\x7f\x00\x04\x00\x00\x00\x00\x00\x00'),
  'length 2^53': chunks('\x7f\x00\x20\x00\x00\x00\x00\x00\x00'),
  'length 2^64-1': chunks('\xff\xff\xff\xff\xff\xff\xff\xff\xff'),
  'unknown type after a good packet': chunks('\x024a\x029b\x024c'),
  'base64 in a text packet': chunks('\x05bAQID'),
  'base64 that is none': chunks('\x024a\x05b!!!!'),
};

// === rows ===

function outcomeOf({ out, error, incomplete }) {
  const packets = out.length > 0 || !(error || incomplete) ? { out } : {};
  return { ...packets, ...(error && { error }), ...(incomplete && { incomplete }) };
}

async function decodeRow(name, codec, frames) {
  const { outcome, rule } = await expectDecoded(codec, frames);
  const note = rule && { note: `unlike the reference: ${rule.name}` };
  return { name, in: frames.map(toItem), ...outcomeOf(outcome), ...note };
}

const isShort = (row) => JSON.stringify(row).length <= longestRow;

async function decodeRows(codec, named, count) {
  const random = createRandom(seed);
  const rows = [];
  for (const [name, frames] of Object.entries(named)) rows.push(await decodeRow(name, codec, frames));
  let others = Object.values(named)[0];
  for (let i = 0; i < count; ++i) {
    const frames = vary(random, codec, await encode(codec, randomPacket(random, codec)));
    const mutant = mutate(random, codec, frames, others);
    const both = [await decodeRow(`random ${i}`, codec, frames), await decodeRow(`mutant ${i}`, codec, mutant)];
    rows.push(...both.filter(isShort));
    others = frames;
  }
  return rows;
}

async function encodeRows(codec, count) {
  const random = createRandom(seed);
  const rows = [];
  for (let i = 0; i < count; ++i) {
    const packet = randomPacket(random, codec);
    const { outcome, rule } = await expectEncoded(codec, packet);
    const note = rule && { note: `unlike the reference: ${rule.name}` };
    rows.push({ name: `random ${i}`, packet, out: outcome.map(toItem), ...note });
  }
  return rows.filter(isShort);
}

function write(name, rows) {
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  writeFileSync(new URL(`../data/vectors/${name}.jsonl`, import.meta.url), text);
}

write('socketio-v4-packet', await decodeRows('socketio-v4', socketCases, 200));
write('socketio-v4-packet-encode', await encodeRows('socketio-v4', 300));
write('engineio-v3-frame', await decodeRows('engineio-v3-frame', frame3Cases, 150));
write('engineio-stream', await decodeRows('engineio-stream', streamCases, 150));

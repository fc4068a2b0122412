// bench/compare's contestant: npm's parsers on Node, from the bytes of a frame or body, as ws gives them to socket.io,
// to a packet, and back to bytes. The arguments are the corpus's directory, the
// file of the mix and the directory of the packets as MessagePack. See contestant.hpp.

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(new URL('../tests/differential/', import.meta.url));
const engine = require('engine.io-parser-5');
const { Decoder, Encoder, PacketType } = require('socket.io-parser-4');
const msgpack = require('socket.io-msgpack-parser');

const [, , corpus, mixFile, msgpackDirectory] = process.argv;
const file = (name) => readFileSync(`${corpus}/${name}`);

const fail = (why) => {
  throw new Error(why);
};

// === decoding ===

const decoder = new Decoder();
let decoded; // the last packet
decoder.on('decoded', (packet) => {
  decoded = packet;
});

function text(bytes) {
  if (!isUtf8(bytes)) fail('not UTF-8');
  return bytes.toString();
}

const take = (packet) => (packet.type === 'message' ? decoder.add(packet.data) : fail(packet.type));
const decodeText = (frame) => take(engine.decodePacket(text(frame), 'nodebuffer'));
const decodeBinary = (frame) => take(engine.decodePacket(frame, 'nodebuffer'));
const decodeBody = (body) => engine.decodePayload(text(body), 'nodebuffer').forEach(take);

// What the decoder makes of a frame or body: packets with values, which are encoded again.
function valuesOf(decode) {
  const all = [];
  const keep = (packet) => all.push({ ...packet, type: PacketType.EVENT, attachments: undefined });
  decoder.on('decoded', keep);
  decode();
  decoder.off('decoded', keep);
  return all;
}

// === encoding ===

const encoder = new Encoder();
let frames = []; // of the last packet, or the body

function encodePacket(packet) {
  frames = [];
  for (const data of encoder.encode(packet))
    engine.encodePacket({ type: 'message', data }, true, (encoded) =>
      frames.push(typeof encoded === 'string' ? Buffer.from(encoded) : encoded));
}

function encodeBody(all) {
  const messages = all.flatMap((packet) => encoder.encode(packet).map((data) => ({ type: 'message', data })));
  engine.encodePayload(messages, (body) => {
    frames = [Buffer.from(body)];
  });
}

// === the cases ===

const cases = [];
function add(name, items, work) {
  work();
  console.log(`case\tNode\t${name}\t${items}`);
  cases.push(work);
}

function addPair(name, decode, encode, bytes) {
  const values = valuesOf(decode);
  encode(values);
  if (!frames[0].equals(bytes)) fail(`${name} is encoded to ${frames[0].subarray(0, 300)}`);
  add(`decode/${name}`, values.length, decode);
  add(`encode/${name}`, values.length, () => encode(values));
}

const version = (name) => require(`./node_modules/${name}/package.json`).version;
console.log(`about\tNode\t${process.version}, engine.io-parser ${version('engine.io-parser-5')}, ` +
  `socket.io-parser ${version('socket.io-parser-4')}, socket.io-msgpack-parser ${version('socket.io-msgpack-parser')}`);

for (const name of ['P1', 'P2', 'P3', 'P4', 'P5']) {
  const frame = file(`${name}.txt`);
  const attachments = name === 'P5' ? [file('P5.bin0'), file('P5.bin1')] : [];
  const decode = () => {
    decodeText(frame);
    for (const attachment of attachments) decodeBinary(attachment);
  };
  addPair(name, decode, ([value]) => encodePacket(value), frame);
}
for (const name of ['P6', 'P7']) {
  const body = file(`${name}.txt`);
  addPair(name, () => decodeBody(body), encodeBody, body);
}
const mix = readFileSync(mixFile, 'utf8').trimEnd().split('\n').map((line) => Buffer.from(line));
addPair('mix', () => mix.forEach(decodeText), (all) => all.forEach(encodePacket), mix.at(-1));

// The parser as it stands in for the default one.
const msgpackEncoder = new msgpack.Encoder();
const msgpackDecoder = new msgpack.Decoder();
msgpackDecoder.on('decoded', (packet) => {
  decoded = packet;
});
for (const name of ['P1', 'P2', 'P3', 'P4', 'P5']) {
  const frame = readFileSync(`${msgpackDirectory}/${name}.msgpack`);
  const decode = () => msgpackDecoder.add(engine.decodePacket(frame, 'nodebuffer').data);
  decode();
  const packet = decoded;
  const encode = () => {
    frames = [];
    for (const data of msgpackEncoder.encode(packet))
      engine.encodePacket({ type: 'message', data }, true, (encoded) => frames.push(encoded));
  };
  encode();
  if (!frames[0].equals(frame)) fail(`${name} is encoded to ${frames[0].toString('hex').slice(0, 600)}`);
  add(`msgpack_decode/${name}`, 1, decode);
  add(`msgpack_encode/${name}`, 1, encode);
}

console.log('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const [index, calls] = line.split(' ').map(Number);
  const work = cases[index];
  const start = process.cpuUsage();
  for (let n = 0; n < calls; ++n) work();
  const { user, system } = process.cpuUsage(start);
  console.log(`${(user + system) * 1000}`);
}

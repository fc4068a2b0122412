// The reference JavaScript codecs behind one shape, the one of tests/data/vectors: a line of frames in, an outcome
// {out, error?, incomplete?} back. Decoding ends at the first error, as it does for the sessions on top of a codec.

import { types } from 'node:util';

import * as engine4 from 'engine.io-parser-5';
import engine3 from 'engine.io-parser-2';
import msgpack from 'socket.io-msgpack-parser';
import * as socket5 from 'socket.io-parser-4';
import socket4 from 'socket.io-parser-3';

const socketTypes = ['connect', 'disconnect', 'event', 'ack', 'connect_error', 'event', 'ack'];
const defaultMaxPayload = 1e6;

// === lines and frames: a frame is a string (text) or a Buffer (binary) ===

export const toItem = (frame) =>
  typeof frame === 'string' ? `t:${Buffer.from(frame).toString('hex')}` : `b:${frame.toString('hex')}`;

export const toLine = (frames) => frames.map(toItem).join(' ');

export const toFrames = (line) =>
  line.split(' ').map((item) => {
    const bytes = Buffer.from(item.slice(2), 'hex');
    return item.startsWith('t:') ? bytes.toString() : bytes;
  });

// === data: binary values are {"$binary": hex} in the files, Buffers for the parsers ===

// Object.fromEntries defines properties, so that a key "__proto__" stays one.
const mapObject = (object, each) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, each(value)]));

const isObject = (value) => typeof value === 'object' && value !== null;

function withBuffers(value) {
  if (!isObject(value)) return value;
  if (Array.isArray(value)) return value.map(withBuffers);
  if (typeof value.$binary === 'string') return Buffer.from(value.$binary, 'hex');
  return mapObject(value, withBuffers);
}

// What has become the prototype of an object, under the key "__proto__", does not make it a Buffer or a Date.
function withoutBuffers(value) {
  if (!isObject(value)) return value;
  if (types.isUint8Array(value)) return { $binary: value.toString('hex') };
  if (types.isArrayBuffer(value)) return { $binary: Buffer.from(value).toString('hex') };
  if (types.isDate(value)) return value;
  return Array.isArray(value) ? value.map(withoutBuffers) : mapObject(value, withoutBuffers);
}

export const hasBinary = (value) =>
  isObject(value) && (typeof value.$binary === 'string' || Object.values(value).some(hasBinary));

// === Engine.IO ===

const isError = ({ type, data }) => type === 'error' && data === 'parser error';

function fromEnginePacket({ type, data }) {
  if (Buffer.isBuffer(data)) return { type, binary: data.toString('hex') };
  return data ? { type, text: data } : { type };
}

const toEnginePacket = ({ type, text, binary }) => ({
  type,
  data: binary === undefined ? text : Buffer.from(binary, 'hex'),
});

function fromEnginePackets(packets) {
  const end = packets.findIndex(isError);
  return end < 0
    ? { out: packets.map(fromEnginePacket) }
    : { out: packets.slice(0, end).map(fromEnginePacket), error: true };
}

function decodePayload3(body) {
  const packets = [];
  engine3.decodePayload(body, (packet) => {
    packets.push(packet);
    return !isError(packet);
  });
  return fromEnginePackets(packets);
}

async function throughStream(stream, chunks) {
  const writer = stream.writable.getWriter();
  for (const chunk of chunks) writer.write(chunk);
  writer.close();
  const out = [];
  for await (const chunk of stream.readable) out.push(chunk);
  return out;
}

// The bytes after the last whole frame: the decoder stream keeps them to itself.
function isStreamCut(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] & 0x7f;
    const header = length < 126 ? 1 : length === 126 ? 3 : 9;
    if (at + header > bytes.length) return true;
    if (length === 126) at += header + bytes.readUInt16BE(at + 1);
    else if (length === 127) at += header + Number(bytes.readBigUInt64BE(at + 1));
    else at += header + length;
    if (at > bytes.length) return true;
  }
  return false;
}

async function decodeStream(chunks) {
  // An empty chunk makes the reference read a header of zero; no network delivers one.
  const stream = engine4.createPacketDecoderStream(defaultMaxPayload, 'nodebuffer');
  const outcome = fromEnginePackets(await throughStream(stream, chunks.filter((chunk) => chunk.length > 0)));
  if (!outcome.error && isStreamCut(Buffer.concat(chunks))) outcome.incomplete = true;
  return outcome;
}

// Each packet comes out as two chunks, its header and the rest.
async function encodeStream(packets) {
  const chunks = await throughStream(engine4.createPacketEncoderStream(), packets.map(toEnginePacket));
  return packets.map((_, i) => Buffer.concat(chunks.slice(2 * i, 2 * i + 2)));
}

// Encoders call back at once.
function called(encode) {
  let result;
  encode((encoded) => (result = encoded));
  return result;
}

const engineDecoders = {
  'engineio-v4-frame': ([frame]) => fromEnginePackets([engine4.decodePacket(frame, 'nodebuffer')]),
  'engineio-v4-payload': ([body]) => fromEnginePackets(engine4.decodePayload(body, 'nodebuffer')),
  'engineio-v3-frame': ([frame]) => fromEnginePackets([engine3.decodePacket(frame)]),
  'engineio-v3-payload': ([body]) => decodePayload3(body),
  'engineio-stream': decodeStream,
};

const encodePayload3 = (packets, supportsBinary) => [
  called((done) => engine3.encodePayload(packets.map(toEnginePacket), supportsBinary, done)),
];

const engineEncoders = {
  'engineio-v4-frame': (packet) => [called((done) => engine4.encodePacket(toEnginePacket(packet), true, done))],
  'engineio-v4-payload': (packets) => [called((done) => engine4.encodePayload(packets.map(toEnginePacket), done))],
  'engineio-v3-frame': (packet) => [
    called((done) => engine3.encodePacket(toEnginePacket(packet), true, false, done)),
  ],
  'engineio-v3-payload-text': (packets) => encodePayload3(packets, false),
  'engineio-v3-payload-binary': (packets) => encodePayload3(packets, true),
  'engineio-stream': encodeStream,
};

// === Socket.IO ===

function fromSocketPacket({ type, nsp, id, data }) {
  const packet = { type: socketTypes[type], nsp };
  if (id !== undefined) packet.id = id;
  if (data !== undefined) packet.data = withoutBuffers(data);
  return packet;
}

function decodeMessages({ Decoder }, frames) {
  const out = [];
  const decoder = new Decoder();
  decoder.on('decoded', (packet) => {
    // How 3.4.3 reports an unknown type.
    if (packet.nsp === undefined) throw new Error(packet.data);
    out.push(fromSocketPacket(packet));
  });
  try {
    for (const frame of frames) decoder.add(frame);
  } catch {
    return { out, error: true };
  }
  return decoder.reconstructor ? { out, incomplete: true } : { out };
}

// 3.4.3 leaves it to its caller to tell binary packets from others.
function encodeMessages({ Encoder }, packet, callerChoosesBinary) {
  let type = socketTypes.indexOf(packet.type);
  if (callerChoosesBinary && (packet.type === 'event' || packet.type === 'ack') && hasBinary(packet.data)) type += 3;
  const native = { ...packet, type, data: withBuffers(packet.data) };
  if (callerChoosesBinary) return called((done) => new Encoder().encode(native, done));
  return new Encoder().encode(native);
}

// The members stand as a server of socket.io puts them; it always names a pid.
function encodeMsgpack({ type, nsp, id, data }) {
  const native = { type: socketTypes.indexOf(type) };
  if (data !== undefined) native.data = withBuffers(data);
  if (type === 'connect' && data && Object.keys(data).join() === 'sid') native.data.pid = undefined;
  const numbered = type === 'ack' ? { id, ...native } : id === undefined ? native : { ...native, id };
  return new msgpack.Encoder().encode({ ...numbered, nsp });
}

// === one entry each way ===

export const codecs = [...Object.keys(engineDecoders), 'socketio-v5', 'socketio-v4', 'socketio-msgpack'];

export const encodings = (codec) =>
  codec === 'engineio-v3-payload' ? [`${codec}-text`, `${codec}-binary`] : [codec];

/** What the reference makes of `frames`: {out, error?, incomplete?}. */
export async function decode(codec, frames) {
  if (codec === 'socketio-v5') return decodeMessages(socket5, frames);
  if (codec === 'socketio-v4') return decodeMessages(socket4, frames);
  if (codec === 'socketio-msgpack') return decodeMessages(msgpack, frames);
  return engineDecoders[codec](frames);
}

/** The frames to which the reference encodes `packet` (payloads: an array of packets). */
export async function encode(encoding, packet) {
  if (encoding === 'socketio-v5') return encodeMessages(socket5, packet, false);
  if (encoding === 'socketio-v4') return encodeMessages(socket4, packet, true);
  if (encoding === 'socketio-msgpack') return encodeMsgpack(packet);
  return engineEncoders[encoding](packet);
}

// MessagePack as trees that keep how each value was written: for the rules, which look at messages, and for the
// generator, which writes the same values otherwise.

// === reading ===

const lengthBytes = (format, narrowest) => 2 ** (format - narrowest);

/** Reads one value at a time; after the end of the bytes it reads nothing more, and `isCut`. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
    this.isCut = false;
    this.promisesTooMuch = false;
  }

  take(size) {
    const start = this.at;
    this.at += size;
    if (this.at > this.bytes.length) this.isCut = true;
    return this.isCut ? Buffer.alloc(0) : this.bytes.subarray(start, this.at);
  }

  unsigned(size) {
    const bytes = this.take(size);
    return bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`);
  }

  length(size) {
    const bytes = this.take(size);
    return bytes.length === 0 ? 0 : bytes.readUIntBE(0, size);
  }

  text(size) {
    const bytes = this.take(size);
    try {
      return { kind: 'string', text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
    } catch {
      return { kind: 'string', text: bytes.toString(), isWrong: true };
    }
  }

  // `width`: the bytes of its length; 0 where the format says it.
  extension(size, width) {
    const [type] = new Int8Array(this.take(1));
    if (width > 0 && type === 0 && size >= 2 ** 24) this.promisesTooMuch = true;
    return { kind: 'extension', type, bytes: this.take(size), width };
  }

  items(count) {
    if (count >= 2 ** 24) this.promisesTooMuch = true;
    const items = [];
    while (items.length < count && !this.isCut) items.push(this.value());
    return items;
  }

  array(count) {
    return { kind: 'array', items: this.items(count) };
  }

  map(count) {
    const parts = this.items(2 * count);
    const members = [];
    for (let i = 0; i + 1 < parts.length; i += 2) members.push([parts[i], parts[i + 1]]);
    return { kind: 'map', members };
  }

  value() {
    const format = this.length(1);
    if (format < 0x80) return { kind: 'integer', integer: BigInt(format) };
    if (format < 0x90) return this.map(format & 0xf);
    if (format < 0xa0) return this.array(format & 0xf);
    if (format < 0xc0) return this.text(format & 0x1f);
    if (format >= 0xe0) return { kind: 'integer', integer: BigInt(format - 0x100) };
    return this.named(format);
  }

  named(format) {
    if (format === 0xc0) return { kind: 'nil' };
    if (format === 0xc2 || format === 0xc3) return { kind: 'boolean', boolean: format === 0xc3 };
    if (format >= 0xc4 && format <= 0xc6) {
      return { kind: 'binary', bytes: this.take(this.length(lengthBytes(format, 0xc4))) };
    }
    if (format >= 0xc7 && format <= 0xc9) {
      const width = lengthBytes(format, 0xc7);
      return this.extension(this.length(width), width);
    }
    if (format === 0xca || format === 0xcb) return this.float(format === 0xca ? 4 : 8);
    if (format >= 0xcc && format <= 0xcf) return { kind: 'integer', integer: this.unsigned(lengthBytes(format, 0xcc)) };
    if (format >= 0xd0 && format <= 0xd3) {
      const size = lengthBytes(format, 0xd0);
      return { kind: 'integer', integer: BigInt.asIntN(8 * size, this.unsigned(size)) };
    }
    if (format >= 0xd4 && format <= 0xd8) return this.extension(lengthBytes(format, 0xd4), 0);
    if (format >= 0xd9 && format <= 0xdb) return this.text(this.length(lengthBytes(format, 0xd9)));
    if (format >= 0xdc && format <= 0xdd) return this.array(this.length(2 * lengthBytes(format, 0xdc)));
    if (format >= 0xde && format <= 0xdf) return this.map(this.length(2 * lengthBytes(format, 0xde)));
    this.isCut = true; // 0xc1, which is no format
    return { kind: 'nil' };
  }

  float(size) {
    const bytes = this.take(size);
    if (this.isCut) return { kind: 'nil' };
    return { kind: 'float', float: size === 4 ? bytes.readFloatBE() : bytes.readDoubleBE() };
  }

}

/** The tree of a message: {tree} or, if it is no MessagePack, {}. `promisesTooMuch`: a length that takes memory. */
export function parse(bytes) {
  const reader = new Reader(bytes);
  const tree = reader.value();
  const isWhole = !reader.isCut && reader.at === bytes.length;
  return { tree: isWhole ? tree : undefined, promisesTooMuch: reader.promisesTooMuch };
}

// === what a tree is in JavaScript ===

const isUndefined = ({ kind, type, width, bytes }) =>
  kind === 'extension' && type === 0 && width === 0 && bytes.length === 1;
const isArrayBuffer = ({ kind, type, width }) => kind === 'extension' && type === 0 && width > 0;
const isDate = ({ kind, type, width, bytes }) =>
  kind === 'extension' && type === 0 && width === 0 && bytes.length === 8;

/** The milliseconds of a timestamp of the specification, which notepack.io reads from 3.0 on. */
function timestamp({ kind, type, width, bytes }) {
  if (kind !== 'extension' || type !== -1) return undefined;
  if (width === 0 && bytes.length === 4) return bytes.readUInt32BE() * 1e3;
  if (width === 0 && bytes.length === 8) {
    const high = bytes.readUInt32BE();
    return ((high & 3) * 2 ** 32 + bytes.readUInt32BE(4)) * 1e3 + (high >>> 2) / 1e6;
  }
  if (width === 1 && bytes.length === 12) {
    return (bytes.readInt32BE(4) * 2 ** 32 + bytes.readUInt32BE(8)) * 1e3 + bytes.readUInt32BE() / 1e6;
  }
  return undefined;
}

/** The value as JSON; what is of interest to a rule is told to `note(name)`. */
function toJson(node, note, depth) {
  switch (node.kind) {
    case 'nil': return null;
    case 'boolean': return node.boolean;
    case 'integer': return Number(node.integer);
    case 'float': return Number.isFinite(node.float) ? node.float : null;
    case 'string': return node.text;
    case 'binary': return binaryToJson(node.bytes, note, depth);
    case 'array':
      if (depth === maxDepth) note('deep');
      return node.items.map((item) => toJson(item, note, depth + 1));
    case 'map': return mapToJson(node, note, depth);
    default: return extensionToJson(node, note, depth);
  }
}

const maxDepth = 1000;

// In JSON it is an object: a placeholder.
function binaryToJson(bytes, note, depth) {
  note('binary');
  if (depth === maxDepth) note('deep');
  return { $binary: bytes.toString('hex') };
}

function mapToJson({ members }, note, depth) {
  if (depth === maxDepth) note('deep');
  const object = new Map();
  for (const [key, value] of members) {
    if (isUndefined(value)) {
      if (key.kind === 'string' && object.has(key.text)) note('undefined again');
      continue;
    }
    if (key.kind !== 'string' && key.kind !== 'integer') note('key');
    const name = key.kind === 'integer' ? String(key.integer) : (key.text ?? '');
    if (key.kind === 'integer' && name !== String(Number(key.integer))) note('long key');
    if (name === '__proto__') note('__proto__');
    object.set(name, toJson(value, note, depth + 1));
  }
  if (object.get('_placeholder') === true) note('like a placeholder');
  return Object.fromEntries(object);
}

function extensionToJson(node, note, depth) {
  const { type, bytes } = node;
  if (isUndefined(node)) return null;
  if (isArrayBuffer(node)) return binaryToJson(bytes, note, depth);
  if (isDate(node)) return new Date(bytes.readInt32BE() * 2 ** 32 + bytes.readUInt32BE(4)).toJSON();
  const time = timestamp(node);
  if (time !== undefined) return note('timestamp'), new Date(time).toJSON();
  if (depth === maxDepth) note('deep');
  return [type, binaryToJson(bytes, note, depth + 1)];
}

// === what a message is as a packet ===

function forEachNode(tree, visit) {
  const due = [[tree, 0]];
  while (due.length > 0) {
    const [node, depth] = due.pop();
    visit(node, depth);
    for (const part of node.items ?? node.members?.flat() ?? []) due.push([part, depth + 1]);
  }
}

const numberOf = ({ kind, integer, float }) =>
  kind === 'integer' ? Number(integer) : kind === 'float' && Number.isInteger(float) ? float : undefined;

const types = ['connect', 'disconnect', 'event', 'ack', 'connect_error'];
const reservedNames = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
const isObject = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !('$binary' in value);

function hasGoodPayload(type, data, note) {
  if (type === 'disconnect') return data === undefined;
  if (type === 'connect') return data === undefined || isObject(data);
  if (type === 'connect_error') {
    if (data === undefined) note('no reason');
    return data === undefined || isObject(data) || typeof data === 'string';
  }
  if (Array.isArray(data) && type === 'event') {
    if (!['string', 'number'].includes(typeof data[0])) note('no name');
    if (reservedNames.includes(data[0])) note('reserved');
  }
  return Array.isArray(data);
}

/**
 * What socketless must make of a message: a `packet` or none, and the `notes` of all that it sees in another way than
 * the reference does.
 */
export function readPacket(message) {
  const notes = new Set();
  const note = (name) => notes.add(name);
  const { tree } = typeof message === 'string' ? {} : parse(message);
  if (!tree) return { notes };
  forEachNode(tree, (node, depth) => {
    if (node.isWrong) note('utf-8');
    if (depth > maxDepth && (node.items || node.members)) note('deep');
  });

  const member = {};
  for (const [key, value] of tree.members ?? []) {
    if (key.kind === 'string' && key.text === '__proto__') note('__proto__');
    if (key.kind === 'string') member[`.${key.text}`] = value;
    else if (key.kind !== 'integer') note('name of a member');
  }
  const { '.type': typeNode, '.nsp': nspNode, '.id': idNode, '.data': dataNode } = member;
  const type = typeNode && types[numberOf(typeNode)];
  if (type === undefined || nspNode?.kind !== 'string') return { notes };
  const nsp = nspNode.text;
  if (!nsp.startsWith('/') || nsp.includes(',')) note('nsp');

  const packet = { type, nsp };
  if (idNode && !isUndefined(idNode)) {
    packet.id = numberOf(idNode);
    if (packet.id === undefined) return { notes };
    if (packet.id < 0 || packet.id > Number.MAX_SAFE_INTEGER) note('id');
  } else if (type === 'ack') {
    note('no id');
  }

  if (dataNode && !isUndefined(dataNode)) {
    packet.data = toJson(dataNode, note, 0);
    if (notes.has('binary') && type.startsWith('connect')) note('binary payload');
    else if (notes.has('binary') && notes.has('like a placeholder')) note('placeholder');
    if (type === 'connect_error' && isDate(dataNode)) note('date as a reason');
  }
  return { packet: hasGoodPayload(type, packet.data, note) ? packet : undefined, notes };
}

// === writing, oddly ===

const head = (format, length, size) => {
  const bytes = Buffer.alloc(1 + size);
  bytes[0] = format;
  bytes.writeUIntBE(length, 1, size);
  return bytes;
};

// A head that is not narrower than it must be: `sizes` are those that there are, from the format `narrowest` on.
function anyHead(random, narrowest, sizes, length) {
  const good = sizes.flatMap((size, i) => (length < 256 ** size ? [[narrowest + i, size]] : []));
  const [format, size] = random.chance(0.5) ? good[0] : random.pick(good);
  return head(format, length, size);
}

function writeInteger(random, integer) {
  const forms = [];
  for (const [i, size] of [1, 2, 4, 8].entries()) {
    const bytes = Buffer.alloc(9);
    bytes.writeBigUInt64BE(BigInt.asUintN(64, integer), 1);
    const tail = bytes.subarray(9 - size);
    if (BigInt.asUintN(8 * size, integer) === integer) forms.push(Buffer.concat([Buffer.of(0xcc + i), tail]));
    if (BigInt.asIntN(8 * size, integer) === integer) forms.push(Buffer.concat([Buffer.of(0xd0 + i), tail]));
  }
  if (integer >= -32n && integer < 128n) forms.push(Buffer.of(Number(integer) & 0xff));
  if (BigInt(Number(integer)) === integer) forms.push(writeFloat(random, Number(integer)));
  return random.pick(forms);
}

function writeFloat(random, float) {
  const bytes = Buffer.alloc(9);
  const isNarrow = Object.is(Math.fround(float), float) && random.chance(0.5);
  bytes[0] = isNarrow ? 0xca : 0xcb;
  if (isNarrow) bytes.writeFloatBE(float, 1);
  else bytes.writeDoubleBE(float, 1);
  return bytes.subarray(0, isNarrow ? 5 : 9);
}

function writeExtension(random, type, bytes, hasLength) {
  const fixed = Math.log2(bytes.length);
  const start = hasLength || !Number.isInteger(fixed) || fixed > 4
    ? anyHead(random, 0xc7, [1, 2, 4], bytes.length)
    : Buffer.of(0xd4 + fixed);
  return Buffer.concat([start, Buffer.of(type & 0xff), bytes]);
}

const someTypes = [1, 5, 127, -1, -2, -128];
const manySizes = [0, 1, 2, 3, 4, 8, 12, 16, 17];
const floats = [NaN, Infinity, -Infinity, -0, 1e300, 0.1, 3.5, 2 ** 53, 2 ** 63, 2 ** 64];

// Dates of many years are `near` 1970: the others are most often out of range.
const near = (random, sign) =>
  Buffer.concat([Buffer.of(sign, sign, Math.abs(sign - random.below(99))), random.bytes(5)]);

// What JSON has not.
const strangers = [
  (random) => writeExtension(random, 0, random.bytes(1), false), // undefined
  (random) => writeExtension(random, 0, random.bytes(random.pick([...manySizes, 300])), true), // an ArrayBuffer
  (random) => writeExtension(random, 0, random.bytes(8), false), // Dates
  (random) => writeExtension(random, 0, near(random, random.pick([0, 0xff])), false),
  (random) => writeExtension(random, -1, random.bytes(random.pick([4, 8])), false), // timestamps
  (random) => writeExtension(random, -1, Buffer.concat([random.bytes(4), near(random, random.pick([0, 0xff]))]), true),
  (random) => writeExtension(random, random.pick(someTypes), random.bytes(random.pick(manySizes)), random.chance(0.3)),
  (random) => writeFloat(random, random.pick(floats)),
  (random) => writeInteger(random, random.pick(edges)),
];

/** Integers of 64 bits about which encoders and decoders change their minds. */
export const edges = [5n, 7n, 8n, 15n, 16n, 31n, 32n, 52n, 53n, 54n, 62n, 63n, 64n]
  .flatMap((bits) => [2n ** bits - 1n, 2n ** bits, 2n ** bits + 1n, -(2n ** bits) - 1n, -(2n ** bits), 1n - 2n ** bits])
  .filter((integer) => integer >= -(2n ** 63n) && integer < 2n ** 64n);

function writeMembers(random, { members }, isPacket, strangeness) {
  const inOrder = isPacket && random.chance(0.3) ? members.toSorted(() => random.below(3) - 1) : members;
  const parts = inOrder.flatMap(([key, value]) => {
    const mayBeStrange = !isPacket || key.text === 'data' || key.text === 'id';
    const [name, item] = [write(random, key, 0), write(random, value, mayBeStrange ? strangeness : 0)];
    if (!random.chance(strangeness / 4)) return [name, item];
    const other = random.pick([...strangers, () => writeInteger(random, 7n), () => Buffer.of(0xa1, 0x61)])(random);
    // Doubled, with another value, with another key.
    return random.pick([
      [name, item, name, item],
      [name, other, name, item],
      [name, item, name, other],
      [name, item, other, item],
    ]);
  });
  return [parts.length / 2, parts];
}

function write(random, node, strangeness, isPacket = false) {
  if (!isPacket && random.chance(strangeness)) return random.pick(strangers)(random);
  switch (node.kind) {
    case 'nil': return Buffer.of(0xc0);
    case 'boolean': return Buffer.of(node.boolean ? 0xc3 : 0xc2);
    case 'integer': return writeInteger(random, node.integer);
    case 'float': return writeFloat(random, node.float);
    case 'binary': return Buffer.concat([anyHead(random, 0xc4, [1, 2, 4], node.bytes.length), node.bytes]);
    case 'extension': return writeExtension(random, node.type, node.bytes, node.width > 0);
    case 'string': {
      const bytes = Buffer.from(node.text);
      const isShort = bytes.length < 32 && random.chance(0.8);
      const start = isShort ? Buffer.of(0xa0 | bytes.length) : anyHead(random, 0xd9, [1, 2, 4], bytes.length);
      return Buffer.concat([start, bytes]);
    }
    case 'array': {
      const items = node.items.map((item) => write(random, item, strangeness));
      return writeItems(random, items.length, 0x90, 0xdc, items);
    }
    default: {
      const [count, parts] = writeMembers(random, node, isPacket, strangeness);
      return writeItems(random, count, 0x80, 0xde, parts);
    }
  }
}

function writeItems(random, count, fix, narrowest, parts) {
  const start = count < 16 && random.chance(0.8) ? Buffer.of(fix | count) : anyHead(random, narrowest, [2, 4], count);
  return Buffer.concat([start, ...parts]);
}

/** The values of a good message in other widths, with values in some places that JSON has not. */
export function writeOddly(random, message) {
  return write(random, parse(message).tree, random.pick([0, 0, 0.02, 0.1]), true);
}

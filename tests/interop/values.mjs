// The values that the tests send, and bytes as JSON lines have them: {"$binary":"hex"}.
export const values = [
    null, true, false, 0, -1, 42, 2 ** 53 - 1, -(2 ** 53 - 1), 0.1, -1.5e-7, 1.7976931348623157e308, 5e-324,
    '', 'text', 'ä€😀\u{10ffff}', '\0\b\f\n\r\t"\\/\u001f\u007f\u2028', '😀'.repeat(1000), 'long '.repeat(20_000),
    // Around the ends of MessagePack's widths.
    [7, 8, 15, 16, 31, 32, 53].flatMap((bits) => [-1, 0, 1].map((more) => Math.min(2 ** bits + more, 2 ** 53 - 1))),
    [5, 7, 15, 31, 32, 53].flatMap((bits) => [-1, 0, 1].map((more) => Math.max(more - 2 ** bits, 1 - 2 ** 53))),
    [31, 32, 255, 256, 65_535, 65_536].map((size) => 'x'.repeat(size)),
    ...[15, 16, 65_536].map((size) => Array(size).fill(1)),
    ...[15, 16, 300].map((size) => Object.fromEntries(Array.from({ length: size }, (_, i) => [`key ${i}`, [i]]))),
    [], {}, [[]], [null], { '': '' }, { a: { b: [{ c: [1, 'two', null, { d: false }] }] } }, { 'key "ü"': 'value' },
];
// Those that notepack.io 2, on which npm's parser of MessagePack stands, sends as they are: no integer beyond 2^64.
export const packable = values.filter((value) => value !== Number.MAX_VALUE);
export const names = ['', 'a"b\\', 'ä 😀', '__proto__', 'toString', '0', 'ack'];
export const bytes = (size) => Buffer.from({ length: size }, (_, i) => i * 7 + (i >> 8));
export const numbers = (count) => Array.from({ length: count }, (_, i) => i);

export const pack = (_, value) => (value?.type === 'Buffer' ? { $binary: Buffer.from(value.data).toString('hex') } : value);
export const unpack = (_, value) => (value?.$binary === undefined ? value : Buffer.from(value.$binary, 'hex'));

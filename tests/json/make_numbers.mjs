// Makes tests/data/numbers.jsonl: doubles and what JavaScript prints for them. Seeded, so that it makes the same file
// each time: node tests/json/make_numbers.mjs
import { writeFileSync } from "node:fs";

const view = new DataView(new ArrayBuffer(8));

function fromBits(bits) {
    view.setBigUint64(0, bits);
    return view.getFloat64(0);
}

function toBits(number) {
    view.setFloat64(0, number);
    return view.getBigUint64(0);
}

// SplitMix64
let state = 20240229n;
function random() {
    const mask = (1n << 64n) - 1n;
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let z = state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask;
    return z ^ (z >> 31n);
}

function below(bound) {
    return Number(random() % BigInt(bound));
}

const numbers = [];
const add = (...more) => numbers.push(...more);

// The number and its neighbours
function around(number) {
    const bits = toBits(number);
    add(number, fromBits(bits + 1n), fromBits(bits - 1n));
}

// Where the notation changes, and all powers of ten near there
for (let exponent = -30; exponent <= 30; ++exponent) {
    around(Number(`1e${exponent}`));
    for (const digits of ["-1", "1.5", "9.875", "123456789"]) add(Number(`${digits}e${exponent}`));
}
for (let exponent = -324; exponent <= 308; exponent += 3)
    add(Number(`1e${exponent}`), Number(`${1 + below(9)}.${below(1e9)}e${exponent}`));

// The ends of the range
around(2.2250738585072014e-308);
add(Number.MAX_VALUE, -Number.MAX_VALUE, Number.MIN_VALUE, -Number.MIN_VALUE, 0, -0, 1, -1);

// Integers around the last that has a neighbour at distance 1, and smaller ones
for (let i = -20; i <= 20; ++i) add(2 ** 53 + i, -(2 ** 53) + i, 2 ** 52 + i / 2, 2 ** 54 + 4 * i, 2 ** 63 + 4096 * i);
for (let i = 0; i !== 100; ++i) add(below(2 ** 20), -below(2 ** 40), below(2 ** 52));

// Powers of two: the neighbour below is only half as far as the one above
for (let exponent = -1074; exponent <= 1023; exponent += 7) around(2 ** exponent);

// Subnormal numbers
for (let i = 1; i <= 20; ++i) add(i * Number.MIN_VALUE);
for (let i = 0; i !== 200; ++i) add(fromBits((random() & ((1n << 52n) - 1n)) >> BigInt(below(52))));

// Numbers that naive algorithms print with a digit too many or a wrong last digit
add(
    5e-324, 1e23, 8.41e21, 9.5e-7, 2.0019881e-5, 4.35, 0.1, 0.2, 0.3, 0.1 + 0.2, 1 / 3, 2 / 3, 100 / 3,
    4.9e-324, 9007199254740993, 1.7976931348623157e308, 2.98023223876953125e-8, 9.0608011534336e15,
    5.764607523034235e39, 1.152921504606847e40, 2.305843009213694e40, 1.2345e-7, 123456.7890625, 5.0e-5,
    4.4501477170144023e-308, 2.2250738585072011e-308, 1.8014398509481984e16, 2.9802322387695312e-8,
    43845.4375, 299792458, 6.62607015e-34, 1.3588e14,
);

// Few digits at every scale
for (let i = 0; i !== 300; ++i) add(Number(`${below(10 ** (1 + below(6)))}e${below(60) - 35}`));
// Prices, coordinates and the like
for (let i = 0; i !== 200; ++i) add(below(1e7) / 100, (below(2e9) - 1e9) / 1e6);

// Any bits at all
for (let i = 0; i !== 700; ++i) {
    const number = fromBits(random());
    if (Number.isFinite(number)) add(number);
}

const lines = new Map();
for (const number of numbers) {
    if (!Number.isFinite(number)) continue;
    const bits = toBits(number).toString(16).padStart(16, "0");
    lines.set(bits, JSON.stringify({ bits, text: JSON.stringify(number) }));
}
writeFileSync(new URL("../data/numbers.jsonl", import.meta.url), [...lines.values()].join("\n") + "\n");

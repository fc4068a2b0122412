// The differential test of numbers: doubles that the library prints and Node prints, numerals that both read. There are
// no rules: each difference fails.
//
//     node numbers.mjs --numbers PATH [--seed N] [--count N]

import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

import { createRandom } from './generate.mjs';

const { values: options } = parseArgs({
  options: {
    numbers: { type: 'string' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '10000000' }, // printed; a third as many are read
  },
});
if (!options.numbers) {
  console.error('usage: node numbers.mjs --numbers PATH [--seed N] [--count N]');
  process.exit(2);
}
const batch = 500_000;
const shownFailures = 10;
let failures = 0;

const { below, pick, chance } = createRandom(Number(options.seed));

const scratch = new Float64Array(1);
const scratchBits = new BigUint64Array(scratch.buffer);
const scratchWords = new Uint32Array(scratch.buffer);

function neighbour(number, distance) {
  scratch[0] = number;
  scratchBits[0] += BigInt(distance);
  return scratch[0];
}

function randomBits() {
  do {
    scratchWords[0] = below(2 ** 32);
    scratchWords[1] = below(2 ** 32);
  } while (!Number.isFinite(scratch[0]));
  return scratch[0];
}

// === doubles ===

// Powers of two and of ten and their neighbours, ends of notations, small multiples of the smallest double.
function* special() {
  for (let exponent = -1074; exponent <= 1023; ++exponent)
    for (let distance = -4; distance <= 4; ++distance) yield neighbour(2 ** exponent, distance);
  for (let exponent = -323; exponent <= 308; ++exponent)
    for (const digit of [1, 2, 5, 9, 9.5])
      for (let distance = -4; distance <= 4; ++distance) yield neighbour(Number(`${digit}e${exponent}`), distance);
  for (let n = -100; n <= 100; ++n) yield* [n, 2 ** 53 + n, 2 ** 53 - n, n * Number.MIN_VALUE, 1e21 + n * 131072, neighbour(1e-7, n)];
  yield* [0, -0, Number.MAX_VALUE, -Number.MAX_VALUE];
}

const kinds = [
  randomBits,
  randomBits,
  () => (below(2e9) - 1e9) / 10 ** below(12), // prices, coordinates
  () => Number(`${below(10 ** (1 + below(9)))}e${below(60) - 40}`),
  () => (below(2 ** 32) * 2 ** 21 + below(2 ** 21)) / 2 ** 53,
  () => below(2 ** 32) * 2 ** below(33) + below(2 ** 20), // integers up to 2^64
  () => (2 ** 52 + below(2 ** 32) * 2 ** 20) / 2 ** below(12) + pick([0, 0.25, 0.5, 0.75]), // half-way between decimals
  () => neighbour(Number(`${below(1e9)}${below(1e8)}e${below(600) - 310}`) || 1, below(5) - 2),
];

const doubles = special();

function randomDouble() {
  const next = doubles.next();
  const number = next.done ? pick(kinds)() : next.value;
  return Number.isFinite(number) ? number : randomBits();
}

// === numerals ===

const randomDigits = (size) => Array.from({ length: size }, () => below(10)).join('');

// All digits of a number half-way between two doubles: it has 54 bits, and `exponent` is not far from 0.
function tie() {
  const significand = (2n ** 52n + BigInt(below(2 ** 32)) * 2n ** 20n + BigInt(below(2 ** 20))) * 2n + 1n;
  const exponent = below(90) - 50;
  if (exponent >= 0) return String(significand << BigInt(exponent));
  return `${significand * 5n ** BigInt(-exponent)}e${exponent}`;
}

const numerals = [
  () => `${1 + below(9)}${randomDigits(below(25))}`,
  () => `${below(1000)}.${randomDigits(1 + below(22))}`,
  () => `${1 + below(9)}.${randomDigits(1 + below(24))}e${below(660) - 345}`,
  () => `${1 + below(9)}${randomDigits(below(19))}E+${below(310)}`,
  () => `0.${'0'.repeat(below(30))}${randomDigits(1 + below(20))}`,
  () => String(randomDouble()),
  tie,
  () => tie().replace(/$|e/, (end) => `${pick(['.0', '.00000001', '.5'])}${end}`), // a little above, or on it
];

function randomNumeral() {
  const text = pick(numerals)();
  return chance(0.3) && !text.startsWith('-') ? `-${text}` : text;
}

// === the comparison ===

function run(what, input) {
  const { status, stdout, stderr } = spawnSync(options.numbers, [what], { input, maxBuffer: 2 ** 30 });
  if (status !== 0) throw new Error(`numbers ${what} failed: ${stderr}`);
  return stdout;
}

function differ(what, input, ours, theirs) {
  if (++failures <= shownFailures) console.error(`${what} ${input}: socketless ${ours}, Node ${theirs}`);
}

function comparePrinted(count) {
  const numbers = Float64Array.from({ length: count }, randomDouble);
  const lines = run('print', Buffer.from(numbers.buffer)).toString('latin1').split('\n');
  if (lines.length !== count + 1) throw new Error(`${count} doubles, but ${lines.length - 1} lines`);
  for (let i = 0; i < count; ++i) {
    const theirs = String(numbers[i]);
    if (lines[i] !== theirs) differ('printed', theirs, lines[i], theirs);
  }
}

function compareRead(count) {
  const lines = Array.from({ length: count }, randomNumeral);
  const output = run('read', `${lines.join('\n')}\n`);
  if (output.length !== count * 8) throw new Error(`${count} lines, but ${output.length} bytes`);
  const numbers = new Float64Array(new Uint8Array(output).buffer);
  for (let i = 0; i < count; ++i) {
    const theirs = Number(lines[i]);
    if (!Object.is(numbers[i], Number.isFinite(theirs) ? theirs : Infinity)) differ('read', lines[i], numbers[i], theirs);
  }
}

function compareMany(count, compare) {
  for (let left = count; left > 0; left -= batch) compare(Math.min(batch, left));
}

const count = Number(options.count);
compareMany(count, comparePrinted);
compareMany(Math.ceil(count / 3), compareRead);
console.log(`${count} doubles printed, ${Math.ceil(count / 3)} numerals read: ${failures} differences`);
process.exit(failures === 0 ? 0 : 1);

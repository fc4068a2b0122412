// The differential test: random and broken input through the reference JavaScript codecs and through `transcode`.
// Each difference must fall under a rule of rules.mjs; any other difference fails, and so does a rule that is never
// used.
//
//     npm ci
//     node differential.mjs --transcode PATH [--seed N] [--count N] [--codec NAME]

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual, parseArgs } from 'node:util';

import { createRandom, mutate, randomPacket, vary } from './generate.mjs';
import { codecs, encode, encodings, toFrames, toLine } from './reference.mjs';
import { encodeRules, expectDecoded, expectEncoded, rules } from './rules.mjs';

const { values: options } = parseArgs({
  options: {
    transcode: { type: 'string' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '20000' },
    codec: { type: 'string' },
  },
});
const count = Number(options.count);
const shownFailures = 10;
// Codecs with more to choose from.
const shares = { 'socketio-msgpack': 1.7 };

if (!options.transcode) {
  console.error('usage: node differential.mjs --transcode PATH [--seed N] [--count N] [--codec NAME]');
  process.exit(2);
}

// === the corpus ===

function vectorLines(codec) {
  const name = /^socketio-v/.test(codec) ? `${codec}-packet` : codec;
  const file = new URL(`../data/vectors/${name}.jsonl`, import.meta.url);
  if (!existsSync(file)) return [];
  const rows = readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  return rows.map((row) => row.in.join(' '));
}

const exampleLines = (list, codec) => list.flatMap((rule) => rule.examples[codec] ?? []);

// A seed of its own for each codec: --codec gives it the same inputs as a whole run.
const seedFor = (name) => [...name].reduce((hash, c) => Math.imul(hash, 31) + c.charCodeAt(0), Number(options.seed));

const countFor = (name) => count * (shares[name] ?? 1);

/** `count` encodings of random packets and as many mutations, of those and of the vectors. */
async function decodeCases(codec) {
  const random = createRandom(seedFor(codec));
  const examples = exampleLines(rules, codec);
  const vectors = vectorLines(codec);
  const lines = [...examples, ...vectors];
  let others = toFrames(lines[0]);
  for (let i = 0; i < countFor(codec); ++i) {
    const encoding = random.pick(encodings(codec));
    const frames = vary(random, codec, await encode(encoding, randomPacket(random, encoding)));
    const start = random.chance(0.2) ? toFrames(random.pick(random.chance(0.5) ? examples : lines)) : frames;
    lines.push(toLine(frames), toLine(mutate(random, codec, start, others)));
    others = frames;
  }
  return lines;
}

function encodeCases(encoding) {
  const random = createRandom(seedFor(encoding) + 1);
  const lines = exampleLines(encodeRules, encoding);
  for (let i = 0; i < countFor(encoding); ++i) lines.push(JSON.stringify(randomPacket(random, encoding)));
  return lines;
}

// === the tool ===

function transcode(direction, codec, lines) {
  const { stdout, stderr, status, signal, error } = spawnSync(options.transcode, [direction, codec], {
    input: lines.map((line) => `${line}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: Infinity,
  });
  const answers = (stdout ?? '').split('\n').slice(0, -1);
  if (error || status !== 0 || answers.length !== lines.length) {
    const why = error?.message ?? `ended with ${signal ?? status} after ${answers.length} of ${lines.length} lines`;
    console.error(`transcode ${direction} ${codec}: ${why}\n${stderr ?? ''}near: ${lines[answers.length] ?? ''}`);
    process.exit(1);
  }
  return answers;
}

// === the comparison ===

const normalPacket = ({ text, ...packet }) => (text ? { ...packet, text } : packet);

const normalOutcome = ({ out = [], error, incomplete }) => ({
  out: out.map(normalPacket),
  end: error ? 'error' : incomplete ? 'incomplete' : 'done',
});

// JSON.stringify cannot write -0 and infinite numbers: these are not compared.
const throughJson = (value) => JSON.parse(JSON.stringify(value));

async function judgeDecoded(codec, line, answer) {
  const { outcome, reference, rule, errors } = await expectDecoded(codec, toFrames(line));
  const actual = JSON.parse(answer);
  const rightError = !errors || errors.includes(actual.error);
  const agrees = rightError && isDeepStrictEqual(normalOutcome(actual), normalOutcome(throughJson(outcome)));
  return { agrees, rule, reference: JSON.stringify(reference) };
}

async function judgeEncoded(encoding, line, answer) {
  const { outcome, reference, rule } = await expectEncoded(encoding, JSON.parse(line));
  const agrees = answer === (outcome ? toLine(outcome) : JSON.stringify({ error: rule.error }));
  return { agrees, rule, reference: toLine(reference) };
}

async function run(direction, codec, lines, judge) {
  const answers = transcode(direction, codec, lines);
  const row = { direction, codec, cases: lines.length, equal: 0, byRule: new Map(), failures: 0 };
  for (const [i, line] of lines.entries()) {
    const { agrees, rule, reference } = await judge(codec, line, answers[i]);
    if (agrees && rule) row.byRule.set(rule.name, (row.byRule.get(rule.name) ?? 0) + 1);
    else if (agrees) ++row.equal;
    else if (++row.failures <= shownFailures) {
      console.error(`${direction} ${codec}, seed ${options.seed}, case ${i}, ${rule ? `rule '${rule.name}'` : 'no rule'}`);
      console.error(`  input      ${line}\n  reference  ${reference}\n  transcode  ${answers[i]}`);
    }
  }
  return row;
}

// === the report ===

function printLine(name, direction, ...numbers) {
  console.log(name.padEnd(28) + direction.padEnd(10) + numbers.map((n) => String(n).padStart(9)).join(''));
}

function printTable(rows) {
  printLine('codec', 'direction', 'cases', 'equal', 'by rule', 'failed');
  const total = [0, 0, 0, 0];
  for (const { codec, direction, cases, equal, byRule, failures } of rows) {
    const ruled = [...byRule.values()].reduce((sum, n) => sum + n, 0);
    const numbers = [cases, equal, ruled, failures];
    printLine(codec, direction, ...numbers);
    for (const [name, n] of byRule) console.log(`${String(n).padStart(10)}  ${name}`);
    numbers.forEach((n, i) => (total[i] += n));
  }
  printLine('total', '', ...total);
}

// A rule must be of use to every codec that it names.
function deadRules(rows, direction, list) {
  const ran = rows.filter((row) => row.direction === direction);
  const dead = ran.flatMap(({ codec, byRule }) =>
    list.filter(({ codecs, name }) => codecs.includes(codec) && !byRule.has(name)).map(({ name }) => `${codec}: '${name}'`),
  );
  return dead.map((rule) => `rule never used: ${direction} ${rule}`);
}

const chosen = codecs.filter((codec) => !options.codec || codec === options.codec);
if (chosen.length === 0) {
  console.error(`unknown codec; there are ${codecs.join(', ')}`);
  process.exit(2);
}

const rows = [];
for (const codec of chosen) {
  rows.push(await run('decode', codec, await decodeCases(codec), judgeDecoded));
  for (const encoding of encodings(codec)) {
    rows.push(await run('encode', encoding, encodeCases(encoding), judgeEncoded));
  }
}

const dead = [...deadRules(rows, 'decode', rules), ...deadRules(rows, 'encode', encodeRules)];
for (const message of dead) console.error(message);
printTable(rows);
process.exitCode = dead.length > 0 || rows.some(({ failures }) => failures > 0) ? 1 : 0;

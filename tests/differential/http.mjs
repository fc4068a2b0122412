// The differential test of HTTP: random and broken requests through Node's own parser and through `transcode`. What
// socketless accepts, Node must accept with the same meaning: method, target, fields, body, and where the next request
// begins. A difference must fall under one of the rules; any other fails, and so does a rule that is never used.
//
//     node http.mjs --transcode PATH [--seed N] [--count N]

import { spawnSync } from 'node:child_process';
import { METHODS } from 'node:http';
import { parseArgs } from 'node:util';

import { createRandom } from './generate.mjs';

process.noDeprecation = true; // the parser has no public name
const { HTTPParser, methods, allMethods = methods } = process.binding('http_parser');

const { values: options } = parseArgs({
  options: {
    transcode: { type: 'string' },
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '200000' },
  },
});
if (!options.transcode) {
  console.error('usage: node http.mjs --transcode PATH [--seed N] [--count N]');
  process.exit(2);
}
const batch = 20_000;
const shownFailures = 10;

// === the requests ===

const random = createRandom(Number(options.seed));
const { pick, chance, below } = random;

const fields = [
  'Host: a', 'Host: example.org:3000', 'Host: [::1]', 'host:a', 'Host:', 'Host: a\r\nHost: a',
  'Content-Length: 5', 'Content-Length: 0', 'Content-Length:3 ', 'content-length: 5, 5', 'Content-Length: 5\r\nContent-Length: 5',
  'Content-Length: 05', 'Content-Length: +5', 'Content-Length: 5,6', 'Content-Length: 1e1', 'Content-Length: 99999999999999999999', 'Content-Length: 99999999999999999',
 
  'Transfer-Encoding: chunked', 'Transfer-Encoding:\tCHUNKED ', 'Transfer-Encoding: gzip, chunked', 'Transfer-Encoding: ,chunked',
  'Transfer-Encoding: chunked,', 'Transfer-Encoding: identity', 'Transfer-Encoding: chunked, chunked', 'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity', 'TE: trailers',
  'Connection: close', 'Connection: keep-alive', 'Connection: a, Close , b', 'Connection: Keep-Alive, x', 'Connection:',
  'Expect: 100-continue', 'Accept: */*', 'X: \t a b \t', 'X:', 'X: \x80\xff', 'X: a\r\n b', 'X: a\tb', 'X: "q,\\""', "!#$%&'*+-.^_`|~: x",
  'X\t: a', ' X: a', 'X: a\nY: b', 'X: \x00', 'X: \x7f', 'X: a\rb', 'X', ': x', 'Cookie: a=b; c=d', `L: ${'x'.repeat(300)}`,
];

const harmless = ['Accept: */*', 'X:', 'X: \t a b \t', 'Connection: keep-alive', 'Expect: 100-continue', 'X: \x80\xff', 'TE: trailers'];

const targets = [
  '/', '/socket.io/?EIO=4&transport=polling', '/a b', '/%zz', '/?a=[]{}|^`"<>\\', '/a#b', '*', 'http://b/', 'http://b:80/x?y', 'HTTPS://b',
  'http://b?c', 'http://u@b/', 'ftp://b/', '//b/c', '', 'a', '/\x80', '/\x7f', '/;a=b', `/${'a'.repeat(200)}`, 'ws://c/d', 'http://[::1]:3/x',
];

const chunks = [
  '5\r\nhello\r\n', '1\r\na\r\n', 'A\r\n0123456789\r\n', '0a\r\n0123456789\r\n', '5;x\r\nhello\r\n', '5;x=y;z="q"\r\nhello\r\n',
  '5; x = y\r\nhello\r\n', '5;\r\nhello\r\n', '5;="\r\nhello\r\n', '5 \r\nhello\r\n', '+5\r\nhello\r\n', '0x5\r\nhello\r\n', '5\nhello\r\n',
  '5\r\nhello\n', '5\r\nhello', '00000000000000005\r\nhello\r\n', 'fffffffffffffffff\r\nhello\r\n', '5;x\n\r\nhello\r\n', ';x\r\n', '5;\x80\r\nhello\r\n',
  '5;a"b\r\nhello\r\n',
];

const ends = ['0\r\n\r\n', '0\r\n\r\n', '0\r\n\r\n', '000\r\n\r\n', '0;x\r\n\r\n', '0\r\nT: u\r\n\r\n', '0\r\nT : u\r\n\r\n', '0\r\n\n', '0\r\nT\r\n\r\n', ''];

const versions = ['HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'HTTP/2.0', 'HTTP/0.9', 'http/1.1', 'HTTP/1.1 '];

const ordinary = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH'];

function randomRequest() {
  const method = chance(0.95) ? pick(ordinary) : pick([...METHODS, 'get', 'FOO', 'G ET', '']);
  const target = chance(0.85) ? targets[below(2)] : pick(targets);
  const lines = [`${method} ${target} ${chance(0.9) ? 'HTTP/1.1' : pick(versions)}`];
  if (chance(0.97)) lines.push('Host: a');
  const framing = below(3);
  const data = 'hello world'.slice(0, below(12));
  if (framing === 1) lines.push(`Content-Length: ${data.length}`);
  if (framing === 2) lines.push('Transfer-Encoding: chunked');
  for (let n = below(4); n > 0; --n) lines.splice(1 + below(lines.length), 0, chance(0.85) ? pick(harmless) : pick(fields));
  let body = framing === 1 ? data : '';
  if (framing === 2) {
    for (let n = below(3); n > 0; --n) body += chance(0.9) ? chunks[below(6)] : pick(chunks);
    body += chance(0.8) ? ends[0] : pick(ends);
  }
  return `${chance(0.1) ? '\r\n' : ''}${lines.join('\r\n')}\r\n\r\n${body}`;
}

const odd = ['\r', '\n', '\r\n', ' ', '\t', '\0', ':', ',', ';', '0', '5', 'a', '\x0b', '\x80', '/', '-', '+', '"', '\r\n\r\n'];

function mutate(text) {
  const at = below(text.length + 1);
  switch (below(4)) {
    case 0: return text.slice(0, at) + pick(odd) + text.slice(at);
    case 1: return text.slice(0, at) + text.slice(at + 1 + below(3));
    case 2: return text.slice(0, at) + String.fromCharCode(below(256)) + text.slice(at + 1);
    default: return text.slice(0, at);
  }
}

function randomConnection() {
  let text = randomRequest();
  while (chance(0.3)) text += randomRequest();
  for (let n = chance(0.5) ? 0 : 1 + below(3); n > 0; --n) text = mutate(text);
  return text;
}

// === Node ===

const parser = new HTTPParser();

function readWithNode(text) {
  const requests = [];
  let early = []; // fields that come before the end of the head, and the target with them
  let earlyTarget = '';
  let current;
  parser.initialize(HTTPParser.REQUEST, {}, 0, 0);
  parser[HTTPParser.kOnHeaders | 0] = (more, target) => {
    early.push(...more);
    earlyTarget += target;
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (major, minor, rest, method, target, status, words, upgrade, keepAlive) => {
    current = {
      method: allMethods[method], target: target ?? earlyTarget, version: minor, keepAlive, upgrade,
      fields: [...early, ...(rest ?? [])], body: '', ended: false,
    };
    [early, earlyTarget] = [[], ''];
    requests.push(current);
    return 0;
  };
  parser[HTTPParser.kOnBody | 0] = (bytes) => { current.body += Buffer.from(bytes).toString('latin1'); };
  parser[HTTPParser.kOnMessageComplete | 0] = () => {
    current.ended = true;
    [early, earlyTarget] = [[], '']; // trailers
  };
  const result = parser.execute(Buffer.from(text, 'latin1'));
  return { requests, error: result instanceof Error ? result.code : undefined };
}

// === the rules ===

const valuesOf = ({ fields: list }, name) =>
  list.flatMap((text, i) => (i % 2 === 0 && text.toLowerCase() === name ? [list[i + 1]] : []));

// Where the two may differ. `applies` sees what socketless has read, what Node has (if it has read it at all), and
// Node's error; `inText` must be in the input.
const rules = [
  {
    name: 'any token is a method',
    says: 'method SP target SP HTTP/1.0 or 1.1',
    applies: (ours, theirs) => !theirs && !METHODS.includes(ours.method),
    examples: ['FOO / HTTP/1.1\r\nHost: a\r\n\r\n'],
  },
  {
    name: 'several lengths that agree are one',
    says: 'Content-Length (digits only; several that agree are one, else 400)',
    applies: (ours, theirs) => !theirs && valuesOf(ours, 'content-length').join().includes(','),
    examples: ['PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2, 2\r\n\r\nab'],
  },
  {
    name: 'a tab may stand behind a value',
    says: 'RFC 9112, 5: field-line = field-name ":" OWS field-value OWS; a tab is white space',
    applies: (ours, theirs, error) =>
      /^HPE_INVALID_(CONTENT_LENGTH|TRANSFER_ENCODING)$/.test(error) && (theirs?.body ?? '') === '',
    inText: /^(content-length|transfer-encoding):[^\r\n]*\t\r$/im,
    examples: [
      'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\t\r\n\r\nab',
      'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n',
    ],
  },
  {
    name: 'close counts wherever it stands',
    says: 'Connection: close end after the answer (Node takes the last line, and does not see it before a tab)',
    applies: (ours, theirs) =>
      theirs?.keepAlive && !ours.keepAlive && isSame({ ...ours, keepAlive: true }, theirs, false) &&
      valuesOf(ours, 'connection').some((list) => list.split(',').some((word) => word.trim().toLowerCase() === 'close')),
    examples: [
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\t\r\n\r\n',
      'GET / HTTP/1.0\r\nConnection: close\r\nConnection: keep-alive\r\n\r\n',
    ],
  },
  {
    name: 'chunk extensions are skipped, whatever they say',
    says: 'Limits [...]: chunk extensions and trailers 4 KiB. No control characters.',
    applies: (ours, theirs, error) =>
      theirs && error === 'HPE_STRICT' && valuesOf(ours, 'transfer-encoding').length > 0 && ours.body.startsWith(theirs.body),
    inText: /^[0-9a-f]+;/im,
    examples: ['PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;\r\nab\r\n0\r\n\r\n'],
  },
];

// === the comparison ===

const fromHex = (hex) => Buffer.from(hex, 'hex').toString('latin1');

const readable = ({ method, target, fields: list, body, ...rest }) => ({
  ...rest, method: fromHex(method), target: fromHex(target), fields: list.map(fromHex), body: fromHex(body),
});

const withoutAuthority = (target) => target.replace(/^[a-z]+:\/\/[^/?]*/i, '');

// A request that socketless has refused within its body may go on in Node.
const isSameBody = (ours, theirs, isRefused) =>
  isRefused && !ours.ended ? theirs.body.startsWith(ours.body) : ours.body === theirs.body && ours.ended === theirs.ended;

const isSame = (ours, theirs, isRefused) =>
  theirs !== undefined && ours.method === theirs.method && ours.version === theirs.version &&
  ours.target === withoutAuthority(theirs.target) && ours.keepAlive === theirs.keepAlive &&
  ours.fields.length === theirs.fields.length && ours.fields.every((text, i) => text === theirs.fields[i]) &&
  isSameBody(ours, theirs, isRefused);

// Compares request by request. After the first difference the two are at different bytes.
function judge(text, answer) {
  const ours = answer.requests.map(readable);
  const node = readWithNode(text);
  for (const [i, request] of ours.entries()) {
    const theirs = node.requests[i];
    if (isSame(request, theirs, Boolean(answer.error))) {
      if (!request.keepAlive) break; // the connection ends here: what follows is nobody's
      continue;
    }
    const rule = rules.find(({ applies, inText }) => applies(request, theirs, node.error) && (inText?.test(text) ?? true));
    return { rule, failed: !rule, request, theirs, node };
  }
  return { accepted: ours.length > 0 && !answer.error, refused: Boolean(answer.error), node };
}

function transcode(texts) {
  const input = texts.map((text) => `${Buffer.from(text, 'latin1').toString('hex')}\n`).join('');
  const { stdout, stderr, status, error } = spawnSync(options.transcode, ['decode', 'http-request'], {
    input, encoding: 'utf8', maxBuffer: Infinity,
  });
  const answers = (stdout ?? '').split('\n').slice(0, -1);
  if (error || status !== 0 || answers.length !== texts.length) {
    console.error(`transcode decode http-request: ${error?.message ?? status}\n${stderr ?? ''}`);
    process.exit(1);
  }
  return answers.map((line) => JSON.parse(line));
}

const total = { cases: 0, accepted: 0, refused: 0, 'refused, which Node accepts': 0, failed: 0 };
const used = new Map();
for (let left = Number(options.count); left > 0; left -= batch) {
  const examples = total.cases === 0 ? rules.flatMap((rule) => rule.examples) : [];
  const texts = [...examples, ...Array.from({ length: Math.min(batch, left) }, randomConnection)];
  for (const [i, answer] of transcode(texts).entries()) {
    const verdict = judge(texts[i], answer);
    ++total.cases;
    if (verdict.rule) used.set(verdict.rule.name, (used.get(verdict.rule.name) ?? 0) + 1);
    if (verdict.accepted) ++total.accepted;
    if (verdict.refused) ++total.refused;
    if (verdict.refused && !verdict.node.error) ++total['refused, which Node accepts'];
    if (verdict.failed && ++total.failed <= shownFailures) {
      console.error(`seed ${options.seed}, input ${JSON.stringify(texts[i])}`);
      console.error(`  socketless ${JSON.stringify(verdict.request)}\n  node       ${JSON.stringify(verdict.theirs)} ${verdict.node.error}`);
    }
  }
}

for (const [what, n] of Object.entries(total)) console.log(`${String(n).padStart(10)}  ${what}`);
for (const [name, n] of used) console.log(`${String(n).padStart(10)}  by rule: ${name}`);
const dead = rules.filter(({ name }) => !used.has(name));
for (const { name } of dead) console.error(`rule never used: ${name}`);
process.exitCode = dead.length > 0 || total.failed > 0 || total.accepted === 0 ? 1 : 0;

// A reporter of node:test that prints the tests of harness.mjs as tables: what was tried, with which peer, over which
// transport.
export default async function* table(source) {
    const cells = new Map(); // role -> what -> peer and transport -> passed
    const failures = [];
    let passed = 0;
    let failed = 0;
    for await (const { type, data } of source) {
        if (type !== 'test:pass' && type !== 'test:fail' || data.skip !== undefined) continue;
        const name = data.name.split(' | ');
        if (name.length !== 4) { // a file, which fails where it could not be run
            if (type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed') failures.push(data);
            continue;
        }
        const [peer, role, transport, what] = name;
        const isGood = type === 'test:pass';
        isGood ? ++passed : ++failed;
        if (!isGood) failures.push(data);
        const rows = at(cells, role, () => new Map());
        at(rows, what, () => new Map()).set(`${peer} ${transport}`, isGood);
        yield `${isGood ? 'ok' : 'FAILED'} ${data.name} (${Math.round(data.details.duration_ms)} ms)\n`;
    }
    for (const [role, rows] of [...cells].sort()) yield* draw(role, rows);
    for (const failure of failures) yield `\nFAILED ${failure.name}\n${describe(failure.details.error)}\n`;
    yield `\ninterop: ${passed} passed, ${Math.max(failed, failures.length)} failed\n`;
}

function at(map, key, make) {
    if (!map.has(key)) map.set(key, make());
    return map.get(key);
}

function* draw(role, rows) {
    const columns = [...new Set([...rows.values()].flatMap((row) => [...row.keys()]))].sort();
    yield `\nsocketless as the ${role}, with\n`;
    for (const [i, column] of columns.entries()) yield `  ${letter(i)}  ${column}\n`;
    const width = Math.max(...[...rows.keys()].map((what) => what.length));
    yield `\n${''.padEnd(width)}  ${columns.map((_, i) => letter(i)).join(' ')}\n`;
    for (const [what, row] of rows) {
        const marks = columns.map((column) => (row.has(column) ? (row.get(column) ? '+' : 'X') : '.').padEnd(2));
        yield `${what.padEnd(width)}  ${marks.join('')}\n`;
    }
}

const letter = (i) => 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'[i];

const describe = (error) => error?.cause?.stack ?? error?.cause ?? error?.stack ?? String(error);

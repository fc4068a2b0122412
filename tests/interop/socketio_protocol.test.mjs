// The Socket.IO protocol v5, requirement by requirement, against socketio_server. The headings are those of the
// document (github.com/socketio/socket.io-protocol).
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { sleep } from './harness.mjs';
import { handshake, open as openTransport, options, requirements, serve } from './protocol.mjs';

// The first waits longer for a CONNECT than any test: it does not close a connection for lack of it.
const server = await serve('socketio_server', ...options, '--connect-timeout', '60000');
const impatient = await serve('socketio_server', ...options, '--connect-timeout', '1000');
after(() => Promise.all([server.kill(), impatient.kill()]));

const require = requirements('Socket.IO protocol v5');
const transports = ['polling', 'websocket', 'upgrade'];
const open = (transport, to = server) => openTransport(transport, to, '/socket.io/');

// The namespace as in a packet: empty for the main one.
const prefix = (nsp) => (nsp === '/' ? '' : `${nsp},`);

// Joins a namespace and resolves to the id there.
async function join(connection, nsp, auth) {
    await connection.send(`40${prefix(nsp)}${auth ?? ''}`);
    const packet = await connection.receive();
    const start = `40${prefix(nsp)}`;
    assert(packet.startsWith(start), packet);
    const { sid, ...rest } = JSON.parse(packet.slice(start.length));
    assert.equal(typeof sid, 'string');
    assert.deepEqual(rest, {});
    assert.equal(await connection.receive(), `42${prefix(nsp)}["auth",${auth ?? '{}'}]`);
    return sid;
}

async function connected(transport, ...namespaces) {
    const connection = await open(transport);
    for (const nsp of namespaces.length > 0 ? namespaces : ['/']) await join(connection, nsp);
    return connection;
}

async function answers(connection, sent, expected) {
    await connection.send(...sent);
    for (const packet of expected) assert.deepEqual(await connection.receive(), packet);
}
const isAlive = (connection) => answers(connection, ['42["message","alive"]'], ['42["message-back","alive"]']);

const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;
const bytes = [Buffer.of(1, 2, 3), Buffer.of(4, 5, 6)];

// === Exchange protocol: connection to a namespace ===

require('text', transports, 'opens an Engine.IO session under /socket.io/', async (transport) => {
    const { sid, upgrades, ...rest } = (await open(transport)).handshake;
    assert.equal(typeof sid, 'string');
    assert.deepEqual(upgrades, transport === 'websocket' ? [] : ['websocket']);
    assert.deepEqual(rest, handshake);
});
for (const nsp of ['/', '/custom']) {
    require('MUST', transports, `answers CONNECT to ${nsp} with CONNECT and the id`, async (transport) => {
        await join(await open(transport), nsp);
    });
    require('MUST', transports, `answers CONNECT to ${nsp} with a payload, which it reads`, async (transport) => {
        await join(await open(transport), nsp, '{"token":"123","€":[1,{}]}');
    });
}
require('text', transports, 'takes CONNECT to a namespace with no comma behind it', async (transport) => {
    const connection = await open(transport);
    await connection.send('40/custom');
    assert.match(await connection.receive(), /^40\/custom,\{"sid":"[^"]+"\}$/);
});
require('MUST', transports, 'answers CONNECT to an unknown namespace with CONNECT_ERROR', async (transport) => {
    const connection = await connected(transport);
    for (const nsp of ['/random', '/custom?token=abc', '/Custom', '/custom/', '/__proto__'])
        await answers(connection, [`40${nsp},`], [`44${nsp},{"message":"Invalid namespace"}`]);
    await isAlive(connection);
});
require('MUST', transports, 'answers CONNECT that is not allowed with CONNECT_ERROR', async (transport) => {
    const connection = await connected(transport);
    const refusal = '44/guarded,{"message":"not authorized","data":{"code":401}}';
    await answers(connection, ['40/guarded,'], [refusal]);
    await answers(connection, ['40/guarded,{"token":"124"}'], [refusal]);
    await join(connection, '/guarded', '{"token":"123"}');
    await isAlive(connection);
});
require('text', transports, 'gives each namespace an id of its own, not that of Engine.IO', async (transport) => {
    const connection = await open(transport);
    const sids = [connection.handshake.sid, await join(connection, '/'), await join(connection, '/custom')];
    assert.equal(new Set(sids).size, 3);
});
for (const [what, ...packets] of [['an event', '42["message",1]'], ['an ack', '431[]'], ['a DISCONNECT', '41'],
    ['a binary event', `451-["message",${placeholder(0)}]`, bytes[0]], ['what is no packet', '4abc']]) {
    require('MUST', transports, `closes a connection that begins with ${what}, not CONNECT`, async (transport) => {
        const connection = await open(transport);
        await connection.send(...packets);
        assert.deepEqual(withoutClose(await connection.closed()), []);
    });
}
require('reference', transports, 'closes a connection that does not CONNECT in time', async (transport) => {
    assert.deepEqual(withoutClose(await (await open(transport, impatient)).closed()), []);
});
require('reference', 'websocket', 'leaves a connection with a namespace open', async (transport) => {
    const connection = await open(transport, impatient);
    await join(connection, '/custom');
    await sleep(1_500);
    await answers(connection, ['42/custom,["message"]'], ['42/custom,["message-back"]']);
});
require('reference', transports, 'closes a connection that joins a namespace twice', async (transport) => {
    await closes(transport, '40');
    await closes(transport, '40{"token":"123"}');
});
require('reference', transports, 'closes a connection that sends CONNECT_ERROR', async (transport) => {
    await closes(transport, '44{"message":"no"}');
});

// === Exchange protocol: sending and receiving data ===

for (const nsp of ['/', '/custom']) {
    const start = (type) => `4${type}${prefix(nsp)}`;
    require('text', transports, `takes and sends events in ${nsp}`, async (transport) => {
        const connection = await connected(transport, nsp);
        for (const args of [
            '', ',1,"2",{"3":[true]}', ',null,false,-0.5,1e+100,[],{},""', ',"é€😀\\n\\"\\u0000"', ',[[[{"a":[]}]]]',
        ])
            await answers(connection, [`${start(2)}["message"${args}]`], [`${start(2)}["message-back"${args}]`]);
    });
    require('text', transports, `takes and sends events with attachments in ${nsp}`, async (transport) => {
        const connection = await connected(transport, nsp);
        const args = `,${placeholder(0)},{"b":[${placeholder(1)}]}]`;
        await answers(connection, [`452-${prefix(nsp)}["message"${args}`, ...bytes],
            [`452-${prefix(nsp)}["message-back"${args}`, ...bytes]);
    });
    require('MUST', transports, `acknowledges an event in ${nsp} with its id`, async (transport) => {
        const connection = await connected(transport, nsp);
        for (const id of [0, 456, Number.MAX_SAFE_INTEGER])
            await answers(connection, [`${start(2)}${id}["message-with-ack",1,"2",{"3":[false]}]`],
                [`${start(3)}${id}[1,"2",{"3":[false]}]`]);
        await answers(connection, [`${start(2)}7["message-with-ack"]`], [`${start(3)}7[]`]);
    });
    require('MUST', transports, `acknowledges an event with attachments in ${nsp} with its id`, async (transport) => {
        const connection = await connected(transport, nsp);
        const args = `${placeholder(0)},${placeholder(1)}]`;
        await answers(connection, [`452-${prefix(nsp)}789["message-with-ack",${args}`, ...bytes],
            [`462-${prefix(nsp)}789[${args}`, ...bytes]);
    });
    require('text', transports, `asks for an acknowledgement in ${nsp}, and takes it`, async (transport) => {
        const connection = await connected(transport, nsp);
        const ask = async () => {
            await connection.send(`${start(2)}["ask",1]`);
            const packet = await connection.receive();
            const [, id] = packet.match(/^42(?:\/custom,)?(\d+)\["question",1\]$/) ?? assert.fail(packet);
            return id;
        };
        await answers(connection, [`${start(3)}${await ask()}["yes",2]`], [`${start(2)}["answered","yes",2]`]);
        await answers(connection, [`${start(3)}${await ask()}[]`], [`${start(2)}["answered"]`]);
        await answers(connection, [`461-${prefix(nsp)}${await ask()}[${placeholder(0)}]`, bytes[0]],
            [`451-${prefix(nsp)}["answered",${placeholder(0)}]`, bytes[0]]);
    });
}
require('text', transports, 'reads placeholders in any order, and attachments that none names', async (transport) => {
    const connection = await connected(transport);
    await answers(connection, [`452-["message",${placeholder(1)},${placeholder(0)}]`, ...bytes],
        [`452-["message-back",${placeholder(0)},${placeholder(1)}]`, bytes[1], bytes[0]]);
    await answers(connection, [`451-["message",{"num":0,"_placeholder":true}]`, bytes[0]],
        [`451-["message-back",${placeholder(0)}]`, bytes[0]]);
    await answers(connection, [`452-["message",${placeholder(1)}]`, ...bytes],
        [`451-["message-back",${placeholder(0)}]`, bytes[1]]);
});
require('text', transports, 'takes a placeholder in a packet without attachments for data', async (transport) => {
    const args = `,${placeholder(0)}]`;
    await answers(await connected(transport), [`42["message"${args}`], [`42["message-back"${args}`]);
});
require('text', transports, 'keeps events, acks and attachments in order', async (transport) => {
    const connection = await connected(transport);
    const sent = [];
    const expected = [];
    for (let i = 0; i !== 20; ++i) {
        const packets = (event) => [`42["${event}",${i}]`, `451-["${event}",${placeholder(0)}]`, Buffer.of(i)];
        sent.push(...packets('message'), `42${i}["message-with-ack",${i}]`);
        expected.push(...packets('message-back'), `43${i}[${i}]`);
    }
    await answers(connection, sent, expected);
});
require('text', transports, 'serves several namespaces over one connection', async (transport) => {
    const connection = await connected(transport, '/', '/custom');
    const packets = (event) => [`42["${event}",1]`, `42/custom,["${event}",2]`,
        `451-/custom,["${event}",${placeholder(0)}]`, bytes[0], `42["${event}",3]`];
    await answers(connection, packets('message'), packets('message-back'));
});
require('reference', transports, 'ignores an event that nobody handles', async (transport) => {
    const connection = await connected(transport);
    await connection.send('42["nobody knows me",1]');
    await isAlive(connection);
});
require('reference', transports, 'ignores an ack that it does not wait for', async (transport) => {
    const connection = await connected(transport);
    await connection.send('43999[]', '42["ask"]');
    const packet = await connection.receive();
    const [, id] = packet.match(/^42(\d+)\["question"\]$/) ?? assert.fail(packet);
    await answers(connection, [`43${id}[1]`, `43${id}[2]`], ['42["answered",1]']);
    await isAlive(connection);
});

// === Exchange protocol: disconnection from a namespace ===

require('text', transports, 'leaves a namespace upon DISCONNECT, and the others stay', async (transport) => {
    const connection = await connected(transport, '/', '/custom');
    await connection.send('41/custom,');
    await isAlive(connection);
    await connection.send('42/custom,["message"]');
    await connection.closed();
});
require('text', transports, 'leaves the main namespace upon DISCONNECT, and the others stay', async (transport) => {
    const connection = await connected(transport, '/', '/custom');
    await answers(connection, ['41', '42/custom,["message",1]'], ['42/custom,["message-back",1]']);
});
require('text', transports, 'takes CONNECT to a namespace that was left', async (transport) => {
    const connection = await open(transport);
    await join(connection, '/');
    const first = await join(connection, '/custom');
    await connection.send('41/custom');
    await isAlive(connection);
    assert.notEqual(await join(connection, '/custom'), first);
});
require('text', transports, 'sends DISCONNECT to end a namespace, and the others stay', async (transport) => {
    const connection = await connected(transport, '/', '/custom');
    await answers(connection, ['42/custom,["kick"]'], ['41/custom,']);
    await isAlive(connection);
    await join(connection, '/custom');
});

// === Packet encoding: what breaks it closes the connection ===

// The packets without the farewell of long-polling.
const withoutClose = (packets) => packets.filter((packet) => packet !== '1' && packet !== '6');

async function closes(transport, ...packets) {
    const connection = await connected(transport);
    await connection.send(...packets);
    await assert.doesNotReject(connection.closed(), packets.join(' '));
}

const broken = [
    ['MUST', 'an event without a payload', [['42'], ['421']], 'socket.io takes it'],
    ['MUST', 'an event whose payload is no array that begins with a name', [
        ['42{}'], ['42"message"'], ['42[]'], ['42[null]'], ['42[{}]'], ['42[true,"message"]'], ['42[["message"]]'],
    ]],
    ['MUST', 'a binary event whose payload is no array that begins with a name', [
        ['451-{}', bytes[0]], [`451-[${placeholder(0)}]`, bytes[0]],
    ]],
    ['MUST', 'an ack without a payload', [['431']], 'socket.io takes it'],
    ['MUST', 'an ack whose payload is no array', [['431{}'], ['431"x"'], ['461-1{}', bytes[0]]]],
    ['reference', 'an ack without an id', [['43[]']], 'socket.io ignores it'],
    ['test suite', 'an unknown packet type', [['4'], ['4abc'], ['47["message"]'], ['4-1'], ['4 2["message"]']]],
    ['test suite', 'what is no id', [['42abc["message-with-ack",1]'], ['42-1["message"]'], ['421.5["message"]']]],
    ['text', 'what is no JSON', [
        ['42["message"'], ['42["message"]]'], ['42["message",]'], ['42["message",NaN]'], ['42[\'message\']'],
    ]],
    ['text', 'a payload of CONNECT that is no object', [['40/custom,[]'], ['40/custom,"x"'], ['40/custom,null']]],
    ['text', 'a DISCONNECT with a payload', [['41{}'], ['41"x"']]],
    ['reference', 'an event named as one of its own', [
        ['42["connect"]'], ['42["connect_error"]'], ['42["disconnect"]'], ['42["disconnecting"]'],
        ['42["newListener"]'], ['42["removeListener"]'],
    ]],
    ['text', 'an event or an ack for a namespace that was not joined', [
        ['42/custom,["message"]'], ['43/custom,1[]'], ['41/custom,'], ['42/random,["message"]'],
    ]],
    ['text', 'text where an attachment is due', [
        [`451-["message",${placeholder(0)}]`, '42["message"]'],
        [`452-["message",${placeholder(0)}]`, bytes[0], '42["message"]'],
        [`451-["message",${placeholder(0)}]`, '40/custom,'],
    ]],
    ['text', 'an attachment that is not due', [[bytes[0]], [`451-["message",${placeholder(0)}]`, bytes[0], bytes[1]]]],
    ['text', 'a placeholder for an attachment that is not there', [
        [`451-["message",${placeholder(1)}]`, bytes[0]], [`451-["message",${placeholder(-1)}]`, bytes[0]],
        [`451-["message",${placeholder('"0"')}]`, bytes[0]],
    ]],
    ['text', 'a placeholder whose number is no integer', [[`451-["message",${placeholder(0.5)}]`, bytes[0]]],
        'socket.io takes it for undefined'],
    ['text', 'a count of attachments that is none', [
        ['45["message"]'], ['45-["message"]'], ['451["message"]'], ['45x-["message"]'],
    ]],
    ['reference', 'more than ten attachments', [['4511-["message"]']]],
];
for (const [level, what, examples, reference] of broken) {
    require(level, transports, `closes the connection upon ${what}`, async (transport) => {
        for (const packets of examples) await closes(transport, ...packets);
    }, { reference });
}
require('reference', 'polling', 'reads what comes before the invalid packet of a payload', async (transport) => {
    const [sender, listener] = [await connected(transport), await connected('websocket')];
    await sender.post('42["shout",1]\x1e42{}\x1e42["shout",2]');
    assert.equal(await listener.receive(), '42["shouted",1]');
    await sender.closed();
    await isAlive(listener);
});

// The programs of tests/examples with the peers that their readers have.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Server } from 'socket.io';
import { ask, collect, each, heard, modern } from './clients.mjs';
import { check, launch, listening, until } from './harness.mjs';

const serve = (program, ...args) => listening(program, launch(program, ['0', ...args]));

// A program, and what it says line by line.
const run = (program, ...args) => watch(launch(program, args));

function watch(child) {
    const lines = [];
    createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    return { child, lines, ended: once(child, 'exit').then(([code, signal]) => code ?? signal) };
}

each('first_server: hello, say, said, acknowledgements', async (their) => {
    const server = await serve('first_server');
    their.finally(server.kill);
    const ada = their.dial(server.url);
    const hello = await heard(ada, 'hello');
    assert.deepEqual(hello, ['welcome', 1]);
    const bob = await their.connect(server.url);
    const [toAda, toBob] = [ada, bob].map((socket) => collect(socket, 'said'));
    assert.deepEqual(await ask(ada, 'say', 'hello ä'), ['ok']);
    const [refused] = await ask(ada, 'say', 1);
    assert.match(refused, /./);
    assert.notEqual(refused, 'ok');
    assert.deepEqual(await ask(bob, 'say', 'hi'), ['ok']);
    await until(() => toAda.length && toBob.length);
    assert.deepEqual([toAda, toBob], [[[bob.id, 'hi']], [[ada.id, 'hello ä']]]);
    assert.equal(await server.stop(), 0);
}, { of: [modern] });

check('socket.io 4.8.4', 'client', 'upgrade', 'first_client: say, said, until it is disconnected', async () => {
    const io = new Server(0);
    io.on('connection', async (socket) => {
        assert.deepEqual(socket.handshake.auth, { token: 'abc' });
        socket.on('say', (text, answer) => {
            answer('ok');
            socket.emit('said', 'Bob', `${text} to you`);
            socket.disconnect();
        });
    });
    const client = run('first_client', `http://127.0.0.1:${io.httpServer.address().port}`, 'hello');
    assert.equal(await client.ended, 0);
    assert.deepEqual(client.lines,
        ['connected', 'answer: ok', 'Bob: hello to you', 'disconnected: io server disconnect']);
    io.close();
});

check('socketless', 'client', 'upgrade', 'first_client and first_server talk', async () => {
    const server = await serve('first_server');
    const ada = run('first_client', server.url, 'hello');
    await until(() => ada.lines.includes('answer: ok'));
    const bob = run('first_client', server.url, 'hi');
    await until(() => ada.lines.some((line) => line.endsWith(': hi')));
    for (const { child } of [ada, bob, server]) child.kill('SIGKILL');
});

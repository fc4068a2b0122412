// A client of npm's Socket.IO in a process of its own, so that a test can freeze it.
//   node client.mjs PACKAGE URL TRANSPORTS
// It says when it is connected, and has been heard, over the last of the transports (`connect`, the id of the Engine.IO
// session), and when it is not any more (`disconnect`, the reason).
const [name, url, list] = process.argv.slice(2);
const transports = list.split(',');
const { default: io } = await import(name);
const socket = io(url, { transports, reconnectionDelay: 100, randomizationFactor: 0 });
socket.on('connect', function tell() {
    const { id, transport } = socket.io.engine;
    if (transport.name !== transports.at(-1)) return setTimeout(tell, 5);
    socket.emit('any', () => console.log('connect', id));
});
socket.on('disconnect', (reason) => console.log('disconnect', reason));

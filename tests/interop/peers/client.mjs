// A client of npm's Socket.IO in a process of its own, so that a test can freeze it: node client.mjs PACKAGE URL TRANSPORTS
// It says when it is connected (`connect`, the id of the Engine.IO session) and when not (`disconnect`, the reason).
const [name, url, transports] = process.argv.slice(2);
const { default: io } = await import(name);
const socket = io(url, { transports: transports.split(','), reconnectionDelay: 100, randomizationFactor: 0 });
socket.on('connect', () => console.log('connect', socket.io.engine.id));
socket.on('disconnect', (reason) => console.log('disconnect', reason));

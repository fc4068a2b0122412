// The page of the chat. What others have written becomes text, never HTML.

const pictureTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const largestPicture = 3_000_000;
const mostLines = 300; // of each room
const patience = 300_000; // for an acknowledgement; a lost connection shows sooner

const ui = new Proxy({}, { get: (_, id) => document.getElementById(id) });

// Outlives a reload, and belongs to this window alone.
const saved = {
    load: () => JSON.parse(sessionStorage.getItem('chat') ?? 'null'),
    store() {
        const session = { ...me, rooms: [...joined.keys()], current: current.name };
        sessionStorage.setItem('chat', JSON.stringify(session));
    },
    clear: () => sessionStorage.removeItem('chat'),
};

let me = null; // { nickname, secret }
let known = []; // the names of all rooms
const joined = new Map(); // our rooms, by name
let current = null; // the room that is shown

//=== the connection ===//

const transports = new URLSearchParams(location.search).get('transports')?.split(',');
let socket = null; // a new one each time that somebody comes in

function connect() {
    socket = io({ auth: me, forceNew: true, ...(transports && { transports }) });

    socket.on('connect', () => {
        showTransport();
        socket.io.engine.on('upgrade', showTransport);
        show(socket.recovered ? 'Back: nothing was missed' : 'Connected', 'good');
        openChat();
        // Even if the server still knows our rooms: of what was said and who came and went, some did not wait for us.
        for (const room of joined.values()) enter(room);
    });
    socket.on('connect_error', (error) => {
        if (socket.active) return show(ui.chat.hidden ? 'The chat cannot be reached. Trying again…' : lost, 'bad');
        openEntrance(error.message); // it was reached, and has refused
    });
    socket.on('disconnect', (reason) => {
        for (const room of joined.values()) room.forgetTyping();
        if (reason === 'io client disconnect') return;
        if (socket.active) return show(lost, 'bad');
        openEntrance('You have come in from another window.');
    });

    socket.on('rooms', (names) => {
        known = names;
        drawRooms();
    });
    socket.on('members', (room, names) => joined.get(room)?.meet(names));
    socket.on('presence', (room, who, what) => joined.get(room)?.witness(who, what));
    socket.on('said', (room, entry) => joined.get(room)?.hear(entry));
    socket.on('is typing', (room, who) => joined.get(room)?.seeTyping(who));
}

const lost = 'Connection lost. Trying to reconnect…';

// Whoever leaves the page says goodbye, so that nobody waits for them.
addEventListener('pagehide', () => socket?.disconnect());
addEventListener('pageshow', ({ persisted }) => { if (persisted && me) socket.connect(); });

// Resolves to the acknowledgement, or to nothing if the connection is lost: everything is asked again when we are back.
async function ask(...packet) {
    if (!socket.connected) return null;
    return socket.timeout(patience).emitWithAck(...packet).catch(() => null);
}

//=== rooms ===//

class Room {
    isEntered = false; // until the server says so
    lastId = 0;
    unread = 0;
    members = new Set();
    changes = new Map(); // who has come (true) or gone while the server gathers the members
    heard = new Set(); // authors and keys: other servers may tell again what is known, or tell it late
    pending = new Map(); // what the server has not acknowledged: key -> { packet, line }
    typing = new Map(); // who -> timer
    lines = element('ol');

    constructor(name) {
        this.name = name;
        this.log = element('div', { className: 'log', hidden: true, role: 'log', ariaLabel: name }, this.lines);
        ui.logs.append(this.log);
    }

    // Our own: shown at once, and as on its way until the server has it.
    say(event, content, type) {
        const key = newSecret();
        const said = type ? { type, picture: content } : { text: content };
        const line = this.add(messageLine({ from: me.nickname, id: Date.now(), ...said }));
        line.classList.add('pending');
        scrollToEnd();
        this.pending.set(key, { packet: [event, this.name, key, content], line });
        this.deliver(key);
    }

    async deliver(key) {
        const answer = await ask(...this.pending.get(key).packet);
        if (!answer || !this.pending.has(key)) return;
        answer.error ? this.refuse(key, answer.error) : this.confirm(key, answer.id);
    }

    deliverPending() {
        for (const key of this.pending.keys()) this.deliver(key);
    }

    confirm(key, id) {
        this.isNews(me.nickname, key);
        this.pending.get(key)?.line.classList.remove('pending');
        this.pending.delete(key);
        this.lastId = Math.max(this.lastId, id);
    }

    refuse(key, error) {
        const { line } = this.pending.get(key);
        line.classList.replace('pending', 'refused');
        line.append(element('p', { className: 'error', textContent: error }));
        this.pending.delete(key);
    }

    hear(entry) {
        if (this.pending.has(entry.key)) return this.confirm(entry.key, entry.id);
        if (!this.isNews(entry.from, entry.key)) return;
        this.lastId = Math.max(this.lastId, entry.id);
        this.stopTyping(entry.from);
        this.add(messageLine(entry));
        if (this === current && document.hasFocus()) return;
        ++this.unread;
        drawRooms();
    }

    isNews(from, key) {
        const id = JSON.stringify([from, key]);
        if (this.heard.has(id)) return false;
        this.heard.add(id);
        if (this.heard.size > mostLines) this.heard.delete(this.heard.values().next().value);
        return true;
    }

    note(text) {
        this.add(element('li', { className: 'note', textContent: text }));
    }

    add(line) {
        this.lines.append(line);
        while (this.lines.children.length > mostLines) this.removeFirst();
        return line;
    }

    removeFirst() {
        const picture = this.lines.firstChild.querySelector('img');
        if (picture) URL.revokeObjectURL(picture.src);
        this.lines.firstChild.remove();
    }

    // Adds a line about a member, who is here from now on, or no longer.
    witness(who, what) {
        const isHere = what === 'joined' || what === 'came back';
        isHere ? this.members.add(who) : this.members.delete(who);
        if (!this.isEntered) this.changes.set(who, isHere);
        this.stopTyping(who);
        this.note(`${isolate(who)} ${what}`);
        if (this === current) drawMembers();
    }

    meet(names) {
        this.members = new Set(names);
        for (const [who, isHere] of this.changes) isHere ? this.members.add(who) : this.members.delete(who);
        this.changes.clear();
        if (this === current) drawMembers();
    }

    seeTyping(who) {
        clearTimeout(this.typing.get(who));
        this.typing.set(who, setTimeout(() => this.stopTyping(who), 4000));
        if (this === current) drawTyping();
    }

    stopTyping(who) {
        clearTimeout(this.typing.get(who));
        this.typing.delete(who);
        if (this === current) drawTyping();
    }

    forgetTyping() {
        for (const who of this.typing.keys()) this.stopTyping(who);
    }

    discard() {
        while (this.lines.firstChild) this.removeFirst();
        this.log.remove();
        this.forgetTyping();
        joined.delete(this.name);
    }
}

function open(name) {
    if (!joined.has(name)) joined.set(name, new Room(name));
    return joined.get(name);
}

async function enter(room) {
    room.isEntered = false;
    room.changes.clear();
    const answer = await ask('join', room.name, room.lastId);
    if (!answer) return;
    if (answer.error) {
        forget(room);
        return complain(answer.error);
    }
    room.isEntered = true;
    room.meet(answer.members);
    room.deliverPending();
}

function forget(room) {
    room.discard();
    if (room === current) select(joined.values().next().value);
    else drawRooms();
}

function visit(name) {
    const isNew = !joined.has(name);
    const room = open(name);
    select(room);
    if (isNew) enter(room);
    if (ui.sidebar.matches(':popover-open')) ui.sidebar.hidePopover();
    ui.text.focus();
}

function select(room) {
    current = room;
    room.unread = 0;
    for (const other of joined.values()) other.log.hidden = other !== room;
    scrollToEnd();
    ui['room-title'].textContent = room.name;
    complain('');
    drawRooms();
    drawMembers();
    drawTyping();
    saved.store();
}

//=== what is seen ===//

function element(name, properties = {}, ...children) {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
}

// The characters of a name cannot change the direction of the text around it.
const isolate = (name) => `\u2068${name}\u2069`;

function hue(name) {
    let sum = 0;
    for (const c of name) sum = (sum * 137 + c.codePointAt(0) * 61) % 360;
    return sum;
}

// The style sheet keeps it there when there is more, unless somebody has scrolled away.
function scrollToEnd() {
    ui.logs.scrollTop = 0;
}

function paintAvatar(avatar, name) {
    avatar.textContent = [...name][0].toUpperCase();
    avatar.style.setProperty('--hue', hue(name));
    return avatar;
}

function avatarOf(name) {
    return paintAvatar(element('span', { className: 'avatar', ariaHidden: 'true' }), name);
}

function messageLine({ id, from, text, type, picture }) {
    const isOwn = from === me.nickname;
    const time = new Date(id);
    return element('li', { className: isOwn ? 'message own' : 'message' },
        avatarOf(from),
        element('div', { className: 'bubble' },
            element('p', { className: 'by' },
                element('bdi', { textContent: from, className: isOwn ? 'unseen' : '' }), ' ',
                element('time', {
                    dateTime: time.toISOString(),
                    textContent: time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }),
                })),
            type ? pictureElement(type, picture, from)
                : element('p', { className: 'text', dir: 'auto', textContent: text })));
}

function pictureElement(type, bytes, from) {
    if (!pictureTypes.includes(type)) return element('p', { className: 'error', textContent: 'A picture of no safe type' });
    const url = URL.createObjectURL(new Blob([bytes], { type }));
    return element('a', { href: url, target: '_blank', className: 'picture' },
        element('img', { src: url, alt: `Picture from ${from}` }));
}

function badge(unread) {
    return element('span', { className: 'badge', textContent: unread },
        element('span', { className: 'unseen', textContent: ' unread' }));
}

function drawRooms() {
    if (!me) return;
    const names = [...new Set([...known, ...joined.keys()])].sort();
    ui.rooms.replaceChildren(...names.map((name) => {
        const room = joined.get(name);
        const className = room ? 'room' : 'room other';
        const button = element('button', { className }, element('bdi', { textContent: name }));
        button.dataset.room = name;
        if (!room) button.title = `Join ${name}`;
        if (room === current) button.ariaCurrent = 'true';
        if (room?.unread) button.append(badge(room.unread));
        return element('li', {}, button);
    }));
    ui['leave-room'].hidden = joined.size < 2;
    const unread = [...joined.values()].reduce((sum, room) => sum + room.unread, 0);
    ui['show-rooms'].replaceChildren('Rooms', ...(unread ? [badge(unread)] : []));
    document.title = unread ? `(${unread}) Chat` : 'Chat';
}

function drawMembers() {
    const names = [...current.members].sort((a, b) => a.localeCompare(b));
    ui['member-list'].replaceChildren(...names.map((name) =>
        element('li', {}, avatarOf(name),
            element('span', {}, element('bdi', { textContent: name }), name === me.nickname ? ' (you)' : ''))));
    ui['show-members'].textContent = `${names.length} here`;
}

function drawTyping() {
    const names = current ? [...current.typing.keys()].map(isolate) : [];
    ui.typing.textContent = names.length === 0 ? ''
        : names.length === 1 ? `${names[0]} is typing…`
        : names.length < 4 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are typing…`
        : 'Many are typing…';
}

function complain(text) {
    ui.notice.textContent = text;
}

// The state of the connection; a good one is not shown for long.
let goodNews;
function show(text, state) {
    clearTimeout(goodNews);
    document.body.dataset.connection = state;
    ui.status.textContent = text;
    if (state === 'good') goodNews = setTimeout(show, 2000, '', state);
}

function showTransport() {
    document.body.dataset.transport = socket.io.engine.transport.name;
    ui['own-name'].title = `Connected by ${socket.io.engine.transport.name}`;
}

//=== coming in and going out ===//

function newSecret() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function comeIn(nickname, secret, rooms = ['#lobby'], name = rooms[0]) {
    me = { nickname, secret };
    ui.refusal.textContent = '';
    show('Connecting…', 'waiting');
    for (const room of rooms) open(room);
    current = open(name);
    connect();
}

function openChat() {
    if (!ui.chat.hidden) return;
    ui.entrance.hidden = true;
    ui.chat.hidden = false;
    ui['own-name'].textContent = me.nickname;
    paintAvatar(ui.avatar, me.nickname);
    select(current);
    ui.text.focus();
}

function openEntrance(why = '') {
    socket?.disconnect();
    saved.clear();
    for (const room of joined.values()) room.discard();
    current = null;
    me = null;
    document.title = 'Chat';
    show('', 'none');
    ui.chat.hidden = true;
    ui.entrance.hidden = false;
    ui.refusal.textContent = why;
    ui.nickname.focus();
    ui.nickname.select();
}

ui['entrance-form'].addEventListener('submit', (event) => {
    event.preventDefault();
    const nickname = ui.nickname.value.trim();
    if (nickname) comeIn(nickname, newSecret());
});

ui['log-out'].addEventListener('click', () => openEntrance());

//=== what the user does in a room ===//

ui.rooms.addEventListener('click', ({ target }) => {
    const name = target.closest('button')?.dataset.room;
    if (!name) return;
    visit(name);
});

ui['new-room'].addEventListener('submit', (event) => {
    event.preventDefault();
    const name = ui['room-name'].value.trim().replace(/^#+/, '').trim();
    if (!name) return;
    ui['room-name'].value = '';
    visit(`#${name}`);
});

ui['leave-room'].addEventListener('click', () => {
    if (!socket.connected) return complain('The connection is lost.');
    ask('leave', current.name);
    forget(current);
    ui.text.focus();
});

let lastTyping = -Infinity;
ui.text.addEventListener('input', () => {
    fitText();
    if (!ui.text.value || performance.now() - lastTyping < 2000) return;
    lastTyping = performance.now();
    socket.volatile.emit('typing', current.name);
});

ui.text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    ui.composer.requestSubmit();
});

function fitText() {
    ui.text.style.height = 'auto';
    ui.text.style.height = `${ui.text.scrollHeight}px`;
}

ui.composer.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = ui.text.value.trim();
    if (!text) return;
    complain('');
    current.say('say', text);
    ui.text.value = '';
    lastTyping = -Infinity;
    fitText();
});

async function sendPictures(files) {
    const room = current;
    complain('');
    for (const file of files) {
        if (!pictureTypes.includes(file.type)) complain('Pictures are PNG, JPEG, GIF or WebP.');
        else if (file.size > largestPicture) complain(`Pictures can have ${largestPicture / 1e6} MB.`);
        else room.say('show', await file.arrayBuffer(), file.type);
    }
}

ui.choose.addEventListener('click', () => ui.file.click());
ui.file.addEventListener('change', async () => {
    await sendPictures(ui.file.files);
    ui.file.value = '';
    ui.text.focus();
});

addEventListener('paste', (event) => {
    if (!current || event.clipboardData.files.length === 0) return;
    event.preventDefault();
    sendPictures([...event.clipboardData.files]);
});

for (const type of ['dragover', 'dragleave', 'drop']) {
    addEventListener(type, (event) => {
        event.preventDefault();
        ui.conversation.classList.toggle('target', type === 'dragover' && current !== null);
        if (type === 'drop' && current) sendPictures([...event.dataTransfer.files]);
    });
}

addEventListener('focus', () => {
    if (!current) return;
    current.unread = 0;
    drawRooms();
});

const before = saved.load();
if (before) comeIn(before.nickname, before.secret, before.rooms, before.current);
else openEntrance();

// Windows of the chat's page in a real browser, and what a person does and sees there.
import { randomBytes } from 'node:crypto';
import { after, before } from 'node:test';
import { deflateSync } from 'node:zlib';
import { chromium } from 'playwright-core';

let browser;
before(async () => {
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: [
            '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
            '--disable-component-update', '--disable-sync',
        ],
    });
});
after(() => browser?.close());

export const queries = {
    polling: '?transports=polling',
    websocket: '?transports=websocket',
    upgrade: '?transports=polling,websocket',
};

// Windows that were used and are empty again: opening one takes longer than most checks.
const spare = [];

async function openWindow(options) {
    if (!options && spare.length > 0) return spare.pop();
    const context = await browser.newContext(options);
    context.setDefaultTimeout(20_000);
    return context.newPage();
}

async function clearWindow(page) {
    await page.context().setOffline(false);
    await page.evaluate(() => sessionStorage.clear());
    await page.goto('about:blank');
}

// Runs `body` with the means to open windows of the page of a server, which use a transport.
export async function withWindows(transport, body) {
    const windows = [];
    async function open(url, settings) {
        const page = await openWindow(settings);
        windows.push(page);
        await page.goto(url + queries[transport]);
        return page;
    }
    async function enter(nickname, url, settings) {
        const page = await open(url, settings);
        await comeIn(page, nickname);
        await isConnected(page, transport);
        return page;
    }
    try {
        await body({ open, enter });
        await Promise.all(windows.map(clearWindow));
        spare.push(...windows.splice(0));
    } finally {
        await Promise.all(windows.map((page) => page.context().close()));
    }
}

export async function comeIn(page, nickname) {
    await page.getByLabel('Nickname').fill(nickname);
    await page.getByRole('button', { name: 'Come in' }).click();
}

// Waits until it has come in, over the wanted transport.
export async function isConnected(page, transport) {
    const used = transport === 'polling' ? 'polling' : 'websocket';
    await page.locator(`body[data-connection=good][data-transport=${used}]`).waitFor();
    await page.locator('#member-list', { hasText: '(you)' }).waitFor({ state: 'attached' });
}

export async function say(page, text) {
    await page.getByLabel('Message', { exact: true }).fill(text);
    await page.keyboard.press('Enter');
}

export const visit = (page, room) => page.locator(`[data-room="${room}"]`).click();
export const texts = (page, text) => page.locator('#logs .log:visible .text', { hasText: text });
export const sees = (page, text) => texts(page, text).first().waitFor();
export const notes = (page, text) => page.locator('#logs .log:visible .note', { hasText: text }).first().waitFor();
export const status = (page, text) => page.locator('#status', { hasText: text }).waitFor();

// Waits until the page shows these members and no others.
export async function areHere(page, ...expected) {
    await page.waitForFunction((wanted) => {
        const shown = [...document.querySelectorAll('#member-list bdi')].map((name) => name.textContent);
        return shown.join() === wanted.join();
    }, expected);
}

// Two windows who have just come in see each other, and each reads what the other says.
export async function talk(ada, bob) {
    await areHere(ada, 'Ada', 'Bob');
    await areHere(bob, 'Ada', 'Bob');
    await say(ada, 'Hello, Bob ☕');
    await sees(bob, 'Hello, Bob ☕');
    await say(bob, 'Hello, Ada');
    await sees(ada, 'Hello, Ada');
}

// A PNG of these pixels, three bytes each.
function png(width, height, pixels) {
    const chunk = (type, data) => {
        const body = Buffer.concat([Buffer.from(type), data]);
        const framed = Buffer.alloc(body.length + 8);
        framed.writeUInt32BE(data.length);
        body.copy(framed, 4);
        framed.writeUInt32BE(crc32(body), body.length + 4);
        return framed;
    };
    const header = Buffer.alloc(13);
    header.writeUInt32BE(width, 0);
    header.writeUInt32BE(height, 4);
    header.set([8, 2], 8); // bits, RGB
    const rows = Buffer.alloc(height * (width * 3 + 1)); // before each row, how it is filtered: not at all
    for (let y = 0; y < height; ++y) pixels.copy(rows, y * (width * 3 + 1) + 1, y * width * 3, (y + 1) * width * 3);
    const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
    return Buffer.concat([signature, ...chunks]);
}

function crc32(bytes) {
    let crc = ~0;
    for (const byte of bytes) {
        crc ^= byte;
        for (let bit = 0; bit < 8; ++bit) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
    }
    return ~crc >>> 0;
}

export const painted = (width, height, colour) =>
    png(width, height, Buffer.alloc(width * height * 3, Buffer.from(colour)));
export const noise = (width, height) => png(width, height, randomBytes(width * height * 3));

export const pictureFile = (name, buffer) => ({ name, mimeType: 'image/png', buffer });
export const choose = (page, file) => page.locator('#file').setInputFiles(file);

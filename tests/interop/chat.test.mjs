// The chat in a real browser: two windows talk over each transport, through faults of windows, networks and servers.
// SCREENSHOT=DIRECTORY keeps pictures of the page there.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import {
    areHere, choose, comeIn, isConnected, noise, notes, painted, pictureFile, queries, say, sees, status, talk, texts,
    visit, withWindows,
} from './chat_page.mjs';
import { check, start } from './harness.mjs';
import { relay } from './relay.mjs';

// Runs `body` with a server and the means to open windows of its page.
const withChat = (transport, body, ...options) => withWindows(transport, async ({ open, enter }) => {
    const chat = {
        server: await start('chat_server', ...options),
        open: (url = chat.server.url, settings) => open(url, settings),
        enter: (nickname, url = chat.server.url, settings) => enter(nickname, url, settings),
        enterBoth: () => Promise.all([chat.enter('Ada'), chat.enter('Bob')]),
    };
    try {
        await body(chat);
    } finally {
        await chat.server.kill();
    }
});

for (const transport of Object.keys(queries)) {
    const chatCheck = (what, body, ...options) =>
        check('Chromium', 'server', transport, what, () => withChat(transport, body, ...options));

    chatCheck('two windows talk and see who is there', async ({ enter }) => {
        const ada = await enter('Ada');
        const bob = await enter('Bob');
        await notes(ada, 'Bob');
        await talk(ada, bob);
        await ada.locator('.own:not(.pending)', { hasText: 'Hello, Bob' }).waitFor();
        await bob.getByRole('button', { name: 'Log out' }).click();
        await areHere(ada, 'Ada');
        await notes(ada, 'left');
        await comeIn(bob, 'Bob'); // the nickname is free again
        await areHere(ada, 'Ada', 'Bob');
    });

    chatCheck('typing is shown until the message comes', async ({ enterBoth }) => {
        const [ada, bob] = await enterBoth();
        const typing = bob.locator('#typing', { hasText: /Ada.? is typing/ });
        await ada.getByLabel('Message', { exact: true }).pressSequentially('Hm');
        await typing.waitFor();
        await ada.keyboard.press('Enter');
        await sees(bob, 'Hm');
        await bob.locator('#typing:empty').waitFor({ state: 'attached' });
    });

    chatCheck('a nickname that is taken is refused', async ({ enter, open }) => {
        const ada = await enter('Ada');
        const other = await open();
        await comeIn(other, 'ada');
        await other.getByRole('alert').filter({ hasText: 'taken' }).waitFor();
        await comeIn(other, 'Grace');
        await areHere(ada, 'Ada', 'Grace');
    });

    chatCheck('rooms keep what is said apart, and count what is unread', async ({ enterBoth }) => {
        const [ada, bob] = await enterBoth();
        await ada.getByLabel('Name of a new room').fill('garden');
        await ada.keyboard.press('Enter');
        await areHere(ada, 'Ada');
        await say(ada, 'Early');
        await visit(bob, '#garden');
        await sees(bob, 'Early'); // from before
        await areHere(ada, 'Ada', 'Bob');
        await say(bob, 'Roses');
        await sees(ada, 'Roses');
        await visit(bob, '#lobby');
        assert.equal(await texts(bob, 'Roses').count(), 0);
        await say(ada, 'Tulips');
        await say(ada, 'Violets');
        await bob.locator('[data-room="#garden"] .badge', { hasText: '2' }).waitFor();
        await visit(bob, '#garden');
        await sees(bob, 'Violets');
        assert.equal(await bob.locator('.badge').count(), 0);
        await bob.getByRole('button', { name: 'Leave room' }).click();
        await areHere(ada, 'Ada');
    });

    chatCheck('a picture arrives as it is', async ({ enterBoth }) => {
        const [ada, bob] = await enterBoth();
        await choose(ada, pictureFile('red.png', painted(123, 45, [200, 30, 60])));
        await choose(ada, pictureFile('large.png', noise(1000, 800))); // 2.4 MB
        const pictures = bob.getByAltText('Picture from Ada');
        await pictures.nth(1).waitFor();
        const sizes = await pictures.evaluateAll((images) => Promise.all(images.map(async (image) => {
            await image.decode();
            return [image.naturalWidth, image.naturalHeight];
        })));
        assert.deepEqual(sizes, [[123, 45], [1000, 800]]);
        await ada.locator('.pending').waitFor({ state: 'detached' });
    });

    chatCheck('what is no picture, or too large, is not sent on', async ({ enterBoth }) => {
        const [ada, bob] = await enterBoth();
        const notice = (text) => ada.locator('#notice', { hasText: text }).waitFor();
        await choose(ada, { name: 'x.svg', mimeType: 'image/svg+xml', buffer: Buffer.from('<svg/>') });
        await notice('PNG, JPEG, GIF or WebP');
        await choose(ada, pictureFile('large.png', Buffer.alloc(3_000_001)));
        await notice('3 MB');
        await choose(ada, pictureFile('false.png', Buffer.from('<svg onload="alert(1)">'))); // the server looks closer
        await ada.locator('.refused', { hasText: 'no picture' }).waitFor();
        await say(ada, 'Only this');
        await sees(bob, 'Only this');
        assert.equal(await bob.locator('.picture').count(), 0);
    });

    chatCheck('HTML in a message, a nickname or a room is text', async ({ enter }) => {
        const bob = await enter('Bob');
        const html = '<img src=x onerror=1>';
        const ada = await enter('<b>Ada</b>');
        await say(ada, html);
        await sees(bob, html);
        await areHere(bob, '<b>Ada</b>', 'Bob');
        await ada.getByLabel('Name of a new room').fill('<i>x</i>');
        await ada.keyboard.press('Enter');
        await bob.locator('[data-room="#<i>x</i>"]').waitFor();
        assert.equal(await bob.locator('#chat :is(b, i, img)').count(), 0);
    });

    chatCheck('a window that is reloaded comes back', async ({ enterBoth }) => {
        const [ada, bob] = await enterBoth();
        await say(ada, 'Before');
        await sees(bob, 'Before');
        await bob.reload();
        await isConnected(bob, transport);
        await sees(bob, 'Before');
        await areHere(ada, 'Ada', 'Bob');
        await say(ada, 'After');
        await sees(bob, 'After');
    });

    chatCheck('a second window with the secret of the first takes its place', async ({ enterBoth, open }) => {
        const [ada, bob] = await enterBoth();
        const session = await ada.evaluate(() => sessionStorage.getItem('chat'));
        const second = await open();
        await second.evaluate((value) => sessionStorage.setItem('chat', value), session);
        await second.reload();
        await isConnected(second, transport);
        await ada.getByRole('alert').filter({ hasText: 'another window' }).waitFor();
        await areHere(bob, 'Ada', 'Bob');
        await say(second, 'It is me');
        await sees(bob, 'It is me');
    });

    chatCheck('the network is lost and comes back: nothing is missed or doubled', async ({ enterBoth }) => {
        const [ada, bob] = await enterBoth();
        await say(ada, 'First');
        await sees(bob, 'First');
        await bob.context().setOffline(true);
        await status(bob, 'Connection lost');
        await notes(ada, 'lost the connection');
        await areHere(ada, 'Ada');
        await say(ada, 'Meanwhile');
        await say(bob, 'I am alone');
        await visit(bob, '#music');
        await bob.context().setOffline(false);
        await status(bob, 'nothing was missed');
        await areHere(bob, 'Bob');
        await visit(bob, '#lobby');
        await sees(bob, 'Meanwhile');
        await sees(ada, 'I am alone');
        await areHere(ada, 'Ada', 'Bob');
        await areHere(bob, 'Ada', 'Bob');
        await say(ada, 'Last');
        await sees(bob, 'Last');
        for (const text of ['First', 'Meanwhile', 'I am alone', 'Last'])
            for (const page of [ada, bob]) assert.equal(await texts(page, text).count(), 1, text);
        await bob.getByRole('button', { name: 'Log out' }).click(); // the server knows that it is he who goes
        await areHere(ada, 'Ada');
        await notes(ada, /Bob.? left/);
    }, '--ping-interval', '1500', '--ping-timeout', '1500'); // so that the server notices a loss

    chatCheck('who comes back before the server has missed him gets what he has missed', async ({ server, enter }) => {
        const network = await relay(server.port);
        try {
            const ada = await enter('Ada');
            const bob = await enter('Bob', network.url);
            await say(ada, 'First');
            await sees(bob, 'First');
            network.lose();
            await say(ada, 'Meanwhile');
            await sees(bob, 'Meanwhile');
            await isConnected(bob, transport);
            // He takes his own place. But a browser polls again by itself, which tells the server that a poll was lost.
            await notes(ada, transport === 'polling' ? /Bob.? (left|lost the connection)/ : /Bob.? left/);
            await areHere(ada, 'Ada', 'Bob');
            await say(bob, 'Here again');
            await sees(ada, 'Here again');
            for (const text of ['First', 'Meanwhile', 'Here again'])
                assert.equal(await texts(bob, text).count(), 1, text);
        } finally {
            network.close();
        }
    });

    chatCheck('the server starts anew, and the windows come back', async (chat) => {
        const [ada, bob] = await chat.enterBoth();
        await say(ada, 'Before');
        await sees(bob, 'Before');
        await chat.server.kill();
        await status(ada, 'Connection lost');
        await status(bob, 'Connection lost');
        await say(bob, 'To be sent later');
        chat.server = await start('chat_server', '--port', String(chat.server.port));
        await sees(ada, 'To be sent later');
        await areHere(ada, 'Ada', 'Bob');
        await areHere(bob, 'Ada', 'Bob');
        await say(ada, 'After');
        await sees(bob, 'After');
        assert.equal(await texts(bob, 'Before').count(), 1);
    });
}

if (process.env.SCREENSHOT) {
    test('screenshots', { timeout: 60_000 }, () => withChat('upgrade', async ({ open, enter }) => {
        const shoot = (page, name) => page.screenshot({ path: path.join(process.env.SCREENSHOT, `${name}.png`) });
        const wide = { viewport: { width: 1200, height: 760 } };
        const entrance = await open(undefined, wide);
        await shoot(entrance, 'entrance');
        const ada = await enter('Ada', undefined, wide);
        const bob = await enter('Bob', undefined, { ...wide, colorScheme: 'dark' });
        const grace = await enter('Grace', undefined, { viewport: { width: 390, height: 760 } });
        await visit(bob, '#music');
        await visit(bob, '#lobby');
        await visit(ada, '#music');
        await say(ada, 'Anyone for a duet?');
        await visit(ada, '#lobby');
        await say(ada, 'Good morning! Has anyone seen the garden today?');
        await sees(bob, 'Good morning');
        await say(bob, 'Yes, look:');
        await sees(ada, 'look');
        await choose(bob, pictureFile('garden.png', painted(320, 180, [70, 150, 90])));
        await ada.getByAltText('Picture from Bob').waitFor();
        await say(grace, 'How green.\nI shall come by in the afternoon, if it does not rain, and bring the seeds.');
        await sees(ada, 'How green');
        await grace.getByLabel('Message', { exact: true }).pressSequentially('And ca');
        await ada.locator('#typing', { hasText: 'Grace' }).waitFor();
        await Promise.all([ada, bob, grace].map((page) => page.locator('#status:empty').waitFor()));
        await shoot(ada, 'light');
        await shoot(bob, 'dark');
        await shoot(grace, 'narrow');
        await grace.locator('#show-members').click();
        await shoot(grace, 'narrow-members');
        await grace.keyboard.press('Escape');
        await grace.getByRole('button', { name: 'Rooms' }).click();
        await shoot(grace, 'narrow-rooms');
        await grace.keyboard.press('Escape');
        await grace.emulateMedia({ colorScheme: 'dark' });
        await grace.setViewportSize({ width: 820, height: 600 });
        await shoot(grace, 'medium-dark');
        await entrance.emulateMedia({ colorScheme: 'dark' });
        await comeIn(entrance, 'Ada');
        await entrance.getByText('taken').waitFor();
        await shoot(entrance, 'refused-dark');
        await ada.context().setOffline(true);
        await status(ada, 'Connection lost');
        await say(ada, 'Is anybody there?');
        await shoot(ada, 'lost');
    }));
}

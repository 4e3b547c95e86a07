import { AxeBuilder } from '@axe-core/playwright';
import test, { type ExecutionContext } from 'ava';
import type { Browser, Page, Route } from 'playwright-core';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { CHROMIUM, overflow, startBrowser, view } from './browser.ts';

/** Every page, with whatever people write into it, in both themes and widths. */
let p: TestPlatform;
let browser: Browser;
let campaignId: string;
let messageId: string;
let draftId: string;
const inBrowser = CHROMIUM === undefined ? test.skip : test.serial;

const RUN = 'document.documentElement.dataset.ran=1';
const SCRIPT = `<script>${RUN}</script><img src=x onerror=${RUN}>`;
const TURNED = '\u202Egnp.exe\u202C \u0627\u0644\u0639\u0631\u0628\u064A\u0629';
const LONG = 'long'.repeat(2_500);
/** As much as the attributes of a contact may have. */
const MUCH = LONG.slice(0, 8_000);
const NAME = `${SCRIPT} ${TURNED}`.slice(0, 200);

if (CHROMIUM !== undefined) {
  test.before(async () => {
    p = await startTestPlatform('pages', {
      console: true,
      env: { VOLLEY_RETRY_DELAYS_MS: '100,200,300,300' },
    });
    const { rejected, errors } = await p.api.importContacts([
      { email: 'script@example.org', name: SCRIPT, tags: ['hostile', 'ünï cødé'], bio: SCRIPT },
      { email: 'turned@example.org', name: TURNED, tags: ['hostile', '\u202Etag'], bio: TURNED },
      { email: `${'l'.repeat(57)}+refuse@example.org`, name: 'x'.repeat(1_000), tags: ['hostile'], bio: MUCH },
      { email: 'gone+always-transient@example.org', name: SCRIPT, tags: ['hostile'], bio: MUCH },
    ]);
    if (rejected > 0) throw new Error(JSON.stringify(errors));
    const template = `<h1 onclick="${RUN}">{{name}}</h1><p style="color: red">{{bio}}</p>${LONG}${SCRIPT}`;
    const made = { name: NAME, template, content_type: 'text/html', segment_rule: 'hostile', max_attempts: 3 };
    draftId = await p.api.create(made);
    campaignId = await p.api.create(made);
    await p.api.send(campaignId);
    await p.api.untilEnded(campaignId);
    const { data } = await p.api.ok<{ data: { message_id: string }[] }>('GET', `/v1/campaigns/${campaignId}/messages`);
    messageId = data.at(-1)?.message_id as string;
    browser = await startBrowser();
  });
  test.after.always(async () => {
    await browser?.close();
    await p?.stop();
  });
}

const PAGES: readonly [name: string, path: () => string][] = [
  ['the list of campaigns', () => '/campaigns'],
  ['a new campaign', () => '/campaigns/new'],
  ['a draft', () => `/campaigns/${draftId}/edit`],
  ['a campaign', () => `/campaigns/${campaignId}`],
  ['its messages', () => `/campaigns/${campaignId}/messages`],
  ['a message', () => `/messages/${messageId}`],
  ['failures', () => '/failures'],
  ['contacts', () => '/contacts'],
  ['the pipeline', () => '/pipeline'],
  ['no page', () => '/nothing/here'],
  ['no such campaign', () => '/campaigns/00000000-0000-7000-8000-000000000000'],
];

/** All that is asked for has been answered, and drawn. */
async function settled(page: Page): Promise<void> {
  await page.getByRole('status').filter({ hasText: 'Loading' }).first().waitFor({ state: 'hidden' });
  await page.waitForFunction('document.fonts.status === "loaded"');
}

async function audit(t: ExecutionContext, page: Page): Promise<void> {
  // What stands in the frame of a message is not ours.
  const { violations } = await new AxeBuilder({ page }).exclude('iframe').analyze();
  const serious = violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.html.slice(0, 160)}`).join(' | ')}`);
  t.deepEqual(serious, []);
}

for (const [name, path] of PAGES)
  inBrowser(
    `${name}, light and wide, dark and narrow: text of others is text, nothing serious for axe, no scrolling sideways`,
    async (t) => {
      const { page, complaints, open } = await view(t, browser, p);
      await open(path());
      await settled(page);
      t.is(await page.locator('html').getAttribute('data-theme'), 'light');
      await audit(t, page);
      t.is(await overflow(page), 0);
      await page.getByRole('button', { name: 'Use the dark theme' }).click();
      await page.setViewportSize({ width: 375, height: 812 });
      await settled(page);
      t.is(await page.locator('html').getAttribute('data-theme'), 'dark');
      await audit(t, page);
      t.is(await overflow(page), 0);
      t.regex(await page.title(), /Volley$/);
      t.deepEqual(complaints, []);
    },
  );

inBrowser('a name is shown as it was written, wherever it stands', async (t) => {
  const { page, open } = await view(t, browser, p);
  await open('/campaigns');
  await page.getByText(SCRIPT, { exact: false }).first().waitFor();
  await open(`/campaigns/${campaignId}`);
  t.true((await page.getByRole('heading', { level: 1 }).textContent())?.includes(SCRIPT));
  t.is(await page.locator('main script, main img[onerror]').count(), 0);
  await open('/contacts');
  await page.getByText(SCRIPT).first().waitFor();
});

inBrowser('a mail is shown styled, in a frame where none of its scripts runs', async (t) => {
  const { page, complaints, open } = await view(t, browser, p);
  await open(`/messages/${messageId}`);
  const frame = page.frameLocator('iframe');
  await frame.locator('h1').waitFor();
  t.is(
    await frame
      .locator('p')
      .first()
      .evaluate((node) => node.computedStyleMap().get('color').toString()),
    'rgb(255, 0, 0)',
  );
  await frame.locator('h1').click();
  t.is(await page.locator('iframe').getAttribute('sandbox'), 'allow-scripts');
  t.is(await frame.locator('html').getAttribute('data-ran'), null);
  t.is(await page.locator('html').getAttribute('data-ran'), null);
  t.deepEqual(complaints, []);
});

inBrowser('the first view is less than 300 KB of script, compressed', async (t) => {
  const { page, context, open } = await view(t, browser, p);
  const session = await context.newCDPSession(page);
  await session.send('Network.enable');
  const scripts = new Map<string, number>();
  session.on(
    'Network.responseReceived',
    ({ requestId, type }) => void (type === 'Script' && scripts.set(requestId, 0)),
  );
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (scripts.has(requestId)) scripts.set(requestId, encodedDataLength);
  });
  await open(`/campaigns/${campaignId}`);
  await settled(page);
  const bytes = [...scripts.values()].reduce((sum, each) => sum + each, 0);
  t.true(scripts.size >= 2 && bytes > 20_000, `${scripts.size} scripts, ${bytes} bytes`);
  t.true(bytes < 300_000, `${bytes} bytes`);
});

inBrowser(
  'a list of a million messages: a few rows are drawn and a few pages held, however far one reads',
  async (t) => {
    const total = 1_000_000;
    const { page, context, open } = await view(t, browser, p);
    let asked = 0;
    await page.route(`**/v1/campaigns/${campaignId}/messages?*`, (route: Route) => {
      asked += 1;
      const query = new URL(route.request().url()).searchParams;
      const limit = Number(query.get('limit'));
      const from = Number(query.get('cursor') ?? 0);
      const at = new Date(0).toISOString();
      const data = Array.from({ length: Math.min(limit, total - from) }, (_, i) => ({
        ...{ message_id: `m-${from + i}`, recipient: `person-${from + i}@example.org`, tags: [], status: 'sent' },
        ...{ attempts: 1, reason: null, queued_at: at, occurred_at: at },
      }));
      const next_cursor = from + limit < total ? String(from + limit) : null;
      return route.fulfill({ json: { data, next_cursor, as_of: at, lag_ms: 0 } });
    });
    await open(`/campaigns/${campaignId}/messages`);
    const list = page.getByRole('region', { name: 'Messages' });
    await list.getByText('person-0@example.org').waitFor();
    const session = await context.newCDPSession(page);
    const heap = async () => {
      await session.send('HeapProfiler.collectGarbage');
      return (await session.send('Runtime.getHeapUsage')).usedSize;
    };
    const firstOf = (read: number) => list.getByText(`person-${read * 100}@example.org`, { exact: true });
    const scroll = () =>
      list.evaluate((box) => {
        box.scrollTop = box.scrollHeight;
      });
    for (let read = 1; read <= 20; read++) {
      await scroll();
      await firstOf(read).waitFor({ state: 'attached' });
    }
    const early = await heap();
    for (let read = 21; read <= 80; read++) {
      await scroll();
      await firstOf(read).waitFor({ state: 'attached' });
    }
    const late = await heap();
    t.true((await list.getByRole('row').count()) < 120, `${await list.getByRole('row').count()} rows drawn`);
    // 6,000 messages more: what is kept of them is where their pages begin.
    t.true(late - early < 6 * 1024 * 1024, `${((late - early) / 1024 / 1024).toFixed(1)} MiB more`);
    await list.evaluate((box) => {
      box.scrollTop = 0;
    });
    await list.getByText('person-0@example.org').waitFor();
    t.true(asked < 500, `${asked} requests`);
  },
);

inBrowser('by keyboard alone: from the list to a campaign, into a dialog and out of it', async (t) => {
  const { page, open } = await view(t, browser, p);
  await open('/campaigns');
  await page.keyboard.press('Tab');
  t.is(await page.evaluate('document.activeElement.textContent'), 'To the content');
  await page.getByRole('link', { name: SCRIPT }).first().focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/campaigns\/[0-9a-f-]{36}/);
  await open(`/campaigns/${campaignId}`);
  const again = page.getByRole('button', { name: /^Send again to/ }).first();
  await again.waitFor();
  await again.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  t.true(await page.evaluate('document.activeElement.closest("dialog") !== null'));
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  t.true(await again.evaluate((node) => node === node.ownerDocument.activeElement), 'the focus is where it was');
});

import test from 'ava';
import type { Browser } from 'playwright-core';
import { type HttpSink, startHttpSink } from '../support/providers/http-sink.ts';
import { startTestPlatform, type TestPlatform } from '../support/test-platform.ts';
import { until } from '../support/until.ts';
import { CHROMIUM, startBrowser, view, WITHOUT_CHROMIUM } from './browser.ts';

/** The journey of somebody who has never seen it, and what the pages do when things go wrong. */
let p: TestPlatform;
let hooks: HttpSink;
let browser: Browser;
const inBrowser = CHROMIUM === undefined ? test.skip : test.serial;
if (CHROMIUM !== undefined) {
  test.before(async () => {
    hooks = await startHttpSink();
    p = await startTestPlatform('console', {
      console: true,
      providers: [
        { name: 'simulated', channel: 'simulated', url: 'simulated:' },
        { name: 'hooks', channel: 'webhook', url: hooks.url },
      ],
    });
    browser = await startBrowser();
  });
  test.after.always(async () => {
    await browser?.close();
    await p?.stop();
    await hooks?.close();
  });
} else test.skip(WITHOUT_CHROMIUM, () => {});

const AUDIENCE = 300;
/** One in a hundred is refused, until the provider is mended. */
const csv = (count: number) =>
  [
    'email,name,tags,city',
    ...Array.from(
      { length: count },
      (_, i) => `p${i + 1}${i % 100 === 99 ? '.nobody' : ''}@example.org,Person ${i + 1},spring;vip,Łódź`,
    ),
    'not an address,Nobody,spring,Nowhere',
  ].join('\n');

inBrowser(
  'a newcomer imports, writes, looks at it, sends, sees it live, and sends again to those who did not get it',
  async (t) => {
    const { page, complaints } = await view(t, browser, p, { key: false });
    const { api, api_key } = p.platform.describe();
    hooks.setMood({ share: 1, answer: 'refuse', to: '.nobody' });

    // The key comes behind the #, and does not stay in the address.
    await page.goto(`${api}/#key=${api_key}`);
    await page.getByRole('heading', { name: 'Campaigns', level: 1 }).waitFor();
    t.false(page.url().includes(api_key));
    await page.getByText('No campaigns yet').waitFor();

    // Import.
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Contacts' }).click();
    await page.locator('input[type=file]').setInputFiles({
      name: 'people.csv',
      mimeType: 'text/csv',
      buffer: Buffer.from(csv(AUDIENCE)),
    });
    await page.getByRole('button', { name: /^Import/ }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: /rejected/i }).click(),
    ]);
    const rejected = await (await download.createReadStream()).toArray();
    t.regex(Buffer.concat(rejected).toString(), /^"302",.*"not an address,Nobody,spring,Nowhere"/m);

    // Write: a mistake is shown at its line, then mended.
    await page.getByRole('link', { name: 'New campaign' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Spring sale');
    await page.getByLabel('Channel').selectOption('webhook');
    const message = page.getByRole('textbox', { name: 'Template' });
    await message.fill('Hi {{name}},\n{% if city %}');
    await page
      .getByText(/line 2/i)
      .first()
      .waitFor();
    await message.fill('Hi {{name}},\n{% if city %}greetings to {{city}}{% endif %}');
    await page.getByLabel('Segment rule').fill('spring,vip');
    await page.getByLabel('Messages per second, at most').fill('20');
    await page.getByText('Hi Person 1,').first().waitFor();
    await page
      .getByText(/tagged spring and tagged vip/)
      .first()
      .waitFor();

    // Send: asked once, with the count.
    await page.getByRole('button', { name: 'Send…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByText('300').first().waitFor();
    await dialog.getByRole('button', { name: /^Send/ }).click();
    await page.waitForURL(/\/campaigns\/[0-9a-f-]{36}$/);
    const id = page.url().split('/').at(-1) as string;

    // Live: the figure of sent messages grows on the page, without a reload.
    await page.getByText('live', { exact: true }).waitFor();
    const sent = async () =>
      Number(
        (await page.getByRole('img', { name: /300 messages/ }).getAttribute('aria-label'))?.match(/Sent (\d+)/)?.[1] ??
          0,
      );
    const seen = new Set<number>();
    await until(
      'it ends',
      async () => {
        const now = await sent();
        seen.add(now);
        return now === AUDIENCE - 3;
      },
      { timeoutMs: 120_000 },
    );
    const middle = [...seen].filter((n) => n > 0 && n < AUDIENCE - 3);
    t.true(middle.length >= 2, `saw ${[...seen]}`);
    await page.getByText('Completed with failures').first().waitFor();
    t.is((await p.api.stats(id)).failed, 3);

    // From 1 % permanent failures to those and only those sent again: two clicks.
    const failed = hooks.entries.filter((entry) => entry.recipient.includes('.nobody'));
    // Somebody else's failure, which is none of theirs.
    await p.api.importContacts([{ email: 'other.nobody@example.org', tags: ['other'] }]);
    const other = await p.api.create({ segment_rule: 'other', channel: 'webhook', template: 'x' });
    await p.api.send(other);
    await p.api.untilEnded(other);
    hooks.setMood({});
    const calls = hooks.entries.length;
    await page
      .getByRole('region', { name: 'Messages that did not go out' })
      .getByRole('button', { name: 'Send again to 3' })
      .click();
    await page.getByRole('dialog').getByRole('button', { name: 'Send again to 3' }).click();
    await page.getByText('None stands failed any more.').waitFor();
    await until('all are sent', async () => (await p.api.stats(id)).sent === AUDIENCE);
    const again = hooks.entries.slice(calls);
    t.deepEqual(
      again.map((entry) => entry.messageId).toSorted(),
      [...new Set(failed.map((entry) => entry.messageId))].toSorted(),
    );
    t.true(again.every((entry) => entry.recipient.includes('.nobody')));
    t.like(await p.api.stats(other), { failed: 1, sent: 0 });

    // The message says what happened to it, and what it said.
    await page.keyboard.press('Escape');
    await page.goto(`${api}/messages/${again[0]?.messageId}`);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page
      .frameLocator('iframe')
      .getByText(/greetings to Łódź/)
      .waitFor();
    t.true((await page.getByText('400').count()) + (await page.getByText(/refused/i).count()) > 0);
    t.deepEqual(complaints, []);
  },
);

inBrowser('the API goes away in the middle of a campaign and comes back: said, and live again by itself', async (t) => {
  const { page, complaints, open } = await view(t, browser, p);
  await p.api.importContacts(
    Array.from({ length: 5_000 }, (_, i) => ({ email: `away${i}@example.org`, tags: ['away'] })),
  );
  const id = await p.api.create({ segment_rule: 'away', rate_per_second: 50, template: 'x' });
  await p.api.send(id);
  await open(`/campaigns/${id}`);
  await page.getByText('live', { exact: true }).waitFor();
  const before = p.kill('ingest-api');
  await page.getByText(/^not live/).waitFor();
  await page.getByText('The API does not answer. What you see').waitFor();
  // What was known stays.
  t.true(await page.getByRole('img', { name: /5,000 messages/ }).isVisible());
  await p.untilRestarted('ingest-api', before);
  await page.getByText('live', { exact: true }).waitFor();
  await page.getByText('The API does not answer. What you see').waitFor({ state: 'hidden' });
  const label = () => page.getByRole('img', { name: /5,000 messages/ }).getAttribute('aria-label');
  const once = await label();
  await until('it moves again', async () => (await label()) !== once);
  // Held, going on, and ended, by hand.
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByText('Paused', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.getByText('Running', { exact: true }).first().waitFor();
  await page.getByRole('button', { name: 'Cancel campaign…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel campaign' }).click();
  await page.getByText('Cancelled', { exact: true }).first().waitFor();
  t.deepEqual(complaints, []);
});

inBrowser('a key that is not accepted is asked for again', async (t) => {
  const { page } = await view(t, browser, p, { key: false });
  await page.goto(`${p.platform.describe().api}/campaigns`);
  await page.getByLabel('API key').fill('wrong');
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByLabel('API key').waitFor();
  await page.getByLabel('API key').fill(p.platform.describe().api_key);
  await page.getByRole('button', { name: 'Go on' }).click();
  await page.getByRole('heading', { name: 'Campaigns', level: 1 }).waitFor();
  t.is(new URL(page.url()).pathname, '/campaigns');
});

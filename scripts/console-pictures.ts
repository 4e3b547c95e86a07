/**
 * The pictures of docs/console.md, of a run on the stack that is up in this clone (`npm start`): every page, light and
 * dark, wide and narrow, and one campaign while it runs. Needs Chromium (`apt-get install chromium`).
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import type { StackFile } from '../apps/cli/src/stack-file.ts';

const root = join(import.meta.dirname, '..');
const folder = join(root, 'docs', 'images', 'console');
const PEOPLE = 12_000;
const RATE = 700;
const FIRST = ['Ada', 'Björn', 'Chiara', 'Dmitri', 'Esi', 'Fatima', 'Göran', 'Hiro', 'Inès', 'João', 'Łucja', 'Mehmet'];
const LAST = ['Abara', 'Costa', 'Dąbrowski', 'Eriksen', 'Ferrari', 'García', 'Haddad', 'Ito', 'Kowalska', 'Nguyen'];
const CITY = ['Łódź', 'Accra', 'Porto', 'Osaka', 'İzmir', 'Lyon', 'Bergen'];

const stackFile = join(root, '.volley', 'stack.json');
if (!existsSync(stackFile)) throw new Error('nothing runs in this clone: `npm start` first');
const { api, api_key: key } = JSON.parse(readFileSync(stackFile, 'utf8')) as StackFile;

async function call<T>(method: string, path: string, body?: unknown, type = 'application/json'): Promise<T> {
  const response = await fetch(api + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': type }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

const pick = (from: readonly string[], i: number, by: number) => from[Math.floor(i / by) % from.length] as string;
/** One in a hundred has an address that the simulated provider refuses for good. */
const lines = Array.from({ length: PEOPLE }, (_, i) => {
  const name = `${pick(FIRST, i, 1)} ${pick(LAST, i, FIRST.length)}`;
  const email = `${name
    .normalize('NFD')
    .replaceAll(/[^a-z ]/gi, (letter) => ({ Ł: 'l', ł: 'l' })[letter] ?? '')
    .replaceAll(' ', '.')
    .toLowerCase()}${i}${i % 100 === 57 ? '+refuse' : ''}@example.org`;
  return JSON.stringify({ email, name, city: pick(CITY, i, 3), tags: ['autumn', i % 4 === 0 ? 'vip' : 'regular'] });
});
const { rejected } = await call<{ rejected: number }>(
  'POST',
  '/v1/contacts/import',
  lines.join('\n'),
  'application/x-ndjson',
);
if (rejected > 0) throw new Error(`${rejected} lines were rejected`);
const draft = {
  name: 'Autumn sale',
  template:
    'Hi {{name}},\n\nthe autumn sale has begun{% if city %}, also in {{city}}{% endif %}.\n\nSee you,\nthe shop\n',
  segment_rule: 'autumn',
  rate_per_second: RATE,
};
const create = async (body: object) => (await call<{ campaign_id: string }>('POST', '/v1/campaigns', body)).campaign_id;
const unsent = await create({ ...draft, name: 'Winter preview', segment_rule: 'autumn,vip' });
const id = await create(draft);

const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
mkdirSync(folder, { recursive: true });
async function tab(theme: 'light' | 'dark', width: number): Promise<Page> {
  const context = await browser.newContext({
    viewport: { width, height: width > 600 ? 800 : 812 },
    colorScheme: theme,
    locale: 'en-GB',
    timezoneId: 'UTC',
  });
  await context.addInitScript((value) => sessionStorage.setItem('volley.key', value), key);
  return context.newPage();
}
/** The whole page as if the window were that high: what sticks to an edge stays at it. */
async function shoot(page: Page, name: string, whole = true): Promise<void> {
  const size = page.viewportSize() ?? { width: 1_180, height: 800 };
  const height = Number(await page.evaluate('document.documentElement.scrollHeight'));
  if (whole) await page.setViewportSize({ ...size, height: Math.min(4_000, Math.max(size.height, height)) });
  await page.waitForTimeout(300);
  await page.screenshot({ path: join(folder, `${name}.jpg`), type: 'jpeg', quality: 70 });
  await page.setViewportSize(size);
}

// One campaign as it runs.
const live = await tab('light', 1_180);
await call('POST', `/v1/campaigns/${id}/send`);
await live.goto(`${api}/campaigns/${id}`);
for (let n = 1; n <= 3; n++) {
  await live.waitForTimeout(n === 1 ? 2_500 : 4_500);
  await shoot(live, `live-${n}`, false);
}
await live.getByText('Completed with failures').first().waitFor({ timeout: 120_000 });
await live.waitForTimeout(8_000);
await shoot(live, 'live-4', false);

const { data } = await call<{ data: { message_id: string }[] }>(
  'GET',
  `/v1/campaigns/${id}/messages?status=failed&limit=1`,
);
const pages: readonly [name: string, path: string][] = [
  ['campaigns', '/campaigns'],
  ['new-campaign', `/campaigns/${unsent}/edit`],
  ['campaign', `/campaigns/${id}`],
  ['messages', `/campaigns/${id}/messages`],
  ['message', `/messages/${data[0]?.message_id}`],
  ['failures', '/failures'],
  ['contacts', '/contacts'],
  ['pipeline', '/pipeline'],
];
for (const theme of ['light', 'dark'] as const)
  for (const width of [1_180, 390]) {
    const page = await tab(theme, width);
    for (const [name, path] of pages) {
      await page.goto(api + path);
      await page.getByRole('heading', { level: 1 }).waitFor();
      await page.waitForTimeout(2_500);
      await shoot(page, `${name}-${theme}-${width > 600 ? 'wide' : 'narrow'}`);
    }
  }
// The second of the two clicks.
const page = await tab('light', 1_180);
await page.goto(`${api}/campaigns/${id}`);
await page
  .getByRole('button', { name: /^Send again to/ })
  .first()
  .click();
await page
  .getByRole('dialog')
  .getByRole('button', { name: /^Send again to/ })
  .waitFor();
await shoot(page, 'send-again', false);
await browser.close();
process.stdout.write(`${folder}\n`);

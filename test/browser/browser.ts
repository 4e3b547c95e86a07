import { existsSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { TestPlatform } from '../support/test-platform.ts';

const KNOWN_PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
];
/** Where Chromium is on this machine; undefined: nowhere. `VOLLEY_TEST_CHROMIUM` names another. */
export const CHROMIUM = process.env.VOLLEY_TEST_CHROMIUM || KNOWN_PLACES.find((place) => existsSync(place));
export const WITHOUT_CHROMIUM =
  'the console in a browser: there is no Chromium here; `apt-get install chromium`, or name one in VOLLEY_TEST_CHROMIUM';

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: CHROMIUM as string,
    // In containers there is neither a sandbox of its own nor room in /dev/shm.
    args: ['--no-sandbox', '--disable-dev-shm-usage'],
  });

export interface View {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What must be none: reports of the content policy, uncaught errors, dialogs. */
  readonly complaints: string[];
  /** Goes to a path of the console and waits for its heading. */
  open(path: string): Promise<void>;
}

export interface ViewOptions {
  readonly width?: number;
  readonly height?: number;
  readonly theme?: 'light' | 'dark';
  /** Default true: with the key in the tab, as after the first visit. */
  readonly key?: boolean;
}

/** A tab of its own on the platform's console; closed with the test. */
export async function view(
  t: ExecutionContext,
  browser: Browser,
  p: TestPlatform,
  options: ViewOptions = {},
): Promise<View> {
  const { width = 1280, height = 900, theme = 'light', key = true } = options;
  const { api, api_key } = p.platform.describe();
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    locale: 'en-GB',
    timezoneId: 'Europe/Warsaw',
    acceptDownloads: true,
  });
  t.teardown(async () => {
    // `VOLLEY_TEST_PICTURES=folder`: what a failed test saw last.
    const folder = process.env.VOLLEY_TEST_PICTURES;
    const name = t.title.replaceAll(/[^a-z0-9]+/gi, '-').slice(0, 80);
    if (folder !== undefined && !t.passed) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
    await context.close();
  });
  context.setDefaultTimeout(30_000);
  // Runs in every frame: that of a message has no storage.
  if (key)
    await context.addInitScript(
      `if (self.origin !== 'null') sessionStorage.setItem('volley.key', ${JSON.stringify(api_key)})`,
    );
  const complaints: string[] = [];
  const page = await context.newPage();
  page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) complaints.push(message.text());
  });
  return {
    page,
    context,
    complaints,
    async open(path) {
      await page.goto(`${api}${path}`);
      await page.getByRole('heading', { level: 1 }).waitFor();
    },
  };
}

/** More than the window is wide: the page itself would scroll sideways. */
export const overflow = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');

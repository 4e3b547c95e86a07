import test from 'ava';
import { tabTitle } from '../src/ui/tab-title.ts';

const TITLES: readonly [text: string, title: string][] = [
  ['Spring sale', 'Spring sale'],
  ['\u202Egnp.exe\u202C \u2066x\u2069', 'gnp.exe x'],
  ['one\ntwo\u0000three\t four', 'one two three four'],
  ['العربية', 'العربية'],
  ['x'.repeat(120), 'x'.repeat(120)],
  ['x'.repeat(121), `${'x'.repeat(119)}…`],
  ['😀'.repeat(10_000), `${'😀'.repeat(119)}…`],
  ['\u202E'.repeat(10_000), ''],
];
for (const [text, title] of TITLES)
  test(`${JSON.stringify(text.slice(0, 20))} of ${text.length} in the tab`, (t) => {
    t.is(tabTitle(text), title);
  });

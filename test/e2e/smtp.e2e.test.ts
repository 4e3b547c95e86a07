import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { type CliHome, cliHome } from '../support/cli.ts';
import { type MailServer, startMailServer } from '../support/mail-server.ts';

const samples = join(import.meta.dirname, '..', '..', 'samples', 'contacts.csv');
const TEMPLATE =
  'Dear {{name}},\n\nis {{city}} well? Your tags: {{ tags | join: ", " }}.\n.\n..dots at the start of a line\n';
const SUBJECT = 'Grüße aus 台南 🎉, {{name}}';

let home: CliHome;
let mail: MailServer;
test.before(async () => {
  mail = await startMailServer();
  home = await cliHome('smtp');
  const providers = join(home.home, 'providers.json');
  writeFileSync(
    providers,
    JSON.stringify([{ name: 'local', channel: 'smtp', url: `smtp://127.0.0.1:${mail.port}`, from: 'a@example.org' }]),
  );
  await home.up({ VOLLEY_PROVIDERS_FILE: providers });
});
test.after.always(async () => {
  await home?.close();
  await mail?.close();
});

/** RFC 4180, as far as the samples go: quoted cells, doubled quotes. */
function rowsOf(csv: string): Record<string, string>[] {
  const lines = csv
    .trim()
    .split(/\r?\n/)
    .map((line) => {
      const cells = [...line.matchAll(/("((?:[^"]|"")*)"|[^,]*)(,|$)/g)].slice(0, -1);
      const last = line.endsWith(',') ? [''] : [];
      return [...cells.map((m) => (m[2] === undefined ? (m[1] ?? '') : m[2].replaceAll('""', '"'))), ...last];
    });
  const [head = [], ...rest] = lines;
  return rest.map((cells) => Object.fromEntries(head.map((name, i) => [name, cells[i] ?? ''])));
}

test.serial('each of the sample contacts gets one mail, every header and body as it was meant', async (t) => {
  const people = rowsOf(readFileSync(samples, 'utf8'));
  t.true(people.length >= 30);
  t.true(
    people.some((p) => p.name === 'van der Berg, Jr., Pieter') && people.some((p) => p.name === 'MC "Hammer" O’Brien'),
  );
  const { code, stderr, ...result } = await home.run([
    'send',
    ...['--audience', samples, '--template', TEMPLATE, '--subject', SUBJECT, '--channel', 'smtp'],
    ...['--from', '"Zoë Müller, Volley" <hello@example.org>', '--wait', '--json'],
  ]);
  t.is(code, 0, stderr);
  t.like(result.json(), { status: 'completed', total: people.length, sent: people.length, accounted: true });
  t.is(mail.received.length, people.length, 'each mail once');

  const byAddress = new Map(mail.received.map((m) => [m.mail.to?.[0]?.address ?? '', m]));
  t.is(byAddress.size, people.length);
  for (const person of people) {
    const got = byAddress.get(person.email ?? '');
    if (got === undefined) {
      t.fail(`no mail to ${person.email}`);
      continue;
    }
    t.deepEqual(got.envelopeTo, [person.email ?? '']);
    t.deepEqual(
      got.mail.to?.map((to) => [to.name, to.address]),
      [[person.name ?? '', person.email ?? '']],
      'one mailbox, whatever commas and quotes the name has',
    );
    t.is(got.mail.subject, `Grüße aus 台南 🎉, ${person.name}`);
    t.like(got.mail.from, { name: 'Zoë Müller, Volley', address: 'hello@example.org' });
    // The send adds a tag of its own, so that exactly this file is reached.
    const tags = (person.tags ?? '').split(';').join(', ');
    const body = (got.mail.text ?? '').replaceAll('\r\n', '\n');
    t.true(body.startsWith(`Dear ${person.name},\n\nis ${person.city} well? Your tags: ${tags}, send-`), body);
    t.true(body.trimEnd().endsWith('.\n.\n..dots at the start of a line'), body);
    // On the wire everything is ASCII lines of a legal length: encoded words, quoted-printable or base64.
    const wire = got.raw.toString('latin1');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII is what is meant
    t.regex(wire, /^[\x00-\x7f]*$/);
    t.true(wire.split('\r\n').every((line) => line.length <= 998));
    t.false(/(^|[^\r])\n/.test(wire), 'no bare line feed');
  }
  const ids = mail.received.map((m) => m.mail.messageId);
  t.is(new Set(ids).size, people.length, 'a Message-ID each');
});

test.serial('a line break in what becomes a header never reaches the wire', async (t) => {
  const before = mail.received.length;
  const audience = join(home.home, 'injection.ndjson');
  const people = [
    { email: 'one@example.org', name: 'One', greeting: 'Hello\r\nBcc: victim@example.org' },
    { email: 'two@example.org', name: 'Two', greeting: 'Hello' },
    { email: 'three@example.org, victim@example.org', name: 'Three', greeting: 'Hello' },
    { email: 'four@example.org', name: 'Four\nBcc: victim@example.org', greeting: 'Hello' },
  ];
  writeFileSync(audience, people.map((p) => `${JSON.stringify(p)}\n`).join(''));
  const { code, ...result } = await home.run([
    'send',
    ...['--audience', audience, '--template', 'Hi {{name}}', '--subject', '{{greeting}}', '--channel', 'smtp'],
    ...['--from', 'hello@example.org', '--wait', '--json'],
  ]);
  // Two lines are refused at the import, one message dies in rendering, one mail goes out.
  t.is(code, 1);
  t.like(result.json(), { status: 'completed_with_failures', total: 2, sent: 1, dead: 1 });
  const after = mail.received.slice(before);
  t.deepEqual(
    after.map((m) => m.envelopeTo),
    [['two@example.org']],
  );
  t.false(mail.received.some((m) => m.raw.includes('victim')));
});

import test from 'ava';
import { Command } from 'commander';
import { faultArguments, unheardOptions } from '../src/load-faults.ts';
import { loadOptions } from '../src/load-options.ts';

/** As commander reads it. */
function parsed(...words: string[]): Record<string, unknown> {
  const command = loadOptions(new Command().exitOverride().configureOutput({ writeErr: () => {} }), Number, Number);
  return command.option('--json').parse(words, { from: 'user' }).opts();
}

for (const [profile, messages] of [
  ['short', '9000'],
  ['long', '180000'],
  ['nightly', '360000'],
] as const)
  test(`the profile ${profile} is ${messages} messages of the mixed scenario`, (t) => {
    const options = parsed('--faults', 'mixed', '--profile', profile, '--seed', '7');
    t.is(options.profile, profile);
    t.deepEqual(faultArguments({ scenario: 'mixed', profile, seed: options.seed as number }), [
      ...['S11', '--messages', messages, '--seed', '7'],
    ]);
  });

test('without a profile it is the short one, without a seed one by chance', (t) => {
  t.is(parsed('--faults', 'mixed').profile, 'short');
  t.deepEqual(faultArguments({ scenario: 'F30', profile: 'short' }), ['F30', '--messages', '9000']);
});

test('another profile is refused', (t) => t.throws(() => parsed('--profile', 'weekly'), { message: /nightly/ }));

for (const words of [
  ['--rate', '5000'],
  ['--stage', '10:1s'],
  ['--allow-remote'],
  ['--max-messages', '5'],
  ['--report', 'a.html'],
])
  test(`${words.join(' ')} would go unheard beside --faults`, (t) =>
    t.deepEqual(unheardOptions(parsed('--faults', 'mixed', ...words)), [words[0]]));

test('what --faults takes goes unheard nowhere', (t) =>
  t.deepEqual(unheardOptions(parsed('--faults', 'mixed', '--profile', 'long', '--seed', '1', '--json')), []));

test('every option of a load is either heard with --faults or refused', (t) => {
  const command = loadOptions(new Command(), Number, Number);
  const names = command.options.map((option) => option.attributeName());
  const given = Object.fromEntries(names.map((name) => [name, 'x']));
  const heard = names.length - unheardOptions(given).length;
  // shape has a default, so that nobody knows whether it was given.
  t.is(heard, ['faults', 'profile', 'seed', 'shape'].length);
});

/** Two parts that stop in reverse order; the first argument says how the second part behaves. */
import { createLifecycle } from '../src/lifecycle.ts';
import { createLogger } from '../src/logger.ts';

const [behaviour = 'clean', graceMs = '5000'] = process.argv.slice(2);
const lifecycle = createLifecycle(createLogger('test', 'info'), Number(graceMs));
const say = (text: string): void => void process.stdout.write(`${text}\n`);

lifecycle.add({
  name: 'first',
  stop: async () => say(`first stops, stopping: ${lifecycle.stopping()}`),
});
lifecycle.add({
  name: 'second',
  stop: async () => {
    say('second stops');
    if (behaviour === 'hangs') await new Promise(() => {});
    if (behaviour === 'fails') throw new Error('no');
    if (behaviour === 'slow') await new Promise((resolve) => setTimeout(resolve, 400));
  },
});
setInterval(() => {}, 1_000);
if (behaviour === 'throws') setImmediate(() => JSON.parse('{'));
if (behaviour === 'rejects') void Promise.reject(new Error('unheard'));
if (behaviour === 'fatal') setImmediate(() => lifecycle.fatal(new Error('cannot go on')));
say(`ready, stopping: ${lifecycle.stopping()}`);

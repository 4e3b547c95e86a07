import { type Command, Option } from 'commander';

type Number = (value: string) => number;

/** Options of `volley load`, without what carries them out: that is imported when it is asked for. */
export function loadOptions(of: Command, whole: Number, positive: Number): Command {
  const many = (value: string, before: readonly string[]) => [...before, value];
  return of
    .option('--rate <per second>', 'messages that are due in a second', positive)
    .option('--duration <time>', 'how long, such as 60, 90s or 5m (default: 60s)')
    .option('--stage <rate:time,…>', 'several rates in turn, such as 1000:10s,2000:60s', many, [])
    .option('--warm-up <time>', 'at the first rate, sent and not judged; 0: none (default: 5s, or a fifth of it)')
    .addOption(
      new Option('--shape <shape>', 'what a request brings')
        .choices(['ndjson', 'direct', 'campaign', 'campaigns'])
        .default('ndjson'),
    )
    .option('--batch <lines>', 'of an NDJSON body (default: 100)', whole)
    .option('--campaign-size <n>', 'audience of each of many small campaigns (default: 100)', whole)
    .option('--unpaced', 'one large campaign without a rate of its own', false)
    .option('--ids', 'direct messages have ids of their own', false)
    .option('--readers <n>', 'ask for statistics meanwhile, each once a second (default: 2)', whole)
    .option('--simulate <what>', 'what the simulated provider does: slow, tail, flaky, refusing, outage, or a list')
    .option('--provider <name>', 'a named provider, with its own settings')
    .option('--objective <objective>', 'such as http.p99<50ms, delivery.p95<2s, errors<0.1%; repeatable', many, [])
    .option('--report <file>', '.html: one page with charts; .json: everything; repeatable', many, [])
    .option('--find-capacity', 'raises the rate until an objective breaks, then narrows it down', false)
    .option('--try <time>', 'with --find-capacity: how long a rate is held (default: 10s)')
    .option('--tries <n>', 'with --find-capacity: at most so many rates (default: 14)', whole)
    .option('--max-time <time>', 'with --find-capacity: at most so long (default: 15m)')
    .option('--need <messages:time>', 'how many dispatchers that needs, by what was measured: 1000000:600s')
    .option('--generators <n>', 'processes that send (default: by the rate)', whole)
    .option('--connections <n>', 'of all generators together (default: 256)', whole)
    .option('--timeout <time>', 'a request without an answer is given up (default: 10s)')
    .option('--drain <time>', 'wait for what is on its way in the end (default: 120s)')
    .option('--max-late <time>', 'no verdict when 1% of the requests leave later than this (default: 100ms)')
    .option('--max-messages <n>', 'refuse to send more (default: 1000000)', whole)
    .option('--faults <scenario>', 'mixed, or an id of npm run faults: breaks things meanwhile, on a stack of its own')
    .addOption(
      new Option('--profile <profile>', 'with --faults: half a minute, ten minutes, an hour')
        .choices(['short', 'long', 'nightly'])
        .default('short'),
    )
    .option('--seed <n>', 'with --faults: the same choices again', positive)
    .option('--allow-remote', 'load another machine than this one', false);
}

import { spawnSync } from 'node:child_process';
import { existsSync, statfsSync } from 'node:fs';
import { topicDefinitions, topicsOf } from '@volley/contract';
import { createKafkaClient } from '@volley/stream/kafka';
import { printer, printJson } from './output.ts';
import { dataDir, home, repository } from './places.ts';
import { readStackFile } from './stack-file.ts';
import { differenceText, topicDifferences, topicSettingsFrom } from './topics.ts';

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly found: string;
  /** What to do; only where something is wrong. */
  readonly advice?: string;
}

function tool(
  check: string,
  command: string,
  args: string[],
  pattern: RegExp,
  atLeast: number,
  advice: string,
): Finding {
  const result = spawnSync(command, args, { encoding: 'utf8' });
  const text = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  const version = pattern.exec(text)?.[1];
  const ok = !result.error && version !== undefined && Number.parseInt(version, 10) >= atLeast;
  return { check, ok, found: version ?? 'not found', ...(ok ? {} : { advice }) };
}

async function answers(check: string, url: string): Promise<Finding> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    const body = (await response.text()).trim().slice(0, 200);
    return {
      check,
      ok: response.ok,
      found: response.ok ? 'ready' : body,
      ...(response.ok ? {} : { advice: 'see .volley/logs' }),
    };
  } catch (error) {
    return {
      check,
      ok: false,
      found: (error as Error).message,
      advice: 'see .volley/logs, or stop and run `npm start` again',
    };
  }
}

/** Nothing alters a topic that exists: a newer version may want other settings than it was made with. */
async function topicSettings(brokers: string): Promise<Finding> {
  const check = 'topic settings';
  const client = createKafkaClient({ brokers: brokers.split(','), clientId: 'volley-doctor' });
  try {
    const topics = topicsOf(process.env.VOLLEY_NAMESPACE ?? 'volley');
    const definitions = topicDefinitions(topics, topicSettingsFrom(process.env));
    const differences = await topicDifferences(await client.admin(), definitions);
    if (differences.length === 0) return { check, ok: true, found: 'as set-up would make them' };
    const advice = 'change them with kafka-configs.sh --alter, or empty the data with `volley reset`';
    return { check, ok: false, found: differences.map(differenceText).join('; '), advice };
  } catch (error) {
    return { check, ok: false, found: (error as Error).message, advice: 'the log does not answer' };
  } finally {
    await client.close();
  }
}

/** `volley doctor`: what a start needs and what of a running stack is not well. Exit 1 when something is wrong. */
export async function doctor(json: boolean): Promise<number> {
  const findings: Finding[] = [
    { check: 'Node', ok: true, found: process.versions.node },
    tool(
      'Java',
      'java',
      ['-version'],
      /version "(\d+[^"]*)"/,
      17,
      'install a Java 17 or newer runtime (Debian: default-jre-headless) and put it on the PATH',
    ),
    tool(
      'Maven',
      'mvn',
      ['-v'],
      /Apache Maven (\d[\d.]*)/,
      3,
      'install Maven 3 (Debian: maven) and put it on the PATH',
    ),
  ];
  const disk = statfsSync(existsSync(home) ? home : repository);
  const freeGiB = (disk.bavail * disk.bsize) / 2 ** 30;
  findings.push({
    check: 'free disk',
    ok: freeGiB > 3,
    found: `${freeGiB.toFixed(1)} GiB`,
    ...(freeGiB > 3 ? {} : { advice: 'the downloads and data need about 3 GiB' }),
  });
  const stack = await readStackFile(home, dataDir);
  findings.push({ check: 'stack', ok: true, found: stack ? `running, API ${stack.api}` : 'not running' });
  if (stack) {
    for (const [name, address] of Object.entries(stack.admin)) {
      for (const one of [address].flat()) findings.push(await answers(name, `${one}/readyz`));
    }
    findings.push(await topicSettings(stack.kafka));
  }
  if (json) printJson(findings);
  else {
    const print = printer(json);
    for (const f of findings)
      print(`${f.ok ? 'ok  ' : 'FAIL'} ${f.check.padEnd(14)} ${f.found}${f.advice ? `\n       ${f.advice}` : ''}`);
  }
  return findings.every((f) => f.ok) ? 0 : 1;
}

import { createReadStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CampaignView, createApi, type ImportView } from './api.ts';
import { reportOf, watch } from './campaign-run.ts';
import { type MailSink, startMailSink } from './mail-sink.ts';
import { CliError, printer, printJson } from './output.ts';
import { peopleNdjson } from './people.ts';
import { dataDir, home, samplesDir } from './places.ts';
import { reportLines } from './report.ts';
import { readStackFile, type StackFile } from './stack-file.ts';
import { bringUp, consoleAddress, type Running } from './up.ts';

export interface DemoOptions {
  readonly once: boolean;
  readonly json: boolean;
  readonly recipients?: number;
  readonly channel: 'simulated' | 'smtp';
}

const TEMPLATE =
  'Hi {{name}},\n\nthis is Volley{% if city %}, greeting {{city}}{% endif %}. Your tags: {{ tags | join: ", " }}.\n';

/** Providers of the demo: the simulated one, and the local mail sink when asked for. */
function providersFile(mail: MailSink): string {
  mkdirSync(dataDir, { recursive: true });
  const path = join(dataDir, 'demo-providers.json');
  const providers = [
    { name: 'simulated', channel: 'simulated', url: 'simulated:' },
    {
      name: 'mail-sink',
      channel: 'smtp',
      url: `smtp://127.0.0.1:${mail.port}`,
      from: 'Volley Demo <demo@example.org>',
    },
  ];
  writeFileSync(path, JSON.stringify(providers, null, 2), { mode: 0o600 });
  return path;
}

async function runCampaign(
  stack: StackFile,
  options: DemoOptions,
  print: (line: string) => void,
  mail?: MailSink,
): Promise<boolean> {
  const api = createApi(stack.api, stack.api_key);
  const generated = options.recipients !== undefined;
  // A tag of this run, so that a second demo on the same data does not write to the people of the first.
  const tag = generated ? `run-${Date.now().toString(36)}` : 'sample';
  print(
    generated ? `importing ${options.recipients} generated people, tagged ${tag}` : 'importing samples/contacts.csv',
  );
  const imported = generated
    ? await api.upload<ImportView>(
        '/v1/contacts/import',
        'application/x-ndjson',
        peopleNdjson(options.recipients ?? 0, tag),
      )
    : await api.upload<ImportView>(
        '/v1/contacts/import',
        'text/csv',
        createReadStream(join(samplesDir, 'contacts.csv')),
      );
  print(`  ${imported.imported} imported, ${imported.updated} updated, ${imported.rejected} rejected`);
  const campaign = await api.request<CampaignView>('POST', '/v1/campaigns', {
    name: generated ? `Demo for ${options.recipients}` : 'Demo for the sample contacts',
    template: TEMPLATE,
    segment_rule: tag,
    channel: options.channel,
    ...(options.channel === 'smtp' ? { subject: 'Hello {{name}}', from: 'Volley Demo <demo@example.org>' } : {}),
  });
  const sentAtMs = performance.now();
  const { queued } = await api.request<{ queued: number }>('POST', `/v1/campaigns/${campaign.campaign_id}/send`);
  print(`sending campaign ${campaign.campaign_id} to ${queued} recipients`);
  // Whoever reads the JSON has the key from stack.json; a log of progress is no place for it.
  const at = `/campaigns/${campaign.campaign_id}`;
  const page = stack.console ? (options.json ? stack.console + at : consoleAddress(stack, at)) : undefined;
  if (page) print(`  watch it live: ${page}`);
  const end = await watch(api, campaign.campaign_id, { stallMs: 60_000 });
  const report = await reportOf(api, stack, campaign.campaign_id, sentAtMs, end);
  for (const line of reportLines(report, !options.json && process.stdout.isTTY, page)) print(line);
  let mailsOk = true;
  if (mail) {
    const doubled = [...mail.received.values()].filter((n) => n > 1).length;
    mailsOk = mail.received.size === report.sent && doubled === 0;
    print(`  mail sink: ${mail.received.size} mails, ${doubled} of them more than once`);
  }
  if (options.json) printJson(report);
  return report.accounted && report.status.startsWith('completed') && mailsOk;
}

/** `volley demo`: uses the live stack of this clone and leaves it running, or starts one of its own. */
export async function demo(options: DemoOptions): Promise<number> {
  const print = printer(options.json);
  const live = await readStackFile(home, dataDir);
  if (live) {
    if (options.channel === 'smtp')
      throw new CliError('`--channel smtp` starts services with a mail sink: stop the running stack first');
    print(`using the running stack at ${live.api}`);
    return (await runCampaign(live, options, print)) ? 0 : 1;
  }
  const mail = options.channel === 'smtp' ? await startMailSink() : undefined;
  let running: Running | undefined;
  try {
    running = await bringUp(print, mail ? { VOLLEY_PROVIDERS_FILE: providersFile(mail) } : {});
    print(`up in ${((running.platform.timings.total ?? 0) / 1_000).toFixed(1)} s`);
    const ended = running.ended.then((code) => {
      throw new CliError(code === 0 ? 'stopped' : 'a part of the stack ended: see the lines above and .volley/logs');
    });
    ended.catch(() => {});
    const ok = await Promise.race([runCampaign(running.stack, options, print, mail), ended]);
    if (options.once) return ok ? 0 : 1;
    print('');
    print('Ctrl-C stops everything; data stays in .volley/data');
    await running.ended;
    return ok ? 0 : 1;
  } finally {
    await running?.stop();
    await mail?.close();
  }
}

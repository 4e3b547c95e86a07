import { messageText } from './people.ts';
import { perArrival, type Share } from './plan.ts';
import type { Answer } from './recorder.ts';
import { type Schedule, scheduleOf } from './schedule.ts';
import type { Reply, Transport } from './transport.ts';

/** A campaign that a generator has made. */
export interface Made {
  readonly arrival: number;
  readonly campaignId: string;
}

export interface Requests {
  readonly schedule: Schedule;
  send(arrival: number): Promise<Answer>;
  /** One question of a reader, in turn. Undefined: an answer as it should be. */
  read(n: number): Promise<string | undefined>;
  /** Campaigns made since the last call. */
  takeMade(): Made[];
}

const READS = ['stats', 'series', 'histogram', 'failures', 'messages?limit=50', 'stats'] as const;
const JSON_TYPE = 'application/json';

const parsed = (text: string): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
};

/** The name of a failure: its status and the code of the problem, or what the connection said. */
export const errorOf = (reply: Reply): string => {
  if (!reply.ok) return reply.begun ? reply.error : `not sent: ${reply.error}`;
  const { code } = parsed(reply.text);
  return typeof code === 'string' ? `${reply.status} ${code}` : String(reply.status);
};

/** 4xx refuses; anything else that is not 2xx promises nothing either way. */
function answerOf(reply: Reply, messages: number): Answer {
  if (reply.ok && reply.status >= 200 && reply.status <= 299) return { outcome: 'accepted', error: '', messages };
  const error = errorOf(reply);
  if (!reply.ok) return { outcome: reply.begun ? 'unknown' : 'not_sent', error, messages: 0 };
  return { outcome: reply.status >= 400 && reply.status <= 499 ? 'refused' : 'unknown', error, messages: 0 };
}

const number = (value: unknown): number => (typeof value === 'number' && value >= 0 ? value : 0);

/** The requests of each shape. */
export function requestsOf(share: Share, transport: Transport): Requests {
  const { run, script, ids } = share;
  const schedule = scheduleOf(share.stages, perArrival(share));
  let made: Made[] = [];
  let newest: string | undefined = share.campaigns[0];
  const post = (path: string, body?: string, type = JSON_TYPE) => transport.request('POST', path, type, body);

  const shapes: Record<Share['shape'], (arrival: number) => Promise<Answer>> = {
    async direct(arrival) {
      const body = messageText(run, arrival, script, schedule.atMs(arrival), ids);
      return answerOf(await post(`/v1/campaigns/${share.campaigns[0]}/messages`, body), 1);
    },
    async ndjson(arrival) {
      const lines = schedule.messagesOf(arrival);
      const atMs = schedule.atMs(arrival);
      let body = '';
      for (let i = 0; i < lines; i++) body += `${messageText(run, arrival * lines + i, script, atMs, ids)}\n`;
      const reply = await post(`/v1/campaigns/${share.campaigns[0]}/messages`, body, 'application/x-ndjson');
      const counts = reply.ok ? parsed(reply.text) : {};
      const answer = answerOf(reply, number(counts.accepted));
      // What the log had taken before it failed midway is accepted.
      if (answer.outcome !== 'accepted') return { ...answer, messages: number(counts.accepted) };
      return answer.messages === lines ? answer : { ...answer, outcome: 'refused', error: 'lines rejected' };
    },
    async campaign(arrival) {
      const reply = await post(`/v1/campaigns/${share.campaigns[arrival]}/send`);
      return answerOf(reply, reply.ok ? number(parsed(reply.text).queued) : 0);
    },
    async campaigns(arrival) {
      const created = await post('/v1/campaigns', JSON.stringify({ ...share.draft, name: `load ${run} ${arrival}` }));
      const { campaign_id: id } = created.ok ? parsed(created.text) : {};
      // Without an id it stays a draft that nobody sends.
      if (!created.ok || created.status !== 201 || typeof id !== 'string')
        return { outcome: created.ok || created.begun ? 'refused' : 'not_sent', error: errorOf(created), messages: 0 };
      made.push({ arrival, campaignId: id });
      newest = id;
      const reply = await post(`/v1/campaigns/${id}/send`);
      return answerOf(reply, reply.ok ? number(parsed(reply.text).queued) : 0);
    },
  };

  return {
    schedule,
    send: shapes[share.shape],
    async read(n) {
      if (newest === undefined) return undefined;
      const reply = await transport.request('GET', `/v1/campaigns/${newest}/${READS[n % READS.length]}`);
      return reply.ok && reply.status === 200 ? undefined : `read: ${errorOf(reply)}`;
    },
    takeMade() {
      const taken = made;
      made = [];
      return taken;
    },
  };
}

import { createParser } from 'eventsource-parser';
import { addressOf, authorization, problemOf, Unreachable } from '../api/client.ts';
import { tellReached } from '../api/reach.ts';
import type { StatsView } from '../api/types.ts';

/** A stream says something each second; one that is silent for so long is broken, whatever the connection says. */
const SILENT_MS = 6_000;

/**
 * Reads the statistics of a campaign as they come, until it ends (`end`), or throws. By `fetch`, as an EventSource can
 * send no key.
 */
export async function readStats(
  campaignId: string,
  onStats: (stats: StatsView) => void,
  gone: AbortSignal,
): Promise<void> {
  const silent = new AbortController();
  let timer = setTimeout(() => silent.abort(), SILENT_MS);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => silent.abort(), SILENT_MS);
  };
  const signal = AbortSignal.any([gone, silent.signal]);
  try {
    const response = await fetch(addressOf(`/v1/campaigns/${encodeURIComponent(campaignId)}/stats/stream`), {
      headers: { Accept: 'text/event-stream', ...authorization() },
      cache: 'no-store',
      signal,
    }).catch((error) => {
      if (gone.aborted) throw error;
      tellReached(false);
      throw new Unreachable('The API does not answer.');
    });
    if (!response.ok || !response.body) throw await problemOf(response);
    tellReached(true);
    let ended = false;
    const parser = createParser({
      onEvent(event) {
        onStats(JSON.parse(event.data) as StatsView);
        if (event.event === 'end') ended = true;
      },
    });
    const reader = response.body
      .pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
      .getReader();
    while (!ended) {
      const { done, value } = await reader.read();
      if (done) break;
      heard();
      parser.feed(value);
    }
    void reader.cancel().catch(() => {});
    if (!ended) throw new Unreachable('The stream has ended before the campaign.');
  } finally {
    clearTimeout(timer);
  }
}

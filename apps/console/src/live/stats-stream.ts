import { createParser } from 'eventsource-parser';
import { addressOf, problemOf, Unreachable } from '../api/client.ts';
import { apiKeyGiven, refuseApiKey } from '../api/key.ts';
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
  const key = await apiKeyGiven(gone);
  // Silent, read to its end, or not to be understood: whatever ends it here ends the connection.
  const over = new AbortController();
  let timer = setTimeout(() => over.abort(), SILENT_MS);
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => over.abort(), SILENT_MS);
  };
  try {
    const response = await fetch(addressOf(`/v1/campaigns/${encodeURIComponent(campaignId)}/stats/stream`), {
      headers: { Accept: 'text/event-stream', Authorization: `Bearer ${key}` },
      cache: 'no-store',
      signal: AbortSignal.any([gone, over.signal]),
    }).catch((error) => {
      if (gone.aborted) throw error;
      tellReached(false);
      throw new Unreachable('The API does not answer');
    });
    tellReached(true);
    if (response.status === 401) refuseApiKey(key);
    if (!response.ok || !response.body) throw await problemOf(response);
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
    if (!ended) throw new Unreachable('The stream has ended before the campaign');
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

import { styleText } from 'node:util';

export interface Report {
  readonly campaign_id: string;
  readonly status: string;
  readonly total: number;
  readonly sent: number;
  readonly failed: number;
  readonly dead: number;
  readonly suppressed: number;
  readonly cancelled: number;
  readonly expired: number;
  /** From `send` to the last event being queryable. */
  readonly seconds: number;
  readonly messages_per_second: number;
  readonly p50_ms: number;
  readonly p95_ms: number;
  readonly p99_ms: number;
  /** Terminal events and distinct messages in ClickHouse, and events of earlier attempts. */
  readonly stored: { readonly events: number; readonly messages: number; readonly retries: number };
  readonly histogram: readonly { upTo: number; count: number }[];
  readonly accounted: boolean;
  readonly api: string;
  readonly console: string | null;
}

const WIDTH = 44;
const BLOCKS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

function bar(share: number): string {
  const eighths = Math.round(share * WIDTH * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + BLOCKS[eighths % 8];
}

const ms = (value: number): string => (value < 1_000 ? `${Math.round(value)} ms` : `${(value / 1_000).toFixed(2)} s`);

export function histogramLines(histogram: Report['histogram']): string[] {
  const most = Math.max(1, ...histogram.map((h) => h.count));
  return histogram.map((h) => `  ${`≤ ${ms(h.upTo)}`.padStart(10)} ${bar(h.count / most).padEnd(WIDTH)} ${h.count}`);
}

/** `page`: address of the campaign in the console, with what it needs to be opened. */
export function reportLines(r: Report, colour: boolean, page?: string): string[] {
  const paint = (style: 'bold' | 'green' | 'red', text: string) => (colour ? styleText(style, text) : text);
  const verdict = r.accounted
    ? paint('green', `all ${r.total} accounted for, each exactly once in ClickHouse`)
    : paint(
        'red',
        `NOT accounted for: ${r.total} accepted, ${r.stored.messages} messages and ${r.stored.events} terminal events in ClickHouse`,
      );
  return [
    '',
    paint('bold', `Campaign ${r.campaign_id}: ${r.status}`),
    `  total ${r.total}   sent ${r.sent}   failed ${r.failed}   dead ${r.dead}${r.cancelled ? `   cancelled ${r.cancelled}` : ''}${r.expired ? `   expired ${r.expired}` : ''}`,
    `  ${verdict}`,
    `  ${r.seconds.toFixed(2)} s from send to the last event queryable: ${Math.round(r.messages_per_second)} msg/s, ${r.stored.retries} retries on the way`,
    `  end to end  p50 ${ms(r.p50_ms)}   p95 ${ms(r.p95_ms)}   p99 ${ms(r.p99_ms)}`,
    '',
    ...histogramLines(r.histogram),
    '',
    `  API      ${r.api}`,
    ...(page ? [`  Console  ${page}`] : []),
  ];
}

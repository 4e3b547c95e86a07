import { createHash } from 'node:crypto';
import { isCampaignId } from '@volley/contract';
import { campaignChange, campaignCreate, FIELDS_NOT_SUPPORTED } from '@volley/contract/http';
import type {
  Answer,
  Campaign,
  CampaignCommands,
  CampaignContent,
  CampaignPage,
  CampaignReads,
  CampaignStore,
  CampaignView,
  CommandName,
  IdempotencyKey,
} from '../../ports.ts';
import { readJson, readNothing } from './body.ts';
import { decodeCursor, encodeCursor, UUID } from './cursor.ts';
import { check, type Handler, type Handlers, notFound, type Reply, type Request } from './operation.ts';
import { failed, HttpProblem } from './problem.ts';

const etagOf = (version: number): string => `"${version}"`;

export interface CampaignHandlerDeps {
  readonly tenant: string;
  readonly commands: CampaignCommands;
  readonly reads: CampaignReads;
  readonly store: CampaignStore;
  readonly view: (campaign: Campaign) => CampaignView;
}

/** An id that cannot be one is not asked for. */
export const campaignIdOf = (r: Request): string => {
  if (!isCampaignId(r.id)) throw notFound('campaign');
  return r.id;
};

/** Quoted, as the draft standard has it, or bare, as most clients send it. */
export function keyOf(r: Request): string | undefined {
  const raw = r.req.headers['idempotency-key'];
  if (raw === undefined) return undefined;
  const key =
    /^"([\x20-\x21\x23-\x7e]{1,255})"$/.exec(String(raw))?.[1] ?? /^([\x21-\x7e]{1,255})$/.exec(String(raw))?.[1];
  if (key === undefined)
    throw new HttpProblem('validation_failed', 'Idempotency-Key: 1 to 255 printable characters', {
      errors: [{ pointer: '', detail: 'the header Idempotency-Key cannot be read' }],
    });
  return key;
}

export function idempotencyKey(r: Request, body: Buffer): IdempotencyKey | undefined {
  const key = keyOf(r);
  if (key === undefined) return undefined;
  const fingerprint = createHash('sha256').update(`${r.ctx.method} ${r.ctx.path}\n`).update(body).digest('hex');
  return { key, fingerprint };
}

/** `"3"`, or a list of them; `*` asks for any version. */
function ifMatch(r: Request): number | undefined {
  const header = r.req.headers['if-match'];
  if (header === undefined || header.trim() === '*') return undefined;
  const versions = header.split(',').map((tag) => /^"(\d{1,9})"$/.exec(tag.trim())?.[1]);
  // A tag that we never gave matches no version.
  return versions.length === 1 && versions[0] !== undefined ? Number(versions[0]) : -1;
}

/** Times come as ISO text and are kept as milliseconds. */
function toContent<T extends { expires_at?: string | null | undefined }>(body: T) {
  const { expires_at, ...rest } = body;
  if (expires_at === undefined) return rest;
  return { ...rest, expires_at: expires_at === null ? null : Date.parse(expires_at) };
}

function refuseLater(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const later = FIELDS_NOT_SUPPORTED.filter((field) => Object.hasOwn(value, field));
  if (later.length === 0) return;
  throw new HttpProblem('not_supported', `not supported yet: ${later.join(', ')}`, {
    errors: later.map((field) => ({ pointer: `/${field}`, detail: 'not supported yet' })),
  });
}

const replyOf = ({ status, body }: Answer): Reply => ({ status, body });

export function campaignHandlers(d: CampaignHandlerDeps) {
  const command =
    (name: CommandName): Handler =>
    async (r) => {
      const id = campaignIdOf(r);
      const body = await readNothing(r.req);
      const result =
        name === 'send'
          ? await d.commands.command(id, name, idempotencyKey(r, body), ifMatch(r))
          : await d.commands.command(id, name);
      if (!result.ok) throw failed(result.failure);
      return replyOf(result.value);
    };

  return {
    createCampaign: async (r) => {
      const { raw, value } = await readJson(r.req);
      refuseLater(value);
      const given = check(campaignCreate, value, 'body');
      const lane = { lane: given.lane ?? 'bulk', lane_given: given.lane !== undefined };
      const content = toContent({ ...given, ...lane }) as CampaignContent;
      const result = await d.commands.create(content, idempotencyKey(r, raw));
      if (!result.ok) throw failed(result.failure);
      const { campaign_id, version } = result.value.body as CampaignView;
      return {
        ...replyOf(result.value),
        headers: { Location: `/v1/campaigns/${campaign_id}`, ETag: etagOf(version) },
      };
    },

    listCampaigns: async (r) => {
      const { limit, cursor, ...filter } = r.query as unknown as CampaignPage & { cursor?: string };
      const before = decodeCursor('campaigns', cursor, UUID);
      const found = await d.store.list(d.tenant, {
        limit: limit + 1,
        ...filter,
        ...(before ? { before } : {}),
      });
      const page = found.slice(0, limit);
      const last = page.at(-1);
      const next_cursor = found.length > limit && last ? encodeCursor('campaigns', last.campaign_id) : null;
      return { status: 200, body: { data: page.map(d.view), next_cursor } };
    },

    getCampaign: async (r) => {
      const campaign = await d.store.find(d.tenant, campaignIdOf(r));
      if (!campaign) throw notFound('campaign');
      const etag = etagOf(campaign.version);
      const known = (r.req.headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim().replace(/^W\//, ''));
      if (known.includes(etag) || known.includes('*')) return { status: 304, headers: { ETag: etag } };
      return { status: 200, body: d.view(campaign), headers: { ETag: etag } };
    },

    changeCampaign: async (r) => {
      const id = campaignIdOf(r);
      const { value } = await readJson(r.req);
      refuseLater(value);
      const given = check(campaignChange, value, 'body');
      const lane = given.lane === undefined ? {} : { lane_given: true };
      const changes = toContent({ ...given, ...lane }) as Partial<CampaignContent>;
      const result = await d.commands.change(id, changes, ifMatch(r));
      if (!result.ok) throw failed(result.failure);
      return { status: 200, body: result.value, headers: { ETag: etagOf(result.value.version) } };
    },

    deleteCampaign: async (r) => {
      const result = await d.commands.remove(campaignIdOf(r), ifMatch(r));
      if (!result.ok) throw failed(result.failure);
      return { status: 204 };
    },

    previewCampaign: async (r) => {
      const result = await d.reads.preview(campaignIdOf(r), r.query.limit as number);
      if (!result.ok) throw failed(result.failure);
      return { status: 200, body: result.value };
    },

    campaignStats: async (r) => {
      const result = await d.reads.stats(campaignIdOf(r));
      if (!result.ok) throw failed(result.failure);
      return { status: 200, body: result.value };
    },

    sendCampaign: command('send'),
    closeCampaign: command('close'),
    pauseCampaign: command('pause'),
    resumeCampaign: command('resume'),
    cancelCampaign: command('cancel'),
  } satisfies Partial<Handlers>;
}

import { campaignIdFrom } from '@volley/contract';
import type { TestFn } from 'ava';
import { v7 } from 'uuid';
import { TENANT } from '../../src/commands.ts';
import { fold } from '../../src/core/campaign.ts';
import type { CampaignPage, StoredFact } from '../../src/ports.ts';
import { content } from './service.ts';
import type { StoreUnderTest } from './store-suite.ts';

/** Both stores find the same campaigns, and go on with the same ones. */
export function campaignListSuite(test: TestFn, name: string, open: () => Promise<StoreUnderTest>): void {
  test.serial(
    `${name}: campaigns are listed newest first by part of a name, channel and status, page by page`,
    async (t) => {
      const { store } = await open();
      const drafts: [name: string, channel: string, tenant?: string][] = [
        ['Spring sale', 'smtp'],
        ['SPRING 50% off', 'webhook'],
        ['spring 500 off', 'smtp'],
        ['a_b c\\d', 'smtp'],
        ['axb c/d', 'smtp'],
        ['Größe ÜBER', 'smtp'],
        ['Spring of another', 'smtp', 'another'],
      ];
      const ids = drafts.map((_, i) => campaignIdFrom(1_795_000_000_000 + i, new Uint8Array(6)));
      for (const [i, [title, channel, tenant_id = TENANT]] of drafts.entries()) {
        const stored: StoredFact = {
          ...{ event_id: v7(), campaign_id: ids[i] as string, version: 1, occurred_at: 1_795_000_000_000 },
          fact: { type: 'created', tenant_id, content: { ...content, name: title, channel } },
        };
        await store.campaigns.transaction(async (tx) => ({
          commit: await tx.append(stored, fold(undefined, stored)),
        }));
      }
      const LISTS: [want: Omit<CampaignPage, 'limit'>, found: number[]][] = [
        [{ name: 'SPRING' }, [2, 1, 0]],
        [{ name: 'spring', channel: 'smtp' }, [2, 0]],
        [{ name: 'pring 50% ' }, [1]],
        [{ name: 'A_B' }, [3]],
        [{ name: 'c\\d' }, [3]],
        [{ name: '\\' }, [3]],
        [{ name: '%' }, [1]],
        [{ name: 'größe über' }, [5]],
        [{ name: 'nobody' }, []],
        [{ channel: 'webhook' }, [1]],
        [{ channel: 'smtp', status: 'running' }, []],
        [{ name: 's', status: 'draft' }, [2, 1, 0]],
      ];
      for (const [want, found] of LISTS) {
        const listed: string[] = [];
        for (let before: string | undefined; ; before = listed.at(-1)) {
          const page = await store.campaigns.list(TENANT, { ...want, ...(before && { before }), limit: 2 });
          listed.push(...page.map((c) => c.campaign_id));
          if (page.length < 2) break;
        }
        t.deepEqual(
          listed,
          found.map((i) => ids[i]),
          JSON.stringify(want),
        );
      }
      // A draft that gets another name is found by that one.
      const [id] = ids as [string];
      const now = await store.campaigns.find(TENANT, id);
      const changed: StoredFact = {
        ...{ event_id: v7(), campaign_id: id, version: 2, occurred_at: 1_795_000_000_001 },
        fact: { type: 'changed', changes: { name: 'Autumn' } },
      };
      await store.campaigns.transaction(async (tx) => ({ commit: await tx.append(changed, fold(now, changed)) }));
      const named = async (name: string) =>
        (await store.campaigns.list(TENANT, { name, limit: 9 })).map((c) => c.campaign_id);
      t.deepEqual([await named('autumn'), await named('sale')], [[id], []]);
    },
  );
}

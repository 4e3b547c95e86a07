import test from 'ava';
import { createMemoryStore } from '../../src/adapters/memory/store.ts';
import { campaignListSuite } from '../support/campaign-list-suite.ts';
import { directSuite } from '../support/direct-suite.ts';
import { redriveSuite } from '../support/redrive-suite.ts';
import { replaySuite } from '../support/replay-suite.ts';
import { type StoreUnderTest, storeSuite } from '../support/store-suite.ts';

const open = async (): Promise<StoreUnderTest> => {
  let contacts = 0;
  let nowMs = 1_000;
  const store = createMemoryStore({
    now: () => nowMs,
    monotonicMs: () => nowMs,
    newContactId: () => `contact-${String(++contacts).padStart(4, '0')}`,
    leaseMs: 5_000,
  });
  return {
    store,
    async passMs(ms) {
      nowMs += ms;
    },
  };
};
storeSuite(test, 'memory', open);
campaignListSuite(test, 'memory', open);
redriveSuite(test, 'memory', open);
directSuite(test, 'memory', open);
replaySuite(test, 'memory', open);

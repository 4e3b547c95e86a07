import { useQuery } from '@tanstack/react-query';
import { ask } from '../api/client.ts';
import type { ContactView, Page } from '../api/types.ts';

const LOOKED_AT = 100;

/** A few contacts: what they have can be chosen from, as rules and templates want it exactly as it is written. */
export const useSomeContacts = (): readonly ContactView[] | undefined =>
  useQuery({
    queryKey: ['contacts', 'some'],
    queryFn: ({ signal }) => ask<Page<ContactView>>('/v1/contacts', { query: { limit: LOOKED_AT }, signal }),
    refetchOnWindowFocus: 'always',
  }).data?.data;

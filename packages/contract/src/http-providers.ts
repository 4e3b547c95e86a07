import { z } from 'zod';
import { CHANNELS } from './providers.ts';

/** `GET /v1/providers`: what the providers file says, without addresses and secrets. */
export const providerList = z
  .object({
    data: z
      .array(
        z
          .object({
            name: z.string(),
            channel: z.enum(CHANNELS),
            is_default: z
              .boolean()
              .meta({ description: 'The first of its channel: campaigns that name none have it.' }),
            from: z.string().nullable().meta({ description: 'Sender of campaigns that have none.' }),
            rate_per_second: z.number().nullable().meta({ description: 'null: no limit is configured.' }),
            concurrency: z
              .number()
              .int()
              .nullable()
              .meta({ description: 'Calls at the same time; null: what the dispatcher takes for the channel.' }),
          })
          .meta({ id: 'Provider' }),
      )
      .meta({ description: 'In the order of the file.' }),
  })
  .meta({ id: 'ProviderList' });

export type ProviderListView = z.infer<typeof providerList>;

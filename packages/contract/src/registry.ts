import { SchemaRegistry, SchemaType } from '@kafkajs/confluent-schema-registry';
import avsc from 'avsc';
import { parseSchema, type SchemaStore } from './codec.ts';
import { SCHEMA_TEXTS } from './records.generated.ts';
import { type RecordName, recordsByTopic, subjectOf, type Topics } from './topics.ts';

/** The registry could not be asked. Wait and ask again: nothing is known of the record or schema in question. */
export class RegistryUnavailable extends Error {
  override readonly name = 'RegistryUnavailable';
}

/** The registry refused a schema as incompatible with what is registered. */
export class IncompatibleSchema extends Error {
  override readonly name = 'IncompatibleSchema';
}

const NEGATIVE_TTL_MS = 60_000;
/** The client has none of its own: a registry that takes the connection and is silent would hold a partition for ever. */
const REQUEST_TIMEOUT_MS = 3_000;

interface MappersmithRequest {
  enhance(extras: { timeout: number }): MappersmithRequest;
}
const withTimeout = () => ({
  request: (request: MappersmithRequest) => request.enhance({ timeout: REQUEST_TIMEOUT_MS }),
});

export interface Registry {
  readonly store: SchemaStore;
  /** Id of the committed schema under a topic's subject. It was registered by the set-up step; a service never registers. */
  idOf(topic: string, record: RecordName): Promise<number>;
  /** Set-up only: registers all subjects, FULL_TRANSITIVE. Idempotent. */
  registerAll(topics: Topics): Promise<{ subject: string; id: number }[]>;
  /** Set-up and tests: registers one text under one subject. */
  register(subject: string, schemaText: string): Promise<number>;
}

/**
 * `url` is the base of a Confluent-compatible API, such as http://127.0.0.1:8081/apis/ccompat/v7.
 * `nowMs` is a monotonic clock: it ages what is remembered as unknown.
 */
export function createRegistry(options: { url: string; clientId: string; nowMs: () => number }): Registry {
  const client = new SchemaRegistry(
    {
      host: options.url.replace(/\/$/, ''),
      clientId: options.clientId,
      retry: { maxRetryTimeInSecs: 1, initialRetryTimeInSecs: 0.1, retries: 2 },
      middlewares: [withTimeout as never],
    },
    {},
  );
  const known = new Map<number, avsc.Type>();
  const unknownUntilMs = new Map<number, number>();
  const loading = new Map<number, Promise<void>>();

  const load = async (id: number): Promise<void> => {
    let text: string;
    try {
      const schema = (await client.getSchema(id)) as avsc.Type;
      text = JSON.stringify(schema.schema({ exportAttrs: true }));
    } catch (error) {
      // Only a 404 is the registry's word. A registry that is down has been seen to surface as 400 (client issue #306).
      if ((error as { status?: number }).status === 404) {
        unknownUntilMs.set(id, options.nowMs() + NEGATIVE_TTL_MS);
        return;
      }
      throw new RegistryUnavailable(`schema registry: ${(error as Error).message}`);
    }
    try {
      known.set(id, parseSchema(text));
    } catch {
      // The registry has it, but it is of no shape that Volley reads (a map, an array of records): as good as unknown.
      unknownUntilMs.set(id, Number.POSITIVE_INFINITY);
    }
  };

  const store: SchemaStore = {
    get(id) {
      const type = known.get(id);
      if (type) return type;
      const until = unknownUntilMs.get(id);
      return until !== undefined && options.nowMs() < until ? 'unknown' : undefined;
    },
    load(id) {
      let promise = loading.get(id);
      if (!promise) {
        promise = load(id).finally(() => loading.delete(id));
        loading.set(id, promise);
      }
      return promise;
    },
  };

  const register = async (subject: string, schemaText: string): Promise<number> => {
    try {
      avsc.Type.forSchema(JSON.parse(schemaText));
    } catch (error) {
      throw new IncompatibleSchema(`${subject} is not a schema: ${(error as Error).message}`);
    }
    try {
      // The client compares the subject's level with BACKWARD unless the level is passed each time.
      const { id } = await client.register({ type: SchemaType.AVRO, schema: schemaText }, {
        subject,
        compatibility: 'FULL_TRANSITIVE' as never,
        updateConfig: true,
      } as never);
      return id;
    } catch (error) {
      const status = (error as { status?: number }).status;
      if (status === 409) throw new IncompatibleSchema(`${subject}: ${(error as Error).message}`);
      if (status === 422) throw new IncompatibleSchema(`${subject} is not a schema: ${(error as Error).message}`);
      throw new RegistryUnavailable(`schema registry: ${(error as Error).message}`);
    }
  };

  return {
    store,
    register,
    async idOf(topic, record) {
      const subject = subjectOf(topic, record);
      let id: unknown;
      try {
        id = await client.getRegistryIdBySchema(subject, {
          type: SchemaType.AVRO,
          schema: SCHEMA_TEXTS[record],
        } as never);
      } catch (error) {
        // The client's own class, which it uses here for a 404 only, and without the status.
        if ((error as Error).name === 'ConfluentSchemaRegistryError') {
          throw new RegistryUnavailable(`${subject} is not registered: run the set-up step (volley setup)`);
        }
        throw new RegistryUnavailable(`schema registry: ${(error as Error).message}`);
      }
      // Something else that answers 200 on this port must not become the id `undefined` in every frame.
      if (typeof id !== 'number') throw new RegistryUnavailable(`schema registry: no id for ${subject} in its answer`);
      return id;
    },
    async registerAll(topics) {
      const out: { subject: string; id: number }[] = [];
      for (const { topic, record } of recordsByTopic(topics)) {
        const subject = subjectOf(topic, record);
        out.push({ subject, id: await register(subject, SCHEMA_TEXTS[record]) });
      }
      return out;
    },
  };
}

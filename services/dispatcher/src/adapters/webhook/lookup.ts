import { type LookupAddress, type LookupAllOptions, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Guard } from './guard.ts';

/** The system's resolver, all addresses of a name. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

type Waiting = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/**
 * One question at a time for each name. getaddrinfo runs on four threads of the process: a name whose servers are
 * silent holds one for half a minute, and must not hold the rest for its other messages.
 */
export function createResolver(resolve: Resolve = systemLookup): (hostname: string, done: Waiting) => void {
  const asked = new Map<string, Waiting[]>();
  return (hostname, done) => {
    const others = asked.get(hostname);
    if (others !== undefined) {
      others.push(done);
      return;
    }
    const waiting = [done];
    asked.set(hostname, waiting);
    resolve(hostname, { all: true }, (error, addresses) => {
      asked.delete(hostname);
      for (const answer of waiting) answer(error, addresses);
    });
  };
}

/**
 * The `lookup` of a socket: what it answers is what is dialled, so a name that answers otherwise a moment later (DNS
 * rebinding) gains nothing. Of a mixed answer only what may be dialled is left.
 */
export function guardedLookup(
  guard: Guard,
  port: number,
  resolveAll: ReturnType<typeof createResolver>,
): LookupFunction {
  return (hostname, options, callback) => {
    resolveAll(hostname, (error, addresses) => {
      if (error !== null) return callback(error, '');
      const open = addresses.filter(({ address }) => guard.mayDial(hostname, port, address));
      const [first] = open;
      if (first === undefined) {
        const blocked = new Error(`${hostname} has no public address`) as NodeJS.ErrnoException;
        blocked.code = 'EBLOCKED';
        return callback(blocked, '');
      }
      if (options.all) callback(null, open);
      else callback(null, first.address, first.family);
    });
  };
}

import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * Where recipients' URLs may lead: public addresses, and what the operator's allow-list names. Refused by default as
 * Svix does (svix-server webhook_http_client.rs), because a list of contacts is written by people who must not reach
 * what this process can reach.
 */
export interface Guard {
  /** Why a URL is not called, whatever its name resolves to; undefined: the address decides. */
  refusalOf(url: URL): string | undefined;
  /** Whether this very address may be dialled for that host and port. */
  mayDial(host: string, port: number, address: string): boolean;
}

interface Entry {
  readonly text: string;
  readonly range: [ipaddr.IPv4 | ipaddr.IPv6, number] | undefined;
  readonly host: string | undefined;
  readonly port: number | undefined;
}

/** ipaddr.js alone would take `1.2.3` for an address. */
const parsed = (address: string): ipaddr.IPv4 | ipaddr.IPv6 | undefined =>
  isIP(address) === 0 ? undefined : ipaddr.parse(address);

/** `[::1]` of a URL -> `::1`. */
const bare = (host: string): string => (host.startsWith('[') ? host.slice(1, -1) : host);

/** A host name, an address or a CIDR range, each but the range with an optional port. Throws a sentence. */
function entryOf(text: string): Entry {
  const wrong = new Error(`VOLLEY_WEBHOOK_ALLOW: ${text} is neither host, host:port nor CIDR`);
  if (text.includes('/')) {
    if (!ipaddr.isValidCIDR(text)) throw wrong;
    return { text, range: ipaddr.parseCIDR(text), host: undefined, port: undefined };
  }
  const at = isIP(text) === 6 ? undefined : /^(.+):(\d{1,5})$/.exec(text);
  const name = at?.[1] ?? text;
  const url = URL.parse(`http://${isIP(name) === 6 ? `[${name}]` : name}/`);
  const port = at === undefined || at === null ? undefined : Number(at[2]);
  // The URL's own form of a host is what is compared: lower case, punycode, numbers as an address.
  if (url === null || url.pathname !== '/' || url.username !== '' || url.port !== '' || (port ?? 1) > 65_535)
    throw wrong;
  const host = bare(url.hostname);
  if (host === '' || host.includes('*')) throw wrong;
  return { text, range: undefined, host, port };
}

/**
 * Publicly routed unicast, by the registries that ipaddr.js has as tables. In IPv6 only 2000::/3 is (IANA), less the
 * blocks that carry other addresses or none: 2001::/23 with Teredo, 2002::/16 (6to4), documentation. v4-mapped and NAT64
 * addresses lead to an IPv4 address through somebody's gateway: none of them is public.
 */
export function isPublic(address: string): boolean {
  const ip = parsed(address);
  if (ip === undefined || ip.range() !== 'unicast') return false;
  if (ip.kind() === 'ipv4') return true;
  const [first = 0, second = 0] = (ip as ipaddr.IPv6).parts;
  return first >= 0x2000 && first <= 0x3fff && !(first === 0x2001 && second < 0x200);
}

/**
 * Ports that a browser refuses too (WHATWG Fetch, port blocking): a request there is a message to another protocol.
 */
// biome-ignore format: a table
const BLOCKED_PORTS: ReadonlySet<number> = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

export const portOf = (url: URL): number =>
  url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
export const hostnameOf = (url: URL): string => bare(url.hostname);

export function createGuard(options: {
  /** Hosts, host:port and CIDR ranges beyond the public ones. */
  readonly allow: readonly string[];
  readonly httpsOnly: boolean;
  /** The allow-list let something through that would have been refused; called once an entry. */
  readonly onAllowed: (entry: string, host: string) => void;
}): Guard {
  const entries = options.allow.map(entryOf);
  const told = new Set<Entry>();

  function allowed(host: string, matches: (entry: Entry) => boolean): boolean {
    const entry = entries.find(matches);
    if (entry !== undefined && !told.has(entry)) {
      told.add(entry);
      options.onAllowed(entry.text, host);
    }
    return entry !== undefined;
  }

  function addressAllowed(host: string, port: number, address: string): boolean {
    const ip = parsed(address);
    return allowed(host, (e) =>
      e.range === undefined
        ? e.host === host && (e.port === undefined || e.port === port)
        : ip !== undefined && ip.kind() === e.range[0].kind() && ip.match(e.range as [ipaddr.IPv4, number]),
    );
  }

  const mayDial = (host: string, port: number, address: string): boolean =>
    isPublic(address) || addressAllowed(host, port, address);

  return {
    refusalOf(url) {
      const host = hostnameOf(url);
      const port = portOf(url);
      if (url.protocol !== 'https:' && (url.protocol !== 'http:' || options.httpsOnly))
        return `${url.protocol.slice(0, 12)} is not called`;
      if (url.username !== '' || url.password !== '') return 'a URL with user or password is not called';
      if (BLOCKED_PORTS.has(port) && !allowed(host, (e) => e.host === host && e.port === port))
        return `port ${port} is not called`;
      // A literal is dialled without a lookup, so it is judged here.
      if (isIP(host) !== 0 && !mayDial(host, port, host)) return `${host} is not a public address`;
      return undefined;
    },
    mayDial,
  };
}

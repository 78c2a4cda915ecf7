import { Resolver } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { errorCode } from './error-code.js';

export interface HostAddress {
  readonly address: string;
  readonly family: 4 | 6;
}

/** A name has no address, or no server answered. `code` is c-ares's, e.g. ENOTFOUND or ETIMEOUT. */
export class NameResolutionError extends Error {
  constructor(
    readonly hostname: string,
    readonly code: string,
  ) {
    super(`cannot resolve ${hostname}: ${code}`);
  }
}

export interface HostResolverOptions {
  /** DNS servers as `ip` or `ip:port`; those of the system if not given. */
  readonly servers?: readonly string[];
  readonly hostsFile?: string;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

const LOOPBACK: readonly HostAddress[] = [
  { address: '127.0.0.1', family: 4 },
  { address: '::1', family: 6 },
];

/** First wait for a DNS server's answer; c-ares doubles it for the second try. The attempt's own deadline is above both. */
const DNS_TIMEOUT_MS = 2_000;
const DNS_TRIES = 2;

/** Bounds of how long an answer is kept, whatever its TTL says. Failures are kept for the shortest time. */
const MIN_KEPT_MS = 1_000;
const MAX_KEPT_MS = 60_000;
const MAX_NAMES = 10_000;
/** A name may have hundreds of addresses; an attempt dials a few. */
const MAX_ADDRESSES = 4;

/**
 * Turns host names into addresses without libuv's thread pool. `dns.lookup` blocks one of four threads for as long as a
 * name's servers are silent, so a handful of dead names would stall every endpoint; c-ares waits on sockets. The other
 * duties of `lookup` are done here: `localhost` (RFC 6761) and the hosts file. Search domains are not applied: endpoint
 * names are complete.
 */
export class HostResolver {
  private readonly dns = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });
  private readonly hostsFile: string;
  private readonly now: () => number;
  /** When a DNS server last answered about any name, on the clock `now`. */
  private answeredAt = Number.NEGATIVE_INFINITY;
  private probe: Promise<boolean> | undefined;
  /** Oldest first, as a Map keeps them. Concurrent look-ups share a pending promise. */
  private readonly known = new Map<string, Entry>();

  constructor(options: HostResolverOptions = {}) {
    if (options.servers) this.dns.setServers(options.servers);
    this.hostsFile = options.hostsFile ?? '/etc/hosts';
    this.now = options.now ?? (() => performance.now());
  }

  /**
   * @returns at least one address, IPv4 first, at most four of each family
   * @throws NameResolutionError
   */
  resolve(hostname: string): Promise<readonly HostAddress[]> {
    const name = nameOf(hostname);
    if (name === 'localhost' || name.endsWith('.localhost')) return Promise.resolve(LOOPBACK);
    const known = this.known.get(name);
    if (known && this.now() < known.until) return known.addresses;
    return this.ask(name);
  }

  /** Whether a look-up of a name is in flight. */
  isResolving(hostname: string): boolean {
    return this.known.get(nameOf(hostname))?.until === Number.POSITIVE_INFINITY;
  }

  /**
   * Separates an outage of the resolvers from a name whose servers fail. True when no server has answered about any name for
   * `sinceMs`, and none answers now about the root, which every resolver knows.
   */
  async isCutOff(sinceMs: number): Promise<boolean> {
    if (this.answeredAt >= this.now() - sinceMs) return false;
    this.probe ??= this.reachesRoot().finally(() => {
      this.probe = undefined;
    });
    return !(await this.probe);
  }

  private async reachesRoot(): Promise<boolean> {
    return this.note(await settle(this.dns.resolveNs('.').then(() => [])));
  }

  /** @returns whether a server answered: "no such name" is an answer, a failure of all servers is not */
  private note({ code }: Settled): boolean {
    const isAnswer = ANSWERS.has(code);
    if (isAnswer) this.answeredAt = this.now();
    return isAnswer;
  }

  private ask(name: string): Promise<readonly HostAddress[]> {
    const answer = this.find(name);
    const entry: Entry = { addresses: answer.then(({ addresses }) => addresses), until: Number.POSITIVE_INFINITY };
    const keepFor = (ms: number) => {
      entry.until = this.now() + Math.min(MAX_KEPT_MS, Math.max(MIN_KEPT_MS, ms));
    };
    answer.then(
      ({ ttlMs }) => keepFor(ttlMs),
      () => keepFor(0),
    );
    this.known.delete(name);
    this.known.set(name, entry);
    if (this.known.size > MAX_NAMES) this.known.delete(this.known.keys().next().value ?? name);
    return entry.addresses;
  }

  private async find(name: string): Promise<Answer> {
    const local = addressesInHostsFile(await readFile(this.hostsFile, 'utf8').catch(() => ''), name);
    if (local.length > 0) return { addresses: local, ttlMs: 0 };
    const four = settle(this.dns.resolve4(name, { ttl: true }));
    const six = settle(this.dns.resolve6(name, { ttl: true }));
    const foundFour = await four;
    this.note(foundFour);
    const foundSix = foundFour.records.length === 0 ? await six : await Promise.race([six, nothingAfterGrace()]);
    const records = [...foundFour.records.slice(0, MAX_ADDRESSES), ...foundSix.records.slice(0, MAX_ADDRESSES)];
    if (records.length === 0) throw new NameResolutionError(name, worse(foundFour.code, foundSix.code));
    return {
      addresses: records.map(({ address }) => toHostAddress(address)),
      ttlMs: Math.min(...records.map(({ ttl }) => ttl)) * 1_000,
    };
  }
}

function nameOf(hostname: string): string {
  return hostname.toLowerCase().replace(/\.$/, '');
}

interface Entry {
  readonly addresses: Promise<readonly HostAddress[]>;
  /** On the clock `now`; infinite while the answer is awaited. */
  until: number;
}

interface Answer {
  readonly addresses: readonly HostAddress[];
  readonly ttlMs: number;
}

interface Settled {
  readonly records: readonly { readonly address: string; readonly ttl: number }[];
  readonly code: string;
}

/** An attempt with IPv4 in hand does not wait long for IPv6: some DNS servers never answer that question. */
const IPV6_GRACE_MS = 100;

function nothingAfterGrace(): Promise<Settled> {
  return setTimeout(IPV6_GRACE_MS, { records: [], code: 'ENODATA' });
}

/** ENODATA stands for "no error", too. */
const ANSWERS: ReadonlySet<string> = new Set(['ENODATA', 'ENOTFOUND']);

async function settle(answer: Promise<Settled['records']>): Promise<Settled> {
  try {
    return { records: await answer, code: 'ENODATA' };
  } catch (error) {
    return { records: [], code: errorCode(error) ?? 'EUNKNOWN' };
  }
}

/** "No address of this family" says less than the error of the other family. */
function worse(one: string, other: string): string {
  return one === 'ENODATA' ? other : one;
}

function toHostAddress(address: string): HostAddress {
  return { address, family: isIP(address) === 6 ? 6 : 4 };
}

/** The hosts file's lines are `address name name…  # comment`. */
function addressesInHostsFile(text: string, name: string): HostAddress[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim().toLowerCase().split(/\s+/))
    .filter(([address, ...names]) => isIP(address ?? '') !== 0 && names.includes(name))
    .map(([address]) => toHostAddress(address ?? ''))
    .sort((a, b) => a.family - b.family);
}

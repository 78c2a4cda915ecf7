import { RecentMap } from '../collections/recent-map.js';
import type { AttemptError } from '../domain/verdict.js';
import { type AddressPolicy, checkUrl } from '../security/address-policy.js';

/** Where the requests of a URL go. */
export interface Target {
  /** Scheme, host and port. */
  readonly origin: string;
  readonly hostname: string;
  /** Path and query. */
  readonly path: string;
}

/** A URL that the policy refuses. */
export interface RefusedTarget {
  readonly refused: AttemptError;
}

/** Parsing and checking a URL takes some 3 µs; some hundred bytes are kept for each. */
const RECENT_TARGETS = 2_048;

/** The targets of URLs. Those of the URLs in use are kept. */
export class Targets {
  private readonly recent = new RecentMap<string, Target | RefusedTarget>(RECENT_TARGETS);

  constructor(private readonly policy: AddressPolicy) {}

  /** Does not throw for a URL that is no URL. */
  of(url: string): Target | RefusedTarget {
    const known = this.recent.get(url);
    if (known !== undefined) return known;
    const target = targetOf(url, this.policy);
    this.recent.set(url, target);
    return target;
  }
}

function targetOf(url: string, policy: AddressPolicy): Target | RefusedTarget {
  const code = checkUrl(url, policy)?.code;
  if (code === 'address_not_allowed' || code === 'name_not_allowed') return { refused: 'blocked_address' };
  if (code !== undefined) return { refused: 'invalid_url' };
  const { origin, hostname, pathname, search } = new URL(url);
  return { origin, hostname, path: pathname + search };
}

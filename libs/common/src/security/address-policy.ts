import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type AddressRange = readonly [Address, number];

/** Where deliveries may go. The public internet over https always may; this is what may besides. */
export interface AddressPolicy {
  readonly allowHttp: boolean;
  /** Ranges that are allowed although they are not public. Metadata services stay out even so. */
  readonly allowedRanges: readonly AddressRange[];
}

/** @throws Error when an entry is no CIDR range; configuration checks that first, see {@link isCidr} */
export function addressPolicy(options: { allowHttp: boolean; allowedAddresses: readonly string[] }): AddressPolicy {
  return {
    allowHttp: options.allowHttp,
    allowedRanges: options.allowedAddresses.map((range) => ipaddr.parseCIDR(range)),
  };
}

/** `10.0.0.0/8`, `::1/128`. */
export function isCidr(text: string): boolean {
  const [address, bits, ...rest] = text.split('/');
  return rest.length === 0 && bits !== undefined && isIP(address ?? '') !== 0 && ipaddr.isValidCIDR(text);
}

/** What is wrong with an endpoint's URL. Codes are stable; the message says what would be right. */
export const URL_PROBLEMS = {
  invalid_url: 'must be an absolute URL',
  url_too_long: 'must have at most 2048 characters',
  scheme_not_allowed: 'must use https',
  credentials_in_url: 'must not carry a user name or password; use a static header',
  port_not_allowed: 'must not use port 0',
  address_not_allowed: 'must not point at a private, local or otherwise special address',
  name_not_allowed: 'must not use a name that is internal to a network',
} as const;
export type UrlProblemCode = keyof typeof URL_PROBLEMS;

export interface UrlProblem {
  readonly code: UrlProblemCode;
  readonly message: string;
}

export const MAX_URL_LENGTH = 2_048;

/**
 * Judges a URL without resolving its name: fit for an answer at registration. The addresses behind a name are judged
 * when they are dialled (http/guarded-connector.ts), and only that is a guard.
 *
 * @returns undefined when nothing is wrong
 */
export function checkUrl(text: string, policy: AddressPolicy): UrlProblem | undefined {
  const code = problemCode(text, policy);
  if (code === undefined) return undefined;
  const isHttpLeftOut = code === 'scheme_not_allowed' && policy.allowHttp;
  return { code, message: isHttpLeftOut ? 'must use https or http' : URL_PROBLEMS[code] };
}

/** The parser folds short, octal, hex, full-width and percent-encoded hosts; so its result is judged, never the text. */
function problemCode(text: string, policy: AddressPolicy): UrlProblemCode | undefined {
  if (text.length > MAX_URL_LENGTH) return 'url_too_long';
  const url = URL.parse(text);
  if (url === null) return 'invalid_url';
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && policy.allowHttp)) return 'scheme_not_allowed';
  if (url.username !== '' || url.password !== '') return 'credentials_in_url';
  if (url.port === '0') return 'port_not_allowed';
  const literal = literalAddress(url.hostname);
  if (literal !== undefined) return isAddressAllowed(literal, policy) ? undefined : 'address_not_allowed';
  return isNameAllowed(url.hostname, policy) ? undefined : 'name_not_allowed';
}

/** @returns the address when a URL's host is one, without the brackets of IPv6 */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
  return isIP(bare) === 0 ? undefined : bare;
}

/**
 * Rejected addresses: IANA's special-purpose registry, multicast, and Azure's platform address. The list names rejected
 * ones, because nearly all of IPv4 is in use.
 */
const REFUSED_IPV4 = ranges(
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '168.63.129.16/32',
);

/**
 * Of IPv6 only global unicast is allowed. That leaves out mapped, compatible, NAT64 and translated forms of IPv4 without
 * having to know each of them; the exceptions are the special blocks within: protocol assignments with Teredo,
 * documentation (twice), 6to4, and AS112.
 */
const GLOBAL_IPV6 = ranges('2000::/3');
const REFUSED_IPV6 = ranges('2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '2620:4f:8000::/48');

/** Link-local, and the metadata services of AWS, Azure, Alibaba, Oracle and Google: no allow-list opens them. */
const ALWAYS_REFUSED = ranges(
  '169.254.0.0/16',
  '168.63.129.16/32',
  '100.100.100.200/32',
  '192.0.0.192/32',
  'fe80::/10',
  'fd00:ec2::/32',
  'fd20:ce::254/128',
);

/**
 * Whether a connection may be made to this address.
 *
 * @param ip as a resolver gives it; anything that is no plain address, a zone id included, is refused
 */
export function isAddressAllowed(ip: string, policy: AddressPolicy): boolean {
  if (isIP(ip) === 0 || ip.includes('%')) return false;
  const address = ipaddr.parse(ip);
  if (isWithin(address, ALWAYS_REFUSED)) return false;
  if (isWithin(address, policy.allowedRanges)) return true;
  if (address.kind() === 'ipv4') return !isWithin(address, REFUSED_IPV4);
  return isWithin(address, GLOBAL_IPV6) && !isWithin(address, REFUSED_IPV6);
}

/** A range of the other family never matches: `::ffff:127.0.0.1` is not within `127.0.0.0/8`. */
function isWithin(address: Address, list: readonly AddressRange[]): boolean {
  return list.some(([base, bits]) => address.kind() === base.kind() && address.match(base, bits));
}

function ranges(...list: string[]): readonly AddressRange[] {
  return list.map((range) => ipaddr.parseCIDR(range));
}

/** Names by which clouds offer their metadata. */
const METADATA_NAMES = ['metadata', 'metadata.google.internal', 'metadata.goog', 'instance-data'];

/** Last labels that never name a host of the public internet. */
const INTERNAL_SUFFIXES = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'intranet',
  'lan',
  'home',
  'home.arpa',
  'corp',
  'private',
  'svc',
];

/** Where ranges are explicitly allowed, internal names are how one reaches them: their addresses decide, when dialled. */
function isNameAllowed(hostname: string, policy: AddressPolicy): boolean {
  const name = hostname.toLowerCase().replace(/\.+$/, '');
  if (name === '' || METADATA_NAMES.includes(name)) return false;
  if (policy.allowedRanges.length > 0) return true;
  return name.includes('.') && !INTERNAL_SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`));
}

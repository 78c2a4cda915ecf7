import type { LookupFunction, Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { buildConnector } from 'undici';
import { RecentMap } from '../collections/recent-map.js';
import { type AddressPolicy, isAddressAllowed, literalAddress } from '../security/address-policy.js';
import { type HostResolver, NameResolutionError } from './host-resolver.js';
import { limitReading } from './read-limit.js';

/**
 * Every address of the host is refused by policy. Carries no address: an error that a tenant sees must not disclose the inside of a
 * network apart.
 */
export class BlockedAddressError extends Error {
  constructor() {
    super('the address is not allowed');
  }
}

/** Above it a connect is given up whatever the attempt's own deadline; SYNs are then lost, not slow. */
const CONNECT_TIMEOUT_MS = 10_000;

/**
 * How long one address may take before the next is tried. Node's 250 ms would give up on a far away IPv4 address and end
 * at an unreachable IPv6 one.
 */
const NEXT_ADDRESS_AFTER_MS = 2_000;

/** Hosts whose last session is kept; a session takes 2 to 4 KB. */
const RECENT_TLS_SESSIONS = 1_000;

export interface ConnectorOptions {
  readonly policy: AddressPolicy;
  readonly resolver: HostResolver;
  /** Certificate authorities in PEM, in place of Node's own. */
  readonly ca?: string;
}

/**
 * Connects over TCP or TLS to allowed addresses only. Each address is judged when it is dialled: a name that was public
 * yesterday may point inside today. The certificate is checked against the host name. All connections share one TLS context,
 * and a connection to a known host resumes its last session.
 */
export function guardedConnector({ policy, resolver, ca }: ConnectorOptions): buildConnector.connector {
  const connect = buildConnector({
    allowH2: false,
    timeout: CONNECT_TIMEOUT_MS,
    lookup: guardedLookup(policy, resolver),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: NEXT_ADDRESS_AFTER_MS,
    maxCachedSessions: 2 * RECENT_TLS_SESSIONS,
    secureContext: createSecureContext(ca === undefined ? {} : { ca }),
  });
  // undici resumes a host's last session, but holds it weakly: it is lost when the garbage collector runs after its connection
  // has closed. Servers send sessions of TLS 1.3 after the handshake; those of TLS 1.2 come earlier and are held weakly.
  const sessions = new RecentMap<string, Buffer>(RECENT_TLS_SESSIONS);
  return (options, callback) => {
    // Node does not call `lookup` for a host that is an address itself.
    const literal = literalAddress(options.hostname);
    if (literal !== undefined && !isAddressAllowed(literal, policy)) {
      queueMicrotask(() => callback(new BlockedAddressError(), null));
      return;
    }
    connect(options, (...connected: Parameters<typeof callback>) => {
      // Node leaves it out when there is an error.
      const socket: Socket | null | undefined = connected[1];
      if (socket) limitReading(socket);
      if (socket instanceof TLSSocket) socket.on('session', (session) => sessions.set(options.hostname, session));
      callback(...connected);
    });
  };
}

/** Answers in both forms: `autoSelectFamily` asks for `all`. Only allowed addresses are returned. */
function guardedLookup(policy: AddressPolicy, resolver: HostResolver): LookupFunction {
  return (hostname, options, callback) => {
    resolver.resolve(hostname).then(
      (found) => {
        const allowed = found.filter(({ address }) => isAddressAllowed(address, policy));
        const [first] = allowed;
        if (first === undefined) callback(new BlockedAddressError(), '', 0);
        else if (options.all) callback(null, [...allowed]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => callback(toLookupError(hostname, error), '', 0),
    );
  };
}

function toLookupError(hostname: string, error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new NameResolutionError(hostname, 'EUNKNOWN');
}

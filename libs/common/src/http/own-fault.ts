import type { HostResolver } from './host-resolver.js';
import type { SendResult } from './send-result.js';

/** Codes, in lower case, of exhausted resources of this process or its machine. */
const EXHAUSTED: ReadonlySet<string> = new Set(['emfile', 'enfile', 'enobufs', 'enomem']);
/** Answer of a DNS server about a name that does not exist. */
const NO_SUCH_NAME: ReadonlySet<string> = new Set(['enotfound', 'enodata']);

/** @returns the result of a request without a status, its fault laid where it belongs */
export async function withFault(sent: SendResult, hostname: string, resolver: HostResolver): Promise<SendResult> {
  const { errorDetail = '' } = sent;
  const isOurFault =
    EXHAUSTED.has(errorDetail) ||
    (lacksAddress(sent, hostname, resolver) && (await resolver.isCutOff(sent.durationMs)));
  return isOurFault ? { ...sent, isOurFault } : sent;
}

/** Whether the request ended before the host name was resolved. */
function lacksAddress({ result, errorDetail = '' }: SendResult, hostname: string, resolver: HostResolver): boolean {
  if (result.kind === 'response') return false;
  if (result.error === 'dns_error') return !NO_SUCH_NAME.has(errorDetail);
  return result.error === 'timeout' && errorDetail === 'connect' && resolver.isResolving(hostname);
}

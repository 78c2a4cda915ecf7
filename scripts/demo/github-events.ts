import { createRequire } from 'node:module';

/** One event to publish. */
export interface DemoEvent {
  readonly id: string;
  /** E.g. `github.pull_request.opened`. */
  readonly type: string;
  /** Subject of the event, e.g. the issues of a repository: `Codertocat/Hello-World/issues`. */
  readonly resourceId: string;
  /** GitHub's payload, unchanged. */
  readonly data: object;
}

/** Number of real payloads. Larger counts repeat them under new ids. */
export const PAYLOADS = readPayloads();

/**
 * @param run prefix that makes the ids unique
 * @returns events, spread evenly over the payloads
 */
export function githubEvents(count: number, run: string): DemoEvent[] {
  const stride = count < PAYLOADS.length ? PAYLOADS.length / count : 1;
  return Array.from({ length: count }, (_, index) => {
    const { name, payload } = PAYLOADS[Math.floor(index * stride) % PAYLOADS.length] as Payload;
    const type = ['github', name, payload.action].filter(Boolean).join('.');
    return { id: `${run}-${index}`, type, resourceId: `${ownerOf(payload)}/${name}`, data: payload };
  });
}

interface Account {
  readonly login?: string;
}

/** The fields of GitHub's payloads that name an event and its resource. */
interface GithubPayload {
  readonly action?: string;
  readonly organization?: Account;
  readonly installation?: { readonly account?: Account };
  readonly sender?: Account;
  readonly repository?: { readonly full_name?: string };
  readonly security_advisory?: { readonly ghsa_id?: string };
}

interface Payload {
  readonly name: string;
  readonly payload: GithubPayload;
}

interface WebhookDefinition {
  readonly name: string;
  readonly examples: readonly GithubPayload[];
}

function readPayloads(): Payload[] {
  const definitions: WebhookDefinition[] = createRequire(import.meta.url)('@octokit/webhooks-examples');
  return definitions.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })));
}

/**
 * The repository, else the organisation or account. Nearly all payloads belong to one repository: as one resource, they
 * would be delivered one by one.
 */
function ownerOf(payload: GithubPayload): string {
  const owner = payload.organization ?? payload.installation?.account ?? payload.sender;
  return payload.repository?.full_name ?? owner?.login ?? payload.security_advisory?.ghsa_id ?? 'github';
}

import type { Ordering } from '#common/domain/lane.js';
import type { TortureReceiver } from '../evidence/receiver.js';
import type { Behaviour } from '../evidence/receiver-protocol.js';
import type { EndpointUnderTest } from '../judge/evidence.js';
import { Link } from './link.js';
import { plainDialect } from './message.js';
import type { TortureSystem } from './torture-system.js';

/** Behaviour and settings of a run's endpoint. */
interface Character {
  readonly types: readonly string[];
  readonly ordering: Ordering;
  readonly behaviour: (seed: number) => Behaviour;
  readonly isBad: boolean;
  /** True for an endpoint with a host name in its URL. */
  readonly isNamed?: boolean;
}

export type EndpointName = 'steady' | 'flaky' | 'free' | 'strict' | 'down';

/** Response time that keeps some attempts in flight at any time. */
const ANSWER_MS = 30;

/** Endpoints of every run; `down` is healthy until a fault begins. */
const CAST: Readonly<Record<EndpointName, Character>> = {
  steady: {
    types: ['*'],
    ordering: 'resource',
    behaviour: () => ({ kind: 'healthy', answerMs: ANSWER_MS }),
    isBad: false,
  },
  flaky: {
    types: ['some'],
    ordering: 'resource',
    behaviour: (seed) => ({ kind: 'failing', rate: 0.1, seed }),
    isBad: true,
  },
  free: {
    types: ['some'],
    ordering: 'none',
    behaviour: () => ({ kind: 'healthy', answerMs: ANSWER_MS }),
    isBad: false,
    isNamed: true,
  },
  strict: { types: ['strict'], ordering: 'endpoint', behaviour: () => ({ kind: 'healthy' }), isBad: false },
  down: { types: ['rare'], ordering: 'resource', behaviour: () => ({ kind: 'healthy' }), isBad: true },
};

/** Event type by number, so that every resource has all types. */
const TYPES = ['plain', 'some', 'plain', 'some', 'strict', 'plain', 'some', 'rare', 'plain', 'some'];

export function typeOf(number: number): string {
  return TYPES[number % TYPES.length] ?? 'plain';
}

/** Many short retries: a delivery is dead only after minutes of failures. */
const DELAYS_S = [0.3, 0.5, ...Array.from({ length: 47 }, () => 1.5)];
/** A new endpoint takes events accepted this long after its 201. */
const KNOWN_AFTER_MS = 500;

/** An endpoint of a run, and the link between it and the dispatchers. */
export interface TestedEndpoint extends EndpointUnderTest {
  readonly hook: string;
  readonly link: Link;
}

/** Creates the endpoints of a run. @param run prefix of their event types */
export async function createEndpoints(
  system: TortureSystem,
  receiver: TortureReceiver,
  { run, seed }: { run: string; seed: number },
): Promise<Readonly<Record<EndpointName, TestedEndpoint>>> {
  const created = Object.entries(CAST).map(async ([name, character]) => {
    const hook = `${run}-${name}`;
    const direct = new URL(await receiver.open(hook, character.behaviour(seed)));
    const link = await Link.to(Number(direct.port), plainDialect);
    const host = character.isNamed ? `${name}.torture.example` : '127.0.0.1';
    const eventTypes = character.types.map((type) => `${run}.${type}`);
    const { id, secret } = await system.apps.call<{ id: string; secret: string }>('control', '/v1/endpoints', {
      body: {
        url: `http://${host}:${link.port}/${hook}`,
        event_types: eventTypes,
        ordering: character.ordering,
        retry_policy: { delays_s: DELAYS_S },
      },
    });
    await receiver.trust(hook, secret);
    const endpoint: TestedEndpoint = {
      ...{ id, hook, link, eventTypes, ordering: character.ordering, isBad: character.isBad },
      ...{ tenant: 'default', path: `/${hook}`, attempts: DELAYS_S.length + 1, mayWait: false },
      ...{ activeFrom: Date.now() + KNOWN_AFTER_MS, activeUntil: undefined },
    };
    return [name, endpoint] as const;
  });
  return Object.fromEntries(await Promise.all(created)) as Record<EndpointName, TestedEndpoint>;
}

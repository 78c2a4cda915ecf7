/** One endpoint of the demo. */
export interface DemoEndpoint {
  /** Name, and path at the receiver. */
  readonly name: string;
  readonly behaviour: string;
  /** Whether the events of a resource must arrive in order. */
  readonly isOrdered: boolean;
  /** False for the endpoint that fails by design. */
  readonly mustGetAll: boolean;
  /** Further fields of its registration. */
  readonly settings: object;
}

/**
 * Short delays, so that the last retry comes within seconds; enough retries to make a random dead delivery unlikely.
 */
const FLAKY_DELAYS_S = [0.1, 0.1, 0.2, 0.2, 0.4, 0.4, 0.8, 0.8, 1.6, 1.6, 3.2];
const DEAD_DELAYS_S = [0.5, 1];

/**
 * Most payloads belong to one repository. In order, the slow and the dead endpoint would need minutes for them. These
 * two endpoints therefore have no ordering.
 */
export const ENDPOINTS: readonly DemoEndpoint[] = [
  { name: 'healthy', behaviour: 'answers at once', isOrdered: true, mustGetAll: true, settings: {} },
  { name: 'healthy too', behaviour: 'answers at once', isOrdered: true, mustGetAll: true, settings: {} },
  {
    name: 'flaky',
    behaviour: 'fails 30 %',
    isOrdered: true,
    mustGetAll: true,
    settings: { retry_policy: { delays_s: FLAKY_DELAYS_S } },
  },
  { name: 'slow', behaviour: 'takes 1 s', isOrdered: false, mustGetAll: true, settings: { ordering: 'none' } },
  {
    name: 'dead',
    behaviour: 'always fails',
    isOrdered: false,
    mustGetAll: false,
    // Its breaker opens after 25 dead deliveries. The mode `discard` gives up the others, which would otherwise wait
    // for days.
    settings: { ordering: 'none', retry_policy: { delays_s: DEAD_DELAYS_S }, breaker: { mode: 'discard' } },
  },
];

interface DeliveryPage {
  readonly items: readonly object[];
  readonly next_cursor?: string | null;
}

/** The calls of the control API that the demo uses. */
export class ControlApi {
  private readonly url: string;
  private readonly apiKey: string;
  private readonly tenant: string;

  constructor(url: string, apiKey: string, tenant: string) {
    this.url = url;
    this.apiKey = apiKey;
    this.tenant = tenant;
  }

  create({ name, behaviour, settings }: DemoEndpoint, receiverUrl: string): Promise<{ id: string; secret: string }> {
    const url = `${receiverUrl}/${encodeURIComponent(name)}`;
    const description = `demo: ${name}, ${behaviour}`;
    const body = { url, event_types: ['github.*'], tenant: this.tenant, description, ...settings };
    return this.#call<{ id: string; secret: string }>('POST', '/v1/endpoints', body);
  }

  async delete(id: string) {
    await this.#call<null>('DELETE', `/v1/endpoints/${id}`);
  }

  /** @returns number of the endpoint's dead letters */
  async countDead(endpointId: string): Promise<number> {
    let count = 0;
    let cursor = '';
    do {
      const query = new URLSearchParams({ endpoint_id: endpointId, status: 'dead', limit: '200' });
      if (cursor) query.set('cursor', cursor);
      const page = await this.#call<DeliveryPage>('GET', `/v1/deliveries?${query}`);
      count += page.items.length;
      cursor = page.next_cursor ?? '';
    } while (cursor);
    return count;
  }

  async #call<Answer>(method: string, path: string, body?: object): Promise<Answer> {
    const headers = { authorization: `Bearer ${this.apiKey}`, ...(body ? { 'content-type': 'application/json' } : {}) };
    const init = { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) };
    const response = await fetch(this.url + path, init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return JSON.parse(text || 'null');
  }
}

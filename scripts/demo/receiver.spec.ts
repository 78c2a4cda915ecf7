import { Webhook } from 'standardwebhooks';
import { until } from '../../test/support/until.js';
import type { Arrival } from './receiver.ts';
import { ReceiverProcess } from './receiver-process.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const BODY = JSON.stringify({ id: 'e1', type: 'github.push', sequence: 3, resource_id: 'a/b', data: {} });

describe('the receiver', () => {
  let receiver: ReceiverProcess;
  let url: string;
  let arrivals: Arrival[];
  let forged: string[];

  beforeEach(async () => {
    receiver = new ReceiverProcess();
    arrivals = [];
    forged = [];
    receiver.on('arrival', (arrival: Arrival) => arrivals.push(arrival));
    receiver.on('forged', (what: string) => forged.push(what));
    url = await receiver.listening();
    await receiver.useSecrets({ 'healthy too': SECRET, dead: SECRET });
  });

  afterEach(() => receiver.stop());

  async function post(endpoint: string, body: string): Promise<number> {
    const sentAt = new Date();
    const headers = {
      'webhook-id': 'e1',
      'webhook-timestamp': String(Math.floor(sentAt.getTime() / 1_000)),
      'webhook-signature': new Webhook(SECRET).sign('e1', sentAt, BODY),
      'webhook-attempt': '2',
    };
    const response = await fetch(`${url}/${encodeURIComponent(endpoint)}`, { method: 'POST', headers, body });
    return response.status;
  }

  it('given a good signature, then the receiver answers as its endpoint, and reports the arrival', async () => {
    expect([await post('healthy too', BODY), await post('dead', BODY)]).toEqual([204, 500]);
    await until('both arrivals are reported', () => arrivals.length >= 2);
    const arrival = { eventId: 'e1', resourceId: 'a/b', sequence: 3, attempt: 2 };
    expect(arrivals).toMatchObject([
      { ...arrival, endpoint: 'healthy too', status: 204 },
      { ...arrival, endpoint: 'dead', status: 500 },
    ]);
    expect(forged).toEqual([]);
  });

  it('given another body than was signed, then the receiver answers 401 and reports it', async () => {
    expect(await post('healthy too', BODY.replace('a/b', 'a/c'))).toBe(401);
    await until('the forgery is reported', () => forged.length >= 1);
    expect([arrivals, forged]).toEqual([[], ['healthy too: No matching signature found']]);
  });
});

import { type PostRequest, Sender, type SenderOptions, type SendResult } from '#common/http/sender.js';
import { addressPolicy } from '#common/security/address-policy.js';
import { type RawAnswer, RawServer, type RawServerOptions } from './raw-server.js';

/** A sender of its own for one URL. */
export class OneUrlSender {
  readonly sender: Sender;

  constructor(
    private readonly url: string,
    options: SenderOptions,
  ) {
    this.sender = new Sender(options);
  }

  post(request: PostRequest): Promise<SendResult> {
    return this.sender.post(this.url, request);
  }

  close(): Promise<void> {
    return this.sender.close();
  }
}

/** Senders and servers of a test, which are closed after each test. */
export interface SenderScene {
  server(answer: RawAnswer | string, options?: RawServerOptions): Promise<RawServer>;
  /** Creates a sender that connects to loopback addresses only, by default over one connection at a time. */
  client(url: string, changes?: Partial<SenderOptions>): OneUrlSender;
}

/** A request to a test server. Its timeout of 10 s is longer than any response takes. */
export function postRequest(changes: Partial<PostRequest> = {}): PostRequest {
  return {
    headers: ['content-type', 'application/json', 'webhook-id', 'evt_1'],
    body: Buffer.from('{"secret":1}'),
    timeoutMs: 10_000,
    ...changes,
  };
}

/** Servers and senders for the tests of a file. */
export function useSender(): SenderScene {
  const policy = addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8', '::1/128'] });
  const servers: RawServer[] = [];
  const clients: OneUrlSender[] = [];

  afterEach(async () => {
    // Servers first: an unanswered request would keep its client open until the request's timeout.
    await Promise.all(servers.splice(0).map((server) => server.close()));
    await Promise.all(clients.splice(0).map((client) => client.close()));
  });

  return {
    async server(answer, options = {}) {
      const server = await RawServer.start(
        typeof answer === 'string' ? (socket) => socket.write(answer) : answer,
        options,
      );
      servers.push(server);
      return server;
    },
    client(url, changes = {}) {
      const client = new OneUrlSender(url, { maxConnections: 1, policy, ...changes });
      clients.push(client);
      return client;
    },
  };
}

import { createHash, createHmac } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import { createServer } from 'node:http';

/*
 * The receiver of a torture run. Its process is never killed, so that its log has every request. It writes a line per
 * request, and another before each response, to the file in its arguments. Commands come by IPC (receiver-protocol.ts).
 * Every hook has its own port, so that it can refuse connections.
 */

/** @typedef {import('./receiver-protocol.ts').Behaviour} Behaviour */
/** @typedef {import('./receiver-protocol.ts').ReceiverCommand} ReceiverCommand */
/** @typedef {import('./receiver-protocol.ts').ReceiverLine} ReceiverLine */
/** @typedef {import('./receiver-protocol.ts').ReceiverReply} ReceiverReply */
/** @typedef {import('node:http').IncomingMessage} IncomingMessage */
/** @typedef {import('node:http').ServerResponse} ServerResponse */

class Log {
  /** @type {string[]} */
  #lines = [];

  /** @param {string} file */
  constructor(file) {
    this.fd = openSync(file, 'a');
  }

  /** @param {ReceiverLine} line */
  write(line) {
    if (this.#lines.push(JSON.stringify(line)) === 1) setImmediate(() => this.flush());
  }

  flush() {
    if (this.#lines.length === 0) return;
    writeSync(this.fd, `${this.#lines.join('\n')}\n`);
    this.#lines = [];
  }
}

const log = new Log(process.argv[2] ?? '');
let requests = 0;

/** One endpoint: a port, its behaviour, and its signing secret. */
class Hook {
  counts = { requests: 0, accepted: 0, open: 0 };
  secret = '';
  #port = 0;
  #server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
    this.#take(request, response).catch(() => response.destroy());
  });

  /**
   * @param {string} name
   * @param {Behaviour} behaviour
   */
  constructor(name, behaviour) {
    this.name = name;
    this.behaviour = behaviour;
  }

  /** @returns {Promise<number>} the port; the same after a reopen */
  async open() {
    await new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(this.#port, '127.0.0.1', () => resolve(undefined));
    });
    const address = this.#server.address();
    if (address !== null && typeof address === 'object') this.#port = address.port;
    return this.#port;
  }

  /** @param {Behaviour} behaviour */
  async behave(behaviour) {
    this.behaviour = behaviour;
    const isDown = behaviour.kind === 'down';
    if (isDown && this.#server.listening) {
      const closed = new Promise((resolve) => this.#server.close(resolve));
      this.#server.closeAllConnections();
      await closed;
    }
    if (!isDown && !this.#server.listening) await this.open();
  }

  /**
   * @param {IncomingMessage} request
   * @param {ServerResponse} response
   */
  async #take(request, response) {
    const at = Date.now();
    /** @type {Buffer[]} */
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const n = ++requests;
    const webhookId = String(request.headers['webhook-id'] ?? '');
    const attempt = Number(request.headers['webhook-attempt'] ?? 0);
    log.write({ kind: 'arrived', n, at, hook: this.name, ...this.#read(request, Buffer.concat(chunks)) });
    const index = this.counts.requests++;
    this.counts.open++;
    let isEnded = false;
    const end = (/** @type {number | null} */ status, /** @type {boolean} */ cut) => {
      if (isEnded) return;
      isEnded = true;
      this.counts.open--;
      if (status !== null && status >= 200 && status < 300) this.counts.accepted++;
      log.write({ kind: 'ended', n, at: Date.now(), status, cut });
    };
    response.once('close', () => end(null, true));
    this.#answer(response, end, `${webhookId}/${attempt}`, index);
  }

  /**
   * @param {ServerResponse} response
   * @param {(status: number | null, cut: boolean) => void} end
   * @param {string} name of the attempt
   * @param {number} index of the request at this hook
   */
  #answer(response, end, name, index) {
    const { behaviour } = this;
    if (behaviour.kind === 'hang') return;
    const write = () => {
      // The sender closed the connection, so no response can reach it.
      if (response.destroyed) return;
      const status = statusOf(behaviour, name, index);
      const isLost = behaviour.kind === 'lost_answer' && chance(behaviour.seed, name) < behaviour.rate;
      end(status, isLost);
      if (isLost) response.destroy();
      else response.writeHead(status, behaviour.kind === 'status' ? behaviour.headers : {}).end();
    };
    if (behaviour.answerMs) setTimeout(write, behaviour.answerMs);
    else write();
  }

  /**
   * @param {IncomingMessage} request
   * @param {Buffer} body
   */
  #read(request, body) {
    const { 'webhook-id': id = '', 'webhook-attempt': attempt = '0' } = request.headers;
    const event = parse(body);
    return {
      webhook_id: String(id),
      attempt: Number(attempt),
      signed: this.#isSigned(request, body),
      event_id: event.id ?? null,
      resource_id: event.resource_id ?? null,
      sequence: event.sequence ?? null,
    };
  }

  /**
   * Verifies the signature without a library: libraries also check the timestamp, which a fault may have moved.
   *
   * @param {IncomingMessage} request
   * @param {Buffer} body
   */
  #isSigned({ headers }, body) {
    const key = Buffer.from(this.secret.replace(/^whsec_/, ''), 'base64');
    const signed = createHmac('sha256', key).update(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`);
    const expected = `v1,${signed.update(body).digest('base64')}`;
    return String(headers['webhook-signature']).split(' ').includes(expected);
  }
}

/**
 * @param {Behaviour} behaviour
 * @param {string} name
 * @param {number} index
 */
function statusOf(behaviour, name, index) {
  switch (behaviour.kind) {
    case 'status':
      return behaviour.status;
    case 'failing':
      return chance(behaviour.seed, name) < behaviour.rate ? (behaviour.status ?? 500) : 200;
    case 'flapping':
      return index % (behaviour.failures + behaviour.successes) < behaviour.failures ? 500 : 200;
    default:
      return 200;
  }
}

/**
 * @param {number} seed
 * @param {string} name
 * @returns {number} in [0, 1), the same for the same arguments
 */
function chance(seed, name) {
  return createHash('sha256').update(`${seed}\n${name}`).digest().readUInt32BE() / 2 ** 32;
}

/**
 * @param {Buffer} body
 * @returns {{ id?: string, resource_id?: string, sequence?: number }}
 */
function parse(body) {
  try {
    return JSON.parse(body.toString());
  } catch {
    return {};
  }
}

/** @type {Map<string, Hook>} */
const hooks = new Map();

/** @param {string} name */
function hookOf(name) {
  const hook = hooks.get(name);
  if (hook === undefined) throw new Error(`there is no hook ${name}`);
  return hook;
}

/**
 * @param {ReceiverCommand} command
 * @returns {Promise<Partial<ReceiverReply>>}
 */
async function obey(command) {
  switch (command.do) {
    case 'open': {
      const hook = new Hook(command.hook, command.behaviour);
      hooks.set(command.hook, hook);
      const port = await hook.open();
      await hook.behave(command.behaviour);
      return { port };
    }
    case 'behave':
      await hookOf(command.hook).behave(command.behaviour);
      return {};
    case 'trust':
      hookOf(command.hook).secret = command.secret;
      return {};
    case 'count':
      return { counts: Object.fromEntries([...hooks].map(([name, { counts }]) => [name, { ...counts }])) };
    case 'flush':
      log.flush();
      return {};
  }
}

process.on('message', async (/** @type {ReceiverCommand & { number: number }} */ command) => {
  const { number } = command;
  try {
    process.send?.({ number, ...(await obey(command)) });
  } catch (error) {
    process.send?.({ number, error: String(error) });
  }
});
process.once('disconnect', () => {
  log.flush();
  process.exit(0);
});

import dns from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/*
 * Loaded before an app that is tortured (`node --import`). It moves the wall clock by the milliseconds that the file
 * TORTURE_CLOCK_FILE holds when SIGWINCH arrives, and asks TORTURE_DNS_SERVER instead of the system's name servers. Timers
 * and the monotonic clock stay as they are, as when an operator sets a machine's clock.
 */

const { TORTURE_CLOCK_FILE, TORTURE_DNS_SERVER } = process.env;

if (TORTURE_CLOCK_FILE) moveClockBy(TORTURE_CLOCK_FILE);
if (TORTURE_DNS_SERVER) askOnly(TORTURE_DNS_SERVER);

/** @param {string} file */
function moveClockBy(file) {
  const RealDate = Date;
  let shiftMs = 0;
  const now = () => RealDate.now() + shiftMs;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args) => Reflect.construct(target, args.length === 0 ? [now()] : args),
    get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
  });
  // Of a process without a terminal nobody else listens to it; SIGUSR2 would end a Nest application.
  process.on('SIGWINCH', () => {
    shiftMs = Number(readFileSync(file, 'utf8'));
  });
}

/** @param {string} server `ip:port` */
function askOnly(server) {
  const RealResolver = dns.Resolver;
  dns.Resolver = class extends RealResolver {
    /** @param {ConstructorParameters<typeof RealResolver>} options */
    constructor(...options) {
      super(...options);
      this.setServers([server]);
    }
  };
  syncBuiltinESMExports();
}

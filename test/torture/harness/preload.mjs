import dns from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/*
 * Loaded before a tortured app (`node --import`). SIGWINCH moves the wall clock by the milliseconds in the file
 * TORTURE_CLOCK_FILE. Name lookups go to TORTURE_DNS_SERVER instead of the system's name servers. Timers and the
 * monotonic clock do not change, as when an operator sets a machine's clock.
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
  // A process without a terminal gets no other SIGWINCH. SIGUSR2 would end a Nest application.
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

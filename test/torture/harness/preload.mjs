import dns from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/*
 * Loaded before an app that is tortured (`node --import`). It moves the wall clock by the milliseconds that the file
 * TORTURE_CLOCK_FILE holds when SIGUSR2 arrives, and asks TORTURE_DNS_SERVER instead of the system's name servers. Timers
 * and the monotonic clock stay as they are, as when an operator sets a machine's clock.
 */

const { TORTURE_CLOCK_FILE, TORTURE_DNS_SERVER } = process.env;

if (TORTURE_CLOCK_FILE) {
  const RealDate = Date;
  let shiftMs = 0;
  globalThis.Date = class extends RealDate {
    /** @param {[]} args */
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + shiftMs);
      else super(...args);
    }

    static now() {
      return RealDate.now() + shiftMs;
    }
  };
  process.on('SIGUSR2', () => {
    shiftMs = Number(readFileSync(TORTURE_CLOCK_FILE, 'utf8'));
  });
}

if (TORTURE_DNS_SERVER) {
  const RealResolver = dns.Resolver;
  dns.Resolver = class extends RealResolver {
    /** @param {dns.ResolverOptions} [options] */
    constructor(options) {
      super(options);
      this.setServers([TORTURE_DNS_SERVER]);
    }
  };
  syncBuiltinESMExports();
}

const PRELOAD = new URL('preload.mjs', import.meta.url).href;

/**
 * Node options that make an app load preload.mjs before its own code.
 *
 * @param dnsServer `ip:port`
 * @param clockFile file with the milliseconds by which SIGWINCH moves the clock
 */
export function preloadEnv(dnsServer: string, clockFile: string): NodeJS.ProcessEnv {
  return {
    NODE_OPTIONS: `--import=${PRELOAD}`,
    TORTURE_DNS_SERVER: dnsServer,
    TORTURE_CLOCK_FILE: clockFile,
  };
}

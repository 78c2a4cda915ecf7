const PRELOAD = new URL('preload.mjs', import.meta.url).href;

/**
 * What makes an app load preload.mjs before its own code.
 *
 * @param dnsServer `ip:port`
 * @param clockFile holds the milliseconds by which its clock moves when it gets SIGWINCH
 */
export function preloadEnv(dnsServer: string, clockFile: string): NodeJS.ProcessEnv {
  return {
    NODE_OPTIONS: `--import=${PRELOAD}`,
    TORTURE_DNS_SERVER: dnsServer,
    TORTURE_CLOCK_FILE: clockFile,
  };
}

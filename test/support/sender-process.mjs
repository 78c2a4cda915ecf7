import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { Sender } from '#common/http/sender.js';
import { addressPolicy } from '#common/security/address-policy.js';

/*
 * A process that only sends: `sender-process.mjs <url to warm up> <url to measure> <timeout in ms>`. It prints the
 * result and the memory of one attempt as JSON.
 */

const [warmUrl = '', url = '', timeoutMs] = process.argv.slice(2);
const WARM_UPS = 500;
const SAMPLE_MS = 5;

const newSender = () =>
  new Sender({ maxConnections: 1, policy: addressPolicy({ allowHttp: true, allowedAddresses: ['127.0.0.0/8'] }) });

const request = { headers: ['webhook-id', 'evt_1'], body: Buffer.from('{}'), timeoutMs: Number(timeoutMs) };

/** Memory in use, after garbage collection. */
async function settledMemory() {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await setTimeout(20);
  }
  return process.memoryUsage();
}

const warm = newSender();
for (let index = 0; index < WARM_UPS; index++) await warm.post(warmUrl, request);
await warm.close();

const sender = newSender();
const loop = monitorEventLoopDelay({ resolution: 5 });
const before = await settledMemory();
let peakRss = before.rss;
const sampler = setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, SAMPLE_MS);
loop.enable();
const sent = await sender.post(url, request);
// The attempt may end before the last byte is read.
await sender.close();
await setTimeout(10 * SAMPLE_MS);
loop.disable();
clearInterval(sampler);
const after = await settledMemory();

console.log(
  JSON.stringify({
    result: sent.result,
    errorDetail: sent.errorDetail,
    durationMs: sent.durationMs,
    keptBytes: sent.responseBody.length,
    peakRssBytes: peakRss - before.rss,
    rssBytes: after.rss - before.rss,
    heapBytes: after.heapUsed + after.external - before.heapUsed - before.external,
    loopDelayMs: loop.max / 1e6,
  }),
);

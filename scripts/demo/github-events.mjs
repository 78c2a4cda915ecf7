import { createRequire } from 'node:module';

/**
 * One event to publish.
 *
 * @typedef {object} DemoEvent
 * @property {string} id
 * @property {string} type e.g. `github.pull_request.opened`
 * @property {string} resourceId what it happened to, e.g. the issues of a repository: `Codertocat/Hello-World/issues`
 * @property {object} data the payload, as GitHub sent it
 */

/** How many real payloads there are; beyond it they are published again, under new ids. */
export const PAYLOADS = readPayloads();

/**
 * @param {number} count
 * @param {string} run makes the ids unique
 * @returns {DemoEvent[]} spread evenly over the payloads
 */
export function githubEvents(count, run) {
  const stride = count < PAYLOADS.length ? PAYLOADS.length / count : 1;
  return Array.from({ length: count }, (_, index) => {
    const { name, payload } = /** @type {Payload} */ (PAYLOADS[Math.floor(index * stride) % PAYLOADS.length]);
    const type = ['github', name, payload.action].filter(Boolean).join('.');
    return { id: `${run}-${index}`, type, resourceId: `${ownerOf(payload)}/${name}`, data: payload };
  });
}

/** @typedef {{ name: string, payload: any }} Payload */

/** @returns {Payload[]} */
function readPayloads() {
  /** @type {{ name: string, examples: object[] }[]} */
  const definitions = createRequire(import.meta.url)('@octokit/webhooks-examples');
  return definitions.flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })));
}

/**
 * A repository, else an organisation or an account. Nearly all payloads are of one repository: as one resource they would
 * be delivered one by one.
 *
 * @param {any} payload
 * @returns {string}
 */
function ownerOf(payload) {
  const owner = payload.organization ?? payload.installation?.account ?? payload.sender;
  return payload.repository?.full_name ?? owner?.login ?? payload.security_advisory?.ghsa_id ?? 'github';
}

import { CONTROL, WORKERS } from './apps.mjs';

/**
 * Content of `.posthorn/run.json`, which scripts and tests read while a system runs. The pids are added later.
 *
 * @param {{ settings: import('./settings.mjs').Settings, apiKey: string, kafkaBrokers: string[], databaseUrl: string }}
 * run
 */
export function runFile({ settings, apiKey, kafkaBrokers, databaseUrl }) {
  const { ports } = settings;
  const url = (/** @type {number} */ port) => `http://127.0.0.1:${port}`;
  return {
    ingest_url: url(ports.INGEST_PORT),
    control_url: url(ports.CONTROL_PORT),
    echo_url: url(ports.ECHO_PORT),
    api_key: apiKey,
    kafka_brokers: kafkaBrokers,
    database_url: databaseUrl,
    metrics_urls: Object.fromEntries(
      [CONTROL, ...WORKERS].map(({ name, portName }) => [name, `${url(ports[portName])}/metrics`]),
    ),
  };
}

/** @typedef {ReturnType<typeof runFile>} RunAddresses */
/** @typedef {RunAddresses & { pids: Record<string, number> }} RunFile */

/**
 * The message of `npm start` once all apps are ready.
 *
 * @param {RunAddresses} run
 * @param {string} logs
 */
export function welcome(run, logs) {
  const headers = `-H 'authorization: Bearer ${run.api_key}' -H 'content-type: application/json'`;
  const endpoint = JSON.stringify({ url: `${run.echo_url}/hook`, event_types: ['invoice.*'] });
  const event = JSON.stringify({ type: 'invoice.paid', resource_id: 'invoice-1', data: { amount: 4200 } });
  return `
Posthorn runs.
  Ingest API     ${run.ingest_url}
  Control API    ${run.control_url}  (described at /openapi.json)
  Echo receiver  ${run.echo_url}  (what arrives there is printed here)
  Kafka          ${run.kafka_brokers.join(',')}
  PostgreSQL     ${run.database_url}
  Metrics        ${Object.values(run.metrics_urls).join('\n                 ')}
  Logs           ${logs}
  API key        ${run.api_key}

Register the echo receiver as an endpoint:
curl -sS ${run.control_url}/v1/endpoints ${headers} -d '${endpoint}'

Then publish an event:
curl -sS ${run.ingest_url}/v1/events ${headers} -d '${event}'

Ctrl-C stops everything; the data stay for the next start (npm run reset clears them).
`;
}

import type { RebuildProgress, RebuildSummary } from '#control/rebuild/rebuild.js';
import { runRebuild } from '#control/rebuild/run-rebuild.js';
import { runCommand } from './lib/command.mjs';
import { withConfigErrors } from './lib/config-errors.ts';
import { optionsOf } from './lib/options.mjs';
import { withServers } from './lib/running-system.ts';
import { UserError } from './lib/settings.mjs';
import { timeOption } from './lib/time-option.ts';

const HELP = `Brings a restored database up to date from the topics: outcomes, dead letters, events, and deliveries that wait.

npm run rebuild -- --since TIME [--dry-run]

  --since      when the backup was begun, or earlier; RFC 3339, e.g. 2026-01-31T09:30:00Z
  --dry-run    says what the database lacks, and changes nothing

The servers are those of the system npm start runs, or KAFKA_BROKERS (with KAFKA_TOPIC_PREFIX) and DATABASE_URL. Other
settings of the apps that differ from their defaults (LOG_PARTITIONS, MAX_EVENT_BYTES, …) must be given, too.

It may run beside live traffic, be killed, and be run again: what is there already changes nothing.
`;

await runCommand(main);

async function main() {
  const options = readArguments();
  if (options === undefined) {
    process.stdout.write(HELP);
    return;
  }
  const env = withServers(process.env);
  const summary = await withConfigErrors(() => runRebuild({ ...options, env, onProgress: showProgress }));
  showSummary(summary, options.isDryRun);
}

function showProgress({ topic, read, lacking }: RebuildProgress) {
  process.stdout.write(`${topic.padEnd(10)} ${read} read, ${lacking} ${topic === 'deliveries' ? 'open' : 'lacking'}\n`);
}

function showSummary({ topics, voided, heads, sent, overtaken }: RebuildSummary, isDryRun: boolean) {
  const lacking = (name: string) => topics.find(({ topic }) => topic === name)?.lacking ?? 0;
  const restored = `${lacking('attempts')} attempts, ${lacking('dlq')} dead letters, ${lacking('ingest')} events`;
  process.stdout.write(`${isDryRun ? 'The database lacks' : 'Brought back:'} ${restored}.\n`);
  process.stdout.write(`${voided.heads} waiting lanes and ${voided.parked} parked deliveries of the backup `);
  process.stdout.write(`${isDryRun ? 'would end' : 'ended'}: their outcome is known.\n`);
  process.stdout.write(`${heads} lanes ${isDryRun ? 'would wait' : 'wait'} for a retry again; `);
  process.stdout.write(`${sent} deliveries ${isDryRun ? 'would be' : 'were'} sent again.\n`);
  if (overtaken.length === 0) return;
  process.stdout.write(`Later deliveries of ${overtaken.length} lanes were delivered before them:\n`);
  for (const lane of overtaken) process.stdout.write(`  ${lane}\n`);
}

/** @returns undefined after `--help` */
function readArguments() {
  const known = {
    since: { type: 'string' },
    'dry-run': { type: 'boolean' },
    help: { type: 'boolean' },
  } as const;
  const values = optionsOf(known, { usage: HELP });
  if (values.help) return undefined;
  const sinceMs = timeOption('--since', values.since);
  if (sinceMs === undefined) throw new UserError(`--since is missing\n\n${HELP}`);
  return { sinceMs, isDryRun: values['dry-run'] ?? false };
}

import { DEAD_REASONS } from '#common/domain/verdict.js';
import { DeadLetterSigner } from '#common/security/dead-letter-signer.js';
import { runCommand } from './lib/command.mjs';
import { optionsOf } from './lib/options.mjs';
import { readRunFile } from './lib/running-system.ts';
import { secretKeys } from './lib/secret-keys.ts';
import { UserError } from './lib/settings.mjs';
import { timeOption } from './lib/time-option.ts';
import { type DeadLetter, describeDeadLetter, isSelected } from './replay/selection.ts';
import { signedHeaders } from './replay/signing.ts';
import { copyRecords } from './replay/topic-copy.ts';

const TARGETS = ['deliveries', 'ingest'];
const MAX_LINES = 20;

const HELP = `Replays dead letters: copies records of the dlq topic, with key, value and headers, to another topic.

npm run replay -- --to deliveries|ingest [--reason REASON] [--endpoint ID] [--since TIME] [--until TIME] [--sign] [--dry-run]

  --to         deliveries  each goes to its own endpoint again, with at most 3 attempts
               ingest      the same; and a payload_error that was an event is read as one again
  --reason     ${DEAD_REASONS.join(', ')}
  --endpoint   endpoint id, e.g. ep_…
  --since      given up at or after; RFC 3339, e.g. 2026-01-31T09:30:00Z
  --until      given up before
  --sign       replaces the MAC of each, with SECRET_KEYS: for dead letters of releases that made none, or whose key is
               gone. A payload_error is not signed: anybody may have written it
  --dry-run    says what would be copied, and copies nothing

The brokers are those of the system npm start runs, or KAFKA_BROKERS (with KAFKA_TOPIC_PREFIX, if there is one).

The records stay in dlq until its retention ends: name a --since that leaves out what was replayed before.
A dead letter is a replay only with its headers. Any client that copies them will do; piping through kcat loses them.
`;

await runCommand(main);

async function main() {
  const options = readArguments();
  if (options === undefined) {
    process.stdout.write(HELP);
    return;
  }
  const { to, isDryRun, isSigning, selection } = options;
  const { KAFKA_BROKERS: given, KAFKA_TOPIC_PREFIX: prefix = '' } = process.env;
  const brokers = given ? given.split(',').map((broker) => broker.trim()) : readRunFile(process.env).kafka_brokers;
  const signer = isSigning ? new DeadLetterSigner(secretKeys(process.env)) : undefined;
  let seen = 0;
  let selected = 0;
  let tooLarge = 0;
  const copied = await copyRecords({
    brokers,
    from: `${prefix}dlq`,
    to: `${prefix}${to}`,
    ...(signer ? { headersOf: (record) => signedHeaders(record, signer) } : {}),
    select: (record) => {
      seen++;
      const letter = describeDeadLetter(record);
      if (!isSelected(letter, selection)) return false;
      if (++selected <= MAX_LINES) process.stdout.write(`${lineOf(letter)}\n`);
      return !isDryRun;
    },
    onTooLarge: (record) => {
      tooLarge++;
      process.stdout.write(`too large for ${to}: ${lineOf(describeDeadLetter(record))}\n`);
    },
  });
  if (selected > MAX_LINES) process.stdout.write(`… and ${selected - MAX_LINES} more\n`);
  const outcome = isDryRun ? 'nothing was copied' : `${copied} copied to ${prefix}${to}`;
  if (tooLarge > 0) process.stdout.write(`${tooLarge} are too large for ${prefix}${to} and stay in dlq\n`);
  process.stdout.write(`${selected} of ${seen} dead letters chosen; ${outcome}\n`);
}

function lineOf({ at, reason, endpointId, eventType, eventId }: DeadLetter) {
  const what = endpointId ? `${eventType} ${eventId} → ${endpointId}` : '(never was a delivery)';
  return `${new Date(at).toISOString()}  ${reason.padEnd(16)}  ${what}`;
}

/** @returns undefined after `--help` */
function readArguments() {
  const string = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const known = {
    to: string,
    reason: string,
    endpoint: string,
    since: string,
    until: string,
    sign: flag,
    'dry-run': flag,
    help: flag,
  };
  const values = optionsOf(known, { usage: HELP });
  if (values.help) return undefined;
  const { to, reason, endpoint } = values;
  if (to === undefined || !TARGETS.includes(to)) throw new UserError(`--to must be deliveries or ingest\n\n${HELP}`);
  if (reason !== undefined && !DEAD_REASONS.some((known) => known === reason))
    throw new UserError(`--reason must be one of ${DEAD_REASONS.join(', ')}`);
  const selection = {
    reason,
    endpoint,
    since: timeOption('--since', values.since),
    until: timeOption('--until', values.until),
  };
  return { to, isDryRun: values['dry-run'] ?? false, isSigning: values.sign ?? false, selection };
}

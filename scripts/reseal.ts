import { Database } from '#common/postgres/database.js';
import { Sealer } from '#common/security/sealing.js';
import { type ResealProgress, resealAll } from '#control/endpoints/reseal.js';
import { usedKeys } from '#control/secrets/sealing-keys.js';
import { runCommand } from './lib/command.mjs';
import { optionsOf } from './lib/options.mjs';
import { withServers } from './lib/running-system.ts';
import { secretKeys } from './lib/secret-keys.ts';
import { countMacKeys } from './replay/mac-keys.ts';

const HELP = `Seals all secrets and static headers of endpoints under the first key of SECRET_KEYS, and says what still needs
each of the other keys. It may run at any time, be interrupted, and be repeated.

npm run reseal [-- --check]

  --check   seals nothing, only says what needs which key

SECRET_KEYS, DATABASE_URL and KAFKA_BROKERS (with KAFKA_TOPIC_PREFIX, if there is one) are those of the system; where they
are missing, those of npm start. A running control announces what was sealed.
`;

await runCommand(main);

async function main() {
  const flag = { type: 'boolean' } as const;
  const { check = false, help } = optionsOf({ check: flag, help: flag }, { usage: HELP });
  if (help) return say(HELP.trimEnd());
  const { SECRET_KEYS, DATABASE_URL, KAFKA_BROKERS, KAFKA_TOPIC_PREFIX: prefix = '' } = withServers(process.env);
  const keys = SECRET_KEYS || secretKeys(process.env);
  const brokers = KAFKA_BROKERS.split(',');
  const sealer = new Sealer(keys);
  const database = new Database({ url: DATABASE_URL, poolSize: 1, applicationName: 'reseal' });
  try {
    if (!check) await reseal(database, sealer);
    await report({ database, keys, current: sealer.sealsUnder, brokers, topic: `${prefix}dlq` });
  } finally {
    await database.close();
  }
}

async function reseal(database: Database, sealer: Sealer) {
  let shownAt = Date.now();
  const onProgress = ({ resealed }: ResealProgress) => {
    if (Date.now() - shownAt < 1_000) return;
    shownAt = Date.now();
    say(`${resealed} endpoints so far`);
  };
  const { resealed, failed } = await resealAll(database, sealer, onProgress);
  say(`${resealed} endpoints sealed under "${sealer.sealsUnder}"`);
  if (failed === 0) return;
  process.exitCode = 1;
  say(`${failed} endpoints could not be sealed: SECRET_KEYS lacks a key they use`);
}

async function report({
  database,
  keys,
  current,
  brokers,
  topic,
}: {
  database: Database;
  keys: string;
  current: string;
  brokers: string[];
  topic: string;
}) {
  const used = await usedKeys(database);
  const endpoints = new Map(used.map(({ key_id, endpoints }) => [key_id, endpoints]));
  const [row] = await database.query<{ owed: number }>('SELECT count(*) AS owed FROM outbox');
  const owed = row?.owed ?? 0;
  const letters = await countMacKeys(brokers, topic);
  const given = keys.split(',').map((entry) => entry.trim().split(':', 1)[0] ?? '');
  for (const id of new Set([...given, ...endpoints.keys(), ...letters.byKey.keys()])) {
    const needs = { endpoints: endpoints.get(id) ?? 0, letters: letters.byKey.get(id) ?? 0 };
    say(lineOf(id, { ...needs, isCurrent: id === current, isGiven: given.includes(id) }));
  }
  if (letters.unsigned > 0) say(`${letters.unsigned} dead letters in ${topic} have no MAC (npm run replay -- --sign)`);
  if (owed > 0) say(`${owed} announcements wait for a running control: keep the old keys until they are gone`);
}

function lineOf(
  id: string,
  {
    endpoints,
    letters,
    isCurrent,
    isGiven,
  }: { endpoints: number; letters: number; isCurrent: boolean; isGiven: boolean },
) {
  const use = `${endpoints} endpoints, ${letters} dead letters`;
  if (isCurrent) return `key "${id}": seals and signs; ${use}`;
  if (!isGiven) return `key "${id}": not in SECRET_KEYS; ${use}`;
  if (endpoints > 0) return `key "${id}": still needed; ${use}`;
  if (letters > 0)
    return `key "${id}": unused but by ${letters} dead letters, which can be replayed by copying while it is there`;
  return `key "${id}": unused, it may be removed from SECRET_KEYS`;
}

function say(line: string) {
  process.stdout.write(`${line}\n`);
}

import { z } from 'zod';
import { readSettings } from '../lib/settings.mjs';
import { code, page, table } from './markdown.ts';

export interface AppConfig {
  app: string;
  schema: z.ZodObject;
}
interface Variable {
  name: string;
  apps: string[];
  kind: string;
  fallbacks: Map<string, string>;
  meaning: string;
}

const INTRO = `Everything is set by environment variables. An app reads them once, when it starts; a bad value ends it with exit
code 2 and a message that names every bad variable. An empty value counts as missing. At the start the effective
configuration is logged, with keys, passwords and connection strings masked.`;

const START = `\`npm start\` reads these, and passes the whole environment on to the apps: what stands above can be set there
as well. It sets \`HOST\`, \`PORT\`, \`KAFKA_BROKERS\`, \`DATABASE_URL\`, \`SECRET_KEYS\`, \`ADMIN_API_KEY\`, \`CONFIG_SIGNING_KEY\` (control only) and \`INSTANCE\` for them itself, and,
unless you do, \`CONFIG_PUBLIC_KEYS\`, \`ALLOW_HTTP=true\` and \`ALLOWED_ADDRESSES=127.0.0.0/8,::1/128\`.`;

/** Generates docs/configuration.md from the apps' configuration schemas. */
export function renderConfiguration(configs: readonly AppConfig[]) {
  const groups = Map.groupBy(variablesOf(configs), ({ apps }) => apps.join(', '));
  const sections = [...groups]
    .sort(([, [a]], [, [b]]) => (b?.apps.length ?? 0) - (a?.apps.length ?? 0))
    .flatMap(([apps, list]) => [
      `## ${list[0]?.apps.length === configs.length ? 'Every app' : apps}`,
      table(['variable', 'value', 'default', 'meaning'], list.map(row)),
    ]);
  return page('Configuration', [
    INTRO,
    ...sections,
    '## npm start',
    START,
    table(['variable', 'default', 'meaning'], startRows()),
  ]);
}

/** @returns variables in the order of the schemas */
function variablesOf(configs: readonly AppConfig[]): Variable[] {
  const variables = new Map<string, Variable>();
  for (const { app, schema } of configs) {
    const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
    for (const [name, field] of Object.entries(schema.shape)) {
      const property = properties[name] as z.core.JSONSchema.BaseSchema;
      const fallback = field.safeParse(undefined);
      const known = variables.get(name) ?? newVariable(name, property);
      known.apps.push(app);
      known.kind = kindOf(property, fallback.data);
      known.fallbacks.set(app, fallback.success ? fallbackOf(fallback.data) : '(required)');
      variables.set(name, known);
    }
  }
  return [...variables.values()];
}

function newVariable(name: string, { description }: z.core.JSONSchema.BaseSchema): Variable {
  if (!description) throw new Error(`${name} has no description`);
  return { name, apps: [], kind: '', fallbacks: new Map(), meaning: description };
}

function kindOf({ type, enum: values, minimum, maximum }: z.core.JSONSchema.BaseSchema, fallback: unknown) {
  if (values) return values.join(', ');
  if (typeof fallback === 'boolean') return 'true, false';
  if (Array.isArray(fallback)) return 'list';
  if (type !== 'integer' && type !== 'number') return 'text';
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  return isBounded ? `${minimum} to ${maximum}` : `at least ${minimum}`;
}

function fallbackOf(value: unknown) {
  if (value === undefined) return '';
  return Array.isArray(value) ? value.join(',') : String(value);
}

function row({ name, apps, kind, fallbacks, meaning }: Variable) {
  const distinct = new Set(fallbacks.values());
  const byApp = apps.map((app) => `${app} ${code(fallbacks.get(app) ?? '')}`).join(', ');
  const [only = ''] = distinct;
  const fallback = distinct.size > 1 ? byApp : only.startsWith('(') || only === '' ? only : code(only);
  return [code(name), kind, fallback, meaning];
}

function startRows() {
  const { ports } = readSettings({});
  return [
    [code('POSTHORN_HOME'), code('.posthorn'), 'folder of the data, logs, secrets and `run.json` of this system'],
    [code('KAFKA_BROKERS'), '', 'existing brokers to use; no Kafka is fetched or started then'],
    [code('DATABASE_URL'), '', 'existing PostgreSQL database to use; none is started then'],
    ...Object.entries(ports).map(([name, port]) => [code(name), code(String(port)), portMeaning(name)]),
  ];
}

function portMeaning(name: string) {
  return `port of ${name
    .replace(/_PORT$/, '')
    .toLowerCase()
    .replaceAll('_', '-')}`;
}

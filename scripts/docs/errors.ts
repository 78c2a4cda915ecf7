import { code, page, table } from './markdown.ts';

export type Problems = Readonly<Record<string, { status: number; title: string }>>;

const INTRO = `Every error is \`application/problem+json\` (RFC 9457), whichever part of an app refuses the request:

\`\`\`json
{
  "type": "urn:posthorn:problem:body-invalid",
  "title": "The request is not valid",
  "status": 400,
  "detail": "the event is not valid",
  "code": "BODY_INVALID",
  "errors": [{ "field": "type", "message": "is required" }]
}
\`\`\`

\`code\` is stable: match it, never the texts. \`errors\` is there when single fields can be named.`;

/** The caller's remedy for each code. */
const REMEDIES: Readonly<Record<string, string>> = {
  BODY_INVALID: 'Correct what `errors` names. Nothing was stored.',
  UNAUTHENTICATED: 'Send `Authorization: Bearer ph_…` with a key that exists, has not expired and was not revoked.',
  FORBIDDEN: 'Use a key with the scope that is needed, or of the tenant that is named.',
  NOT_FOUND: 'Check the path and the id. What belongs to another tenant is not found either.',
  METHOD_NOT_ALLOWED: 'Use a method that the header `Allow` names.',
  CONFLICT: 'Look at the present state; `detail` says what stands in the way.',
  BODY_TOO_LARGE:
    'Send less, or raise the variable that `detail` names with its limit (see [configuration](configuration.md)).',
  UNSUPPORTED_MEDIA_TYPE: 'Send `application/json`, or CloudEvents ([wire formats](wire-formats.md)); not compressed.',
  URL_NOT_ALLOWED: 'Use an https URL with a public address.',
  INTERNAL: 'A bug, or something unforeseen. The log of the app has it, at level `error`.',
  EVENT_LOG_UNAVAILABLE:
    'Kafka did not confirm in time, or too much waits for it. Repeat with the same id after `Retry-After`: the event may be stored.',
  SECRET_KEYS_WRONG:
    'An operator has to correct `SECRET_KEYS` of this control: `detail` names the key. Repeat then. Nothing was stored.',
  CONFIGURATION_AHEAD:
    'The database was restored from a backup, and an operator has not reconciled it yet ([operating](operating.md#a-restored-database)). Reading and publishing go on.',
  DATABASE_UNAVAILABLE: 'PostgreSQL is away. Repeat after `Retry-After`. Publishing goes on meanwhile.',
};

/**
 * Generates docs/errors.md from the apps' table of problems.
 *
 * @throws Error when a code lacks a remedy, or a remedy has no code
 */
export function renderErrors(problems: Problems) {
  const stray = Object.keys(REMEDIES).filter((name) => !(name in problems));
  if (stray.length > 0) throw new Error(`no such problem: ${stray.join(', ')}`);
  const rows = Object.entries(problems).map(([name, { status, title }]) => {
    const remedy = REMEDIES[name];
    if (remedy === undefined) throw new Error(`say in scripts/docs/errors.ts what a caller does about ${name}`);
    return [String(status), code(name), title, remedy];
  });
  return page('Errors', [INTRO, table(['status', 'code', 'title', 'what to do'], rows)]);
}

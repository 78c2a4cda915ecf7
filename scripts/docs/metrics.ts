import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { code, page, table } from './markdown.ts';

interface Metric {
  name: string;
  kind: string;
  help: string;
  labels: string[];
  where: string;
}

const KINDS = new Set(['Counter', 'Gauge', 'Histogram', 'Summary']);

const INTRO = `\`GET /metrics\` of each app, in Prometheus' text format; no key is asked for. Every metric has the label \`app\`.
Times are in seconds, sizes in bytes. Beside these there are the defaults of prom-client (\`process_*\`, \`nodejs_*\`).`;

/** Apps that export the metrics of a folder or a file of libs/common. */
const SHARED: Readonly<Record<string, string>> = {
  kafka: 'every app',
  postgres: 'ingest, control, dispatcher',
  'metrics/dead-letters.ts': 'dispatcher, ingest, retry-scheduler',
  'metrics/replays.ts': 'dispatcher, ingest',
  'metrics/misplaced-records.ts': 'dispatcher, ingest',
};

/**
 * Generates docs/metrics.md from the sources: every metric is a literal in one `new Counter({…})` or similar.
 *
 * @param root of the checkout
 */
export function renderMetrics(root: string) {
  const metrics = Map.groupBy(
    ['apps', 'libs/common/src'].flatMap((folder) => metricsIn(root, join(root, folder))),
    ({ name }) => name,
  );
  const rows = [...metrics].sort(([a], [b]) => a.localeCompare(b, 'en')).map(([, list]) => row(list));
  return page('Metrics', [INTRO, table(['metric', 'type', 'labels', 'apps', 'meaning'], rows)]);
}

/** @param list one metric, as each app declares it */
function row(list: Metric[]) {
  const [{ name, kind, labels, help }] = list as [Metric];
  if (list.some((other) => other.help !== help || String(other.labels) !== String(labels))) {
    throw new Error(`${name} is not the same in all apps`);
  }
  return [code(name), kind, labels.map(code).join(', '), list.map(({ where }) => where).join(', '), help];
}

function metricsIn(root: string, folder: string): Metric[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.spec.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .flatMap((file) => metricsOf(file, relative(root, file)));
}

/** @param path of the file within the checkout */
function metricsOf(file: string, path: string) {
  const text = readFileSync(file, 'utf8');
  if (!text.includes("'prom-client'")) return [];
  const found: Metric[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isNewExpression(node) && KINDS.has(node.expression.getText())) found.push(metricOf(node, path));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
  return found;
}

function metricOf(node: ts.NewExpression, path: string): Metric {
  const options = node.arguments?.[0];
  const given = new Map(
    options && ts.isObjectLiteralExpression(options)
      ? options.properties.filter(ts.isPropertyAssignment).map((item) => [item.name.getText(), item.initializer])
      : [],
  );
  const name = literal(given.get('name'), path);
  const labels = given.get('labelNames');
  return {
    name,
    kind: node.expression.getText().toLowerCase(),
    help: literal(given.get('help'), path),
    labels: labels && ts.isArrayLiteralExpression(labels) ? labels.elements.map((item) => literal(item, path)) : [],
    where: whereOf(path),
  };
}

function literal(node: ts.Expression | undefined, path: string) {
  if (node && ts.isStringLiteralLike(node)) return node.text;
  throw new Error(`${path}: a metric's name, help and labels must be literals, so that they can be documented`);
}

function whereOf(path: string) {
  const [top, second, , folder = '', file = ''] = path.split('/');
  const where = top === 'apps' ? second : (SHARED[folder] ?? SHARED[`${folder}/${file}`]);
  if (where === undefined) throw new Error(`say in scripts/docs/metrics.ts which apps have the metrics of ${path}`);
  return where;
}

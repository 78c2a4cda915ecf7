import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { anchorsOf } from './anchors.ts';

const DOCUMENTS = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  'CODE_OF_CONDUCT.md',
  'test/README.md',
  ...filesIn('docs'),
];

/** A link to a file of the checkout: its path, and the anchor if it has one. */
const LINK = /\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g;
/** A link to a file of tests, and the names of tests in it, each in quotes. */
const TESTS = /\]\(([^)]+\.ts)\)((?:,? "[^"]+")+)/g;

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));
}

describe('the bad endpoints of docs/reliability.md', () => {
  const [, table = ''] = readFileSync('docs/reliability.md', 'utf8').split('## Bad endpoints');
  const rows = [...table.matchAll(/^\| (S\d+) \|/gm)].map(([, row = '']) => row);
  const tests = [...table.matchAll(LINK)].map(([, path = '']) => readFileSync(join('docs', path), 'utf8')).join('');

  it.each(rows)('%s has a test of its number', (row) => {
    expect(tests).toMatch(new RegExp(`'${row}[:']`));
  });
});

describe.each(DOCUMENTS)('%s', (document) => {
  const text = readFileSync(document, 'utf8');
  const target = (path: string | undefined) => (path ? join(dirname(document), path) : document);

  it('links to existing files and headings', () => {
    const broken = [...text.matchAll(LINK)].filter(([, path, anchor]) => {
      const file = target(path);
      return !existsSync(file) || (anchor !== undefined && !anchorsOf(file).includes(anchor));
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it('names existing tests', () => {
    const missing = [...text.matchAll(TESTS)].flatMap(([, path, names]) => {
      const file = target(path);
      const tests = existsSync(file) ? readFileSync(file, 'utf8') : '';
      const quoted = [...(names ?? '').matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? '');
      return quoted.filter((name) => !tests.includes(name)).map((name) => `${path}: ${name}`);
    });
    expect(missing).toEqual([]);
  });
});

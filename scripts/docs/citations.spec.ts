import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { anchorsOf } from './anchors.ts';
import { type Citation, citationsOf, commentsOf } from './citations.ts';

const FILES = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
const SOURCES = FILES.filter(
  (file) => /\.(ts|mjs|yml|sh)$|Dockerfile$/.test(file) && !file.startsWith('scripts/docs/citations'),
);
const NAMES = new Set(FILES.map((file) => basename(file)));
const PROTOCOL = 'docs/lane-protocol.md';

/** Roots of a cited path: the checkout, the file's folder, or a source folder. A bare file name is valid, too. */
function found(path: string, source: string): string | undefined {
  const candidates = [path, join(dirname(source), path)];
  const here = candidates.find((candidate) => existsSync(candidate)) ?? FILES.find((file) => file.endsWith(`/${path}`));
  return here ?? (NAMES.has(path) ? path : undefined);
}

function isBroken({ kind, text, anchor }: Citation, source: string): boolean {
  if (kind === 'section') return true;
  if (kind === 'rule') return !anchorsOf(PROTOCOL).some((name) => name.startsWith(`rule-${text}-`));
  if (kind === 'adr') return !FILES.some((file) => file.startsWith(`docs/adr/${text.padStart(4, '0')}-`));
  const file = found(text, source);
  return file === undefined || (anchor !== undefined && !anchorsOf(file).includes(anchor));
}

describe('comments and strings', () => {
  it('cite paths, sections, rules and decisions that exist', () => {
    const broken = SOURCES.flatMap((source) =>
      commentsOf(readFileSync(source, 'utf8')).flatMap(({ line, text }) =>
        citationsOf(text)
          .filter((citation) => isBroken(citation, source))
          .map((citation) => `${source}:${line}: ${citation.kind} ${citation.text}${citation.anchor ?? ''}`),
      ),
    );
    expect(broken).toEqual([]);
  });
});

describe('citationsOf', () => {
  it.each([
    ['see (docs/ordering.md#order), and tier.ts', ['path docs/ordering.md', 'path tier.ts']],
    [
      'as rule 3 says, rules 4 to 6, rules 7 and 8, and rule 3(a)',
      ['rule 3', 'rule 4', 'rule 6', 'rule 7', 'rule 8', 'rule 3'],
    ],
    ['ADR 2, and ADR 0012', ['adr 2', 'adr 0012']],
    ['design.md, section 5', ['path design.md', 'section 5']],
    ["{import('./load.mjs').Load}, https://example.com/a.md, Node.js, `/openapi.json`, .posthorn/run.json", []],
  ])('finds what %j cites', (text, expected) => {
    expect(citationsOf(text).map(({ kind, text }) => `${kind} ${text}`)).toEqual(expected);
  });

  it('reads comments and strings with documents, and nothing else of the code', () => {
    const code = [
      "import { a } from './gone.js';",
      '/** one */',
      'const b = 2; // two',
      ' * three',
      "throw new Error('see docs/gone.md');",
    ];
    expect(commentsOf(code.join('\n')).map(({ text }) => text.trim())).toEqual([
      'one */',
      'two',
      'three',
      "throw new Error('see docs/gone.md');",
    ]);
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { join } from 'node:path';

const SOURCES = readdirSync('scripts', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
  .map((name) => join('scripts', name));
const stripped = (code: string) => () => nodeModule.stripTypeScriptTypes(code);

describe('type stripping by Node.js', () => {
  it.each(SOURCES)('runs %s unchanged', (file) => {
    expect(stripped(readFileSync(file, 'utf8'))).not.toThrow();
  });

  it.each([
    'enum Color { Red }',
    'class A { constructor(readonly b: number) {} }',
    'namespace A { export const b = 1; }',
  ])('refuses %s, which needs a compiler', (code) => {
    expect(stripped(code)).toThrow(/not supported/);
  });
});

describe('commands of package.json', () => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
  const files = Object.values(scripts).flatMap((line) => {
    const [, command, direct] = /\bnode scripts\/(?:run\.mjs ([\w-]+)|([\w-]+\.\w+))/.exec(line) ?? [];
    return command === undefined ? (direct ?? []) : `${command}.ts`;
  });

  it.each(files)('start an existing file: scripts/%s', (file) => {
    expect(readdirSync('scripts')).toContain(file);
  });
});

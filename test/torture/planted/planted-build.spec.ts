import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ROOT } from '../../../scripts/lib/paths.mjs';
import { BUG_NAMES, BUGS } from './bugs.js';
import { plant, plantedBuild } from './planted-build.js';
import { REVERTED } from './reverted.js';

describe('plantedBuild', () => {
  const { file, text, becomes } = BUGS['ack-before-produce'].patch;
  let root: string;
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'posthorn-planting-'));
    mkdirSync(dirname(join(root, 'dist', file)), { recursive: true });
    writeFileSync(join(root, 'package.json'), '{}');
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  it('given a build, then a copy of it has the bug, and the build has not', () => {
    const source = `before\n${text}\nafter`;
    writeFileSync(join(root, 'dist', file), source);
    const { home, remove } = plantedBuild('a-bug', [{ file, text, becomes }], root);

    expect(readFileSync(join(home, 'dist', file), 'utf8')).toBe(`before\n${becomes}\nafter`);
    expect(readFileSync(join(root, 'dist', file), 'utf8')).toBe(source);
    remove();
    expect(existsSync(home)).toBe(false);
  });

  it.each([0, 2])('given a build with the text %d times, then nothing is planted', (times) => {
    writeFileSync(join(root, 'dist', file), text.repeat(times));

    expect(() => plant(join(root, 'dist'), BUGS['ack-before-produce'].patch)).toThrow(`${times} times, not once`);
  });
});

/** The compiler keeps these lines as they are written, but for indentation by four. */
it.each([
  ...BUG_NAMES.map((name) => ({ name, ...BUGS[name].patch })),
  ...Object.entries(REVERTED).flatMap(([name, patches]) => patches.map((patch) => ({ name, ...patch }))),
])('given the sources of today, then "$name" can be planted in what they compile to: $file', ({ file, text }) => {
  const source = readFileSync(join(ROOT, file.replace(/\.js$/, '.ts')), 'utf8');
  const bare = (code: string) => code.replace(/\s+/g, ' ');

  expect(bare(source).split(bare(text))).toHaveLength(2);
});

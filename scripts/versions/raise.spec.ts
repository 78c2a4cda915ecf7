import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { planVersions, raiseVersions } from './raise.ts';

const entry = (name: string) => `.changeset/${name}.md`;
const CONFIG = readFileSync('.changeset/config.json', 'utf8');
const TEXT = '---\n"posthorn": minor\n"@posthorn/kit": patch\n---\n\nThe API accepts a batch.\n';
const FILES = {
  'package.json': '{ "name": "posthorn", "version": "0.2.0", "private": true, "workspaces": ["packages/*"] }',
  'package-lock.json': '{}',
  'packages/kit/package.json': '{ "name": "@posthorn/kit", "version": "1.0.0" }',
  'libs/common/src/version.ts': "export const VERSION = '0.2.0';\n",
  '.changeset/config.json': CONFIG,
  [entry('accepts-a-batch')]: TEXT,
};

describe('raiseVersions', () => {
  let root: string;
  const read = (path: string) => readFileSync(join(root, path), 'utf8');
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'posthorn-versions-'));
    execFileSync('git', ['init', '--quiet', root]);
    for (const [path, text] of Object.entries(FILES)) write(path, text);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('given an entry for the server and a package, then both versions and changelogs have it, and the entry is gone', async () => {
    await expect(raiseVersions(root)).resolves.toEqual(['posthorn 0.3.0', '@posthorn/kit 1.0.1']);
    expect(JSON.parse(read('package.json')).version).toBe('0.3.0');
    expect(read('CHANGELOG.md')).toMatch(/## 0\.3\.0\n\n### Minor Changes\n\n- The API accepts a batch\./);
    expect(read(join('packages', 'kit', ['CHANGELOG', 'md'].join('.')))).toMatch(/## 1\.0\.1/);
    expect(read('libs/common/src/version.ts')).toBe("export const VERSION = '0.3.0';\n");
    expect(existsSync(join(root, entry('accepts-a-batch')))).toBe(false);
  });

  it('given no entry, then no version changes', async () => {
    rmSync(join(root, entry('accepts-a-batch')));
    await expect(raiseVersions(root)).resolves.toEqual([]);
    expect(read('package.json')).toBe(FILES['package.json']);
  });

  it('given an entry for an unknown package, then it is rejected', async () => {
    write(entry('typo'), '---\n"posthron": minor\n---\n\nText.\n');
    await expect(planVersions(root)).rejects.toThrow(/posthron/);
  });
});

it('given this checkout, then every entry names a package of it', async () => {
  await expect(planVersions('.')).resolves.toBeDefined();
});

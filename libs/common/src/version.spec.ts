import { readFileSync } from 'node:fs';
import { VERSION } from './version.js';

it('given package.json, then its version is ours', () => {
  expect(VERSION).toBe(JSON.parse(readFileSync('package.json', 'utf8')).version);
});

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { appNode } from '../lib/node-binary.mjs';

const SCRIPT = fileURLToPath(new URL('./promotion-process.ts', import.meta.url));

/**
 * Counts V8's collections of the old generation while short-lived items pass through a set, a map, a bag and a slot
 * map. ADR 17 explains why the bag and the slot map exist.
 *
 * @returns whether the bag and the slot map cause less than half of the collections of set and map
 */
export async function run(): Promise<boolean> {
  const { stdout } = await promisify(execFile)(appNode(), ['--max-semi-space-size=16', SCRIPT]);
  const majors: Record<'bag' | 'slotMap' | 'set' | 'map', number> = JSON.parse(stdout);
  console.log('collections of the old generation while 40 000 items of 32 KB pass through');
  for (const [collection, count] of Object.entries(majors)) console.log(`  ${collection.padEnd(8)} ${count}`);
  console.log(JSON.stringify(majors));
  return majors.bag < majors.set / 2 && majors.slotMap < majors.map / 2;
}

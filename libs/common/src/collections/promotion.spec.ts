import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const FLAGS = ['--max-semi-space-size=16', '--import', './test/support/transpile.mjs'];

describe('what comes and goes', () => {
  // Were it not so of V8's own, there would be no need for ours.
  it('given a set and a map of V8, then it has to be collected as if it were old; with a bag and a slot map it has not', async () => {
    const args = [...FLAGS, 'test/support/promotion-process.mjs'];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const majors: Record<'bag' | 'slotMap' | 'set' | 'map', number> = JSON.parse(stdout);
    expect(majors.set).toBeGreaterThan(3);
    expect(majors.map).toBeGreaterThan(3);
    expect(majors.bag).toBeLessThan(majors.set / 2);
    expect(majors.slotMap).toBeLessThan(majors.map / 2);
  });
});

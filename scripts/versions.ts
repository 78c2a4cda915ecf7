import { ROOT } from './lib/paths.mjs';
import { raiseVersions } from './versions/raise.ts';

/** Turns the entries of `.changeset` into versions and changelogs: npm run versions. */
const raised = await raiseVersions(ROOT);
process.stdout.write(raised.length === 0 ? 'No entries in .changeset\n' : `${raised.join('\n')}\n`);

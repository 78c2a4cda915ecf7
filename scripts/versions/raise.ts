import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import applyReleasePlan from '@changesets/apply-release-plan';
import assembleReleasePlan from '@changesets/assemble-release-plan';
import { readConfig } from '@changesets/config';
import readChangesets from '@changesets/read';
import type { Config, Packages, ReleasePlan } from '@changesets/types';
import { getPackages } from '@manypkg/get-packages';

/** The server reads its version from a constant, since a build does not know where package.json is. */
const SERVER = 'posthorn';
const VERSION_CONSTANT = 'libs/common/src/version.ts';

export interface Plan {
  packages: Packages;
  config: Config;
  releases: ReleasePlan;
}

/**
 * Reads the entries in `.changeset` and the version each package gets from them.
 *
 * @param root folder of the checkout
 * @throws Error when an entry names an unknown package or has no valid front matter
 */
export async function planVersions(root: string): Promise<Plan> {
  const packages = await packagesWithRoot(root);
  const { config, errors } = await readConfig(root, packages);
  if (!config) throw new Error(`.changeset/config.json: ${errors.join('; ')}`);
  const releases = assembleReleasePlan(await readChangesets(root), packages, config, undefined);
  return { packages, config, releases };
}

/**
 * Raises versions, extends changelogs and deletes the entries.
 *
 * @returns the raised packages, as `name version`
 */
export async function raiseVersions(root: string): Promise<string[]> {
  const { packages, config, releases } = await planVersions(root);
  await applyReleasePlan(releases, packages, config);
  const server = releases.releases.find(({ name }) => name === SERVER);
  if (server?.newVersion) writeVersionConstant(join(root, VERSION_CONSTANT), server.newVersion);
  return releases.releases.map(({ name, newVersion }) => `${name} ${newVersion}`);
}

/** Changesets' own command line leaves out the root package of a workspace, which here is the server. */
async function packagesWithRoot(root: string): Promise<Packages> {
  const found = await getPackages(root);
  return { ...found, packages: [...(found.rootPackage ? [found.rootPackage] : []), ...found.packages] };
}

function writeVersionConstant(path: string, version: string): void {
  writeFileSync(path, readFileSync(path, 'utf8').replace(/VERSION = '[^']*'/, `VERSION = '${version}'`));
}

import { InvalidConfigError } from '#common/config/env.js';
import { UserError } from './settings.mjs';

/**
 * Runs a command that reads its configuration with the apps' schemas.
 *
 * @throws UserError naming every bad variable, instead of the apps' InvalidConfigError
 */
export async function withConfigErrors<Result>(work: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InvalidConfigError) throw new UserError(error.message);
    throw error;
  }
}

import { compiled } from './compiled.mjs';
import { UserError } from './settings.mjs';

/**
 * Runs work that reads its configuration with the apps' schemas.
 *
 * @template Result
 * @param {() => Result | Promise<Result>} work
 * @returns {Promise<Result>}
 * @throws UserError naming every bad variable, in place of the apps' InvalidConfigError
 */
export async function withConfigErrors(work) {
  const { InvalidConfigError } = await compiled('libs/common/src/config/env');
  try {
    return await work();
  } catch (error) {
    if (error instanceof Error && error instanceof InvalidConfigError) throw new UserError(error.message);
    throw error;
  }
}

import { UserError } from './settings.mjs';

/**
 * Runs a command. What its user can mend is printed as one message; other errors end the process with their stack.
 *
 * @param {() => Promise<number | void>} main returns the exit code, 0 when left out
 */
export async function runCommand(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

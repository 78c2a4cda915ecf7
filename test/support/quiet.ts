import { Logger } from '@nestjs/common';

/** Log lines of the code under test would bury the results; POSTHORN_TEST_LOGS=1 shows them. */
if (!process.env.POSTHORN_TEST_LOGS) Logger.overrideLogger(false);

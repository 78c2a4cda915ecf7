import { Logger } from '@nestjs/common';

/** Hides log lines of the code under test; POSTHORN_TEST_LOGS=1 shows them. */
if (!process.env.POSTHORN_TEST_LOGS) Logger.overrideLogger(false);

import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { javaCommand } from '../../scripts/lib/java.mjs';
import { KAFKA_LIBS } from '../../scripts/lib/kafka-libs.mjs';

const AT_A_TIME = 3;
const run = promisify(execFile);

/** @returns the lines of docs/operating.md that grant rights, unchanged */
export function documentedAcls(): string[] {
  const text = readFileSync('docs/operating.md', 'utf8');
  return text.split('\n').filter((line) => line.startsWith('kafka-acls '));
}

/**
 * Runs shell lines that call `kafka-acls $ADMIN`, as the user admin. @throws Error with the output of the failed line
 */
export async function runAcls(
  lines: readonly string[],
  { folder, broker, password }: { folder: string; broker: string; password: string },
): Promise<void> {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  const jvm = `-cp '${join(KAFKA_LIBS, '*')}' -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn`;
  const script = `#!/bin/sh\nexec '${javaCommand(process.env)}' ${jvm} org.apache.kafka.tools.AclCommand "$@"\n`;
  writeFileSync(join(bin, 'kafka-acls'), script);
  chmodSync(join(bin, 'kafka-acls'), 0o755);
  const login = `org.apache.kafka.common.security.plain.PlainLoginModule required username="admin" password="${password}";`;
  const properties = join(folder, 'admin.properties');
  writeFileSync(properties, `security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.jaas.config=${login}\n`);
  const env = {
    ...process.env,
    PATH: `${bin}:${process.env.PATH}`,
    ADMIN: `--bootstrap-server ${broker} --command-config ${properties}`,
  };
  const left = [...lines];
  const work = async () => {
    for (let line = left.shift(); line !== undefined; line = left.shift()) await run('sh', ['-c', line], { env });
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}

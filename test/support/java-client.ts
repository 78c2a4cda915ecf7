import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { javaCommand } from '../../scripts/lib/java.mjs';
import { KAFKA_LIBS } from '../../scripts/lib/kafka-libs.mjs';

/** A program of Kafka's tools, which use Java's client. */
export type JavaTool = 'ProducerPerformance' | 'TransactionsCommand';

/** Starts a program without waiting for its end. */
export function startJavaTool(tool: JavaTool, args: readonly string[]): ChildProcess {
  const jvm = ['-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-cp', join(KAFKA_LIBS, '*')];
  return spawn(javaCommand(process.env), [...jvm, `org.apache.kafka.tools.${tool}`, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/**
 * Runs a program to its end.
 *
 * @throws Error with its output, when it fails
 */
export async function runJavaTool(tool: JavaTool, args: readonly string[]): Promise<void> {
  const child = startJavaTool(tool, args);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (printed += String(text)));
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${tool} ended with ${code}: ${printed}`);
}

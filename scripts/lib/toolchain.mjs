import { hasMaven, javaCommand, javaVersion, OLDEST_JAVA } from './java.mjs';
import { hasKafkaLibs } from './kafka-libs.mjs';
import { UserError } from './settings.mjs';

const OTHER_WAYS = `
Or run everything in containers:           docker compose up
Or use servers you have:                   KAFKA_BROKERS=host:9092 DATABASE_URL=postgres://… npm start`;

/**
 * Checks for Java and Maven, which Kafka needs.
 *
 * @param {NodeJS.ProcessEnv} env
 * @throws UserError naming the missing program, and the alternative
 */
export function checkKafkaTools(env) {
  const java = javaCommand(env);
  const version = javaVersion(java);
  if (version === undefined || version < OLDEST_JAVA) {
    const found = version === undefined ? `${java} cannot be run` : `${java} is Java ${version}`;
    throw new UserError(`Apache Kafka needs Java ${OLDEST_JAVA} or newer, and ${found}.
Install it, e.g.:                          apt-get install openjdk-17-jre-headless maven
                                           brew install openjdk maven${OTHER_WAYS}`);
  }
  if (!hasKafkaLibs() && !hasMaven()) {
    throw new UserError(`Apache Kafka is fetched by Maven, and mvn cannot be run.
Install it, e.g.:                          apt-get install maven
                                           brew install maven${OTHER_WAYS}`);
  }
}

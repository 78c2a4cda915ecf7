/**
 * The user name and password of scripts at the brokers, by the same variables as the apps'.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Pick<import('kafkajs').KafkaConfig, 'sasl'>} empty where brokers ask for none
 */
export function saslOf(env) {
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password = '', KAFKA_SASL_MECHANISM: name } = env;
  if (!username) return {};
  // kafkajs has a type for each mechanism, all of one shape.
  return { sasl: { mechanism: /** @type {'plain'} */ (name || 'plain'), username, password } };
}

/**
 * SASL settings of scripts, from the same variables as the apps'.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {Pick<import('kafkajs').KafkaConfig, 'sasl'>} empty for brokers without authentication
 */
export function saslOf(env) {
  const { KAFKA_SASL_USERNAME: username, KAFKA_SASL_PASSWORD: password = '', KAFKA_SASL_MECHANISM: name } = env;
  if (!username) return {};
  // kafkajs has one type per mechanism; all have the same fields.
  return { sasl: { mechanism: /** @type {'plain'} */ (name || 'plain'), username, password } };
}

/* `node deploy/healthcheck.mjs <port> [path]`: exit code 0 when the app of this container is ready. */
const [, , port, path = '/health/ready'] = process.argv;
const response = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
process.exit(response?.ok ? 0 : 1);

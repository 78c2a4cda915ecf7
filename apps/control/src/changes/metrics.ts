import { Gauge } from 'prom-client';

export const configurationAhead = new Gauge({
  name: 'posthorn_configuration_ahead',
  help: '1 while the topics have changes of the configuration that the database lacks: it was restored. Changes are refused',
});

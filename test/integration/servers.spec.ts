import { Kafka, logLevel } from 'kafkajs';
import { runSql } from '../../scripts/lib/postgres.mjs';
import { freshDatabase, freshTopicPrefix, testBrokers } from '../support/servers.js';

describe('the servers of a test run', () => {
  it('given two databases, then a table of one is not in the other', async () => {
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);

    await runSql(one.url, 'create table only_here (id int)');

    await expect(runSql(other.url, 'select * from only_here')).rejects.toThrow(/does not exist/);
    await Promise.all([one.drop(), other.drop()]);
    await expect(runSql(one.url, 'select 1')).rejects.toThrow(/does not exist/);
  });

  it('given the brokers, then a topic can be created and listed', async () => {
    const admin = new Kafka({ brokers: testBrokers(), logLevel: logLevel.NOTHING }).admin();
    const topic = `${freshTopicPrefix()}here`;
    await admin.connect();

    await admin.createTopics({ topics: [{ topic }], waitForLeaders: true });

    expect(await admin.listTopics()).toContain(topic);
    await admin.disconnect();
  });
});

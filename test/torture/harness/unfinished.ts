import { type Admin, AssignerProtocol, type Kafka } from 'kafkajs';
import { decodeFinished } from '#common/domain/finished-runs.js';

/** A reader: a member of a group, by client id, and its topics. */
export interface Reader {
  readonly group: string;
  readonly client: string;
  readonly topics: readonly string[];
}

/** Counts a process's unfinished records, read or unread, from Kafka. */
export class Unfinished {
  private constructor(private readonly admin: Admin) {}

  /** @param kafka client connected to the brokers, past any link */
  static async of(kafka: Kafka): Promise<Unfinished> {
    const admin = kafka.admin({ retry: { retries: 0 } });
    await admin.connect();
    return new Unfinished(admin);
  }

  stop(): Promise<void> {
    return this.admin.disconnect();
  }

  /** Unfinished records in the reader's present partitions, by its commits; 0 without an answer from Kafka. */
  async records(reader: Reader): Promise<number> {
    try {
      const owned = await this.owned(reader);
      const counts = await Promise.all(Object.entries(owned).map(([topic, own]) => this.inTopic(reader, topic, own)));
      return counts.reduce((sum, count) => sum + count, 0);
    } catch {
      // Kafka is away. The client reconnects automatically, or with the next call.
      await this.admin.connect().catch(() => undefined);
      return 0;
    }
  }

  /** Partitions of a member; empty during a rebalance. */
  private async owned({ group, client, topics }: Reader): Promise<Record<string, number[]>> {
    const { groups } = await this.admin.describeGroups([group]);
    const member = groups[0]?.members.find(({ clientId }) => clientId === client);
    if (member === undefined || member.memberAssignment.length === 0) return {};
    const { assignment = {} } = AssignerProtocol.MemberAssignment.decode(member.memberAssignment) ?? {};
    return Object.fromEntries(Object.entries(assignment).filter(([topic]) => topics.includes(topic)));
  }

  /** Reads ends before commits: records written or finished later are not counted. */
  private async inTopic({ group }: Reader, topic: string, own: readonly number[]): Promise<number> {
    const ends = await this.admin.fetchTopicOffsets(topic);
    const [committed] = await this.admin.fetchOffsets({ groupId: group, topics: [topic] });
    const counts = own.map((partition) => {
      const end = Number(ends.find((each) => each.partition === partition)?.high ?? 0);
      const low = Number(ends.find((each) => each.partition === partition)?.low ?? 0);
      const { offset = '-1', metadata = null } =
        committed?.partitions.find((each) => each.partition === partition) ?? {};
      const from = Math.max(low, Number(offset));
      const finished = decodeFinished(from, metadata).filter((each) => each < end);
      return Math.max(0, end - from - finished.length);
    });
    return counts.reduce((sum, count) => sum + count, 0);
  }
}

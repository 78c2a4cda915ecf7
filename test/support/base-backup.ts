import { spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';

/** A folder for archived WAL, outside the data folder, writable for every user. */
export class WalArchive {
  readonly folder = mkdtempSync(join(tmpdir(), 'posthorn-wal-'));

  constructor() {
    chmodSync(this.folder, 0o777);
  }

  /** Settings of a server that archives its WAL in this folder. */
  get settings(): string[] {
    return ['archive_mode=on', `archive_command=cp %p ${this.folder}/%f`, 'archive_timeout=1'];
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * A backup of a running PostgreSQL server as docs/operating.md describes it for servers without client programs:
 * `pg_backup_start`, a copy of the data folder, `pg_backup_stop`, and the archived WAL.
 */
export class BaseBackup {
  private constructor(
    private readonly copy: string,
    private readonly archive: WalArchive | undefined,
    /** Start of the backup, ms since the epoch. */
    readonly startedAt: number,
  ) {}

  /**
   * @param server its connection string, its data folder, and where it archives its WAL. Without an archive the copy
   * gets
   *   the WAL of the data folder at the end, as `pg_basebackup --wal-method fetch` does
   * @param copy folder to create
   */
  static async take(server: { url: string; data: string; archive?: WalArchive }, copy: string): Promise<BaseBackup> {
    const startedAt = Date.now();
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    try {
      await client.query(`SELECT pg_backup_start('posthorn', true)`);
      copyFolder(server.data, copy);
      const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop()');
      for (const name of readdirSync(join(copy, 'pg_wal'), { withFileTypes: true })) {
        if (name.isFile()) rmSync(join(copy, 'pg_wal', name.name));
      }
      if (server.archive === undefined) copyFolder(`${join(server.data, 'pg_wal')}/.`, join(copy, 'pg_wal'));
      rmSync(join(copy, 'postmaster.pid'), { force: true });
      writeFileSync(join(copy, 'backup_label'), rows[0]?.labelfile ?? '');
    } finally {
      await client.end();
    }
    return new BaseBackup(copy, server.archive, startedAt);
  }

  /** Replaces the data folder of a stopped server. After its start, the data are those of the end of the backup. */
  async restore(data: string): Promise<void> {
    rmSync(data, { recursive: true, force: true });
    copyFolder(this.copy, data);
    const { uid, gid } = statSync(data);
    await chown(join(data, 'backup_label'), uid, gid);
    if (this.archive !== undefined) await this.recoverFrom(this.archive, data);
  }

  private async recoverFrom(archive: WalArchive, data: string): Promise<void> {
    const settings = [
      `restore_command = 'cp ${archive.folder}/%f %p'`,
      `recovery_target = 'immediate'`,
      `recovery_target_action = 'promote'`,
    ];
    appendFileSync(join(data, 'postgresql.auto.conf'), `${settings.join('\n')}\n`);
    writeFileSync(join(data, 'recovery.signal'), '');
    const { uid, gid } = statSync(data);
    await chown(join(data, 'recovery.signal'), uid, gid);
  }
}

/** Copies a folder with owners and times. Files may vanish while the server runs: the WAL has their content. */
function copyFolder(from: string, to: string): void {
  const { status, stderr } = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' });
  const problems = stderr.split('\n').filter((line) => line !== '' && !line.includes('No such file or directory'));
  if (status !== 0 && problems.length > 0) throw new Error(`the copy failed: ${problems.join('\n')}`);
}

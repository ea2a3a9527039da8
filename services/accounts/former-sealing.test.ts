/** A database of before there were vaults, with its pepper.key: sealed anew at the first start, whole or not at all (M5). docs/protocol/at-rest.md §6 */
import { createCipheriv, createHmac, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writer } from '@island/protocol/wire/bytes.ts';
import t from 'tap';
import { directoryService } from '../directory/service.ts';
import { openSealing } from '../kit/sealing.ts';
import { openStore } from '../kit/store.ts';
import { openVault } from '../kit/vault.ts';
import { sealedTables } from './former-sealing.ts';
import * as schema from './schema.ts';
import { accountsService } from './service.ts';
import { testAccounts } from './testing/accounts.ts';

/** As earlier versions sealed. */
function formerly(root: Uint8Array, purpose: string, place: [string, string, string], of: Buffer) {
  const key = createHmac('sha256', root).update(`island/accounts/sealing/${purpose}\0`).digest();
  const [table, column, row] = place;
  const aad = new Writer(96).u8(1).text16(table).text16(column).text16(row).done();
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 }).setAAD(aad);
  return Buffer.concat([
    Buffer.of(1),
    nonce,
    cipher.update(of),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

t.test('M5: what was sealed under pepper.key is taken over, and the file is gone', async (t) => {
  await using running = await testAccounts([directoryService]);
  const first = await running.start(accountsService);
  const ada = await running.joined('ada');
  const bob = await running.joined('bob');
  await first[Symbol.asyncDispose]();

  const { data, keys } = await running.island.kit('accounts');
  const log = running.island.log;
  const migrations = join(import.meta.dirname, 'migrations');
  const file = join(data, 'pepper.key');
  let root: Uint8Array = new Uint8Array();
  {
    // Backwards: every sealed value as it would have been under the file.
    await using store = await openStore({
      file: join(data, 'accounts.sqlite'),
      schema,
      migrations,
      log,
    });
    await using vault = await openVault({ store, keys, log });
    const sealing = await openSealing(vault, sealedTables);
    root = (await vault.secrets.get('root')) ?? root;
    await writeFile(file, root, { mode: 0o600 });
    await store.write(async (_db, sql) => {
      const people = await sql.rows<{ account: string; sealed: Buffer }>(
        'select account, password_key as sealed from people',
      );
      for (const { account, sealed } of people) {
        const place = { table: 'people', column: 'password_key', row: account };
        const plain = Buffer.from(sealing.open(place, sealed));
        await sql.run('update people set password_key = ? where account = ?', [
          formerly(root, 'password-keys', ['people', 'password_key', account], plain),
          account,
        ]);
      }
      const signing = await sql.rows<{ kid: string; sealed: Buffer }>(
        'select kid, sealed from signing_keys',
      );
      for (const { kid, sealed } of signing) {
        const place = { table: 'signing_keys', column: 'sealed', row: kid };
        const plain = Buffer.from(sealing.open(place, sealed));
        await sql.run('update signing_keys set sealed = ? where kid = ?', [
          formerly(root, 'signing-keys', ['signing_keys', 'sealed', kid], plain),
          kid,
        ]);
      }
      const slots = await sql.rows<{ account: string; loc: Buffer; share: Buffer }>(
        'select account, loc, share from code_slots',
      );
      for (const { account, loc, share } of slots) {
        const row = `${account}.${loc.toString('hex')}`;
        const plain = Buffer.from(
          sealing.open({ table: 'code_slots', column: 'share', row }, share),
        );
        await sql.run('update code_slots set share = ? where account = ? and loc = ?', [
          formerly(root, 'shares', ['code_slots', 'share', row], plain),
          account,
          loc,
        ]);
      }
      await sql.run('drop table vault_secrets');
      await sql.run('drop table vault_keys');
    });
  }

  const second = await running.start(accountsService);
  t.equal(
    (await running.login(ada)).account,
    ada.keys.account,
    'pepper and password key are there',
  );
  t.notOk(existsSync(file));
  await second[Symbol.asyncDispose]();
  for (const name of await readdir(data))
    t.notOk((await readFile(join(data, name))).includes(Buffer.from(root)), name);

  await running.start(accountsService);
  t.equal((await running.login(bob)).account, bob.keys.account, 'and after another start');
});

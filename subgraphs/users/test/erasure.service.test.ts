import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { nobody, openUsers, password, type Users } from './open-users.ts'

let users: Users
before(async () => {
  users = await openUsers({}, { sessionBatch: 3 })
})
after(() => users.close())

/** All that any table holds of a text. */
async function traces(text: string): Promise<string[]> {
  const tables = ['users', 'sessions', 'refresh_tokens', 'one_time_codes', 'outbox']
  const found: string[] = []
  for (const table of tables) {
    const rows = await users.sql(`SELECT FROM ${table} AS t WHERE t::text LIKE '%' || $1 || '%'`, [text])
    if (rows.length > 0) found.push(table)
  }
  return found
}
const relayed = () => users.sql('UPDATE outbox SET sent_at = now() WHERE sent_at IS NULL')

test('an account goes with everything of it, the last of its events tells so, and the audit log too', async () => {
  const { caller, user } = await users.register()
  await users.login(user.email)
  await users.codeFor(user.email, 'VERIFY_EMAIL')
  await relayed()
  users.entries.length = 0
  await users.service.eraseAccount(caller, password)
  assert.deepEqual(await users.eventsOf(user.id), [{ type: 'user.erased', sequence: 3 }])
  assert.deepEqual(await traces(user.id), ['outbox'])
  assert.deepEqual(await traces(user.email), [])
  assert.deepEqual(users.entries, [
    { action: 'account.erased', actor: user.id, target: user.id, address: nobody.address },
  ])
})

test('sessions go in batches, and an erasure that ends between two of them leaves an account that can be erased', async () => {
  const { caller, user } = await users.register()
  for (let n = 0; n < 7; n += 1) await users.login(user.email)
  const sessions = async () => (await users.sql('SELECT FROM sessions WHERE user_id = $1', [user.id])).length
  await users.sql(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF (SELECT count(*) FROM sessions WHERE user_id = OLD.user_id) < 5 THEN RAISE 'no'; END IF; RETURN OLD; END $$;
    CREATE TRIGGER refuse AFTER DELETE ON sessions FOR EACH ROW EXECUTE FUNCTION refuse()`)
  await assert.rejects(users.service.eraseAccount(caller, password))
  assert.equal(await sessions(), 5)
  assert.ok(await users.service.user(user.id))
  await users.sql('DROP TRIGGER refuse ON sessions')
  await users.service.eraseAccount(caller, password)
  assert.equal(await sessions(), 0)
  assert.deepEqual((await users.eventsOf(user.id)).filter(({ type }) => type === 'user.erased').length, 1)
})

test('refresh tokens go in batches too, however many hang on a session', async () => {
  const { caller, user } = await users.register()
  await users.sql(
    `INSERT INTO refresh_tokens (hash, session_id, created_at, used_at)
     SELECT gen_random_uuid()::text, id, now(), now() FROM sessions, generate_series(1, 10) WHERE user_id = $1`,
    [user.id],
  )
  await users.sql(`
    CREATE FUNCTION refuse_many() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN IF (SELECT count(*) FROM gone) > 3 THEN RAISE 'too many at once'; END IF; RETURN NULL; END $$;
    CREATE TRIGGER refuse_many AFTER DELETE ON refresh_tokens REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_many()`)
  await users.service.eraseAccount(caller, password)
  await users.sql('DROP TRIGGER refuse_many ON refresh_tokens')
  assert.deepEqual(await traces(user.id), ['outbox'])
})

test('who may not be erased keeps the sessions', async () => {
  const admin = await users.callerWith('ADMIN')
  const ids = () => users.sql('SELECT id FROM sessions WHERE user_id = $1', [admin.sub])
  const before = await ids()
  assert.equal(before.length, 1)
  await assert.rejects(users.service.eraseAccount(admin, password), { code: 'ILLEGAL_TRANSITION' })
  assert.deepEqual(await ids(), before)
  await users.sql(`UPDATE users SET roles = '{CUSTOMER}' WHERE id = $1`, [admin.sub])
})

test('what the relay had still to send goes once it is sent, and keeps its order until then', async () => {
  const { caller, user } = await users.register()
  await users.service.eraseAccount(caller, password)
  assert.deepEqual(await users.eventsOf(user.id), [
    { type: 'user.registered', sequence: 1 },
    { type: 'user.erased', sequence: 2 },
  ])
  await users.store.forgetEnded(users.clock.time)
  assert.equal((await users.eventsOf(user.id)).length, 2)
  await relayed()
  await users.store.forgetEnded(users.clock.time)
  assert.deepEqual(await users.eventsOf(user.id), [{ type: 'user.erased', sequence: 2 }])
  assert.deepEqual(await traces(user.email), [])
})

test('the address is free again, for another account', async () => {
  const { caller, user } = await users.register()
  await users.service.eraseAccount(caller, password)
  const again = await users.register(user.email)
  assert.notEqual(again.user.id, user.id)
})

test('a wrong password erases nothing', async () => {
  const { caller, user } = await users.register()
  await assert.rejects(users.service.eraseAccount(caller, 'wrong horse'), { code: 'INVALID_CREDENTIALS' })
  assert.deepEqual(await users.service.user(user.id), user)
})

test('of several erasures at once one takes place and is told', async () => {
  const { caller, user } = await users.register()
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => users.service.eraseAccount(caller, password)))
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  assert.equal((await users.eventsOf(user.id)).filter(({ type }) => type === 'user.erased').length, 1)
})

test('the last administrator stays, also when the last two go at once', async () => {
  const admins = [await users.callerWith('ADMIN'), await users.callerWith('ADMIN', 'CUSTOMER')]
  const outcomes = await Promise.allSettled(admins.map((admin) => users.service.eraseAccount(admin, password)))
  const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'erased'))
  assert.deepEqual(codes.sort(), ['ILLEGAL_TRANSITION', 'erased'])
})

test('codes that are good no longer are deleted', async () => {
  const { user } = await users.register()
  await users.codeFor(user.email, 'VERIFY_EMAIL')
  const kept = () => users.sql('SELECT FROM one_time_codes WHERE user_id = $1', [user.id])
  await users.store.forgetEnded(users.clock.time)
  assert.equal((await kept()).length, 1)
  users.later(901)
  await users.store.forgetEnded(users.clock.time)
  assert.equal((await kept()).length, 0)
})

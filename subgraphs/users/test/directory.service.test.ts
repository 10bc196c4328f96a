import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import type { Caller } from '../service/dependencies.ts'
import { nobody, openUsers, password, type Users } from './open-users.ts'

let users: Users
before(async () => {
  users = await openUsers()
})
after(() => users.close())

const page = (search?: string) => ({ search, limit: 100, after: undefined })
const support = { ...nobody, sub: randomUUID(), scopes: ['users:read'] }
const admin = { ...nobody, sub: randomUUID(), scopes: ['users:read', 'users:write'] }

test('what is no id is no account', async () => {
  for (const id of ['', 'x', randomUUID()]) {
    await assert.rejects(users.service.user(id), { code: 'NOT_FOUND' })
    await assert.rejects(users.service.userFor(support, id), { code: 'NOT_FOUND' })
  }
})

test('an account is seen by its owner and with users:read; others learn not even whether it is there', async () => {
  const { user, caller } = await users.register()
  const { caller: stranger } = await users.register()
  assert.deepEqual(await users.service.userFor(caller, user.id.toUpperCase()), user)
  assert.deepEqual(await users.service.userFor(support, user.id), user)
  for (const id of [user.id, randomUUID(), 'x']) {
    await assert.rejects(users.service.userFor(stranger, id), { code: 'NOT_FOUND' })
    await assert.rejects(users.service.userFor(nobody, id), { code: 'UNAUTHENTICATED' })
  }
})

test('the list of accounts needs users:read', async () => {
  const { caller } = await users.register()
  await assert.rejects(users.service.list(nobody, page()), { code: 'UNAUTHENTICATED' })
  await assert.rejects(users.service.list(caller, page()), { code: 'FORBIDDEN' })
})

test('the list is newest first, and each page goes on behind the last, without gap or repeat', async () => {
  const made: string[] = []
  for (let index = 0; index < 5; index += 1) {
    // Two at one time, so that the id decides.
    if (index % 2 === 0) users.later(1)
    made.push((await users.register()).user.id)
  }
  const seen: string[] = []
  let after: { createdAt: Date; id: string } | undefined
  for (;;) {
    const found = await users.service.list(support, { limit: 2, after })
    assert.ok(found.length <= 3)
    seen.push(...found.slice(0, 2).map(({ id }) => id))
    after = found[1]
    if (found.length < 3) break
  }
  assert.equal(new Set(seen).size, seen.length)
  assert.deepEqual(new Set(seen.slice(0, 5)), new Set(made))
})

test('a search finds what the name or the address holds, in any letter case, and takes wildcards as they are', async () => {
  const mark = randomUUID().slice(0, 8)
  const add = async (name: string, email: string) =>
    (await users.service.register(nobody, { name, email, password, locale: 'en' })).user.id
  const byName = await add(`Zoë 100% ${mark}`, users.newEmail())
  const byEmail = await add('Eve', `x_${mark}@example.com`)
  const other = await add(`Zoë 1000 ${mark}`, users.newEmail())
  const find = async (search: string) => new Set((await users.service.list(support, page(search))).map(({ id }) => id))
  assert.deepEqual(await find(mark.toUpperCase()), new Set([byName, byEmail, other]))
  assert.deepEqual(await find(`100% ${mark}`), new Set([byName]))
  assert.deepEqual(await find(`x_${mark}`), new Set([byEmail]))
  assert.deepEqual(await find(`X_${mark}@`), new Set([byEmail]))
  for (const nothing of [`%${mark}`, `_${mark}@`.replace('_', '__'), `\\${mark}`])
    assert.deepEqual(await find(nothing), new Set(), nothing)
})

test('peers get the accounts that exist among at most 100 ids, each once, in their order', async () => {
  const [first, second] = [(await users.register()).user, (await users.register()).user]
  const ids = [second.id, randomUUID(), 'x', first.id.toUpperCase(), second.id]
  assert.deepEqual(await users.service.usersByIds(ids), [second, first])
  assert.deepEqual(await users.service.usersByIds([]), [])
  await assert.rejects(users.service.usersByIds(Array(101).fill(first.id)), { details: { field: 'ids' } })
})

test('roles are given with users:write, and the audit log says which', async () => {
  const { user, caller } = await users.register()
  const give = (by: Caller, roles: ('CUSTOMER' | 'SUPPORT')[], userId = user.id) =>
    users.service.setUserRoles(by, { userId, roles })
  await assert.rejects(give(nobody, ['SUPPORT']), { code: 'UNAUTHENTICATED' })
  for (const by of [caller, support]) await assert.rejects(give(by, ['SUPPORT']), { code: 'FORBIDDEN' })
  await assert.rejects(give(admin, []), { details: { field: 'roles' } })
  for (const id of ['x', randomUUID()]) await assert.rejects(give(admin, ['SUPPORT'], id), { code: 'NOT_FOUND' })
  users.entries.length = 0
  assert.deepEqual((await give(admin, ['SUPPORT', 'CUSTOMER'])).roles, ['CUSTOMER', 'SUPPORT'])
  assert.deepEqual((await users.service.user(user.id)).roles, ['CUSTOMER', 'SUPPORT'])
  assert.deepEqual(users.entries, [
    {
      action: 'roles.changed',
      actor: admin.sub,
      target: user.id,
      address: nobody.address,
      detail: { roles: ['CUSTOMER', 'SUPPORT'] },
    },
  ])
})

test('the last administrator keeps the role, also when two take it from each other at once', async () => {
  const [first, second] = [await users.callerWith('ADMIN'), await users.callerWith('ADMIN')]
  const demote = (userId: string) => users.service.setUserRoles(admin, { userId, roles: ['CUSTOMER'] })
  const outcomes = await Promise.allSettled([demote(first.sub), demote(second.sub)])
  const codes = outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'taken'))
  assert.deepEqual(codes.sort(), ['ILLEGAL_TRANSITION', 'taken'])
})

test('among many accounts a search, and the administrators, are found by index', async () => {
  await users.sql(
    `INSERT INTO users (id, name, email, locale, password_hash, roles, sequence, created_at)
     SELECT gen_random_uuid(), md5('name ' || n), md5('email ' || n), 'en', '', '{CUSTOMER}', 0, now()
     FROM generate_series(1, 20000) AS n`,
  )
  // As autovacuum does: what was inserted waits for it outside a GIN index.
  await users.sql('VACUUM ANALYZE users')
  const plan = await users.sql(
    `EXPLAIN SELECT * FROM users WHERE name ILIKE '%needle%' OR email ILIKE '%needle%'
     ORDER BY created_at DESC, id DESC LIMIT 21`,
  )
  const text = plan.map((row) => row['QUERY PLAN']).join('\n')
  for (const index of [/users_name_trgm_idx/, /users_email_trgm_idx/]) assert.match(text, index)
  const admins = await users.sql("EXPLAIN SELECT count(*) FROM users WHERE 'ADMIN' = ANY (roles) AND id <> $1", [
    randomUUID(),
  ])
  assert.match(admins.map((row) => row['QUERY PLAN']).join(), /users_admins_idx/)
})

import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import pg from 'pg'
import { createTestDatabase } from '../../test/infra/parts.ts'
import { schemaDifference } from '../../tools/infra/schema-engine.ts'
import { migrationsFolder, root, serviceNames } from '../../tools/services.ts'
import { migrate } from '../database/migrate.ts'
import { silentLog as log } from '../log.ts'

const folder = migrationsFolder('orders')
const names = (await readdir(folder, { withFileTypes: true }))
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)

test('instances that start together apply each migration once', async () => {
  const url = await createTestDatabase()
  const applied = await Promise.all(Array.from({ length: 4 }, () => migrate({ url, folder, log })))
  assert.deepEqual(applied.flat(), names)
  assert.deepEqual(await migrate({ url, folder, log }), [])
})

test("what is applied is recorded as Prisma's own tool records it", async () => {
  const url = await createTestDatabase()
  await migrate({ url, folder, log })
  const [row] = await query(url, 'SELECT * FROM _prisma_migrations')
  assert.equal(row?.migration_name, names[0])
  assert.equal(row?.applied_steps_count, 1)
  assert.match(row?.checksum, /^[0-9a-f]{64}$/)
  assert.ok(row?.finished_at >= row?.started_at)
})

describe('a folder of migrations', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'migrations-'))
  const add = async (name: string, sql: string) => {
    await mkdir(join(temporary, name), { recursive: true })
    await writeFile(join(temporary, name, 'migration.sql'), sql)
  }

  test('a migration is applied whole or not at all', async () => {
    const url = await createTestDatabase()
    await add(
      '1_good',
      "CREATE TABLE a (t text DEFAULT 'x;y'); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;",
    )
    await add('2_bad', 'CREATE TABLE b (); CREATE TABLE a ();')
    await assert.rejects(migrate({ url, folder: temporary, log }), /2_bad failed/)
    assert.deepEqual(await query(url, "SELECT tablename FROM pg_tables WHERE tablename IN ('a', 'b')"), [
      { tablename: 'a' },
    ])
    await add('2_bad', 'CREATE TABLE b ();')
    assert.deepEqual(await migrate({ url, folder: temporary, log }), ['2_bad'])
  })

  test('a migration that was changed after it had been applied is refused', async () => {
    const url = await createTestDatabase()
    await cp(folder, temporary, { recursive: true })
    await rm(join(temporary, '1_good'), { recursive: true, force: true })
    await rm(join(temporary, '2_bad'), { recursive: true, force: true })
    await migrate({ url, folder: temporary, log })
    await add(names[0] ?? '', 'CREATE TABLE other ();')
    await assert.rejects(migrate({ url, folder: temporary, log }), /was changed after it had been applied/)
    await rm(temporary, { recursive: true })
  })
})

for (const service of serviceNames) {
  test(`the migrations of ${service} make what its Prisma schema says, and add only rules that Prisma cannot say`, async () => {
    const migrated = await createTestDatabase(service)
    const declared = await createTestDatabase()
    const schema = await readFile(join(root, `prisma/${service}/schema.prisma`), 'utf8')
    await query(declared, await schemaDifference(declared, undefined, schema))
    const [real, wanted] = [await describeDatabase(migrated), await describeDatabase(declared)]
    assert.deepEqual(
      wanted.filter((line) => !real.includes(line)),
      [],
      'is missing in the migrations',
    )
    const extra = real.filter((line) => !wanted.includes(line))
    assert.deepEqual(
      extra.filter((line) => !/^(check |index .*( WHERE | gin_trgm_ops))/.test(line)),
      [],
      'is missing in the Prisma schema',
    )
  })
}

/** Columns, indexes, constraints and enums, a line each. */
async function describeDatabase(url: string): Promise<string[]> {
  const rows = await query(
    url,
    `SELECT format('column %s.%s %s %s %s', table_name, column_name, udt_name || coalesce(character_maximum_length::text, '')
              || coalesce(datetime_precision::text, ''), is_nullable, column_default) AS line
       FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> '_prisma_migrations'
     UNION ALL
     SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> '_prisma_migrations'
     UNION ALL
     SELECT CASE contype WHEN 'c' THEN 'check ' ELSE 'constraint ' END || conrelid::regclass || ' ' || pg_get_constraintdef(oid)
       FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> '_prisma_migrations'
     UNION ALL
     SELECT format('enum %s %s', typname, string_agg(enumlabel, ',' ORDER BY enumsortorder))
       FROM pg_enum JOIN pg_type t ON t.oid = enumtypid GROUP BY typname`,
  )
  return rows.map(({ line }) => line).sort()
}

// biome-ignore lint/suspicious/noExplicitAny: rows of any query.
async function query(url: string, sql: string): Promise<any[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rows } = await client.query(sql)
    return rows
  } finally {
    await client.end()
  }
}

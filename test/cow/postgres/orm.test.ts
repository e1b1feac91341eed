import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { count, desc, eq, lt, relations, sql } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import { integer, pgEnum, pgTable, text, varchar } from 'drizzle-orm/pg-core'
import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectedTo } from '../../support/connected.ts'
import { type CowProxy, startGatedProxy } from '../../support/cow-proxy.ts'

const SCHEMA = `
CREATE TABLE users (id int PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE posts (id int PRIMARY KEY, user_id int REFERENCES users ON DELETE CASCADE, title text);`
const DATA = `
INSERT INTO users SELECT i, 'u' || i || '@x.io' FROM generate_series(1, 20) i;
INSERT INTO posts SELECT i, 1 + i % 20, 't' || i FROM generate_series(1, 60) i;`

/** What drizzle-kit writes: a new table with an enum and a reference to a table of production, columns and indexes on others. */
const MIGRATIONS = [
  `CREATE TYPE "public"."mood" AS ENUM('sad', 'ok', 'happy');--> statement-breakpoint
CREATE TABLE "comments" ("id" integer PRIMARY KEY NOT NULL, "post_id" integer NOT NULL, "text" text NOT NULL, "mood" "mood" DEFAULT 'ok' NOT NULL);--> statement-breakpoint
ALTER TABLE "posts" ADD COLUMN "views" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "comments" ADD CONSTRAINT "comments_post" FOREIGN KEY ("post_id") REFERENCES "public"."posts"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "posts_title" ON "posts" USING btree ("title");`,
  `ALTER TABLE "users" ADD COLUMN "nick" varchar(20);--> statement-breakpoint
CREATE UNIQUE INDEX "users_nick" ON "users" USING btree ("nick");`,
]

const mood = pgEnum('mood', ['sad', 'ok', 'happy'])
const users = pgTable('users', {
  id: integer('id').primaryKey(),
  email: text('email').notNull(),
  nick: varchar('nick', { length: 20 }),
})
const posts = pgTable('posts', {
  id: integer('id').primaryKey(),
  userId: integer('user_id'),
  title: text('title'),
  views: integer('views').default(0).notNull(),
})
const comments = pgTable('comments', {
  id: integer('id').primaryKey(),
  postId: integer('post_id').notNull(),
  text: text('text').notNull(),
  mood: mood('mood').default('ok').notNull(),
})
const schema = {
  users,
  posts,
  comments,
  usersRelations: relations(users, ({ many }) => ({ posts: many(posts) })),
  postsRelations: relations(posts, ({ one, many }) => ({
    user: one(users, { fields: [posts.userId], references: [users.id] }),
    comments: many(comments),
  })),
  commentsRelations: relations(comments, ({ one }) => ({
    post: one(posts, { fields: [comments.postId], references: [posts.id] }),
  })),
}
type Database = NodePgDatabase<typeof schema>

let proxy: CowProxy
let folder = ''

beforeAll(async () => {
  proxy = await startGatedProxy(SCHEMA, DATA)
  folder = await mkdtemp(join(tmpdir(), 'mesh-orm-'))
  await mkdir(join(folder, 'meta'))
  const entries = MIGRATIONS.map((_, idx) => ({
    idx,
    version: '7',
    when: 1_700_000_000_000 + idx,
    tag: `m${idx}`,
    breakpoints: true,
  }))
  await writeFile(
    join(folder, 'meta', '_journal.json'),
    JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
  )
  for (const [place, migration] of MIGRATIONS.entries()) await writeFile(join(folder, `m${place}.sql`), migration)
})
afterAll(async () => {
  await proxy?.close()
  await rm(folder, { recursive: true, force: true })
})

/** What a service does with it, one thing after the other. */
const STEPS: Readonly<Record<string, (db: Database) => Promise<unknown>>> = {
  migrate: (db) => migrate(db, { migrationsFolder: folder }),
  'migrate again': (db) => migrate(db, { migrationsFolder: folder }),
  insert: (db) => db.insert(users).values({ id: 900, email: 'new@x.io', nick: 'new' }).returning(),
  clash: (db) => db.insert(users).values({ id: 901, email: 'u1@x.io' }),
  upsert: (db) =>
    db
      .insert(users)
      .values({ id: 3, email: 'z' })
      .onConflictDoUpdate({ target: users.id, set: { nick: 'three' } })
      .returning(),
  update: (db) =>
    db
      .update(posts)
      .set({ views: sql`${posts.views} + 1` })
      .where(eq(posts.id, 2))
      .returning(),
  comment: (db) =>
    db
      .insert(comments)
      .values([
        { id: 1, postId: 4, text: 'a' },
        { id: 2, postId: 5, text: 'b', mood: 'happy' },
      ])
      .returning(),
  'no parent': (db) => db.insert(comments).values({ id: 3, postId: 999, text: 'x' }),
  relations: (db) =>
    db.query.users.findMany({
      where: lt(users.id, 6),
      with: { posts: { with: { comments: true }, orderBy: posts.id } },
      orderBy: users.id,
    }),
  'nested transaction': (db) =>
    db.transaction(async (outer) => {
      await outer.update(users).set({ nick: 'outer' }).where(eq(users.id, 5))
      const inner = outer.transaction(async (savepoint) => {
        await savepoint.delete(posts).where(eq(posts.userId, 5))
        savepoint.rollback()
      })
      await inner.catch(() => undefined)
      return outer.select({ n: count() }).from(posts).where(eq(posts.userId, 5))
    }),
  'transaction that fails': (db) =>
    db.transaction(async (transaction) => {
      await transaction.delete(users).where(eq(users.id, 6))
      throw new Error('changed my mind')
    }),
  'delete with its children': (db) => db.delete(posts).where(eq(posts.id, 4)).returning(),
  'what is left': (db) => db.select().from(comments),
  counts: (db) =>
    db.select({ user: posts.userId, n: count() }).from(posts).groupBy(posts.userId).orderBy(desc(posts.userId)),
  everybody: (db) => db.select().from(users).orderBy(users.id),
}

async function run(client: pg.Client): Promise<Readonly<Record<string, unknown>>> {
  const db = drizzle(client, { schema })
  const outcomes: Record<string, unknown> = {}
  for (const [name, step] of Object.entries(STEPS)) {
    outcomes[name] = await step(db).catch((error: Error) => ({
      failed: error.cause instanceof Error ? error.cause.message : error.message,
    }))
  }
  await client.end()
  return outcomes
}

describe('drizzle-orm', () => {
  it('migrates, writes and reads through the proxy as on a plain database', async () => {
    const hash = await proxy.upstreamHash()
    const [own, plain] = [await run(await connectedTo(proxy.url)), await run(await proxy.plain())]
    expect(own).toEqual(plain)
    expect(own['migrate again']).toBeUndefined()
    expect(own['relations']).toHaveLength(5)
    expect(await proxy.upstreamHash()).toBe(hash)
  })
})

/** Statements that read, write and lock the shop of `shop.ts`, each valid there: for tests over all of them. */
export const WRITES: readonly { readonly text: string; readonly because: string }[] = [
  { text: 'update orders set total = 1 where id = $1', because: 'the plain case' },
  { text: 'UPDATE public.orders AS o SET total = 2 WHERE o.id IN (1, 2) RETURNING o.*', because: 'schema and alias' },
  { text: 'update public.orders set total = 1 where public.orders.id = 7', because: 'columns qualified by the schema' },
  { text: 'update orders * set total = 1 where id = 2', because: 'the old star' },
  {
    text: `update "Users" "ü" set name = 'é' where "ü".email = 'ö@é' and "ü".seen > 1`,
    because: 'quoted and multibyte',
  },
  {
    text: `update orders set total = u.seen from "Users" u join jobs on jobs.id = u.seen where u.seen = orders.user_id`,
    because: 'FROM with a join',
  },
  {
    text: `update orders set total = case when total between 1 and 2 then 3 end where status is distinct from 'paid' or id = 1`,
    because: 'IS DISTINCT FROM is no FROM',
  },
  { text: 'update orders set total = 1 where random() < 0.5 and id = 3', because: 'a volatile conjunct is dropped' },
  {
    text: '/* where */ update orders -- from\n set total = 1 -- where\n where id = 1 -- or 2\n and total > 0 /* end */',
    because: 'comments',
  },
  { text: `update jobs set state = $q$ where ' from $q$ where state = 'from'`, because: 'keywords in strings' },
  { text: 'delete from orders', because: 'no condition' },
  {
    text: 'delete from orders using lines l, "Users" u where l.order_id = orders.id and u.seen = l.line',
    because: 'USING',
  },
  { text: 'delete from lines where (order_id, line) in (select 1::int8, 2)', because: 'a key of two columns' },
  {
    text: `with w as (select id from jobs where state = 'q' limit 10 for update skip locked) update jobs set state = 'r' from w where jobs.id = w.id`,
    because: 'a queue by a CTE',
  },
  {
    text: `update jobs set state = 'r' where id = (select id from jobs where state = 'q' order by created limit 1 for update skip locked) returning *`,
    because: 'a queue by a sub-select',
  },
  {
    text: `delete from jobs where id in (select id from jobs where state = 'done' order by created limit 5 offset 2)`,
    because: 'batches',
  },
  {
    text: `with gone as (delete from orders where id = 3 returning user_id) update "Users" u set seen = 1 from gone where u.seen = gone.user_id and u.seen > 2`,
    because: 'a data-modifying CTE',
  },
  {
    text: 'with recursive r(n) as (select 1 union all select n + 1 from r where n < 3) delete from jobs using r where jobs.id = r.n',
    because: 'a recursive CTE',
  },
  {
    text: 'with a as (select 1 as x), b as (select x from a) update jobs set state = $1 from b where b.x = jobs.id',
    because: 'a CTE over a CTE',
  },
  {
    text: 'merge into orders o using (select * from jobs) j on o.id = j.id when matched then update set total = 1 when not matched then insert (id) values (j.id)',
    because: 'MERGE',
  },
  {
    text: 'merge into orders o using jobs j on o.id = j.id when not matched by source then delete',
    because: 'MERGE takes rows without a match',
  },
  {
    text: 'select * from orders o join jobs j on o.id = j.id where o.total > 1 for update of o',
    because: 'a lock on one of two',
  },
  {
    text: 'select * from (select id from orders where total > 3) s where s.id < 9 for share',
    because: 'a lock through a sub-select',
  },
  {
    text: `select id as created, total from orders order by 2 desc fetch first 3 rows only for no key update`,
    because: 'ordinals and FETCH',
  },
  {
    text: `insert into "Users" (id, email, name) values ($1, $2, 'x'), (gen_random_uuid(), default, 'y') on conflict (email) do update set name = excluded.name`,
    because: 'VALUES with DEFAULT',
  },
  {
    text: `insert into "Users" (id, email, name) select gen_random_uuid(), state, 'a' from jobs on conflict (email) do update set name = 'é'`,
    because: 'a SELECT source',
  },
  {
    text: `insert into "Users" values (gen_random_uuid(), 'b') on conflict on constraint users_email_key do update set name = 'x'`,
    because: 'a named constraint',
  },
  {
    text: `with s as (select 1::int8 as a) insert into orders (id) select a from s on conflict (id) do update set total = orders.total + 1`,
    because: 'a source in a CTE',
  },
  { text: 'explain (analyze, costs off) delete from orders where id = 5', because: 'EXPLAIN ANALYZE runs' },
]

import { describe, expect, it } from 'vitest'
import { DirtyTables } from '../../../../src/cow/postgres/branch/dirty-tables.ts'
import { changedTables } from '../../../../src/cow/postgres/branch/schema-watch.ts'

function touched(detail: string | undefined): { severity: string; code: string; message: string; detail?: string } {
  const fields = { severity: 'INFO', code: 'MSH01', message: 'mesh touched 7' }
  return detail === undefined ? fields : { ...fields, detail }
}

describe('marks of touched rows', () => {
  it('are made from notices: of some keys, of keys of several columns, or of the whole table', () => {
    const tables = new DirtyTables()
    expect(tables.notice(touched('[["1"], ["2"]]'))).toBe(true)
    expect([tables.isTouched(7, ['1']), tables.isTouched(7, ['3']), tables.isDirty(7), tables.isDirty(8)]).toEqual([
      true,
      false,
      true,
      false,
    ])
    tables.mark(8, [['a', 'b,c']])
    expect([tables.isTouched(8, ['a', 'b,c']), tables.isTouched(8, ['a,b', 'c'])]).toEqual([true, false])
    tables.notice(touched('*'))
    expect(tables.isTouched(7, ['3'])).toBe(true)
  })

  it('are of the whole table where a notice cannot be read, or names too many keys', () => {
    for (const detail of [undefined, '[[1]]', '[["1"], []]', '["1"]', '{']) {
      const tables = new DirtyTables()
      tables.notice(touched(detail))
      expect(tables.isTouched(7, ['never'])).toBe(true)
    }
    const tables = new DirtyTables()
    for (let key = 0; key < 10_000; key++) tables.mark(1, [[String(key)]])
    expect(tables.isTouched(1, ['x'])).toBe(false)
    tables.mark(1, [['one more']])
    expect(tables.isTouched(1, ['x'])).toBe(true)
  })

  it('are not made from notices of others', () => {
    expect(new DirtyTables().notice({ severity: 'INFO', code: '00000', message: 'mesh touched 7' })).toBe(false)
  })
})

describe('a notice of a changed schema', () => {
  it('names tables, or none where a client raised it without sense', () => {
    const changed = (detail: string): unknown =>
      changedTables({ severity: 'INFO', code: 'MSH02', message: 'mesh changed', detail })
    expect([changed('[3, 4]'), changed('{"a": 1}'), changed('{[nonsense')]).toEqual([[3, 4], [], []])
    expect(changedTables({ severity: 'INFO', code: '00000', message: 'mesh changed' })).toBe(undefined)
  })
})

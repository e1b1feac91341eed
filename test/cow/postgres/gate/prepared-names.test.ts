import { describe, expect, it } from 'vitest'
import { PreparedNames } from '../../../../src/cow/postgres/gate/prepared-names.ts'

/** Statements that one connection keeps. */
const KEPT = 256

/** Prepares a text of ours, which is kept from the first time. */
function prepared(names: PreparedNames, text: string): string {
  const { name } = names.place(text, [], 'ours')
  names.confirm(name)
  return name
}

describe('the prepared texts of a connection', () => {
  it('have a name for each list of types, and each scope', () => {
    const names = new PreparedNames()
    const place = (types: readonly number[], scope: string): string => {
      names.place('SELECT $1', types, scope)
      return names.place('SELECT $1', types, scope).name
    }
    const all = [
      place([], ''),
      place([23], ''),
      place([23, 23], ''),
      place([25], ''),
      place([23], '[["TimeZone","UTC"]]'),
    ]
    expect(new Set(all).size).toBe(all.length)
    expect([place([], ''), place([23], ''), place([23, 23], ''), place([25], '')]).toEqual(all.slice(0, 4))
    names.forget(all[1] ?? '')
    expect(names.place('SELECT $1', [23], '').known).toBe(false)
    expect(names.place('SELECT $1', [25], '')).toEqual({ name: all[3], known: true })
  })

  it('are kept from the second time, but those of ours, which are from the first', () => {
    const names = new PreparedNames()
    expect(names.place('SELECT 1', [], '')).toEqual({ name: '', known: false })
    expect(names.place('SELECT 1', [], '')).toEqual({ name: 'mesh_1', known: false })
    expect(names.place('SELECT 1', [], '')).toEqual({ name: 'mesh_1', known: true })
    expect(names.place('COMMIT', [], 'ours')).toEqual({ name: 'mesh_2', known: false })
    // What such a constant means moves with the day.
    for (let time = 0; time < 3; time++) {
      expect(names.place("SELECT date 'today'", [], '')).toEqual({ name: '', known: false })
    }
  })

  it('give way, the one that was not used for longest first, and its name is closed', () => {
    const names = new PreparedNames()
    const first = prepared(names, 'SELECT 0')
    const second = prepared(names, 'SELECT 1')
    for (let place = 2; place < KEPT; place++) prepared(names, `SELECT ${place}`)
    expect(prepared(names, 'SELECT 0')).toBe(first)
    expect(names.place('one more', [], 'ours')).toMatchObject({ known: false, evicted: second })
    expect(names.place('SELECT 0', [], 'ours').known).toBe(true)
    expect(names.place('SELECT 1', [], 'ours').known).toBe(false)
  })

  it('are forgotten where the server never had them, and all of them where a pooler is in between', () => {
    const names = new PreparedNames()
    const { name } = names.place('SELECT 1', [], 'ours')
    names.failed(name)
    expect(names.place('SELECT 1', [], 'ours')).toEqual({ name: 'mesh_2', known: false })
    names.confirm('mesh_2')
    names.describe('mesh_2', '1', Uint8Array.of(7))
    names.failed('mesh_2')
    expect(names.place('SELECT 1', [], 'ours')).toEqual({ name: 'mesh_2', known: true })
    expect(names.description('mesh_2', '1')).toEqual(Uint8Array.of(7))
    expect(names.description('mesh_2', '')).toBeUndefined()
    names.disable()
    expect(names.place('SELECT 1', [], 'ours')).toEqual({ name: '', known: false })
    expect(names.description('mesh_2', '1')).toBeUndefined()
  })
})

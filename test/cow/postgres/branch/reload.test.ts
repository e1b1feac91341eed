import { expect, it } from 'vitest'
import { Branch, DEFAULT_BRANCH_LIMITS } from '../../../../src/cow/postgres/branch/branch.ts'
import { connectServer } from '../../../../src/cow/postgres/server-connection.ts'
import { startOverlayPair } from '../../../support/overlay-pair.ts'

it('reads a changed schema once more where the overlay took no connection', async () => {
  const pair = await startOverlayPair('CREATE TABLE orders (id int PRIMARY KEY)', '')
  try {
    let isAway = false
    const connect = (): ReturnType<typeof connectServer> => {
      const there = pair.overlay.options('mesh_admin', 'shop')
      const nowhere = { socketFolder: '/nowhere', port: 1 }
      return connectServer(isAway ? { ...there, address: nowhere } : there, new AbortController().signal)
    }
    const branch = await Branch.open('shop', DEFAULT_BRANCH_LIMITS, connect)
    const app = await pair.app()
    await app.query('CREATE TABLE made (id int)')
    await app.end()
    isAway = true
    await expect(branch.reload()).rejects.toThrow(/socket/)
    expect(branch.relation('public', 'made')).toBe(undefined)
    isAway = false
    await expect.poll(() => branch.relation('public', 'made')).toBe('local')
  } finally {
    await pair.close()
  }
})

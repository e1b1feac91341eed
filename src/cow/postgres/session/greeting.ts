import {
  authenticationOk,
  backendKeyData,
  type CancelKey,
  parameterStatus,
  readyForQuery,
} from '../../../wire/postgres/backend.ts'

/** What a client is told when its session begins, with the settings of its backend and a key of ours to cancel by. */
export function greeting(parameters: ReadonlyMap<string, string>, cancelKey: CancelKey): readonly Uint8Array[] {
  const settings = [...parameters].map(([name, value]) => parameterStatus(name, value))
  return [authenticationOk(), ...settings, backendKeyData(cancelKey), readyForQuery('I')]
}

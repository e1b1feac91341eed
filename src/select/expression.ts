import { Duration, Environment } from '@marcbachmann/cel-js/evaluator'
import { MeshError } from '../core/errors.ts'
import type { Exchange } from '../core/exchange.ts'
import {
  ATTRIBUTE_TYPES,
  ConnectionAttributes,
  PeerAttributes,
  RequestAttributes,
  ResponseAttributes,
} from './attributes.ts'

/** A CEL expression over an exchange, checked and compiled once. Evaluating it may throw (a header that is not there). */
export interface Expression {
  readonly text: string
  evaluate(exchange: Exchange): unknown
}

/** `request.*` with its duration in CEL's own type. */
class MeshRequest extends RequestAttributes {
  get duration(): Duration {
    const ns = this.durationNs
    return new Duration(BigInt(Math.floor(ns / 1e9)), ns % 1e9)
  }
}

const environment = new Environment({ limits: { maxAstNodes: 10_000, maxDepth: 100 } })
  .registerType('MeshRequest', { ctor: MeshRequest, fields: ATTRIBUTE_TYPES.request })
  .registerType('MeshResponse', { ctor: ResponseAttributes, fields: ATTRIBUTE_TYPES.response })
  .registerType('MeshPeer', { ctor: PeerAttributes, fields: ATTRIBUTE_TYPES.source })
  .registerType('MeshConnection', { ctor: ConnectionAttributes, fields: ATTRIBUTE_TYPES.connection })
  .registerVariable('request', 'MeshRequest')
  .registerVariable('response', 'MeshResponse')
  .registerVariable('source', 'MeshPeer')
  .registerVariable('destination', 'MeshPeer')
  .registerVariable('connection', 'MeshConnection')

/**
 * Compiles an expression that must give one of `types`.
 * @throws MeshError MESH_ERR_EXPRESSION with the place of the mistake.
 */
export function compileExpression(text: string, where: string, types: readonly string[]): Expression {
  const checked = environment.check(text)
  if (!checked.valid) throw refused(text, where, checked.error)
  const type = String(checked.type)
  if (!types.includes(type) && type !== 'dyn') {
    throw new MeshError('MESH_ERR_EXPRESSION', {
      what: `expected an expression that gives ${types.join(' or ')}, found one that gives ${type}: ${text}`,
      where,
    })
  }
  const compiled = environment.parse(text)
  return { text, evaluate: (exchange) => compiled(attributesOf(exchange)) }
}

function attributesOf(exchange: Exchange): Record<string, unknown> {
  return {
    request: new MeshRequest(exchange),
    response: new ResponseAttributes(exchange),
    source: new PeerAttributes(exchange.client),
    destination: new PeerAttributes(exchange.server),
    connection: new ConnectionAttributes(exchange),
  }
}

function refused(text: string, where: string, cause: unknown): MeshError {
  const message = cause instanceof Error ? cause.message : String(cause)
  const [first = ''] = message.split('\n', 1)
  const column = message.split('\n').at(-1)?.indexOf('^') ?? -1
  const bar = message.split('\n').at(-2)?.indexOf('|') ?? -1
  const place = column > bar + 1 && bar >= 0 ? ` at column ${column - bar - 1}` : ''
  return new MeshError('MESH_ERR_EXPRESSION', {
    what: `not a valid expression${place}: ${first} in \`${text.trim()}\``,
    where,
    remedy: 'write for example request.method == "GET" && request.path.startsWith("/api")',
  })
}

import protobuf from 'protobufjs'
import 'protobufjs/ext/descriptor.js'
import descriptor from 'protobufjs/ext/descriptor.js'
import { SCHEMA_FILE, SCHEMA_TEXT } from './schema.ts'

/**
 * The one file that knows protobufjs. It reads the schema, turns it into the descriptor that MCAP carries, and encodes what
 * is rare. Exchanges have an encoder and decoder of their own, held to these types by tests.
 */
const { root } = protobuf.parse(SCHEMA_TEXT, { keepCase: true })
root.resolveAll()

/** A message type with its plain-object form, where 64-bit integers are numbers and enums are numbers. */
export interface ReflectedType {
  encode(fields: Readonly<Record<string, unknown>>): Uint8Array
  /** Throws where the bytes are not a message of this type. */
  decode(bytes: Uint8Array): Record<string, unknown>
}

export function reflectedType(name: string): ReflectedType {
  const type = root.lookupType(name)
  return {
    encode: (fields) => type.encode(type.fromObject(fields)).finish(),
    decode: (bytes) => type.toObject(type.decode(bytes), { longs: Number, defaults: false }),
  }
}

/**
 * The type and all that it refers to, as a serialised `google.protobuf.FileDescriptorSet`: what the MCAP registry asks for as schema. The
 * caller owns it.
 */
export function typeDescriptor(name: string): Uint8Array {
  const set = root.toDescriptor('proto3')
  for (const file of set.file ?? []) {
    file.name = SCHEMA_FILE
    const needed = new Set<string>()
    const need = (typeName: string): void => {
      if (needed.has(typeName)) return
      needed.add(typeName)
      const message = file.messageType?.find((candidate) => candidate.name === typeName)
      for (const field of message?.field ?? []) {
        if (field.typeName === undefined || field.typeName === '') continue
        need(field.typeName)
        // protobufjs leaves names relative; protoc writes them whole, and strict readers (Go) ask for that.
        field.typeName = `.${file.package}.${field.typeName}`
      }
    }
    need(name.slice(name.lastIndexOf('.') + 1))
    file.messageType = (file.messageType ?? []).filter((message) => needed.has(message.name ?? ''))
    file.enumType = (file.enumType ?? []).filter((enumeration) => needed.has(enumeration.name ?? ''))
  }
  return descriptor.FileDescriptorSet.encode(set).finish()
}

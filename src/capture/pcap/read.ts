/**
 * Numbers out of bytes by hand: a DataView per packet costs more than the packet. Reads beyond the end give zero bytes;
 * callers check lengths first.
 */

export function u8(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0
}

/** 16 bits, network byte order. */
export function u16be(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at) << 8) | u8(bytes, at + 1)
}

/** 32 bits, network byte order, as a signed number: the engine keeps those unboxed. */
export function i32be(bytes: Uint8Array, at: number): number {
  return (u8(bytes, at) << 24) | (u8(bytes, at + 1) << 16) | (u8(bytes, at + 2) << 8) | u8(bytes, at + 3)
}

export function u16(bytes: Uint8Array, at: number, little: boolean): number {
  return little ? (u8(bytes, at + 1) << 8) | u8(bytes, at) : u16be(bytes, at)
}

export function u32(bytes: Uint8Array, at: number, little: boolean): number {
  const signed = little
    ? (u8(bytes, at + 3) << 24) | (u8(bytes, at + 2) << 16) | (u8(bytes, at + 1) << 8) | u8(bytes, at)
    : i32be(bytes, at)
  return signed >>> 0
}

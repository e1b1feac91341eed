import { randomUUID } from 'node:crypto'

/** Something that the shop sells. */
export interface Product {
  readonly id: number
  readonly name: string
  readonly priceCents: number
  readonly stock: number
}

/** What a shop knows of its goods and orders, wherever it keeps that. */
export interface ShopData {
  /** `count` products from place `from` on, in the order of their ids, and how many there are. */
  page(from: number, count: number): Promise<{ readonly total: number; readonly products: readonly Product[] }>
  product(id: number): Promise<Product | undefined>
  /** The first `count` products whose names contain the text. */
  search(text: string, count: number): Promise<readonly Product[]>
  /** Orders one of each of these for a customer; gives the orders' ids, none where nothing is left. */
  order(products: readonly number[], customer: string): Promise<readonly string[]>
}

/** What every shop of the demo sells at its start. */
export const PRODUCTS: readonly Product[] = Array.from({ length: 200 }, (_, index) => ({
  id: index + 1,
  name: `${['Copper', 'Linen', 'Walnut', 'Felt', 'Slate'][index % 5]} ${['lamp', 'chair', 'kettle', 'shelf', 'rug', 'clock', 'vase'][index % 7]}`,
  priceCents: 900 + ((index * 7919) % 24_000),
  stock: 3 + ((index * 31) % 40),
}))

/** Data in the shop's own memory, where stock never ends. */
export function memoryData(): ShopData {
  return {
    page: (from, count) => Promise.resolve({ total: PRODUCTS.length, products: PRODUCTS.slice(from, from + count) }),
    product: (id) => Promise.resolve(PRODUCTS[id - 1]),
    search: (text, count) =>
      Promise.resolve(PRODUCTS.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase())).slice(0, count)),
    order: (products) => Promise.resolve(products.map(() => randomUUID())),
  }
}

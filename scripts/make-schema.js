#!/usr/bin/env node
/**
 * Writes schema/mesh.schema.json, the JSON Schema of mesh.yaml for editors, from the schema that the built `mesh` checks with:
 *   npm run build && node scripts/make-schema.js
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { configJsonSchema } from '../dist/cli/config.js'

const FOLDER = new URL('../schema/', import.meta.url)

mkdirSync(FOLDER, { recursive: true })
writeFileSync(new URL('mesh.schema.json', FOLDER), `${JSON.stringify(configJsonSchema(), null, 2)}\n`)

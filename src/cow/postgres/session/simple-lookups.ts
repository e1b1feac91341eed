import type { Branch } from '../branch/branch.ts'
import type { PlannedStatement, TextPlan } from '../branch/text-plan.ts'
import { type KeyLookup, keyLookupOf } from '../sql/key-lookup.ts'
import { constantValue, type Template, templateOf } from '../sql/template.ts'
import { BoundValues } from './bound-values.ts'
import type { LaneVerdict } from './lane-choice.ts'
import type { RelationNames } from './relation-names.ts'

/** A statement that may run on production, with what its text says of its parameters. */
export interface PassableQuery {
  readonly planned: PlannedStatement
  readonly text: string
  readonly types: readonly number[]
  readonly values: BoundValues
}

/** What is asked of the one who chooses lanes. */
export interface LookupJudge {
  /** The statement of a plan that may run on production, at some moment. */
  mayPass(plan: TextPlan, types: readonly number[]): PlannedStatement | undefined
  verdict(planned: PlannedStatement, types: readonly number[]): LaneVerdict | undefined
}

/**
 * Simple queries that look a row up by its key, `.. WHERE id = 12345`: each has a text of its own, and all are one statement with a
 * parameter. A text whose template is known is parsed neither here nor by the gate, and planned by production once. Only values of
 * the key become parameters: of the table's rows at most one has them, so that every value has the same plan.
 */
export class SimpleLookups {
  readonly #branch: Branch
  readonly #names: RelationNames
  readonly #judge: LookupJudge

  constructor(branch: Branch, names: RelationNames, judge: LookupJudge) {
    this.#branch = branch
    this.#names = names
    this.#judge = judge
  }

  /** The query with its key as parameters; undefined where it is no such lookup, or none that may run on production. */
  find(text: string): PassableQuery | undefined {
    const lookups = this.#branch.knowledge?.lookups
    const scope = this.#names.sharingKey
    const template = lookups === undefined || scope === '' ? undefined : templateOf(text)
    if (lookups === undefined || template === undefined) return undefined
    let lookup = lookups.find(scope, text, template)
    if (lookup === 'unknown') {
      const learnt = this.#learn(text, template)
      lookups.learn(scope, text, template, learnt)
      lookup = learnt ?? 'none'
    }
    return lookup === 'none' ? undefined : this.#queryOf(text, template, lookup)
  }

  #queryOf(text: string, { constants }: Template, lookup: KeyLookup): PassableQuery | undefined {
    const planned = this.#judge.mayPass(this.#branch.plan(lookup.text, this.#names), lookup.types)
    const key = planned === undefined ? undefined : this.#judge.verdict(planned, lookup.types)?.dirty
    if (planned === undefined || key?.lane !== 'TK') return undefined
    const texts: string[] = []
    for (const place of lookup.places) {
      const constant = constants[place]
      if (constant !== undefined) texts.push(constantValue(text, constant))
    }
    const values = BoundValues.ofTexts(texts)
    // What is no value of the key's type is an error, which says where the constant stands.
    const isKey = key.key.every(
      (part) => part.from === 'parameter' && values.keyText(part.number, part.type) !== undefined,
    )
    return isKey ? { planned, text: lookup.text, types: lookup.types, values } : undefined
  }

  #learn(text: string, template: Template): KeyLookup | undefined {
    const planned = this.#judge.mayPass(this.#branch.plan(text, this.#names), [])
    const lane = planned === undefined ? undefined : this.#judge.verdict(planned, [])?.dirty
    return lane?.lane === 'TK' ? keyLookupOf(text, template, lane.key) : undefined
  }
}

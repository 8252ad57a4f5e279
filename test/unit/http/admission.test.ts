// How a tenant's properties stand on a framework's object, also where the getters stand on the prototype of all of them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attach } from '../../../src/http/admission.ts'

const one = { tenant: { id: 'one' } }
const other = { tenant: { id: 'other' } }
type Held = { tenant?: unknown }

for (const [name, make] of [
  ['on the object itself', () => ({ target: {}, owner: undefined })],
  ['on a prototype', prototypes()],
] as const) {
  test(`${name}, properties are read-only and no printing or copying shows them`, () => {
    const { target, owner } = make()
    attach(target, one, owner)
    const held: Held = target
    assert.equal(held.tenant, one.tenant)
    assert.throws(() => {
      held.tenant = other.tenant
    }, TypeError)
    assert.deepEqual([Object.keys(target), JSON.stringify(target), { ...target }], [[], '{}', {}])
  })
}

test('objects of one prototype see each their own tenant, and those without one see none', () => {
  const owner = {}
  const [first, second, third]: Held[] = [Object.create(owner), Object.create(owner), Object.create(owner)]
  assert.ok(first && second && third)
  attach(first, one, owner)
  attach(second, other, owner)
  assert.deepEqual([first.tenant, second.tenant, third.tenant], [one.tenant, other.tenant, undefined])
  third.tenant = 'a name like any other'
  assert.equal(third.tenant, 'a name like any other')
  assert.equal(first.tenant, one.tenant)
})

function prototypes() {
  const owner = {}
  return () => ({ target: Object.create(owner) as object, owner })
}

// The edges of Atlassian Connect on Partywall, and on the framework of before where it is installed: what it is said to get wrong it
// must get wrong here too, so that no claim about it grows old unseen.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CONNECT_PEER, nameOfPeer, peerForTests } from '../support/peer.ts'
import { EDGES } from './edges.ts'
import { openPartywall, openPeer, type Target } from './target.ts'

const { folder, skip } = await peerForTests(CONNECT_PEER)
let ours: Target
let peer: Target | undefined
before(async () => {
  ours = await openPartywall()
  if (folder !== undefined) peer = await openPeer(folder)
})
after(async () => {
  await ours?.close()
  await peer?.close()
})

test('there are 47 edges, each once', () => {
  assert.equal(EDGES.length, 47)
  assert.equal(new Set(EDGES.map(({ name }) => name)).size, 47)
})

for (const [index, edge] of EDGES.entries()) {
  test(`edge ${index + 1}: ${edge.name}`, () => edge.run(ours))

  test(`edge ${index + 1} on ${nameOfPeer(CONNECT_PEER)} is ${edge.peer}: ${edge.name}`, skip, async () => {
    assert.ok(peer)
    if (edge.peer === 'right') return edge.run(peer)
    await assert.rejects(edge.run(peer), { name: 'AssertionError' })
  })
}

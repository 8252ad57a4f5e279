// Expressions of event filters: what they mean, and that they are nothing but looks at the event.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExpressionError, evaluate } from '../../../src/forge/invocations/expression.ts'

const event = {
  issue: {
    fields: { summary: 'urgent brakes', priority: { name: 'High' }, labels: ['a', 'b'], votes: 3, resolution: null },
  },
}

test('values, members, comparisons, logic and methods mean what they mean in Jira’s expressions', () => {
  const cases = [
    [`event.issue.fields.summary == 'urgent brakes'`, true],
    [`event.issue.fields.summary.startsWith("urgent")`, true],
    [`event.issue.fields.summary.toUpperCase().includes('BRAKES')`, true],
    [`event.issue.fields.priority.name != 'Low' && event.issue.fields.votes >= 3`, true],
    [`event.issue.fields.labels.includes('b')`, true],
    [`event.issue.fields.labels.length == 2`, true],
    [`event.issue.fields.labels[1] === 'b'`, true],
    [`event.issue.fields['votes'] * 2 + 1 > 6`, true],
    [`event.issue.fields.resolution == null`, true],
    [`event.issue.fields.resolution?.name == null`, true],
    [`event.issue.fields.missing?.deep?.deeper == null`, true],
    [`(event.issue.fields.resolution ?? 'none') == 'none'`, true],
    [`!(event.issue.fields.votes < 3) || false`, true],
    [`event.issue.fields.votes > 5 ? false : true`, true],
    [`['x', 'High'].includes(event.issue.fields.priority.name)`, true],
    [`-1 < 0 && 7 % 4 == 3 && 'a' + 'b' == 'ab'`, true],
    [`'it\\'s' == "it's"`, true],
    [`event.issue.fields.summary.trim().endsWith('x')`, false],
    [`false && event.nothing.at.all`, false],
  ] as const
  for (const [expression, value] of cases) assert.equal(evaluate(expression, { event }), value, expression)
})

test('what has no meaning is refused, and nothing but the event is in reach', () => {
  const refused = [
    ...['event.missing.deeper', 'event.issue.fields.votes && true', `'a' < 1`, `!'a'`, `'a' * 2`],
    ...['', 'event.', 'event..issue', '(event', 'event)', '1 +', '[1, 2', `'open`, 'a b', 'event.issue = 1', '=> 1'],
    ...[
      'process',
      'globalThis',
      'constructor',
      'event.issue.constructor()',
      `event.issue.fields.summary.constructor('x')`,
    ],
    ...[
      `event.issue.fields.summary.repeat(9)`,
      'new Date()',
      'function () {}',
      '`x`',
      'event.issue.fields.labels.map(1)',
    ],
    '('.repeat(60) + '1' + ')'.repeat(60),
    '!'.repeat(100) + 'true',
    `'${'x'.repeat(5_000)}' == 'x'`,
  ]
  for (const expression of refused) assert.throws(() => evaluate(expression, { event }), ExpressionError, expression)
  assert.equal(evaluate('event.__proto__', { event }), null)
  assert.equal(evaluate('event.issue.constructor', { event }), null)
  assert.equal(evaluate('event.toString', { event }), null)
})

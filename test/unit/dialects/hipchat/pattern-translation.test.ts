import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { patternToRegExp, regExpToPattern } from 'partywall/hipchat'
import { isPartywallError } from '../../../../src/core/errors.ts'
import { compilePattern } from '../../../../src/dialects/hipchat/pattern.ts'

/** Expressions that a linter would rather not see as literals. */
const built = (source: string, flags = ''): RegExp => new RegExp(source, flags)

const TO_THE_HOST: [RegExp, string][] = [
  [/^\/hello$/, '^\\/hello$'],
  [/caf\u00e9/, 'caf\\x{00e9}'],
  [/a/gimsy, '(?ims)a'],
  [/a/g, 'a'],
  [/\u{1F600}/u, '\\x{1F600}'],
  [/\uD83D\uDE00/, '\\x{1f600}'],
  [built('\\u{2}'), 'u{2}'],
  [built('\\A\\q\\Z'), 'AqZ'],
  [/\cJ|\xe9|\\u00e9/, '\\x{000a}|\\xe9|\\\\u00e9'],
  [/(?<who>\w+) \k<who>/, '(?P<who>\\w+) (?P=who)'],
  [/(?<!a)(?<=b)c/, '(?<!a)(?<=b)c'],
  [/[(?<\]\u0041-Z]/, '[(?<\\]\\x{0041}-Z]'],
  [/[[a\\]]/, '[\\[a\\\\]]'],
  [built('[^]x[]'), '[\\s\\S]x[^\\s\\S]'],
]

const FROM_THE_HOST: [string, RegExp][] = [
  ['(?i)^hello', /^hello/i],
  ['(?gi)hello', /hello/gi],
  ['(?ig)hello', /hello/gi],
  ['(?gimy)x', /x/gimy],
  ['(?uis)x', /x/is],
  ['\\x{e9}\\x{00E9}', /\u00e9\u00E9/],
  ['\\x{1F600}', /\u{1F600}/u],
  ['\u{1F600}+', built('\u{1F600}+', 'u')],
  ['(?P<who>\\w+) (?P=who)', /(?<who>\w+) \k<who>/],
  ['\\Ahello\\Z', /^hello$/],
  ['\\\\Ahello', /\\Ahello/],
  ['[]a]+[^]b]', /[\]a]+[^\]b]/],
  ['[(?P<x\\x{41}]', /[(?P<x\u0041]/],
  ['\\a', built('\\x07')],
]

test('B7 webhooks.regExpToPattern: an expression is written as a host reads it', () => {
  for (const [expression, pattern] of TO_THE_HOST)
    assert.equal(regExpToPattern(expression), pattern, String(expression))
})

test('B7 webhooks.patternToRegExp: a pattern of a host becomes the expression that means the same, every flag of its prefix kept', () => {
  for (const [pattern, expression] of FROM_THE_HOST) {
    const read = patternToRegExp(pattern)
    assert.deepEqual([read.source, read.flags], [expression.source, expression.flags], pattern)
  }
})

test('what the other side cannot say is refused with a code', () => {
  const toHost = [built('[a-z]', 'v'), /\ud83d/]
  const fromHost = ['(?x)a b', '(?m)\\Aa', '[\\Z]', '(', '(?P>x)', '(?i)(?P<a>x)(?P<a>y)']
  const attempts = [
    ...toHost.map(one => () => regExpToPattern(one)),
    ...fromHost.map(one => () => patternToRegExp(one)),
  ]
  for (const attempt of attempts) {
    assert.throws(attempt, error => isPartywallError(error, 'ERR_PATTERN_UNSUPPORTED'), String(attempt))
  }
})

const piece = fc.constantFrom(
  ...[
    'a',
    '\\.',
    '\\s',
    '\\W',
    '[a\\]\\u0062]',
    '[^(?<]',
    '(?<n>a|b)',
    '\\u00e9',
    '\\xe9',
    '\\cJ',
    '\\/',
    '[\\[b-]',
    '[^]',
    'é',
    '(?:b)',
  ],
)
const text = fc
  .array(fc.constantFrom('a', 'b', 'é', ' ', '\n', '[', '(', 'P', '/', ']'), { maxLength: 8 })
  .map(parts => parts.join(''))
const source = fc
  .array(fc.tuple(piece, fc.constantFrom('', '*', '+?', '{1,2}')), { minLength: 1, maxLength: 5 })
  .map(parts => parts.map(([body, count]) => body + count).join(''))
  .filter(body => body.split('(?<n>').length <= 2)

test('there and back again an expression finds the same in every text', () => {
  const flags = fc.constantFrom('', 'i', 'm', 's', 'ims')
  fc.assert(
    fc.property(source, flags, text, (body, letters, subject) => {
      const expression = new RegExp(body, letters)
      const back = patternToRegExp(regExpToPattern(expression))
      assert.equal(back.flags, expression.flags)
      assert.deepEqual(back.exec(subject), expression.exec(subject), regExpToPattern(expression))
    }),
    { numRuns: 1_000 },
  )
})

test('there and back again a pattern is the same text', () => {
  fc.assert(
    fc.property(source, fc.constantFrom('', 'g', 'gi'), (body, letters) => {
      const once = regExpToPattern(new RegExp(body, letters))
      assert.equal(regExpToPattern(patternToRegExp(once)), once)
    }),
    { numRuns: 500 },
  )
})

test('an expression with g finds the same in every message, however often it is asked', () => {
  const pattern = compilePattern(patternToRegExp('(?gi)TEA'))
  for (let round = 0; round < 3; round += 1) assert.equal(pattern.exec('some tea')?.index, 5)
})

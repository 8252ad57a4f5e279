import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPartywallError } from '../../../../src/core/errors.ts'
import { compilePattern } from '../../../../src/dialects/hipchat/pattern.ts'

/** Empty classes as an author may write them; as literals the linter would refuse them. */
const built = (source: string, flags = ''): RegExp => new RegExp(source, flags)

const SAME_AS_REGEXP: [RegExp, string[]][] = [
  [/^\/hello$/, ['/hello', '/hello there', 'x/hello']],
  [/(\w+)(\+\+|--)(?:\s|$)/, ['thing++', 'thing--', 'a ++', 'thing++\u00a0x', 'thing++x']],
  [/^\/sassy\s+(?<verb>enable|disable)\b/i, ['/SASSY  Enable now', '/sassy\u3000disable', '/sassy enabled']],
  [/a.c/, ['abc', 'a\nc', 'a\rc', 'a\u2028c']],
  [/a.c/s, ['a\nc', 'a\rc']],
  [/^b$/m, ['a\nb\nc', 'abc']],
  [built('[^]'), ['', 'x', '\n']],
  [built('x[]'), ['x', 'x]']],
  [/[[:alph:]]/, ['a]', 'z]', ':]']],
  [/[\s\d-]+/, ['a 1-\u00a0b', 'none']],
  [/[\S]/, [' ', '\ufeff', ' x']],
  [/[\b]/, ['\b', 'b']],
  [/AaQe/, ['AaQe', 'a']],
  [/caf\u00e9|\xe9t\u00e9|\cJ|\0/, ['café', 'été', '\n', '\0', 'cafe']],
  [/\u{1F600}|\p{Lu}/u, ['x😀', 'aB', 'ab']],
  [/\uD83D\uDE00/, ['😀', 'x']],
  [/\p{Script=Greek}+/u, ['abc λόγος', 'abc']],
  [/a{2,3}b{|\/-_\]]/, ['aab{', 'aaaab{', '/-_]]', 'x']],
  [/(a)|(b)/, ['b', 'a']],
  [/\t\n\v\f\r/, ['\t\n\v\f\r', 'tnvfr']],
]

test('a pattern matches as the RegExp it was made of', () => {
  for (const [expression, texts] of SAME_AS_REGEXP) {
    const pattern = compilePattern(expression)
    for (const text of texts) assert.deepEqual(pattern.exec(text), expression.exec(text), `${expression} on ${text}`)
  }
})

test('a pattern matches as the RegExp it was made of, for random pieces and texts', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    '.',
    '\\s',
    '\\S',
    '\\w',
    '\\W',
    '\\d',
    '[a\\s]',
    '[^b\\S]',
    '(a|b)',
    '(?:ab)',
    '\\b',
    '^',
    '$',
  )
  const repeat = fc.constantFrom('', '', '', '*', '+?', '{1,2}')
  const source = fc
    .array(fc.tuple(piece, repeat), { minLength: 1, maxLength: 6 })
    .map(parts => parts.map(([text, count]) => (['\\b', '^', '$'].includes(text) ? text : text + count)).join(''))
  const text = fc
    .array(fc.constantFrom('a', 'b', 'c', '1', ' ', '\n', '\u00a0', '\u2028', '_'), { maxLength: 8 })
    .map(t => t.join(''))
  fc.assert(
    fc.property(source, fc.constantFrom('', 'i', 's', 'is'), text, (body, flags, subject) => {
      const expression = new RegExp(body, flags)
      assert.deepEqual(compilePattern(expression).exec(subject), expression.exec(subject))
    }),
    { numRuns: 500 },
  )
})

test('flags g and y are left out and no lastIndex is shared', () => {
  const expression = /a/gy
  const pattern = compilePattern(expression)
  for (let round = 0; round < 3; round += 1) assert.equal(pattern.exec('xa')?.index, 1)
  assert.equal(expression.lastIndex, 0)
})

test('the descriptor gets the pattern in the dialect of the host', () => {
  assert.equal(compilePattern(/^\/hello$/).hostPattern, '^\\/hello$')
  assert.equal(compilePattern(/caf\u00e9/gi).hostPattern, '(?i)caf\\x{00e9}')
  assert.equal(compilePattern(/\\u00e9(?<n>x)/ms).hostPattern, '(?ms)\\\\u00e9(?P<n>x)')
})

test('a pattern given as text in the dialect of the host comes back to the same text', () => {
  for (const text of ['^/hello$', '(?i)caf\\x{00e9}', '(?P<n>x)+', 'a\\\\x{2}']) {
    assert.equal(compilePattern(text).hostPattern.replaceAll('\\/', '/'), text)
  }
  assert.equal(compilePattern('(?i)^HI').exec('hi')?.[0], 'hi')
})

test('D 43: a pattern that cannot run in linear time is refused when the add-on is built', () => {
  const refused: (RegExp | string)[] = [
    /(?=a)/,
    /(?!a)/,
    /(?<=a)b/,
    /(?<!a)b/,
    /(a)\1/,
    /(?<n>a)\k<n>/,
    /a{1,1001}/,
    /(?:a{100}){100}/,
    /(a|ab|abc|b){200}$/,
    built('[a-z]', 'v'),
    /\ud83d/,
    '(',
    '(?x)a',
    `${'a'.repeat(1001)}`,
  ]
  for (const pattern of refused) {
    assert.throws(
      () => compilePattern(pattern),
      error => isPartywallError(error, 'ERR_PATTERN_UNSUPPORTED'),
      String(pattern),
    )
  }
})

test('D 43: one message cannot stall the process, whatever the pattern', () => {
  const started = performance.now()
  assert.equal(compilePattern(/^(a+)+$/).exec(`${'a'.repeat(9_999)}!`), null)
  assert.equal(compilePattern(/(x+x+)+y/).exec('x'.repeat(10_000)), null)
  assert.equal(compilePattern(/(.*){1,30}[bc]/).exec('a'.repeat(10_000)), null)
  assert.ok(performance.now() - started < 2_000, 'backtracking would take ages')
})

test('a text above 10,000 characters matches nothing', () => {
  assert.equal(compilePattern(/a/).exec('a'.repeat(10_001)), null)
  assert.ok(compilePattern(/a/).exec('a'.repeat(10_000)))
})

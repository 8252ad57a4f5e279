/**
 * Looks at SQL of app authors before it runs: one statement that reads or writes rows, and no word that could move the
 * binding, look at other sessions, or leave something behind in this one.
 *
 * The wall does not stand on this: row-level security holds whatever the statement's conditions are. This closes the one
 * door that row-level security has, namely SQL that binds itself to another tenant (docs/decisions/0003). It reads tokens as
 * PostgreSQL does and refuses the few forms of literals that would make that difficult.
 */

import { PartywallError } from '../core/errors.ts'

/** What a statement may begin with. */
const BEGINNINGS = new Set(['select', 'insert', 'update', 'delete', 'merge', 'with', 'values', 'table'])

const FORBIDDEN_NAMES = new Set([
  // Would bind the transaction to another tenant, or change the session for the next one.
  'set_config',
  'pg_settings',
  // Run text as SQL, where this check cannot see it.
  'query_to_xml',
  'query_to_xmlschema',
  'query_to_xml_and_xmlschema',
  'cursor_to_xml',
  'cursor_to_xmlschema',
  'ts_stat',
  'ts_rewrite',
  // Reach into sessions of other tenants.
  'pg_cancel_backend',
  'pg_terminate_backend',
  'pg_notify',
  'pg_stat_activity',
  'pg_stats',
  'pg_stats_ext',
  'pg_stats_ext_exprs',
])
/** Families: large objects belong to no tenant; statistics functions show other sessions; dblink opens another one. */
const FORBIDDEN_PREFIXES = ['lo_', 'pg_temp', 'pg_stat_get_', 'pg_ls_', 'pg_read_', 'dblink']

/** One token, or one that is refused. Order matters: longer beginnings first. */
const TOKEN =
  /[ \t\n\r\f\v]+|--[^\n\r]*|(?<comment>\/\*)|(?<refused>[eE]'|[uU]&['"])|(?<string>(?:[bBxXnN])?'[^']*(?:''[^']*)*')|(?<quoted>"[^"]*(?:""[^"]*)*")|(?<name>[A-Za-z_\u0080-\u{10ffff}][A-Za-z0-9_$\u0080-\u{10ffff}]*)|\$[0-9]+|(?<semicolon>;)|[0-9]+|[^'"$;]/uy

/**
 * @param text one statement with `$1`-style parameters
 * @throws ERR_STATEMENT_REFUSED naming what was found
 */
export function checkAuthorSql(text: string): void {
  if (text.includes('\0')) throw refusal('a character U+0000')
  let at = 0
  let isBegun = false
  let isOver = false
  let previous: string | undefined
  while (at < text.length) {
    TOKEN.lastIndex = at
    const match = TOKEN.exec(text)
    if (match === null) throw refusal(`a literal that this cannot read, at character ${at + 1}; pass it as a parameter`)
    const { comment, refused, quoted, name, semicolon, string } = match.groups ?? {}
    at = comment === undefined ? TOKEN.lastIndex : endOfComment(text, at)
    if (refused !== undefined) throw refusal(`a literal beginning with ${refused}; pass it as a parameter`)
    const isBlank = comment !== undefined || /^([ \t\n\r\f\v]|--)/.test(match[0])
    if (isBlank) continue
    if (isOver) throw refusal('more than one statement')
    if (semicolon !== undefined) {
      isOver = true
      continue
    }
    const word = name === undefined ? quoted?.slice(1, -1).replaceAll('""', '"') : name.toLowerCase()
    if (!isBegun && match[0] !== '(') {
      if (name === undefined || word === undefined || !BEGINNINGS.has(word))
        throw refusal(`a statement that begins with ${name ?? string ?? match[0]}`)
      isBegun = true
    }
    if (word !== undefined && isForbidden(word)) throw refusal(`the name ${word}`)
    // `select into temp`: a table that would outlive the transaction on this connection.
    if (previous === 'into' && (word === 'temp' || word === 'temporary')) throw refusal('a temporary table')
    previous = word
  }
  if (!isBegun) throw refusal('no statement')
}

const isForbidden = (word: string): boolean =>
  FORBIDDEN_NAMES.has(word) || FORBIDDEN_PREFIXES.some(prefix => word.startsWith(prefix))

/** Comments nest. */
function endOfComment(text: string, start: number): number {
  const mark = /\/\*|\*\//g
  mark.lastIndex = start
  let depth = 0
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  throw refusal('a comment without an end')
}

const refusal = (found: string): PartywallError =>
  new PartywallError('ERR_STATEMENT_REFUSED', {
    message: `SQL of an app is one select, insert, update, delete, merge, with, values or table statement; found ${found}`,
    details: { mayHaveRun: false },
  })

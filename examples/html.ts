// The one thing that every page needs: what people typed is text, never markup.

const escapeHtml = (value: unknown) => String(value).replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)

/** A template whose values are escaped, each of them: html`<p>${comment}</p>`. Values in a list stand one after the other. */
export const html = (texts: TemplateStringsArray, ...values: readonly unknown[]): string =>
  String.raw(
    { raw: texts },
    ...values.map(value => (Array.isArray(value) ? value.map(escapeHtml).join('') : escapeHtml(value))),
  )

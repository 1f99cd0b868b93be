/** Text of a page that needs no escaping. */
export interface Html {
  readonly html: string;
}

/** What may stand in a template: texts and numbers are escaped. */
type Part = string | number | Html | readonly Html[] | null;

/** A piece of HTML; whatever stands in it is escaped, unless it is HTML itself. Null is nothing. */
export const html = (texts: TemplateStringsArray, ...parts: readonly Part[]): Html => ({
  html: texts.reduce((all, text, i) => `${all}${textOf(parts[i - 1] ?? null)}${text}`),
});

/** HTML that was written elsewhere. */
export const trusted = (text: string): Html => ({ html: text });

/** A value as JSON that may stand in a script. */
export const scriptJson = (value: unknown): Html =>
  trusted(
    JSON.stringify(value).replaceAll('<', '\\u003c').replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029'),
  );

function textOf(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'string' || typeof part === 'number') return escapeHtml(String(part));
  return 'html' in part ? part.html : part.map(({ html }) => html).join('');
}

const ESCAPES: { readonly [character: string]: string } = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
};

/** A per cent sign stays in the line of its number. */
const escapeHtml = (text: string) =>
  text.replaceAll(/[&<>"']/g, (character) => ESCAPES[character]!).replaceAll(/(?<=\d) %/g, '\u00a0%');

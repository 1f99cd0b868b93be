/** Nesting above which a text is no data that anyone wrote. Code that walks a deeper value would run out of stack. */
const MAX_DEPTH = 500;

/**
 * Parses JSON strictly and returns the value. Duplicate keys are errors, because other parsers may keep a different one, and so is nesting
 * that is too deep for `JSON.stringify`.
 *
 * @throws SyntaxError for text that is not JSON, duplicate keys in an object, and more than 500 levels of nesting
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  checkStructure(text);
  return value;
}

/** @param json a text that `JSON.parse` accepts */
function checkStructure(json: string): void {
  /** The keys of the objects around the current place; null for an array. */
  const around: (Set<string> | null)[] = [];
  let last: string | undefined;
  const structure = /["{}[\],:]/g;
  for (let found = structure.exec(json); found !== null; found = structure.exec(json)) {
    const [token] = found;
    if (token === '"') {
      const end = endOfString(json, found.index);
      // Only a key can come before a colon; values are not needed.
      if (around.at(-1)) last = json.slice(found.index, end);
      structure.lastIndex = end;
      continue;
    }
    const keys = around.at(-1);
    if (token === '{' || token === '[') around.push(token === '{' ? new Set() : null);
    else if (token === '}' || token === ']') around.pop();
    else if (token === ':' && keys && last !== undefined) {
      const key: string = JSON.parse(last);
      if (keys.has(key))
        throw new SyntaxError(`the key ${JSON.stringify(shortened(key))} occurs twice in the same object`);
      keys.add(key);
    }
    if (around.length > MAX_DEPTH) throw new SyntaxError(`it is nested deeper than ${MAX_DEPTH} levels`);
    last = undefined;
  }
}

/** The index behind the quote that ends the string beginning at `start`. */
function endOfString(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); ; quote = json.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (json[before] === '\\') before--;
    // Backslashes in pairs stand for themselves; one that is left over escapes the quote.
    if ((quote - before) % 2 === 1) return quote + 1;
  }
}

const shortened = (text: string) => (text.length > 120 ? `${text.slice(0, 117)}...` : text);

/** Formats any value for a message: as shortened JSON. Never throws. */
export function describeValue(value: unknown): string {
  if (typeof value === 'number') return String(value);
  try {
    return shortened(JSON.stringify(value) ?? String(value));
  } catch {
    return `a value of type ${typeof value}`;
  }
}

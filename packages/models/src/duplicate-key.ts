/** A string of JSON, or one of the characters that matter to where keys stand. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

/**
 * The first key that occurs twice in one object of a JSON text. `JSON.parse` keeps the last of them without a word, other readers the first.
 *
 * @param json a text that `JSON.parse` accepts
 */
export function duplicateKey(json: string): string | undefined {
  /** The objects and arrays around the current place; an array has no keys. */
  const around: (Set<string> | null)[] = [];
  let last: string | undefined;
  for (const [token] of json.matchAll(TOKEN)) {
    const keys = around.at(-1);
    if (token === '{') around.push(new Set());
    else if (token === '[') around.push(null);
    else if (token === '}' || token === ']') around.pop();
    else if (token === ':' && keys && last !== undefined) {
      const key: string = JSON.parse(last);
      if (keys.has(key)) return key;
      keys.add(key);
    }
    last = token.startsWith('"') ? token : undefined;
  }
  return undefined;
}

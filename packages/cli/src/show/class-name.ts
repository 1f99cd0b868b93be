/** A class for people: `Sandal (5)`, or `class 5` where the dataset has no names. */
export function className(label: number, names: readonly string[] | undefined): string {
  const name = names?.[label];
  return name === undefined ? `class ${label}` : `${name} (${label})`;
}

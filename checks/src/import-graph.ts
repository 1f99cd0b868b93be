/** Which file imports which, as TypeScript reads it: static and dynamic imports, exports from, of types too. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { root } from './markdown.js';

/** One import of a source file. */
export interface Import {
  /** As it is written. */
  readonly specifier: string;
  /** The source file that it leads to, from the root of the repository; undefined for a package that is not ours. */
  readonly file: string | undefined;
  /** Whether it is an `import()`, which runs when it is reached. */
  readonly dynamic: boolean;
  /** Whether nothing of it is left when the program runs. */
  readonly typeOnly: boolean;
}

/** The imports of every source file of a package that is published, by the path of the file from the root of the repository. */
export function importsOf(folder: string): ReadonlyMap<string, readonly Import[]> {
  const source = join(root, 'packages', folder, 'src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !/\.test(-d)?\.ts$/.test(file),
  );
  return new Map(files.map((file) => [relative(root, join(source, file)), readImports(join(source, file))]));
}

function readImports(path: string): Import[] {
  const tree = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  const found: Import[] = [];
  const add = (node: ts.Node | undefined, dynamic: boolean, typeOnly: boolean) => {
    if (node === undefined || !ts.isStringLiteral(node)) return;
    const target = node.text.startsWith('.')
      ? join(dirname(path), node.text.replace(/\.js$/, '.ts'))
      : entryOf(node.text);
    const file = target !== undefined && existsSync(target) ? relative(root, target) : undefined;
    found.push({ specifier: node.text, file, dynamic, typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, false, isTypeOnly(node));
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, false, node.isTypeOnly);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node.arguments[0], true, false);
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

/** The source file of an entry of ours, such as `@cert/models/node`; undefined where there is none. */
function entryOf(specifier: string): string | undefined {
  const [scope, name, ...rest] = specifier.split('/');
  if (scope !== '@cert' || name === undefined) return undefined;
  const folder = join(root, 'packages', name);
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const source = exports[['.', ...rest].join('/')]?.['@cert/source'];
  return source === undefined ? undefined : join(folder, source);
}

function isTypeOnly({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.isTypeOnly) return true;
  const { name, namedBindings } = importClause;
  return (
    name === undefined &&
    namedBindings !== undefined &&
    ts.isNamedImports(namedBindings) &&
    namedBindings.elements.every((element) => element.isTypeOnly)
  );
}

/** A circle of files that import each other, types included; undefined when there is none. */
export function circleIn(graph: ReadonlyMap<string, readonly Import[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const { file: next } of graph.get(file) ?? []) {
      const circle = next === undefined ? undefined : walk(next, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = walk(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/**
 * The modules that are loaded with a file, now or by an `import()` later, and are none of our source files: each by its specifier, with
 * the files that lead to it. Types are not loaded.
 *
 * @param graph of all packages that the file may lead to
 */
export function modulesBehind(
  entry: string,
  graph: ReadonlyMap<string, readonly Import[]>,
): ReadonlyMap<string, readonly string[]> {
  const seen = new Set<string>();
  const modules = new Map<string, readonly string[]>();
  const walk = (file: string, path: readonly string[]): void => {
    if (seen.has(file)) return;
    seen.add(file);
    const way = [...path, file];
    for (const { specifier, file: next, typeOnly } of graph.get(file) ?? []) {
      if (typeOnly) continue;
      if (next !== undefined) walk(next, way);
      else if (!modules.has(specifier)) modules.set(specifier, way);
    }
  };
  walk(entry, []);
  return modules;
}

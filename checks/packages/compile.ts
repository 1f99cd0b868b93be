import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { inject } from 'vitest';
import { root } from './command.ts';

/** How TypeScript finds packages: as Node does, or as bundlers do. */
export type Resolution = 'NodeNext' | 'Bundler';

/**
 * Type-checks a file strictly as its user's compiler would, and writes JavaScript beside it.
 * The declarations of our packages that it reaches are checked as well; those of TensorFlow.js have errors of their own.
 *
 * @returns what the compiler says, empty when all is well
 */
export function compile(file: string, resolution: Resolution): string {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: resolution === 'NodeNext' ? ts.ModuleKind.NodeNext : ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind[resolution],
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    // For `node:` modules in examples. Our declarations need none; without them the compiler would say so.
    types: ts.sys.readFile(file)?.includes("'node:") ? ['node'] : [],
    typeRoots: [join(root, 'node_modules', '@types')],
  };
  const program = ts.createProgram([file], options, host(dirname(file), options));
  const checked = program
    .getSourceFiles()
    .filter(({ fileName }) => fileName === file || fileName.includes('/node_modules/@cert/'));
  const diagnostics = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    ...checked.flatMap((source) => [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ]),
  ];
  program.emit(program.getSourceFile(file));
  return ts.formatDiagnostics(diagnostics, {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => root,
    getNewLine: () => '\n',
  });
}

const parsed = new Map<string, ts.SourceFile | undefined>();

/** Parses what all projects share once: files outside the project, and files in it that are the very ones that it began with. */
function host(folder: string, options: ts.CompilerOptions): ts.CompilerHost {
  const base = inject('base');
  const own = ts.createCompilerHost(options);
  const inode = (path: string) => statSync(path, { throwIfNoEntry: false })?.ino;
  return {
    ...own,
    realpath(path) {
      const first = path.replace(folder, base);
      return first !== path && inode(first) === inode(path) ? first : path;
    },
    getSourceFile(name, target, ...rest) {
      if (name.startsWith(`${folder}/`)) return own.getSourceFile(name, target, ...rest);
      const key = `${name} ${JSON.stringify(target)}`;
      if (!parsed.has(key)) parsed.set(key, own.getSourceFile(name, target, ...rest));
      return parsed.get(key);
    },
  };
}

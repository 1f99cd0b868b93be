/** The TypeScript and JavaScript in a document as programs: type-checked, made ready to run, with what their comments say they print. */
import { join } from 'node:path';
import ts from 'typescript';
import { type Document, root, slug } from './markdown.js';

/** A program of a document. */
export interface Program {
  readonly title: string;
  readonly language: string;
  /** Where it lies once it is written; without the ending. */
  readonly path: string;
  readonly code: string;
  /** What the document shows of its output; empty when it shows none. */
  readonly output: string;
}

/** Where programs lie: inside the repository, so that they find the packages. */
export const place = join(root, 'checks', '.blocks', 'programs');

/** In a document that says so, all blocks are parts of one program. */
const ONE_PROGRAM = '<!-- blocks: one program -->';

/** The programs of a document: a block each, or all of them together. */
export function programsOf(document: Document): readonly Program[] {
  const blocks = document.blocks.filter(({ language }) => ['ts', 'js'].includes(language));
  const path = (name: string) => join(place, slug(document), name);
  if (document.text.includes(ONE_PROGRAM) && blocks.length > 0) {
    const code = blocks.map((block) => block.code).join('\n');
    const output = blocks.map((block) => block.output ?? '').join('');
    return [{ title: 'all blocks', language: 'ts', path: path('blocks'), code, output }];
  }
  return blocks.map(({ language, code, number, output = '' }) => ({
    title: `${language} block ${number}`,
    language,
    path: path(`block-${language}-${number}`),
    code,
    output,
  }));
}

const fileOf = ({ path, language }: Program) => `${path}.${language}`;

/**
 * What the compiler finds in programs, as text; empty when all is well. Packages are taken as they are built, as a reader would
 * have them.
 */
export function typeErrors(programs: readonly Program[]): string {
  const { config } = ts.readConfigFile(join(root, 'checks', 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, join(root, 'checks'));
  const settings = {
    ...options,
    customConditions: [],
    allowJs: true,
    checkJs: true,
    moduleDetection: ts.ModuleDetectionKind.Force,
  };
  const sources = new Map(programs.map((program) => [fileOf(program), program.code]));
  const host = ts.createCompilerHost(settings);
  const parsed = new Map<string, ts.SourceFile | undefined>();
  const parse = host.getSourceFile;
  host.getSourceFile = (name, language) => {
    if (!parsed.has(name)) {
      const code = sources.get(name);
      parsed.set(name, code === undefined ? parse(name, language) : ts.createSourceFile(name, code, language, true));
    }
    return parsed.get(name);
  };
  // A program that declares an op of its own is checked by itself: the others do not know the op.
  const declares = ({ code }: Program) => code.includes('declare module');
  const alone = programs.filter(declares).map((program) => [program]);
  return [programs.filter((program) => !declares(program)), ...alone]
    .map((group) => {
      const names = group.map(fileOf);
      return ts.formatDiagnostics(ts.getPreEmitDiagnostics(ts.createProgram(names, settings, host)), {
        getCanonicalFileName: (name) => name,
        getCurrentDirectory: () => root,
        getNewLine: () => '\n',
      });
    })
    .join('');
}

/**
 * JavaScript for a program. Behind every statement that prints and ends in a comment on its line, it calls
 * `documented(line, comment)`.
 */
export function toJavaScript(code: string): string {
  const file = ts.createSourceFile('block.ts', code, ts.ScriptTarget.ES2022, true);
  const calls: { readonly at: number; readonly call: string }[] = [];
  const visit = (node: ts.Node): void => {
    const comment = ts.isExpressionStatement(node) && prints(node.expression) && commentBehind(code, node.end);
    if (comment) {
      const line = file.getLineAndCharacterOfPosition(node.end).line + 1;
      calls.push({ at: node.end, call: ` documented(${line}, ${JSON.stringify(comment)});` });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);
  const shown = calls.reduceRight((text, { at, call }) => `${text.slice(0, at)}${call}${text.slice(at)}`, code);
  return ts.transpileModule(shown, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true },
  }).outputText;
}

/** Whether an expression is `console.log(...)` or `tensor.print()`. */
function prints(expression: ts.Expression): boolean {
  if (!ts.isCallExpression(expression) || !ts.isPropertyAccessExpression(expression.expression)) return false;
  const { expression: object, name } = expression.expression;
  return name.text === 'print' || (name.text === 'log' && object.getText() === 'console');
}

/** The text of the comment that follows on the same line. */
function commentBehind(code: string, end: number): string | undefined {
  const [range] = ts.getTrailingCommentRanges(code, end) ?? [];
  return range && code.slice(range.pos, range.end).replace(/^\/\/\s*/, '');
}
